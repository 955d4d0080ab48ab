"""``make package``: build/function.zip, which the platform runs as it is, and its bill of materials beside it.

The zip holds ``index.py``, ``handler/``, the compiled configuration, what pydantic makes of every schema, and the
dependencies that the function needs, with bytecode. The same input gives the same bytes.
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
#: steward.yml as the function reads it.
CONFIGURATION: Final = "steward.json"
#: Required by requests, which uses it to guess encodings, where it is there. The API answers in UTF-8, and the SDK
#: reads it so; it costs 9 ms of a start.
UNUSED: Final = frozenset({"charset-normalizer"})
#: What zip files can bear as the earliest time; every entry has it.
EPOCH: Final = (1980, 1, 1, 0, 0, 0)
FILE, SHARED_OBJECT = 0o100644 << 16, 0o100755 << 16


@dataclass(frozen=True)
class Package:
    """What was built. Sizes in bytes; ``python`` made the bytecode, empty where there is none."""

    path: Path
    size: int
    unpacked: int
    wheels: tuple[Wheel, ...]
    python: str

    @property
    def folder(self) -> Path:
        """The same as a folder, which serverless.yml names."""
        return self.path.with_suffix("")

    @property
    def sbom(self) -> Path:
        """The bill of materials."""
        return self.path.with_suffix(".cdx.json")

    def has(self, name: str) -> bool:
        """Whether this dependency is in it."""
        return any(wheel.name == name for wheel in self.wheels)


def build(
    config: Path,
    target: Path,
    *,
    ledger: Store = "sqlite",
    python: str = "",
    wheels: Path = ROOT / "build" / "wheels",
) -> Package:
    """Build the package of ``config`` (steward.yml, or JSON) at ``target`` (a zip), the same as a folder, and its bill of materials beside it.

    ``python`` is a Python 3.10 for the bytecode, looked for where it is empty. ``wheels`` is the folder where downloads
    are kept. Raises ConfigurationError, and then ``target`` is as it was.
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
    """Only what was built before is built over. Raises ConfigurationError."""
    if target.suffix != ".zip":
        raise ConfigurationError("is not the name of a zip", where=str(target), hint="such as build/function.zip")
    folder = target.with_suffix("")
    # Only a package has these two: nobody's own folder is ever removed.
    if folder.exists() and not all((folder / name).is_file() for name in (CONFIGURATION, f"handler/lib/{COMPILED}")):
        raise ConfigurationError(
            "stands in the way, and is not a package", where=str(folder), hint="give another --output"
        )


def requirement_files(config: Path, ledger: Store) -> list[Path]:
    """The lock files of what is packed: the chat library, which is large, only where the configuration has chat alarms.

    pydantic itself is in none of them: its core schemas are packed, and they need pydantic_core alone. Raises
    ConfigurationError.
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
    """A core schema is good for the very version that it was derived for. Raises ConfigurationError."""
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
    """Zip ``stage`` so that only its content decides the bytes; the sum of its files' sizes."""
    unpacked = 0
    partial = target.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        files = {path.relative_to(stage).as_posix(): path for path in stage.rglob("*") if path.is_file()}
        for name, path in sorted(files.items()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, wherever it is built: the modes count
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
    """What a person should know of it."""
    lines = [
        f"{package.path}  {package.size / 1e6:.1f} MB, unpacked {package.unpacked / 1e6:.1f} MB",
        f"{package.folder}  the same as a folder",
        f"{package.sbom}  its bill of materials",
        "packed: " + ", ".join(f"{wheel.name} {wheel.version}" for wheel in package.wheels),
        "left out: pydantic, since what it makes of the schemas is packed, and that needs pydantic-core alone",
    ]
    if not package.has("apprise"):
        lines.append("left out: apprise, since the configuration names no chat under `alarms`")
    if not package.has("charset-normalizer"):
        lines.append("left out: charset-normalizer, since nothing guesses the encoding of an answer")
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
    """The command; 0, or 2 where the input is wrong."""
    parser = argparse.ArgumentParser(prog="package", description="Build the zip that the platform runs, and its SBOM.")
    parser.add_argument("--config", type=Path, default=Path("steward.yml"), metavar="FILE", help="what is packed")
    parser.add_argument(
        "--ledger", choices=("sqlite", "redis"), help="redis packs its client (default: what STEWARD_LEDGER names)"
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
