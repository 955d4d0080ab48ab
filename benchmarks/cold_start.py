"""The first event of an instance: its time and memory, beside two other handlers.

The time runs from the interpreter's start until the API receives the request, or until the answer. The packaged
function is compared with (a) the usual handler (typed EmrClient, pydantic models, no bytecode) and (b) the floor (bare
CommonClient, with bytecode). Each run is a process of its own under the platform's conditions: Python 3.10, only the
package and the standard library, read-only code, no bytecode written. The runs are interleaved. The figures are medians
and ratios of medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from handler.errors import ConfigurationError
from handler.lib.clock import SystemClock
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY
from harness.fake_cloud.demo_clusters import ANALYTICS, demo_cloud
from harness.fake_cloud.server import CloudServer
from steward.package.build import build
from steward.package.bytecode import compile_tree, find_python
from steward.package.wheels import Wheel, download
from steward.simulate.platform import context, restamp

ROOT: Final = Path(__file__).resolve().parents[1]
WHEELS: Final = ROOT / "build" / "wheels"
HANDLERS: Final = ROOT / "benchmarks" / "handlers"
#: The packages that the usual handler is deployed with, besides the SDK's own dependencies.
USUAL: Final = ("pydantic", "pydantic-core", "annotated-types", "typing-extensions", "typing-inspection")
USUAL_SDK: Final = ("tencentcloud-sdk-python-emr",)
SDK: Final = ("tencentcloud-sdk-python-common", "requests", "urllib3", "idna", "certifi", "charset-normalizer")

OURS, USUAL_HANDLER, FLOOR, PYTHON_ALONE = "ours", "(a) usual handler", "(b) floor", "Python alone"
ACTING, NO_CALL = "acting", "no cloud call"
EVENTS: Final = {ACTING: "alertmanager-datanode-down", NO_CALL: "alertmanager-resolved"}

#: What the platform does. The peak of memory (KiB) is the kernel's for this process alone: ru_maxrss also counts the
#: parent that forked it.
RUN: Final = """
import sys
folder, event, context = sys.argv[1:]
sys.path.insert(0, folder)
if event:
    import index, json
    json.dumps(index.main_handler(json.loads(event), json.loads(context)))
