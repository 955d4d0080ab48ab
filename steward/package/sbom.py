"""The package's bill of materials: CycloneDX 1.6, as JSON, for scanners of known vulnerabilities and licences."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any, Final

from steward.package.wheels import Wheel

#: SPDX's names; a licence of any other name is given as the package writes it.
SPDX: Final = frozenset({"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "PSF-2.0"})
#: The same in other words.
ALIASES: Final = {"Apache License 2.0": "Apache-2.0"}


def bill(version: str, zip_sha256: str, wheels: Sequence[Wheel], bytecode: str) -> str:
    """The bill of a zip with that hash: the steward in that ``version`` and every wheel in it; the same text for the same package.

    ``bytecode`` names the Python that compiled it, empty where it carries none.
    """
    root = f"pkg:generic/emr-steward@{version}"
    about: dict[str, Any] = {
        "type": "application",
        "bom-ref": root,
        "name": "emr-steward",
        "version": version,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "hashes": [{"alg": "SHA-256", "content": zip_sha256}],
        "purl": root,
    }
    if bytecode:
        about["properties"] = [{"name": "emr-steward:bytecode", "value": bytecode}]
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, zip_sha256)}",
        "version": 1,
        "metadata": {"component": about},
        "components": [_component(wheel) for wheel in wheels],
        "dependencies": [{"ref": root, "dependsOn": [_purl(wheel) for wheel in wheels]}],
    }
    return json.dumps(bom, indent=1) + "\n"


def _component(wheel: Wheel) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": _purl(wheel),
        "name": wheel.name,
        "version": wheel.version,
        "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
        "purl": _purl(wheel),
    }
    if wheel.licence:
        licence = ALIASES.get(wheel.licence, wheel.licence)
        component["licenses"] = [{"license": {"id" if licence in SPDX else "name": licence}}]
    return component


def _purl(wheel: Wheel) -> str:
    return f"pkg:pypi/{wheel.name}@{wheel.version}"
