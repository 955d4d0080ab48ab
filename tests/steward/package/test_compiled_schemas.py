"""Compiled schemas are pydantic's own, and a function that has them needs no pydantic."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator

from handler.errors import InvalidInput
from handler.lib.validation import COMPILED, schemas
from handler.receive.payload import SENDERS
from steward.config.compile import compiled_content
from steward.package.compiled_schemas import compiled, modules
from steward.simulate.fixtures import sample

ROOT = Path(__file__).parents[3]


def test_every_compiled_schema_decides_as_pydantic_does() -> None:
    """On every sample, good and bad: the same value, or the same errors in the same places."""
    inputs = [sample(path.stem) for path in sorted((ROOT / "events").glob("*.json"))]
    plain = json.loads(json.dumps(compiled()))
    for name, schema in plain.items():
        validator, adapter = SchemaValidator(schema), TypeAdapter(schemas[name].kind)
        for raw in inputs:
            try:
                expected: object = adapter.validate_python(raw)
            except ValidationError as error:
                expected = [(fault["loc"], fault["msg"]) for fault in error.errors()]
            try:
                found: object = validator.validate_python(raw)
            except ValidationError as error:
                found = [(fault["loc"], fault["msg"]) for fault in error.errors()]
            assert found == expected


def test_every_schema_of_the_function_is_compiled() -> None:
    """Whichever module defines it: without its compiled schema the deployed function would look for pydantic."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "handler").rglob("*.py")]
    for name in names:
        importlib.import_module(name.removesuffix(".__init__"))
    assert set(compiled()) == set(schemas)
    defining = {name.rpartition(".")[0] for name in schemas}
    assert {f"handler.receive.senders.{sender.source}" for sender in SENDERS} <= defining
    assert defining <= set(modules())


def test_with_compiled_schemas_an_event_loads_no_pydantic(tmp_path: Path) -> None:
    """As it is deployed: a copy of handler/ with the file beside it, and the configuration as JSON."""
    shutil.copytree(ROOT / "handler", tmp_path / "handler", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "handler" / "lib" / COMPILED).write_text(json.dumps(compiled()), encoding="utf-8")
    config = {"clusters": {"emr-4zvc5mul": {"region": "ap-guangzhou", "allow": ["StopService"]}}, "rules": []}
    (tmp_path / "steward.json").write_text(json.dumps(compiled_content(config)), encoding="utf-8")
    code = (
        "import json, sys\n"
        "from handler.app import main_handler  # index.py refuses to load a package on another Python than 3.10\n"
        f"event = json.loads({json.dumps(json.dumps(sample('alertmanager-resolved')))})\n"
        "answer = main_handler(event, {'time_limit_in_ms': 3000})\n"
        "heavy = {'pydantic', 'tencentcloud', 'requests', 'ruamel'} & {name.partition('.')[0] for name in sys.modules}\n"
        "print(json.dumps([answer['counts'], sorted(heavy)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "STEWARD_LEDGER": "sqlite:///:memory:"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [{"skipped": 1}, []]


def test_an_error_of_a_schema_names_the_field() -> None:
    """The field is named by its dotted path below the place of the value."""
    import pytest

    with pytest.raises(InvalidInput) as raised:
        schemas["handler.cloud.emr.ProcessesWire"].validate({"TotalCnt": 1, "ServiceNodeList": [{"Ip": 1}]}, "answer")
    assert raised.value.errors[0].field == "answer.ServiceNodeList[0].Ip"
