"""``make package``: builds build/function.zip, and its bill of materials beside it.

The platform runs the zip as it is. It holds ``index.py``, ``handler/``, the compiled configuration, the compiled
schemas, and the dependencies of the function, all with bytecode. The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from handler.config.settings import Settings
from handler.errors import ConfigurationError
from handler.lib.validation import COMPILED
from steward.config.compile import compiled as compiled_configuration
from steward.package.bytecode import VERSION, compile_tree, find_python
from steward.package.compiled_schemas import compiled
from steward.package.sbom import bill
from steward.package.wheels import Wheel, download

Store = Literal["sqlite", "redis"]

ROOT: Final = Path(__file__).resolve().parents[2]
#: The name of the compiled configuration in the package.
CONFIGURATION: Final = "steward.json"
#: requests lists it as a dependency, uses it only to guess encodings, and works without it. The API answers in UTF-8,
#: and the SDK reads UTF-8. It would cost 9 ms of each cold start.
UNUSED: Final = frozenset({"charset-normalizer"})
#: The earliest time that a zip file can hold. Every entry has it, so that the bytes do not depend on the day.
EPOCH: Final = (1980, 1, 1, 0, 0, 0)
FILE, SHARED_OBJECT = 0o100644 << 16, 0o100755 << 16


@dataclass(frozen=True)
class Package:
    """The package that was built, its sizes in bytes.

    ``python`` is the Python that made the bytecode; empty if there is no bytecode.
    """

    path: Path
    size: int
    unpacked: int
    wheels: tuple[Wheel, ...]
    python: str

    @property
    def folder(self) -> Path:
        """The folder with the same content, which serverless.yml names."""
        return self.path.with_suffix("")

    @property
    def sbom(self) -> Path:
        """The file with the bill of materials."""
        return self.path.with_suffix(".cdx.json")

    def has(self, name: str) -> bool:
        """Whether the package has this dependency."""
        return any(wheel.name == name for wheel in self.wheels)


def build(
    config: Path,
    target: Path,
    *,
    ledger: Store = "sqlite",
    python: str = "",
    wheels: Path = ROOT / "build" / "wheels",
) -> Package:
    """Build the package of ``config`` as a zip, as a folder, and with a bill of materials.

    ``config`` is a steward.yml or compiled JSON. ``target`` is the zip; the folder and the bill are made beside it.
    ``python`` is a Python 3.10 for the bytecode; if it is empty, one is looked for. ``wheels`` is the folder where
    downloads are kept. Raises ConfigurationError, and then ``target`` is unchanged.
    """
    _replaceable(target)
    files = requirement_files(config, ledger)  # every error in it is reported before anything is downloaded
    compiler = find_python(python)
    packed = download(files, wheels)
    if "chat" not in {file.stem for file in files}:
        packed = [wheel for wheel in packed if wheel.name not in UNUSED]
    _same_core(packed)
    content = {
        **_sources(),
        CONFIGURATION: _json(compiled_configuration(str(config))),
        f"handler/lib/{COMPILED}": _json(compiled()),
        **{name: data for wheel in packed for name, data in wheel.files()},
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="steward-package-") as folder:
        stage = Path(folder)
        for name, data in content.items():
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            (stage / name).write_bytes(data)
        if compiler:
            compile_tree(stage, compiler)
        unpacked = _zip(stage, target)
    package = Package(target, target.stat().st_size, unpacked, tuple(packed), compiler)
    shutil.rmtree(package.folder, ignore_errors=True)
    with zipfile.ZipFile(target) as archive:
        archive.extractall(package.folder)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    made_by = f"CPython {VERSION}" if compiler else ""
    package.sbom.write_text(bill(_version(), digest, packed, made_by), encoding="utf-8")
    return package


def _replaceable(target: Path) -> None:
    """Check that only an earlier package is overwritten. Raises ConfigurationError."""
    if target.suffix != ".zip":
        raise ConfigurationError("is not the name of a zip", where=str(target), hint="such as build/function.zip")
    folder = target.with_suffix("")
    # Only a package has these two files. Without them the folder is somebody's own, and is not removed.
    if folder.exists() and not all((folder / name).is_file() for name in (CONFIGURATION, f"handler/lib/{COMPILED}")):
        raise ConfigurationError("is in the way, and is not a package", where=str(folder), hint="give another --output")


def requirement_files(config: Path, ledger: Store) -> list[Path]:
    """The lock files of the dependencies that are packaged.

    The chat library is large, so it is packaged only if the configuration has chat alarms. pydantic is in none of the
    files: its compiled schemas are packaged, and they need only pydantic_core. Raises ConfigurationError.
    """
    names = ["function"]
    if not config.exists():
        raise ConfigurationError("no such file", where=str(config))
    if compiled_configuration(str(config))["alarms"]["chat"]:
        names.append("chat")
    if ledger == "redis":
        names.append("redis")
    return [ROOT / "requirements" / f"{name}.txt" for name in names]


def _same_core(wheels: Sequence[Wheel]) -> None:
    """Check that the schemas are compiled by the pydantic-core version that is packaged.

    A core schema is valid for that one version only. Raises ConfigurationError.
    """
    import pydantic_core

    packed = next((wheel.version for wheel in wheels if wheel.name == "pydantic-core"), "none")
    if packed != pydantic_core.__version__:
        raise ConfigurationError(
            f"pydantic-core {pydantic_core.__version__} is installed here, but {packed} is pinned for the function",
            where="requirements/function.txt",
            hint="install the pinned versions: make setup",
        )


def _sources() -> dict[str, bytes]:
    files = [ROOT / "LICENSE", ROOT / "index.py", *(ROOT / "handler").rglob("*.py")]
    return {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in files}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _zip(stage: Path, target: Path) -> int:
    """Zip ``stage`` so that the bytes depend on its content only. Returns the sum of its files' sizes."""
    unpacked = 0
    partial = target.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        files = {path.relative_to(stage).as_posix(): path for path in stage.rglob("*") if path.is_file()}
        for name, path in sorted(files.items()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, whatever machine builds it: the file modes matter
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = SHARED_OBJECT if ".so" in path.suffixes else FILE
            data = path.read_bytes()
            unpacked += len(data)
            archive.writestr(entry, data)
    partial.replace(target)
    return unpacked


def _version() -> str:
    found = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else "0"


def summary(package: Package) -> str:
    """The lines that ``make package`` prints about a package."""
    lines = [
        f"{package.path}  {package.size / 1e6:.1f} MB, unpacked {package.unpacked / 1e6:.1f} MB",
        f"{package.folder}  the same as a folder",
        f"{package.sbom}  its bill of materials",
        "packed: " + ", ".join(f"{wheel.name} {wheel.version}" for wheel in package.wheels),
        "left out: pydantic, since the compiled schemas are packed, and they need only pydantic-core",
    ]
    if not package.has("apprise"):
        lines.append("left out: apprise, since the configuration has no chat under `alarms`")
    if not package.has("charset-normalizer"):
        lines.append("left out: charset-normalizer, since the API answers in UTF-8, and no encoding is guessed")
    if not package.has("redis"):
        lines.append("left out: redis, since the ledger is an SQLite file (LEDGER=redis packs it)")
    if package.python:
        lines.append(f"bytecode: by {package.python}")
    else:
        lines.append(
            f"NO BYTECODE: no Python {VERSION} on PATH or among pyenv's versions, so every cold start compiles all modules; install one"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None, env: Mapping[str, str] = os.environ) -> int:
    """Run the command. Returns 0, or 2 if the input is wrong."""
    parser = argparse.ArgumentParser(prog="package", description="Build the zip that the platform runs, and its SBOM.")
    parser.add_argument(
        "--config", type=Path, default=Path("steward.yml"), metavar="FILE", help="the configuration to package"
    )
    parser.add_argument(
        "--ledger",
        choices=("sqlite", "redis"),
        help="redis packs its client (default: the store that STEWARD_LEDGER names)",
    )
    parser.add_argument("--python", default="", metavar="PATH", help=f"a Python {VERSION} to make bytecode with")
    parser.add_argument("--output", type=Path, default=Path("build/function.zip"), metavar="ZIP")
    given = parser.parse_args(arguments)
    try:
        ledger: Store = given.ledger or ("redis" if Settings.from_env(env).ledger.startswith("redis") else "sqlite")
        package = build(given.config, given.output, ledger=ledger, python=given.python)
    except ConfigurationError as error:
        sys.stderr.write(f"package: {error}\n")
        return 2
    sys.stdout.write(summary(package))
    return 0


if __name__ == "__main__":
    sys.exit(main())
