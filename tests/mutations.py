"""Does the suite notice? Each safeguard is taken out of a copy of the code, and some test must fail.

``python -m tests.mutations`` (``make mutations``). A mutation is one edit that must fit exactly once, so that none goes
stale unnoticed. Exit code 1 where one survives. The guards are not listed here: whatever ``intent_guards.py``,
``process_guards.py`` and ``budgets.py`` of ``handler/decide/`` have is taken out, one at a time.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

from steward.simulate.redis_server import MISSING
from tests.engine.mutations import RULES

ROOT = Path(__file__).parents[1]
COPIED = (
    *("handler", "harness", "steward", "tests", "events", "deploy", "docs", "requirements"),
    *("index.py", "steward.yml", "serverless.yml", "pyproject.toml", "Makefile", "README.md", "LICENSE"),
)
ENGINE = "tests/engine/test_model.py"
FAILURES = (
    "tests/scenarios/test_failures.py",
    "tests/scenarios/test_follow_up.py",
    "tests/scenarios/test_without_a_ledger.py",
)
#: The tests that speak of safeguards, the quick ones first.
GUARDED_BY = (
    "tests/handler/decide/test_guards.py",
    "tests/scenarios/test_clock.py",
    *FAILURES,
    "tests/scenarios/test_events.py",
    ENGINE,
)
GATEWAY = ("tests/handler/cloud/test_emr.py", "tests/handler/cloud/test_transport.py")


@dataclass(frozen=True)
class Mutation:
    """``old`` becomes ``new`` in ``file``; one of ``tests`` must notice."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, tree: Path = ROOT) -> str:
        """The text of the file in ``tree`` with the edit. Raises ValueError where it does not fit exactly once."""
        text = (tree / self.file).read_text(encoding="utf-8")
        if text.count(self.old) != 1 or self.old == self.new:
            raise ValueError(f"{self.name}: fits {text.count(self.old)} times in {self.file}, not once")
        return text.replace(self.old, self.new)


def guards() -> list[Mutation]:
    """Each guard that is asked by way of a tuple, not asked; each other one letting everything through."""
    files = [f"handler/decide/{name}.py" for name in ("intent_guards", "process_guards", "budgets")]
    return [mutation for file in files for mutation in _guards_of(file)]


def _guards_of(file: str) -> list[Mutation]:
    text = (ROOT / file).read_text(encoding="utf-8")
    tree = ast.parse(text)
    found: list[Mutation] = []
    in_tuples: set[str] = set()
    for node in tree.body:
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.value, ast.Tuple)
            and "GUARDS" in ast.unparse(node.target)
        ):
            names = [ast.unparse(item) for item in node.value.elts]
            in_tuples.update(names)
            whole = ast.get_source_segment(text, node) or ""
            for name in names:
                rest = "".join(f"{other}, " for other in names if other != name)
                fewer = f"{whole.partition(' = ')[0]} = ({rest})"
                found.append(Mutation(f"without the guard {name}", file, whole, fewer, GUARDED_BY))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.returns and ast.unparse(node.returns) == "Outcome | None":
            if node.name in in_tuples:
                continue
            # The whole function, since two may begin alike.
            whole = ast.get_source_segment(text, node) or ""
            first = ast.get_source_segment(text, node.body[0]) or ""
            through = whole.replace(first, f"{first}\n    return None", 1)
            found.append(Mutation(f"{node.name} lets all through", file, whole, through, GUARDED_BY))
    return found


