"""``make package``: the zip that the platform runs, and what is in it.

Code, the validated configuration, compiled shapes, and only the packages that the function imports, as wheels for the platform (CPython 3.10,
manylinux2014) whatever machine builds it. The same input gives the same bytes: entries are sorted, times and modes are fixed. Bytecode is made by a
Python 3.10 and is never checked against its source there (``unchecked-hash``), since the platform's file times say nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

from handler.errors import ConfigurationError, StewardError
from handler.steward_file import load, read_raw
from handler.validation import COMPILED
from harness.shapes import compiled

ROOT: Final = Path(__file__).parents[1]
PYTHON: Final = "3.10"
#: Where the platform unpacks the code: what a traceback shows.
CODE_FOLDER: Final = "/var/user"
#: A wheel for the platform fits one of these.
TARGET: Final = (
    *("--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_17_x86_64"),
    *("--implementation", "cp", "--python-version", PYTHON, "--abi", "cp310", "--abi", "abi3", "--abi", "none"),
)
#: What a marker in a requirements file is asked about: the platform, not the machine that builds.
PLATFORM: Final = {
    "python_version": PYTHON,
    "python_full_version": "3.10.0",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "extra": "",
}
#: steward.yml as the function reads it.
CONFIGURATION: Final = "steward.json"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


class PackagingError(StewardError):
    """The package cannot be built; the text says why, and what to do."""


class IndexUnreachable(PackagingError):
    """The package index does not answer."""


@dataclass(frozen=True)
class Wheel:
    """One package in the zip."""

    name: str
    version: str
    licence: str
    sha256: str


@dataclass(frozen=True)
class Package:
    """What was built. ``has_bytecode``: whether a Python 3.10 was found to make it."""

    path: Path
    wheels: tuple[Wheel, ...]
    has_bytecode: bool

    @property
    def size(self) -> int:
        """Bytes of the zip."""
        return self.path.stat().st_size


def requirement_files(config_path: Path, ledger: str) -> list[Path]:
    """The lock files of what is packed: the chat library, which is large, only where steward.yml has chat alarms."""
    names = ["function"]
    if load(str(config_path)).alarms.chat:
        names.append("chat")
    if ledger == "redis":
        names.append("redis")
    return [ROOT / "requirements" / f"{name}.txt" for name in names]


def build(config_path: Path, target: Path, *, ledger: str = "sqlite", python: str | None = "") -> Package:
    """Build ``target`` (a zip) and its SBOM beside it.

    ``python`` makes the bytecode: empty for the Python 3.10 that is found, None for none. Raises ConfigurationError for a configuration that
    would not start, PackagingError where wheels cannot be had or the Python is another.
    """
    files = requirement_files(config_path, ledger)
    interpreter = python310() if python == "" else python
    if interpreter:
        _require_python(interpreter)
    with tempfile.TemporaryDirectory(prefix="steward-package-") as folder:
        stage, wheels = Path(folder) / "stage", Path(folder) / "wheels"
        stage.mkdir()
        _download(files, wheels)
        packed = tuple(_unpack(wheel, stage) for wheel in sorted(wheels.glob("*.whl")))
        _add_code(stage, config_path)
        if interpreter:
            _compile(interpreter, stage)
        target.parent.mkdir(parents=True, exist_ok=True)
        _zip(stage, target)
    target.with_suffix(".cdx.json").write_text(json.dumps(sbom(packed, target), indent=1) + "\n", encoding="utf-8")
    return Package(target, packed, bool(interpreter))


def unpack(package: Package) -> Path:
    """The zip's content in a folder beside it, which serverless.yml uploads; an older package there is replaced.

    Raises PackagingError where something else has that name.
    """
    folder = package.path.with_suffix("")
    if folder.exists():
        # Only a package has these two: nobody's own folder is ever removed.
        if not all((folder / name).is_file() for name in (CONFIGURATION, f"handler/{COMPILED}")):
            raise PackagingError(f"{folder} is in the way: the package is unpacked there, and this is none")
        shutil.rmtree(folder)
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(folder)
    return folder


def python310() -> str | None:
    """A Python 3.10: this one, one on PATH, or one of pyenv's; None where there is none."""
    if sys.version_info[:2] == (3, 10):
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [
        shutil.which("python3.10"),
        *map(str, sorted(pyenv.glob("versions/3.10.*/bin/python3.10"), reverse=True)),
    ]
    return next((one for one in candidates if one and _version(one) == PYTHON), None)


def _version(python: str) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _require_python(python: str) -> None:
    if (version := _version(python)) != PYTHON:
        raise PackagingError(
            f"{python} is Python {version or '(it does not run)'}; bytecode for the platform needs {PYTHON}"
        )


