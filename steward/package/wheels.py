"""Downloads the function's dependencies as wheels for the platform.

pip downloads them, whatever machine builds the package, and checks their hashes.
"""

from __future__ import annotations

import email.parser
import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from packaging.requirements import Requirement

from handler.errors import ConfigurationError

#: The platform's Python and C library (CentOS 7, x86_64).
PLATFORM: Final = (
    "--implementation=cp",
    "--python-version=3.10",
    "--platform=manylinux2014_x86_64",
    "--platform=manylinux_2_17_x86_64",  # the same platform under its newer name
)
#: The same platform for markers in requirements files.
ENVIRONMENT: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.10.0",
    "python_version": "3.10",
    "sys_platform": "linux",
}
#: What pip prints if it cannot reach the network, rather than not find the package.
UNREACHABLE: Final = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|ConnectionError|Max retries"
)


@dataclass(frozen=True)
class Wheel:
    """The wheel of one dependency, with what its metadata has.

    ``sha256`` is in hexadecimal; ``licence`` may be empty.
    """

    path: Path
    name: str
    version: str
    licence: str
    sha256: str

    def files(self) -> Iterator[tuple[str, bytes]]:
        """The files that are deployed: path below the zip's root, and content.

        Type stubs, scripts and install records are left out.
        """
        with zipfile.ZipFile(self.path) as archive:
            for info in archive.infolist():
                where = _deployed(info.filename)
                if where and not info.is_dir():
                    yield where, archive.read(info)


def download(requirements: Sequence[Path], folder: Path, *, only: Collection[str] = ()) -> list[Wheel]:
    """The wheels of the pinned ``requirements`` for the function's platform, sorted by name.

    They are kept in ``folder``, and only what is missing there is downloaded. ``only`` restricts them to these names.
    Raises ConfigurationError.
    """
    pins: dict[str, _Pin] = {}
    for path in requirements:
        pins.update({pin.name: pin for pin in _pins(path) if not only or pin.name in only})
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / "requirements.txt"
    lock.write_text("".join(f"{pin.text}\n" for pin in pins.values()), encoding="utf-8")
    if _pip(lock, folder, "--no-index", f"--find-links={folder}").returncode != 0:
        _from_network(lock, folder, ", ".join(map(str, requirements)))
    wheels = (_read(path) for path in sorted(folder.glob("*.whl")))
    # The folder may also have earlier downloads.
    chosen = {wheel.name: wheel for wheel in wheels if wheel.name in pins and wheel.sha256 in pins[wheel.name].text}
    return [chosen[name] for name in sorted(chosen)]


def _from_network(lock: Path, folder: Path, where: str) -> None:
    done = _pip(lock, folder)
    if done.returncode == 0:
        return
    output = (done.stderr or done.stdout).strip()
    if "No module named pip" in output:
        raise ConfigurationError("this Python has no pip", where=sys.executable, hint="python -m ensurepip")
    if UNREACHABLE.search(output):
        raise ConfigurationError(
            "the wheels cannot be downloaded: the package index cannot be reached",
            where=where,
            hint=f"check the network and pip's settings, or put the wheels into {folder}",
        )
    last = next((line for line in reversed(output.splitlines()) if line.startswith("ERROR")), output[-300:])
    raise ConfigurationError(
        f"not every dependency has a wheel for CPython 3.10 on manylinux2014: {last.removeprefix('ERROR: ')}",
        where=where,
        hint="pin versions that have such wheels (make lock)",
    )


def _pip(lock: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    # No dependencies are resolved: the pins are complete, and nothing else may come in.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", *PLATFORM, f"--dest={folder}", *options, "-r", str(lock)]
    command.append("--retries=2")  # overrides any setting: pip reports an unreachable network only if it retries
    return subprocess.run(command, capture_output=True, text=True, check=False)


class _Pin(NamedTuple):
    """A pinned requirement: its name, and its line with hashes and without the marker."""

    name: str
    text: str


def _pins(path: Path) -> list[_Pin]:
    """The pins of a requirements file for the function's platform. Raises ConfigurationError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"cannot be read: {error.strerror}", where=str(path), hint="it pins dependencies of the function"
        ) from None
    pins = []
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        wanted, *hashes = re.split(r"\s+(?=--hash=)", line.partition("#")[0].strip())
        if not wanted:
            continue
        requirement = Requirement(wanted)
        # pip evaluates markers for the Python that runs it, even if it downloads for another platform.
        if requirement.marker is None or requirement.marker.evaluate({**ENVIRONMENT}):
            text = " ".join([f"{requirement.name}{requirement.specifier}", *hashes])
            pins.append(_Pin(_normal(requirement.name), text))
    return pins


def _read(path: Path) -> Wheel:
    with zipfile.ZipFile(path) as archive:
        metadata = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        fields = email.parser.BytesHeaderParser().parsebytes(archive.read(metadata))
    licence = str(fields["License-Expression"] or fields["License"] or "")
    return Wheel(
        path,
        _normal(str(fields["Name"])),
        str(fields["Version"]),
        licence if len(licence) < 100 else "",  # some packages put the whole text there
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _deployed(name: str) -> str:
    parts = PurePosixPath(name).parts
    if parts[0].endswith(".data"):
        return "/".join(parts[2:]) if parts[1] in ("purelib", "platlib") else ""
    if parts[0].endswith(".dist-info") and parts[-1] in ("RECORD", "WHEEL", "INSTALLER", "top_level.txt"):
        return ""
    return "" if name.endswith((".pyi", "/py.typed")) or "__pycache__" in parts else name