MODEL = [Mutation(rule.name, rule.file, rule.old, rule.new, (rule.test,)) for rule in RULES]
STORES = ("tests/handler/ledger/test_store.py", "tests/handler/ledger/test_store_faults.py")
SQLITE = "handler/ledger/sqlite_store.py"
REDIS = "handler/ledger/redis_store.py"
GRANTED = (
    "tests/scenarios/test_grants.py",
    "tests/scenarios/test_start.py",
)
LISTED = (
    *MODEL,
    Mutation(
        "a grant of no source",
        "handler/decide/grants.py",
        "    if event.source not in grant.sources:",
        "    if False:",
        GRANTED,
    ),
    Mutation(
        "a grant of any operation",
        "handler/decide/grants.py",
        "    if request.op_type not in grant.operations:",
        "    if False:",
        GRANTED,
    ),
    Mutation(
        "a grant of any cluster",
        "handler/decide/grants.py",
        "or request.instance_id in grant.clusters)",
        "or True)",
        GRANTED,
    ),
    Mutation(
        "a grant of one service of several",
        "handler/decide/grants.py",
        'if others else ""',
        'if len(others) == len(request.scope.services) else ""',
        GRANTED,
    ),
    Mutation(
        "a grant does not keep queues off HTTP",
        "handler/receive/payload.py",
        "    elif call.caller:",
        "    elif False:",
        GRANTED,
    ),
    Mutation(
        "what is beyond a grant is kept",
        "handler/report/history.py",
        " and one.outcome.code != grants.CODE",
        "",
        GRANTED,
    ),
    Mutation(
        "a grant's caller takes another's id",
        "handler/execute/pipeline.py",
        '        origin = f"{caller}|{event.source}"',
        "        origin = event.source",
        GRANTED,
    ),
    Mutation(
        "a grant's secret may be short",
        "handler/receive/auth.py",
        "len(secret) < MIN_SECRET",
        "len(secret) < 0",
        GRANTED,
    ),
    Mutation(
        "SQLite swaps whatever is stored",
        SQLITE,
        "value = ? WHERE key = ? AND version = ?",
        "value = ? WHERE key = ? AND version <> -?",
        STORES,
    ),
    Mutation(
        "SQLite opens a ledger of any format",
        SQLITE,
        "        if version != FORMAT:\n",
        "        if False:\n",
        STORES,
    ),
    Mutation(
        "a record of any format is read",
        "handler/ledger/serialization.py",
        'if row["format"] != FORMAT:',
        "if False:",
        ("tests/handler/ledger/test_serialization.py",),
    ),
    Mutation(
        "the in-flight request says that nothing was sent",
        "handler/lib/in_flight.py",
        'too late to send")\n            self._sent = True',
        'too late to send")',
        GATEWAY,
    ),
    Mutation(
        "a request that was given up still sends",
        "handler/lib/in_flight.py",
        "            self._abandoned = True\n",
        "            self._abandoned = False\n",
        GATEWAY,
    ),
    Mutation(
        "what was held up still sends",
        "handler/lib/in_flight.py",
        "if not self._sent and self._deadline is not None and self._deadline.remaining() <= 0:",
        "if False:",
        ("tests/scenarios/test_kill.py",),
    ),
    Mutation(
        "what is in doubt is sent again",
        "handler/execute/sending.py",
        "_MAY_PASS: Final = (NeverSent,",
        "_MAY_PASS: Final = (ApiError, NeverSent,",
        FAILURES,
    ),
    Mutation(
        "a worker that was held up sends late",
        "handler/model/timing.py",
        "latest_send: float = 30.0",
        "latest_send: float = 3000.0",
        (f"{ENGINE}::test_a_request_in_doubt_is_ruled_out_late_enough",),
    ),
)
ON_REDIS = (
    Mutation(
        "Redis swaps whatever is stored",
        REDIS,
        "if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then return 0 end",
        "",
        STORES,
    ),
)


class Copy:
    """A copy of the code, in which one mutation at a time is tried; what was compiled for one serves the next."""

    def __init__(self, folder: str) -> None:
        self.tree = Path(folder)
        self._edits = 0
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.tree / name, ignore=shutil.ignore_patterns("node_modules"))
            else:
                shutil.copy2(source, self.tree / name)

    def killed_by(self, mutation: Mutation | None, tests: tuple[str, ...]) -> str:
        """The test that noticed, or an empty text where none did; without a mutation none may."""
        if mutation is None:
            return self._failing(tests)
        path = self.tree / mutation.file
        original = path.read_text(encoding="utf-8")
        try:
            self._write(path, mutation.applied(self.tree))
            return self._failing(tests)
        finally:
            self._write(path, original)

    def _write(self, path: Path, text: str) -> None:
        """Python compares the times of source and bytecode in whole seconds: each edit has a time of its own."""
        self._edits += 1
        path.write_text(text, encoding="utf-8")
        os.utime(path, (self._edits, self._edits))

    def _failing(self, tests: tuple[str, ...]) -> str:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "--no-header",
        ]
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        try:
            done = subprocess.run(
                [*command, *tests], cwd=self.tree, env=env, capture_output=True, text=True, timeout=180, check=False
            )
        except subprocess.TimeoutExpired:
            return "a test that never ended"
        if done.returncode not in (0, 1):
            raise RuntimeError(f"pytest ended with {done.returncode}\n{done.stdout[-2000:]}")
        lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return lines[0].split(" - ")[0].partition(" ")[2] if lines else ""


def main() -> None:
    mutations = [*guards(), *LISTED, *(() if MISSING else ON_REDIS)]
    if MISSING:
        sys.stdout.write(f"without those of Redis: {MISSING}\n")
    wanted = sys.argv[1:]
    chosen = [one for one in mutations if not wanted or any(word in one.name for word in wanted)]
    survivors = 0
    with ExitStack() as folders, ThreadPoolExecutor(os.cpu_count() or 2) as together:
        copies: Queue[Copy] = Queue()
        for _ in range(os.cpu_count() or 2):
            copies.put(Copy(folders.enter_context(tempfile.TemporaryDirectory(prefix="steward-mutation-"))))

        def killed_by(mutation: Mutation | None, tests: tuple[str, ...]) -> str:
            copy = copies.get()
            try:
                return copy.killed_by(mutation, tests)
            finally:
                copies.put(copy)

        if noticed := killed_by(None, tuple({test: None for one in chosen for test in one.tests})):
            sys.exit(f"an untouched copy fails already: {noticed}")
        for mutation, test in zip(chosen, together.map(lambda one: killed_by(one, one.tests), chosen), strict=True):
            survivors += not test
            sys.stdout.write(f"{'killed  ' if test else 'SURVIVED'}  {mutation.name:<52}  {test}\n")
            sys.stdout.flush()
    sys.exit(survivors > 0)


if __name__ == "__main__":
    main()
