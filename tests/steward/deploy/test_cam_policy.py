"""The policies under deploy/ are those of the example, and name exactly what the code calls."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from handler.cloud.account import Credentials
from handler.cloud.client import CloudApi, Product
from handler.errors import NotAuthorized
from handler.lib.clock import Deadline, SystemClock
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY
from harness.fake_cloud.demo_clusters import demo_cloud
from steward.cli.main import app
from steward.config.compile import config_of, load_yaml
from steward.deploy.cam_policy import policy_for, trust_policy
from steward.simulate.world import in_process

ROOT = Path(__file__).parents[3]
ROLE = "qcs::cam::uin/100000000002:roleName/steward"
FULL: dict[str, Any] = {
    "clusters": {
        "emr-4zvc5mul": {"region": "ap-guangzhou", "allow": ["RestartService"]},
        "emr-9xkw2p0q": {"region": "ap-shanghai", "allow": ["StartService"], "role_arn": ROLE},
    },
    "rules": [],
    "alarms": {"event_bus": {"id": "eb-1a2b3c4d", "region": "ap-guangzhou"}},
}


def actions(policy: dict[str, Any]) -> set[str]:
    return {action for statement in policy["statement"] for action in statement["action"]}


def called() -> set[str]:
    """The names that handler/ passes to the API, read from its source."""
    names: set[str] = set()
    for path in (ROOT / "handler").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("call", "_call", "_look"):
                written = [
                    one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)
                ]
                names |= {name for name in written if re.fullmatch(r"[A-Z][A-Za-z]+", name)}
    return names


def test_the_policy_names_what_the_code_calls_and_nothing_else() -> None:
    """With everything configured, no permission is missing and none is superfluous."""
    assert {action.partition(":")[2] for action in actions(policy_for(config_of(FULL)))} == called()


def test_the_files_under_deploy_are_those_of_the_example() -> None:
    """`steward policy` writes them."""
    config = load_yaml(str(ROOT / "steward.yml"))
    assert json.loads((ROOT / "deploy/cam-policy.json").read_text(encoding="utf-8")) == policy_for(config)
    assert json.loads((ROOT / "deploy/trust-policy.json").read_text(encoding="utf-8")) == trust_policy()


def test_acting_is_allowed_on_the_named_clusters_only() -> None:
    """Never on `*`; a cluster of another account is the other role's."""
    config = config_of(FULL)
    ours, theirs = policy_for(config, uin="1"), policy_for(config, uin="2", role_arn=ROLE)
    assert ours["statement"][0]["resource"] == ["qcs::emr:ap-guangzhou:uin/1:emr-instance/emr-4zvc5mul"]
    assert theirs["statement"][0]["resource"] == ["qcs::emr:ap-shanghai:uin/2:emr-instance/emr-9xkw2p0q"]
    assert "sts:AssumeRole" not in actions(theirs)
    assert [one["resource"] for one in ours["statement"] if one["action"] == ["sts:AssumeRole"]] == [[ROLE]]


def test_what_is_not_used_is_not_allowed() -> None:
    """Without an event bus and a role, neither permission is granted."""
    plain = config_of({"clusters": {"emr-4zvc5mul": FULL["clusters"]["emr-4zvc5mul"]}, "rules": []})
    assert actions(policy_for(plain)).isdisjoint({"eb:PutEvents", "sts:AssumeRole"})


def test_the_command_prints_both() -> None:
    """As JSON, to be piped; an unknown role is a usage error."""
    run = CliRunner().invoke
    file = str(ROOT / "steward.yml")
    assert json.loads(run(app, ["policy", file]).stdout) == policy_for(load_yaml(file))
    assert json.loads(run(app, ["policy", file, "--trust"]).stdout) == trust_policy()
    assert run(app, ["policy", file, "--role", "nobody"]).exit_code == 2


@pytest.mark.parametrize("action", ["DescribeInstances", "StartStopServiceOrMonitor"])
def test_without_the_permission_the_error_names_the_statement(action: str) -> None:
    """The error has the action to allow, and the command that prints the statement."""
    cloud = demo_cloud(SystemClock(), transition_seconds=0.0)
    cloud.denied.add((SECRET_ID, action))
    api = CloudApi(lambda: in_process(cloud))
    product = Product("emr", "2019-01-03", "https", "emr.tencentcloudapi.com", "ap-guangzhou")
    with pytest.raises(NotAuthorized, match=rf"allow emr:{action}.*steward policy"):
        api.call(product, Credentials(SECRET_ID, SECRET_KEY, ""), action, {}, Deadline(SystemClock(), 10))
