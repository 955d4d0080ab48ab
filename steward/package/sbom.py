"""The package's bill of materials: CycloneDX 1.6 as JSON.

Scanners read it to find known vulnerabilities and licences.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Final

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from steward.package.wheels import Wheel

#: Licences by their SPDX names. Any other licence is given as its package writes it.
SPDX: Final = frozenset({"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "PSF-2.0"})
#: Other spellings of SPDX names.
ALIASES: Final = {"Apache License 2.0": "Apache-2.0"}


def bill(version: str, zip_sha256: str, wheels: Sequence[Wheel], bytecode: str) -> str:
    """The bill of the zip with that hash; the same package gives the same text.

    It names EMR Steward in that ``version``, and every wheel. ``bytecode`` names the Python that compiled the zip; it is
    empty if the zip has no bytecode.
    """
    root = _component(
        ComponentType.APPLICATION,
        PackageURL("generic", name="emr-steward", version=version),
        sha256=zip_sha256,
        licence="Apache-2.0",
    )
    if bytecode:
        root.properties.add(Property(name="emr-steward:bytecode", value=bytecode))
    libraries = [
        _component(
            ComponentType.LIBRARY,
            PackageURL("pypi", name=wheel.name, version=wheel.version),
            sha256=wheel.sha256,
            licence=wheel.licence,
        )
        for wheel in wheels
    ]
    bom = Bom(components=libraries, serial_number=uuid.uuid5(uuid.NAMESPACE_URL, zip_sha256))
    bom.metadata.component = root
    bom.register_dependency(root, libraries)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    del document["metadata"]["timestamp"]  # the bill does not depend on when the package was built
    return json.dumps(document, indent=1) + "\n"


def _component(kind: ComponentType, purl: PackageURL, *, sha256: str, licence: str) -> Component:
    spdx = ALIASES.get(licence, licence)
    named = DisjunctiveLicense(id=spdx) if spdx in SPDX else DisjunctiveLicense(name=spdx) if spdx else None
    return Component(
        type=kind,
        name=purl.name,
        version=purl.version,
        bom_ref=purl.to_string(),
        purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
        licenses=[named] if named else [],
    )
