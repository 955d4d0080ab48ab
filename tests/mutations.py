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

ROOT = Path(__file__).parents[1]
COPIED = (
    *("handler", "harness", "steward", "tests", "events", "deploy", "docs", "requirements"),
    *("index.py", "steward.yml", "serverless.yml", "pyproject.toml", "Makefile", "README.md", "LICENSE"),
)
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
    "tests/scenarios/test_parts.py",
)
LEDGER = ("tests/handler/ledger/test_ledger.py", "tests/scenarios/test_kill.py")
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


SQLITE = "handler/ledger/sqlite.py"
SCRIPTS = "handler/ledger/redis_scripts.py"
REDIS = "handler/ledger/redis.py"
LISTED = (
    Mutation("SQLite arms on any past", SQLITE, "if self._version(db, cluster) != version:", "if False:", LEDGER),
    Mutation(
        "SQLite arms a known incident",
        SQLITE,
        "if not all(past.leaves_its_incident_open for past in known.values()):",
        "if False:",
        LEDGER,
    ),
    Mutation(
        "SQLite arms a busy target",
        SQLITE,
        "if not OPEN.isdisjoint(states.values()):",
        "if False:",
        LEDGER,
    ),
    Mutation(
        "SQLite forgets what touched a process",
        SQLITE,
        "before if states.get(name, State.NOT_SENT) in UNTOUCHED else name",
        "''",
        LEDGER,
    ),
    Mutation(
        "SQLite lets anybody settle",
        SQLITE,
        "AND owner = ? AND state = ?",
        "AND ? <> '' AND state = ?",
        LEDGER,
    ),
    Mutation(
        "SQLite settles from any state",
        SQLITE,
        "AND owner = ? AND state = ?",
        "AND owner = ? AND ? <> ''",
        LEDGER,
    ),
    Mutation(
        "SQLite counts no restart for quarantine",
        SQLITE,
        "if operation.is_remediation_restart:",
        "if False:",
        LEDGER[:1],
    ),
    Mutation(
        "SQLite counts restarts of any age",
        SQLITE,
        "WHERE r.cluster = ? AND r.at > ? AND",
        "WHERE r.cluster = ? AND r.at <> ? AND",
        LEDGER[:1],
    ),
    Mutation(
        "SQLite counts restarts from before a release",
        SQLITE,
        "AND r.at > COALESCE(q.released_at, 0) ",
        "",
        LEDGER[:1],
    ),
    Mutation(
        "SQLite counts restarts from before a quarantine that is over",
        SQLITE,
        "AND r.at > CASE WHEN q.until <= ? THEN q.until ELSE 0 END",
        "AND ? > 0",
        LEDGER[:1],
    ),
    Mutation("SQLite begins a quarantine again", SQLITE, "if row and row[0] > now:", "if False:", LEDGER[:1]),
    Mutation(
        "SQLite's breaker closes before its time",
        SQLITE,
        "and abs(now - before) >= breaker.close_after",
        "and True",
        LEDGER[:1],
    ),
    Mutation(
        "SQLite's breaker closes in the storm",
        SQLITE,
        "and count <= breaker.quiet_intents",
        "and True",
        LEDGER[:1],
    ),
    Mutation(
        "SQLite counts an intent for as long as it is repeated",
        SQLITE,
        "INSERT OR IGNORE INTO intents",
        "INSERT OR REPLACE INTO intents",
        LEDGER[:1],
    ),
    Mutation(
        "SQLite does not know what is ended",
        SQLITE,
        "return frozenset(key for key, origin in incidents.items() if origin in over)",
        "return frozenset()",
        LEDGER[:1],
    ),
    Mutation(
        "SQLite forgets what is open",
        SQLITE,
        'f"DELETE FROM operations WHERE settled_at < ? AND state NOT IN ({OPEN_STATES})",  # noqa: S608 - constants',
        '"DELETE FROM operations WHERE settled_at < ?",',
        LEDGER[:1],
    ),
    Mutation(
        "SQLite gives tokens that are not there",
        SQLITE,
        "if wait > most_wait:",
        "if wait > most_wait + 60:",
        LEDGER[:1],
    ),
    Mutation(
        "SQLite takes half a token",
        SQLITE,
        "(bucket, tokens - 1, max(now, at))",
        "(bucket, tokens - 0.5, max(now, at))",
        LEDGER[:1],
    ),
    Mutation(
        "SQLite follows up the newest first",
        SQLITE,
        "WHERE state IN ({OPEN_STATES}) ORDER BY armed_at, id",
        "WHERE state IN ({OPEN_STATES}) ORDER BY id",
        FAILURES,
    ),
    Mutation(
        "SQLite's file goes along with a fork",
        "handler/ledger/sqlite_file.py",
        "    before=_before_fork,\n",
        "",
        LEDGER[:1],
    ),
    Mutation(
        "an occurrence is served once, whatever was left of it",
        "handler/model/history.py",
        "(self.parts_since > 0 and self.state in ENDED)",
        "False",
        ("tests/scenarios/test_parts.py",),
    ),
    Mutation(
        "retries have no budget",
        "handler/execute/sending.py",
        "    if taken is None:\n        return False\n",
        "",
        FAILURES,
    ),
    Mutation(
        "the follow-up begins what it has no time for",
        "handler/execute/follow_up.py",
        " and deadline.remaining() >= SECONDS_TO_LOOK:",
        ":",
        FAILURES,
    ),
    Mutation(
        "a redelivery leaves it to the follow-up that a worker is lost",
        "handler/execute/admission.py",
        "pasts = _without_the_lost(run, entry.incidents)",
        "pasts = entry.incidents",
        FAILURES,
    ),
    Mutation(
        "a fault in one cluster is everybody's",
        "handler/execute/pipeline.py",
        "    except Exception as error:\n",
        "    except ZeroDivisionError as error:\n",
        FAILURES,
    ),
    Mutation(
        "orders and needs go together",
        "handler/decide/planning.py",
        "(intent.cluster, intent.action.stable, intent.is_command)",
        "(intent.cluster, intent.action.stable, True)",
        FAILURES,
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
        "except (NeverSent, Throttled) as error:",
        "except ApiError as error:",
        GUARDED_BY[1:],
    ),
    Mutation(
        "a worker that was held up sends late",
        "handler/execute/sending.py",
        "LATEST_SEND: Final = 30.0",
        "LATEST_SEND: Final = 3000.0",
        ("tests/scenarios/test_kill.py",),
    ),
    Mutation(
        "a part of a restart in doubt counts for the whole",
        "handler/decide/verification.py",
        "and not verdict.untouched:",
        "and not verdict.none_touched:",
        GUARDED_BY[1:],
    ),
    Mutation(
        "doubt ends while the signature is valid",
        "handler/decide/verification.py",
        "and seen.seen_at - operation.armed_at > SIGNATURE_SECONDS:",
        "and True:",
        GUARDED_BY[1:],
    ),
)
ON_REDIS = (
    Mutation(
        "Redis arms on any past",
        SCRIPTS,
        "if tonumber(redis.call('HGET', S .. 'versions', cluster) or 0) ~= tonumber(ARGV[2]) then return 0 end",
        "",
        LEDGER,
    ),
    Mutation(
        "Redis arms a known incident", SCRIPTS, "if past and not leaves_open(past, since) then return 0 end", "", LEDGER
    ),
    Mutation(
        "Redis arms a busy target",
        SCRIPTS,
        "if is_open(past_of(of_target(redis.call('HGET', targets, ARGV[i])))) then return 0 end",
        "",
        LEDGER,
    ),
    Mutation(
        "Redis lets anybody settle",
        "handler/ledger/redis.py",
        'json.dumps([state.value, owner])[:-1] + ","',
        'json.dumps([state.value])[:-1] + ","',
        LEDGER,
    ),
    Mutation(
        "Redis forgets what touched a process", SCRIPTS, "if has_touched(last) then before = last end", "", LEDGER[:1]
    ),
    Mutation(
        "Redis counts no restart for quarantine",
        SCRIPTS,
        "for i = 7, #ARGV do redis.call('ZADD', S .. 'restarts:' .. cluster, now, id .. '|' .. ARGV[i]) end",
        "",
        LEDGER[:1],
    ),
    Mutation(
        "Redis counts restarts of any age",
        SCRIPTS,
        "'(' .. ARGV[3], '+inf', 'WITHSCORES'",
        "0, '+inf', 'WITHSCORES'",
        LEDGER[:1],
    ),
    Mutation("Redis counts restarts from before a release", REDIS, "in _pairs(released):", "in ():", LEDGER[:1]),
    Mutation(
        "Redis counts restarts from before a quarantine that is over",
        REDIS,
        "for target, at in until.items() if at <= now}",
        "for target, at in until.items() if at < 0}",
        LEDGER[:1],
    ),
    Mutation(
        "Redis begins a quarantine again",
        SCRIPTS,
        "if held and tonumber(held) > tonumber(ARGV[3]) then return held end",
        "",
        LEDGER[:1],
    ),
    Mutation(
        "Redis's breaker closes before its time",
        SCRIPTS,
        "math.abs(now - tonumber(opened_at)) >= tonumber(ARGV[4]) and count",
        "count",
        LEDGER[:1],
    ),
    Mutation(
        "Redis's breaker closes in the storm", SCRIPTS, " and count <= math.max(1, most / 2) then", " then", LEDGER[:1]
    ),
    Mutation(
        "Redis counts an intent for as long as it is repeated",
        SCRIPTS,
        "intents, 'NX', unpack(",
        "intents, unpack(",
        LEDGER[:1],
    ),
    Mutation("Redis does not know what is ended", SCRIPTS, "  if is_ended then\n", "  if false then\n", LEDGER[:1]),
    Mutation(
        "Redis forgets what is open",
        SCRIPTS,
        "if is_open(ARGV[5]) then redis.call('ZADD', S .. 'open'",
        "if false then redis.call('ZADD', S .. 'open'",
        LEDGER[:1],
    ),
    Mutation(
        "Redis gives tokens that are not there",
        SCRIPTS,
        "if wait > tonumber(ARGV[5]) then return false end",
        "if wait > tonumber(ARGV[5]) + 60 then return false end",
        LEDGER[:1],
    ),
    Mutation("Redis takes half a token", SCRIPTS, "keep(tokens - 1, ", "keep(tokens - 0.5, ", LEDGER[:1]),
    Mutation(
        "Redis opens a ledger of any version",
        REDIS,
        "if version != str(SCHEMA_VERSION):",
        "if False:",
        ("tests/handler/ledger/test_ledger_faults.py",),
    ),
    Mutation(
        "Redis goes on in a ledger that was emptied",
        SCRIPTS,
        "if redis.call('GET', S .. 'schema') ~= '{SCHEMA_VERSION}' then",
        "if false then",
        ("tests/handler/ledger/test_ledger_faults.py",),
    ),
    Mutation(
        "Redis stays with the server that refuses to write",
        REDIS,
        "if client is not None and isinstance(error, redis.exceptions.ResponseError):",
        "if False:",
        ("tests/handler/ledger/test_ledger_faults.py",),
    ),
    Mutation(
        "Redis settles from any state",
        SCRIPTS,
        "if not kept or string.sub(kept, 1, #expected) ~= expected then",
        "if not kept then",
        LEDGER,
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
