"""The examples of the documents: found in their pages, and run as a reader would run them.

The info string of a fenced block says what the block is:

- ``console``: commands after ``$``, each with its output. ``steward …``, ``curl …`` and ``export …`` are run.
  A number after ``console`` is the exit code of the block's last command.
- ``yaml``, a whole steward.yml; ``yaml fragment``, a part of one; ``yaml serverless``, a part of a serverless.yml.
- ``yaml NAME``, ``json NAME``: a file of that name, which the commands of the page find in their folder.
- ``text serve``: what ``steward serve`` has printed since the block before.

A line that is only ``…`` stands for any lines. All commands of a page run one after the other in one folder.
``python -m tests.docs_examples PAGE…`` writes the present output into the pages.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.command import ROOT, steward

#: Seconds that `steward serve` is given to print something.
PATIENCE: Final = 20.0
#: The port that the pages name; a test takes a free one.
PORT: Final = "8080"
ANY_LINES: Final = "…"
_FENCE: Final = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What differs from run to run, and what it is compared as.
_VARIES: Final = (
    (r"op-[0-9a-f]{16}", "OPERATION"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "REQUEST"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME"),
    (r"\b\d\d:\d\d(:\d\d)?( ?UTC|Z)", "TIME"),
    (r"\b\d+(\.\d+)? (ms|s) (ago|old)\b", "SECONDS"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"serve-\d+\.db", "LEDGER"),
    (r"invocation [0-9a-f]{16}", "invocation ID"),
)
#: How often a process was looked at before it was ready is the machine's speed.
_NOT_YET: Final = re.compile(r"^  verify +\d+ of \d+ verified; not yet: .*\n", re.MULTILINE)


class Block(NamedTuple):
    """One fenced block: its info string, its text, and where the text is in the page."""

    info: str
    text: str
    start: int
    end: int

    @property
    def words(self) -> list[str]:
        return self.info.split()

    @property
    def kind(self) -> str:
        return self.words[0] if self.words else ""

    @property
    def file(self) -> str:
        """The name of the file that the block is; empty where it is none."""
        return self.words[1] if len(self.words) == 2 and re.fullmatch(r"[\w/-]+\.\w+", self.words[1]) else ""


class Example(NamedTuple):
    """One command, the output that the page shows, and the exit code that it names."""

    command: str
    shown: str
    code: int


class Result(NamedTuple):
    """What a command printed, and its exit code."""

    output: str
    code: int


def pages() -> list[str]:
    """Every page for readers, from the project's root."""
    found = ["README.md", "events/README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
    return sorted(found)


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    return [Block(found[1].strip(), found[2], found.start(2), found.end(2)) for found in _FENCE.finditer(text)]


def examples(block: Block) -> list[Example]:
    """The commands of a console block."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    code = int(block.words[1]) if len(block.words) > 1 else 0
    found = []
    for number, part in enumerate(parts, start=1):
        command, _, shown = part.partition("\n")
        while command.endswith("\\"):
            more, _, shown = shown.partition("\n")
            command = f"{command[:-1].rstrip()} {more.lstrip('> ')}"
        found.append(Example(command, shown, code if number == len(parts) else 0))
    return found


def alike(shown: str, printed: str) -> bool:
    """Whether the page shows what was printed, but for what differs from run to run."""
    parts = [re.escape(part) for part in f"\n{_comparable(shown)}".split(f"\n{ANY_LINES}\n")]
    return re.fullmatch(r"\n(?:.*\n)*".join(parts), f"\n{_comparable(printed)}") is not None


def _comparable(text: str) -> str:
    text = _NOT_YET.sub("", text)
    for pattern, word in _VARIES:
        text = re.sub(pattern, word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


class Session:
    """The folder and the environment of one page's commands; at its end `serve` is stopped."""

    def __init__(self, page: str, folder: Path) -> None:
        self.folder = folder
        self.env: dict[str, str] = {}
        self._port = ""
        self._serving: subprocess.Popen[bytes] | None = None
        self._told = 0
        self._ran_at = 0.0
        files = {block.file: block.text for block in blocks(text_of(page)) if block.file}
        if "steward.yml" not in files:  # the page's reader is in the project's folder
            for name in ("steward.yml", "serverless.yml"):
                shutil.copy(ROOT / name, folder / name)
        (folder / "events").symlink_to(ROOT / "events")

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        if self._serving is not None:
            self._serving.send_signal(signal.SIGINT)
            self._serving.wait(PATIENCE)

    def run(self, command: str) -> Result | None:
        """Run it; None where it is not ours to run."""
        if self._port:
            command = re.sub(rf"\b{PORT}\b", self._port, command)
        words = shlex.split(command)
        env = {}
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, env[name] = words.pop(0).partition("=")
        if words[0] == "export":
            self.env.update(word.partition("=")[::2] for word in words[1:])
            return Result("", 0)
        if words[:2] == ["steward", "serve"]:
            return self._serve()
        if words[:2] == ["steward", "run"]:
            # As a reader, who types: a fresh event bears whole seconds, and so would be older than what was just done.
            time.sleep(max(0.0, self._ran_at + 1.0 - time.monotonic()))
        if words[0] == "steward":
            done = steward(*words[1:], cwd=self.folder, **self.env, **env)
            self._ran_at = time.monotonic()
            return Result(done.stderr + done.stdout, done.returncode)
        if words[0] == "curl" and shutil.which("curl"):
            full_env = {**os.environ, **self.env}
            made = subprocess.run(  # noqa: S602 - the pages' own commands, with their variables
                command, shell=True, cwd=self.folder, env=full_env, capture_output=True, text=True, check=False
            )
            return Result(made.stdout + "\n", made.returncode)
        return None

    def _serve(self) -> Result:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = str(free.getsockname()[1])
        out = self.folder / "serve.out"
        env = {**os.environ, **self.env, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
        with out.open("wb") as file:
            self._serving = subprocess.Popen(
                [sys.executable, "-m", "steward", "serve", "--port", self._port],
                cwd=self.folder,
                env=env,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        return Result(self.served("curl "), 0)

    def served(self, until: str) -> str:
        """What `steward serve` printed since the last time, waited for until it holds ``until``."""
        deadline = time.monotonic() + PATIENCE
        while True:
            text = (self.folder / "serve.out").read_text(encoding="utf-8")
            if (until in text[self._told :] and text.endswith("\n")) or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        new, self._told = text[self._told :], len(text)
        # The samples lie elsewhere for a reader than for a test.
        return re.sub(r"@\S*/events/", "@../events/", new.replace(self._port, PORT))


def run_page(page: str, folder: Path) -> Iterator[tuple[Block, Example, Result | None]]:
    """Every command of a page, in its order."""
    with Session(page, folder) as session:
        for block in blocks(text_of(page)):
            if block.file:
                path = folder / block.file
                path.parent.mkdir(exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
            elif block.kind == "console":
                for example in examples(block):
                    yield block, example, session.run(example.command)
            elif block.info == "text serve":
                yield block, Example("", block.text, 0), Result(session.served("  outcome "), 0)


def refresh(page: str) -> None:
    """Write the present output of its commands into a page; one cut by ``…`` is compared."""
    text = text_of(page)
    written: dict[Block, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for block, example, result in run_page(page, Path(folder)):
            output = example.shown if result is None else result.output
            if f"\n{ANY_LINES}\n" in f"\n{example.shown}":
                if not alike(example.shown, output):
                    sys.stdout.write(f"{page}: to be cut by hand:\n$ {example.command}\n{output}\n")
                output = example.shown
            if "Traceback (most recent call last)" in output:
                raise AssertionError(output)
            output = "\n".join(line.rstrip() for line in output.strip("\n").splitlines())
            head = f"$ {example.command}\n" if example.command else ""
            written[block] = written.get(block, "") + head + (f"{output}\n" if output else "")
            if result is not None and result.code != example.code:
                sys.stdout.write(f"{page}: exit code {result.code}, not {example.code}: {example.command}\n{output}\n")
    for block in sorted(written, key=lambda block: block.start, reverse=True):
        if not alike(block.text, written[block]):
            text = text[: block.start] + written[block] + text[block.end :]
    (ROOT / page).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:] or pages():
        refresh(name)