def _download(files: list[Path], wheels: Path) -> None:
    """The wheels of these lock files, by hash. Markers are weighed here, since pip asks them of the machine that builds."""
    wheels.mkdir()
    for file in files:
        if not file.exists():
            raise PackagingError(f"{file} is missing: `make lock` writes it")
        chosen = wheels / f"{file.stem}.txt"
        chosen.write_text("\n".join(_for_platform(file.read_text(encoding="utf-8"))), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--only-binary", ":all:", *TARGET, "-d", str(wheels), "-r", str(chosen)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            what = f"wheels of {file.name} for CPython {PYTHON} on manylinux2014 cannot be had"
            # pip says of an index out of reach, too, that it has no such version; before, it says that it tries again.
            if any(word in done.stderr for word in ("Retrying (", "NewConnectionError", "Max retries", "ProxyError")):
                raise IndexUnreachable(f"{what}: the package index is out of reach")
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
            raise PackagingError(f"{what}: {' '.join(said)[-400:]}")


def _for_platform(lock: str) -> list[str]:
    """The requirements of a lock file that hold on the platform, each in one line with its hashes, without markers."""
    lines = []
    for entry in lock.replace("\\\n", " ").splitlines():
        text = entry.strip()
        if not text or text.startswith("#"):
            continue
        written, *hashes = text.split(" --hash=")
        requirement = Requirement(written.strip())
        if requirement.marker is None or requirement.marker.evaluate(PLATFORM):
            pinned = f"{requirement.name}{requirement.specifier}"
            lines.append(" --hash=".join([pinned, *(one.strip() for one in hashes)]))
    return lines


def _unpack(wheel: Path, stage: Path) -> Wheel:
    """What the function imports of a wheel, and its licences."""
    about = None
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            folder, _, rest = name.partition("/")
            if folder.endswith(".dist-info"):
                if rest == "METADATA":
                    about = HeaderParser().parsestr(archive.read(name).decode())
                if not any(word in rest.upper() for word in ("LICEN", "COPYING", "NOTICE")):
                    continue
            elif folder.endswith(".data") or name.endswith((".pyi", "py.typed")):
                continue
            archive.extract(name, stage)
    if about is None:
        raise PackagingError(f"{wheel.name} has no METADATA")
    licence = about["License-Expression"] or about["License"] or ""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return Wheel(about["Name"], about["Version"], licence.splitlines()[0] if licence else "", digest)


def _add_code(stage: Path, config_path: Path) -> None:
    shutil.copy(ROOT / "index.py", stage)
    shutil.copytree(ROOT / "handler", stage / "handler", ignore=shutil.ignore_patterns("__pycache__", COMPILED))
    raw, _ = read_raw(str(config_path))
    # JSON is what the function reads without any further package.
    (stage / CONFIGURATION).write_text(_json(raw), encoding="utf-8")
    (stage / "handler" / COMPILED).write_text(_json(compiled()), encoding="utf-8")
    shutil.copy(ROOT / "LICENSE", stage)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _compile(python: str, stage: Path) -> None:
    command = [python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(stage), "-p", CODE_FOLDER, str(stage)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PackagingError(f"bytecode cannot be made: {done.stdout[-400:]}")


def _zip(stage: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        files = {path.relative_to(stage).as_posix(): path for path in stage.rglob("*") if path.is_file()}
        for name, path in sorted(files.items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, path.read_bytes())


def sbom(wheels: tuple[Wheel, ...], target: Path) -> dict[str, Any]:
    """What is in the zip, as CycloneDX 1.6 says it. No time is in it: the same zip has the same SBOM."""
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "emr-steward",
                "name": "emr-steward",
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": f"pkg:pypi/{one.name.lower()}@{one.version}",
                "name": one.name,
                "version": one.version,
                "purl": f"pkg:pypi/{one.name.lower()}@{one.version}",
                "hashes": [{"alg": "SHA-256", "content": one.sha256}],
                **({"licenses": [{"license": {"name": one.licence}}]} if one.licence else {}),
            }
            for one in wheels
        ],
        "dependencies": [
            {"ref": "emr-steward", "dependsOn": [f"pkg:pypi/{one.name.lower()}@{one.version}" for one in wheels]}
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="package", description="Build the zip that the platform runs, and its SBOM.")
    parser.add_argument(
        "--config", default="steward.yml", help="the configuration that is packed (default: steward.yml)"
    )
    parser.add_argument("--ledger", choices=("sqlite", "redis"), default="sqlite", help="redis packs its client")
    parser.add_argument("--output", default="build/function.zip")
    chosen = parser.parse_args()
    try:
        built = build(Path(chosen.config), Path(chosen.output), ledger=chosen.ledger)
        folder = unpack(built)
    except (ConfigurationError, PackagingError) as error:
        sys.stderr.write(f"package: {error}\n")
        sys.exit(2)
    if not built.has_bytecode:
        sys.stderr.write(
            f"package: no Python {PYTHON} was found on PATH or among pyenv's versions: without bytecode it starts more slowly\n"
        )
    packed = ", ".join(f"{one.name} {one.version}" for one in built.wheels)
    sys.stdout.write(
        f"{built.path}  {built.size / 1e6:.1f} MB  ({packed})\n{built.path.with_suffix('.cdx.json')}\n{folder}/  (for serverless.yml)\n"
    )


if __name__ == "__main__":
    main()