import time
ended = time.time()
peak = open("/proc/self/status").read().split("VmHWM:")[1].split()[0]
print(f"\\n{ended} {peak} {'tencentcloud' in sys.modules}")
"""

POWERTOOLS: Final = (
    "(c) Powertools for AWS Lambda + boto3 is not compared: its handler signs for another cloud's API, which has no such operation, and AWS\n"
    "    brings boto3 with the runtime. The figure would depend on how it is packaged here, and not on the handler."
)


class Goal(NamedTuple):
    """A figure that must not be above ``limit``."""

    name: str
    value: float
    limit: float
    unit: str

    @property
    def is_met(self) -> bool:
        return self.value <= self.limit


@dataclass
class Series:
    """The runs of one handler with one event: seconds, and the peak in MB (10^6 bytes)."""

    seconds: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    loads_sdk: bool = False

    @property
    def milliseconds(self) -> float:
        return statistics.median(self.seconds) * 1000

    @property
    def peak(self) -> float:
        return max(self.peaks)


class Bench:
    """The three packages, unpacked read-only in ``folder``, and runs of them on a fake API."""

    def __init__(self, folder: Path, python: str) -> None:
        self._folder = folder
        self._python = python
        self.package = build(ROOT / "steward.yml", folder / "function.zip", python=python, wheels=WHEELS)
        self.package.folder.rename(folder / OURS)
        locked = [ROOT / "requirements" / "dev.txt"]
        _unpack(folder / USUAL_HANDLER, download(locked, WHEELS, only=(*USUAL, *USUAL_SDK, *SDK)), "usual.py")
        _unpack(folder / FLOOR, download(locked, WHEELS, only=SDK), "bare.py")
        compile_tree(folder / FLOOR, python)
        (folder / PYTHON_ALONE).mkdir()
        for path in [one for name in (OURS, USUAL_HANDLER, FLOOR) for one in (folder / name).rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)

    def run(self, runs: int, *, warm_up: bool = True) -> dict[tuple[str, str], Series]:
        cases = [(handler, what) for handler in (OURS, USUAL_HANDLER, FLOOR) for what in (ACTING, NO_CALL)]
        cases.append((PYTHON_ALONE, NO_CALL))
        for case in cases if warm_up else ():  # so that the files of all handlers are in the page cache
            self._once(*case, Series())
        series = {case: Series() for case in cases}
        for _ in range(runs):
            random.shuffle(cases)
            for case in cases:
                self._once(*case, series[case])
        return series

    def _once(self, handler: str, what: str, series: Series) -> None:
        cloud = demo_cloud(SystemClock(), transition_seconds=0.1)
        cloud.process(ANALYTICS, "DataNode", "172.16.0.5").kill()
        event = "" if handler == PYTHON_ALONE else _event(what)
        ledger = self._folder / "ledger.db"
        ledger.unlink(missing_ok=True)
        with CloudServer(cloud) as server:
            env = {
                "STEWARD_EMR_ENDPOINT": server.url,
                "STEWARD_LEDGER": f"sqlite:///{ledger}",
                "TENCENTCLOUD_SECRETID": SECRET_ID,
                "TENCENTCLOUD_SECRETKEY": SECRET_KEY,
            }
            command = [self._python, "-I", "-S", "-B", "-c", RUN, str(self._folder / handler), event]
            command.append(json.dumps(context(time_limit_ms=20_000, request_id="cold")))
            start = time.time()
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
        acted = [request.at for request in cloud.requests if request.action == "StartStopServiceOrMonitor"]
        if done.returncode != 0 or len(acted) != (what == ACTING):
            raise RuntimeError(
                f"{handler}, {what}: {len(acted)} requests; {done.stderr[-2000:] or done.stdout[-2000:]}"
            )
        ended, peak, loads_sdk = done.stdout.split()[-3:]
        series.seconds.append((acted[0] if acted else float(ended)) - start)
        series.peaks.append(int(peak) * 1024 / 1e6)
        series.loads_sdk = loads_sdk == "True"


def _event(what: str) -> str:
    path = ROOT / "events" / f"{EVENTS[what]}.json"
    return json.dumps(restamp(json.loads(path.read_text(encoding="utf-8")), time.time()))


def _unpack(folder: Path, wheels: Iterable[Wheel], handler: str) -> None:
    content = {name: data for wheel in wheels for name, data in wheel.files()}
    content["index.py"] = (HANDLERS / handler).read_bytes()
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def goals(series: Mapping[tuple[str, str], Series], zip_bytes: int) -> list[Goal]:
    """The goals that the project has set itself, with their present values."""

    def ratio(what: str, other: str) -> float:
        return series[OURS, what].milliseconds / series[other, what].milliseconds

    return [
        Goal("acting event, of (a)", ratio(ACTING, USUAL_HANDLER), 0.35, "×"),
        Goal("acting event, of (b)", ratio(ACTING, FLOOR), 1.6, "×"),
        Goal("no cloud call, of (a)", ratio(NO_CALL, USUAL_HANDLER), 0.2, "×"),
        Goal("no cloud call, of (b)", ratio(NO_CALL, FLOOR), 1.1, "×"),
        Goal("peak memory, acting", series[OURS, ACTING].peak, 48, " MB"),
        Goal("zip", zip_bytes / 1e6, 7, " MB"),
    ]


def machine(python: str) -> str:
    """The machine and the Python that the figures were taken on."""
    made = subprocess.run([python, "-I", "-S", "-V"], capture_output=True, text=True, check=True).stdout.strip()
    model = next(
        (line.partition(": ")[2] for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown CPU"
    )
    return f"{platform.system()} {platform.machine()}, {model}, {os.cpu_count()} cores, {made}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def table(figures: Mapping[str, Any], goals_of_run: Iterable[Goal]) -> str:
    """The figures as a table for people."""
    lines = [f"{figures['machine']}; medians of {figures['runs']} interleaved runs", ""]
    lines.append(f"{'':<20}{'event':<16}{'ms':>8}{'spread':>14}{'peak MB':>10}  SDK loaded")
    for row in figures["rows"]:
        spread = f"{row['ms_min']:.0f}-{row['ms_max']:.0f}"
        sdk = "yes" if row["loads_sdk"] else "no"
        lines.append(
            f"{row['handler']:<20}{row['event']:<16}{row['ms']:>8.1f}{spread:>14}{row['peak_mb']:>10.1f}  {sdk}"
        )
    lines.append("")
    for goal in goals_of_run:
        verdict = "met" if goal.is_met else "MISSED"
        lines.append(f"{goal.name:<24}{goal.value:>7.2f}{goal.unit:<4}  goal ≤ {goal.limit:g}{goal.unit:<4} {verdict}")
    return "\n".join([*lines, "", POWERTOOLS]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=15, help="processes for each row")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--python", default="", metavar="PATH", help="a Python 3.10; by default one is looked for")
    arguments = parser.parse_args()
    try:
        python = find_python(arguments.python)
        if not python:
            sys.stderr.write("No Python 3.10 on PATH or among pyenv's versions: name one with --python\n")
            return 2
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), python)
            series = bench.run(arguments.runs)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    reached = goals(series, bench.package.size)
    figures: dict[str, Any] = {
        "machine": machine(python),
        "runs": arguments.runs,
        "rows": [
            {
                "handler": handler,
                "event": what,
                "ms": round(one.milliseconds, 1),
                "ms_min": round(min(one.seconds) * 1000, 1),
                "ms_max": round(max(one.seconds) * 1000, 1),
                "peak_mb": round(one.peak, 1),
                "loads_sdk": one.loads_sdk,
            }
            for (handler, what), one in series.items()
        ],
        "goals": [
            {"name": goal.name, "value": round(goal.value, 3), "limit": goal.limit, "met": goal.is_met}
            for goal in reached
        ],
    }
    sys.stdout.write(json.dumps(figures, indent=1) + "\n" if arguments.json else table(figures, reached))
    return 0


if __name__ == "__main__":
    sys.exit(main())
