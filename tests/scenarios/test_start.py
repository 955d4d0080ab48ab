"""The start of an instance, through the platform's entry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from handler.app import Function
from handler.errors import ConfigurationError
from handler.execute.follow_up import MESSAGE
from steward.config.compile import compiled
from steward.simulate.fixtures import ROOT, sample
from steward.simulate.platform import function_url_event, timer_event
from steward.simulate.world import World


def test_the_platforms_entry_starts_with_the_example_and_fails_loudly_without(
    mocker: MockerFixture, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """index.main_handler, as deployed: one instance, made by the first event."""
    import index

    mocker.patch.object(Function, "_instance", None)
    mocker.patch.dict("os.environ", {"STEWARD_CONFIG": "/nonexistent/steward.yml"}, clear=True)
    with pytest.raises(ConfigurationError):
        index.main_handler({}, {})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["level"], line["event"]) for line in lines] == [
        ("ERROR", "steward.configuration"),
        ("ERROR", "steward.alarm"),
    ]
    assert "/nonexistent/steward.yml" in lines[1]["reason"]
    answer = index.main_handler(function_url_event("POST", "/", {}, b"{}"), {})
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (500, "application/problem+json")
    assert "nonexistent" not in answer["body"]
    packaged = tmp_path / "steward.json"
    packaged.write_text(json.dumps(compiled(str(ROOT / "steward.yml"))), encoding="utf-8")
    env = {"STEWARD_LEDGER": "sqlite:///:memory:", "STEWARD_CONFIG": str(packaged)}
    mocker.patch.dict("os.environ", env, clear=True)
    answer = index.main_handler(
        sample("timer-maintenance-on") | {"Message": "nobody listens"}, {"time_limit_in_ms": "x"}
    )
    assert answer["counts"] == {"refused": 1}
    out = capsys.readouterr().out
    assert '"code":"rules.none"' in out


def test_at_its_start_the_function_says_what_nobody_reads(world: World) -> None:
    """A misspelt variable and a time limit that is too small, once an instance, before anything is lost by them."""
    world.env |= {"STEWARD_MDOE": "observe", "STEWARD_SECRET_TCPO": "planted-secret"}
    for _ in range(2):
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()), time_limit_ms=3000)
    unknown = [line["reason"] for line in world.lines if line["event"] == "steward.settings.unknown"]
    assert unknown == ["nothing reads it; did you mean STEWARD_MODE?", "nothing reads it; leave it out"]
    assert [line["event"] for line in world.lines].count("steward.settings.time_limit") == 1
    assert "planted-secret" not in json.dumps(world.lines)


@pytest.mark.parametrize(
    ("secrets", "problem"),
    [
        ({"STEWARD_SECRET_DEPLOY": "fifteen-letters"}, "the secret of deploy has less than 16 characters"),
        (
            {"STEWARD_SECRET_DEPLOY": "sixteen-letters!", "STEWARD_SECRET_TCOP": "sixteen-letters!"},
            "the secret of deploy is that of tcop, too",
        ),
        ({"STEWARD_SECRET_DEPLOY": "sixteen-letters!", "STEWARD_SECRET_TCOP": ""}, ""),
    ],
)
def test_a_weak_secret_is_refused_at_the_start(
    mocker: MockerFixture, capsys: pytest.CaptureFixture[str], tmp_path: Path, secrets: dict[str, str], problem: str
) -> None:
    """The log names the variable, and never the secret; the doctor says so, too."""
    import index

    packaged = tmp_path / "steward.json"
    packaged.write_text(json.dumps(compiled(str(ROOT / "steward.yml"))), encoding="utf-8")
    env = {"STEWARD_LEDGER": "sqlite:///:memory:", "STEWARD_CONFIG": str(packaged), **secrets}
    mocker.patch.dict("os.environ", env, clear=True)
    mocker.patch.object(Function, "_instance", None)
    if not problem:
        assert "counts" in index.main_handler({"nobody": "knows"}, {})
        return
    with pytest.raises(ConfigurationError, match=problem) as raised:
        index.main_handler({"nobody": "knows"}, {})
    assert raised.value.where == "STEWARD_SECRET_DEPLOY"
    findings = {one["name"]: one for one in index.main_handler({"steward": "doctor"}, {})["doctor"]}
    assert findings["webhook authentication"]["state"] == "fail"
    out = capsys.readouterr().out
    assert problem in out
    assert not any(secret in out for secret in secrets.values() if secret)
