"""A new sender takes two files: its own, and its row in the table of senders."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from handler.lib.validation import COMPILED

ROOT = Path(__file__).parents[2]

ROW = """SENDERS = (
    Sender("uptime", "monitor, node", lambda raw: _has_all(raw, "monitor", "node")),
"""
MODULE = """
from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from handler.lib.validation import Schema
from handler.model.event import Event, Unreadable


class Monitor(TypedDict):
    monitor: str
    node: str


MONITOR = Schema(Monitor)


def read(payload: dict[str, Any], at: str) -> list[Event | Unreadable]:
    monitor = MONITOR.validate(payload, at)
    return [Event(f"{monitor['monitor']}@{monitor['node']}", "uptime", monitor["monitor"], "firing", ip=monitor["node"])]
"""
#: Deliver one good payload and one bad one to the function, wired to a fake cloud, where pydantic compiles nothing.
SCRIPT = """
import json
from handler.lib.validation import Schema
from steward.config.compile import config_of
from steward.simulate.world import private_world

def not_compiled(schema):
    raise AssertionError(f"{schema.name} is not among the compiled schemas")

Schema.core_schema = not_compiled
config = config_of({
    "clusters": {"emr-4zvc5mul": {"region": "ap-guangzhou", "allow": ["RestartService"]}},
    "rules": [{
        "name": "restart",
        "when": {"source": ["uptime"]},
        "do": {
            "operation": "RestartService", "cluster": "emr-4zvc5mul", "scope": {"HDFS": {"DataNode": ["{ip}"]}},
            "strategy": {"rolling": True},
        },
    }],
})
world = private_world(config)
world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").kill()
for payload in ({"monitor": "datanode", "node": "172.16.0.5"}, {"monitor": "datanode", "node": 5}):
    world.deliver(payload)
print(json.dumps([[line["source"], line["outcome"], line["reason"]] for line in world.outcomes()] + [world.requests()]))
"""


def test_a_new_sender_is_a_file_and_a_row(tmp_path: Path) -> None:
    """Added to a copy of the tree: a rule may name it, and its payload is recognised, validated and served."""
    for package in ("handler", "harness", "steward"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "handler" / "receive" / "senders" / "uptime.py").write_text(MODULE, encoding="utf-8")
    table = tmp_path / "handler" / "receive" / "payload.py"
    text = table.read_text(encoding="utf-8")
    assert text.count("SENDERS = (\n") == 1
    table.write_text(text.replace("SENDERS = (\n", ROW), encoding="utf-8")

    compile_schemas = ["-m", "steward.package.compiled_schemas", f"handler/lib/{COMPILED}"]
    python(tmp_path, *compile_schemas)
    served, refused, requests = json.loads(python(tmp_path, "-c", SCRIPT).splitlines()[-1])
    assert served[:2] == ["uptime", "done"]
    assert refused[:2] == ["uptime", "refused"]
    assert "node" in refused[2]
    assert requests == 1


def python(folder: Path, *arguments: str) -> str:
    """What Python writes to standard output, run in ``folder`` with the packages that are there."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
