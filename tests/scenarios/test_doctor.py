"""The doctor against the fake cloud: every problem is found, nothing is changed, no secret is shown."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apprise
import pytest
from pytest_mock import MockerFixture

from handler import app
from handler.app import Function
from handler.doctor.checks import exit_code
from handler.doctor.findings import Finding
from handler.doctor.probes import Examination, Setup
from handler.errors import ConfigurationError
from handler.ledger.ledger import Ledger, open_ledger
from handler.lib.clock import Deadline, SystemClock
from handler.model.operation import State
from handler.report.history import log_operation
from handler.report.log import Log
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.demo_clusters import demo_cloud
from harness.fake_cloud.server import CloudServer
from harness.fake_cloud.sts import Role
from harness.faults import Fault, Kind
from steward.config.compile import load_yaml
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import ROOT
from steward.simulate.platform import function_url_event
from steward.simulate.world import World
from tests.operations import an_operation, put

ANALYTICS = "emr-4zvc5mul"
OTHER = "200000000002"
ARN = f"qcs::cam::uin/{OTHER}:roleName/emr-steward"
HARMLESS = {"DescribeInstances", "DescribeServiceNodeInfos", "AssumeRole"}
READ_PERMISSIONS = ("permission emr:DescribeInstances", "permission emr:DescribeServiceNodeInfos")
SECRETS = {
    "STEWARD_SECRET_TCOP": "planted-secret-of-tcop",
    "STEWARD_SECRET_ALERTMANAGER": "planted-secret-of-alertmanager",
    "STEWARD_SECRET_GRAFANA": "planted-secret-of-grafana",
    "STEWARD_SECRET_DEPLOY": "planted-secret-of-deploy",
}
CHAT_URL = "json://127.0.0.1:9/planted-secret-of-the-chat"


class Shifted:
    """The clock of the machine, set ``seconds`` ahead."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._clock = SystemClock()
        self.monotonic, self.sleep = self._clock.monotonic, self._clock.sleep

    def now(self) -> float:
        return self._clock.now() + self._seconds


class Deployment:
    """A healthy deployment: a test breaks a part of it and examines it."""

    def __init__(self, folder: Path, server: CloudServer) -> None:
        self.folder, self.server, self.cloud = folder, server, server.cloud
        self.raw: dict[str, Any] = read_raw(str(ROOT / "steward.yml"))[0]
        self.ledger_url = f"sqlite:///{folder}/ledger.db"
        self.config_path = folder / "steward.json"
        self.time_limit: float | None = None
        self.env = {
            **SECRETS,
            "TENCENTCLOUD_SECRET_ID": SECRET_ID,
            "TENCENTCLOUD_SECRET_KEY": SECRET_KEY,
            "STEWARD_EMR_ENDPOINT": server.url,
            "STEWARD_EB_ENDPOINT": server.url,
        }

    @property
    def ledger(self) -> Ledger:
        return open_ledger(self.ledger_url)

    def examine(self, *, send_test_alarm: bool = False, seconds: float = 10) -> dict[str, Finding]:
        """The findings by name, after checking that nothing was changed and no secret is in them."""
        if not self.config_path.exists():
            self.config_path.write_text(json.dumps(self.raw), encoding="utf-8")
        clock = SystemClock()
        env = {"STEWARD_LEDGER": self.ledger_url, **self.env}
        setup = Setup.read(env, config_path=str(self.config_path), load_config=load_yaml)
        examination = Examination(setup, clock=clock, deadline=Deadline(clock, seconds), time_limit=self.time_limit)
        found = examination.findings(send_test_alarm=send_test_alarm)
        report = json.dumps([one.to_wire() for one in found])
        keys = [key for pair in self.cloud.credentials.values() for key in pair if key]
        for secret in (
            "planted-secret",
            *keys,
            *(v for k, v in self.env.items() if v and ("KEY" in k or "TOKEN" in k)),
        ):
            assert secret not in report
        assert not self.cloud.operations
        assert {request.action for request in self.cloud.requests} <= HARMLESS | (
            {"PutEvents"} if send_test_alarm else set()
        )
        for one in found:
            assert one.detail
            assert one.fix or one.state == "ok"
        self.all = found
        return {one.name: one for one in found}


@pytest.fixture
def cloud() -> Cloud:
    return demo_cloud(SystemClock())


@pytest.fixture
def server(cloud: Cloud) -> Iterator[CloudServer]:
    with CloudServer(cloud) as server:
        yield server


@pytest.fixture
def deployment(tmp_path: Path, server: CloudServer, mocker: MockerFixture) -> Deployment:
    """A deployment whose ledger does not warn that it is in a temporary folder."""
    mocker.patch("handler.ledger.sqlite_store.temporary_folder", return_value="/no/such/folder")
    return Deployment(tmp_path, server)


def states(found: dict[str, Finding], *names: str) -> set[str]:
    return {found[name].state for name in names}


def test_a_healthy_deployment_has_no_problem(deployment: Deployment, cloud: Cloud) -> None:
    """Everything is ok except what no harmless request can show; permissions are shown by real calls."""
    found = deployment.examine()
    host = deployment.server.endpoint
    healthy = (
        "settings",
        "configuration",
        "credentials",
        f"endpoint {host}",
        "clock",
        "ledger",
        "webhook authentication",
        *READ_PERMISSIONS,
    )
    assert states(found, *healthy, f"cluster {ANALYTICS}", "cluster emr-8kd2m1qp") == {"ok"}
    untried = {name for name, one in found.items() if one.state != "ok"}
    act = "permission emr:StartStopServiceOrMonitor on"
    assert untried == {"time limit", f"{act} {ANALYTICS}", f"{act} emr-8kd2m1qp", "alarms in the log"}
    assert {found[name].state for name in untried} == {"unknown"}
    assert exit_code(deployment.all) == 0
    assert found["credentials"].detail == "permanent key, accepted by the API"
    assert len(cloud.requests_for("DescribeInstances")) == len(cloud.requests_for("DescribeServiceNodeInfos")) == 2


# -- credentials


@pytest.mark.parametrize(
    ("env", "state", "message"),
    [
        ({"TENCENTCLOUD_SECRET_KEY": "another-key-entirely"}, "fail", "SignatureFailure"),
        ({"TENCENTCLOUD_SECRET_ID": "AKIDUNKNOWN"}, "fail", "STEWARD_EMR_ENDPOINT=international"),
        ({"TENCENTCLOUD_TOKEN": "a-token-of-another-key"}, "fail", "the token has expired"),
        ({"TENCENTCLOUD_SECRET_KEY": " blank-before-the-key"}, "fail", "contains a blank"),
        ({"TENCENTCLOUD_SECRET_KEY": ""}, "fail", "TENCENTCLOUD_SECRET_ID is set, but TENCENTCLOUD_SECRET_KEY is not"),
        ({"TENCENTCLOUD_SECRET_ID": "", "TENCENTCLOUD_SECRET_KEY": ""}, "fail", "execution role"),
    ],
)
def test_credentials_that_are_not_accepted(
    deployment: Deployment, env: dict[str, str], state: str, message: str
) -> None:
    """The finding has the kind of the key, the API's error and the fix; dependent checks are unknown."""
    deployment.env |= env
    found = deployment.examine()
    assert found["credentials"].state == state
    assert message in found["credentials"].detail + found["credentials"].fix
    assert states(found, *READ_PERMISSIONS, f"cluster {ANALYTICS}") == {"unknown"}
    assert exit_code(deployment.all) == 1


def test_the_temporary_key_of_a_role_is_recognised(deployment: Deployment, cloud: Cloud) -> None:
    """The platform passes id, key and token in variables with names of its own."""
    cloud.credentials["AKIDROLE"] = ("the-key-of-the-role", "the-token-of-the-role")
    deployment.env |= {
        "TENCENTCLOUD_SECRETID": "AKIDROLE",
        "TENCENTCLOUD_SECRETKEY": "the-key-of-the-role",
        "TENCENTCLOUD_SESSIONTOKEN": "the-token-of-the-role",
    }
    deployment.time_limit = 60
    assert deployment.examine()["credentials"] == Finding(
        "credentials", "ok", "temporary key of a role, accepted by the API"
    )


def test_a_permanent_key_in_the_function_is_a_warning(deployment: Deployment) -> None:
    """It works, but an execution role is safer."""
    deployment.time_limit = 60
    assert deployment.examine()["credentials"].state == "warn"


# -- endpoint and clock


def test_a_closed_endpoint(deployment: Deployment) -> None:
    """A refused connection is reported for the host, and for nothing else."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{one.getsockname()[1]}"
    deployment.env["STEWARD_EMR_ENDPOINT"] = f"http://{host}"
    found = deployment.examine()
    assert found[f"endpoint {host}"].state == "fail"
    assert "ConnectionRefused" in found[f"endpoint {host}"].detail
    assert "internal" in found[f"endpoint {host}"].fix
    assert states(found, "credentials", "clock", *READ_PERMISSIONS) == {"unknown"}
    assert [one.name for one in deployment.all if one.state == "fail"] == [f"endpoint {host}"]


def test_an_endpoint_that_does_not_answer(deployment: Deployment) -> None:
    """It is reported within the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        host = f"127.0.0.1:{mute.getsockname()[1]}"
        deployment.env["STEWARD_EMR_ENDPOINT"] = f"http://{host}"
        assert deployment.examine(seconds=0.5)[f"endpoint {host}"].state == "fail"


@pytest.mark.parametrize(
    ("ahead", "state", "message"),
    [
        (0, "ok", "within 30 s"),
        (100, "warn", "behind the API's"),
        (-100, "warn", "ahead of"),
        (400, "fail", "behind"),
        (-400, "fail", "ahead"),
    ],
)
def test_the_clock(tmp_path: Path, cloud: Cloud, ahead: float, state: str, message: str) -> None:
    """It is compared with the API's Date header; a refused signature is not reported for the key."""
    with CloudServer(cloud, signed_by=Shifted(ahead)) as server:
        deployment = Deployment(tmp_path, server)
        found = deployment.examine()
    assert found["clock"].state == state
    assert message in found["clock"].detail
    assert found["credentials"].state == ("unknown" if state == "fail" else "ok")
    assert found[f"endpoint {server.endpoint}"].state == "ok"


# -- clusters and permissions


def test_a_cluster_that_does_not_exist(deployment: Deployment, cloud: Cloud) -> None:
    """Only the cluster fails: the API answered, so the permission is there."""
    cloud.remove_cluster(ANALYTICS)
    found = deployment.examine()
    assert found[f"cluster {ANALYTICS}"].state == "fail"
    assert "region" in found[f"cluster {ANALYTICS}"].fix
    assert found["permission emr:DescribeInstances"].state == "ok"
    assert exit_code(deployment.all) == 1


def test_a_cluster_that_is_busy(deployment: Deployment, cloud: Cloud) -> None:
    """It is a warning, because operations are deferred until the cluster is running."""
    cloud.cluster(ANALYTICS).status = 4
    found = deployment.examine()[f"cluster {ANALYTICS}"]
    assert (found.state, "status is 4" in found.detail) == ("warn", True)


@pytest.mark.parametrize("action", ["DescribeInstances", "DescribeServiceNodeInfos"])
def test_a_missing_permission(deployment: Deployment, cloud: Cloud, action: str) -> None:
    """The fix names the statement to add; the other permission is ok."""
    cloud.denied.add((SECRET_ID, action))
    found = deployment.examine()
    name = f"permission emr:{action}"
    assert found[name].state == "fail"
    assert f'"emr:{action}" on "*"' in found[name].fix
    assert ANALYTICS in found[name].detail
    assert [one.name for one in deployment.all if one.state == "fail"] == [name]
    assert found["credentials"].state == "ok"


def test_the_trial_call_uses_a_service_that_a_rule_names(deployment: Deployment, cloud: Cloud) -> None:
    """Without such a rule it uses a common service."""
    deployment.raw["rules"] = [rule for rule in deployment.raw["rules"] if rule["do"]["cluster"] != ANALYTICS]
    deployment.examine()
    looked_at = {
        one.params["InstanceId"]: one.params["ServiceName"] for one in cloud.requests_for("DescribeServiceNodeInfos")
    }
    assert looked_at == {ANALYTICS: "HDFS", "emr-8kd2m1qp": "HBASE"}


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        (State.VERIFIED, "", "ok"),
        (State.ACCEPTED, "", "ok"),
        (State.REJECTED, "UnauthorizedOperation.CheckCamAuth", "fail"),
        (State.REJECTED, "AssumeRole.UnauthorizedOperation", "unknown"),
        (State.REJECTED, "InvalidParameter.InvalidIpList", "unknown"),
        (State.NOT_SENT, "", "unknown"),
        (State.IN_DOUBT, "InternalError.CamCgwError", "unknown"),
    ],
)
def test_only_past_operations_show_the_permission_to_operate(
    deployment: Deployment, state: State, code: str, expected: str
) -> None:
    """An accepted request shows it, for its own cluster only; the doctor makes no request of its own."""
    operation = an_operation("op-1", state=state, code=code, ended_at=1_000_001.0)
    if operation.is_open:
        put(deployment.ledger, operation)
    else:
        deployment.ledger.append([log_operation(Log(lambda text: None, SystemClock()), operation)])
    found = deployment.examine()
    assert found[f"permission emr:StartStopServiceOrMonitor on {ANALYTICS}"].state == expected
    assert found["permission emr:StartStopServiceOrMonitor on emr-8kd2m1qp"].state == "unknown"
    assert not deployment.cloud.requests_for("StartStopServiceOrMonitor")


# -- roles


@pytest.fixture
def abroad(deployment: Deployment) -> Deployment:
    """A deployment with one cluster that belongs to another account."""
    deployment.raw["clusters"][ANALYTICS]["role_arn"] = ARN
    deployment.cloud.cluster(ANALYTICS).uin = OTHER
    deployment.cloud.roles[ARN] = Role(ARN)
    return deployment


def test_a_role_that_can_be_assumed(abroad: Deployment) -> None:
    """The role is assumed, and the permissions are checked with its key too."""
    found = abroad.examine()
    assert states(
        found, f"role {ARN}", f"cluster {ANALYTICS}", *(f"{right} as {ARN}" for right in READ_PERMISSIONS)
    ) == {"ok"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda cloud: cloud.roles.clear(), "RoleNotFound"),
        (lambda cloud: setattr(cloud.roles[ARN], "trusts", frozenset()), "sts:AssumeRole"),
        (lambda cloud: cloud.denied.add((SECRET_ID, "AssumeRole")), "sts:AssumeRole"),
    ],
    ids=["no such role", "no trust", "no permission"],
)
def test_a_role_that_cannot_be_assumed(abroad: Deployment, spoil: Callable[[Cloud], object], message: str) -> None:
    """The role fails, its own checks are unknown, and the other clusters are examined as usual."""
    spoil(abroad.cloud)
    found = abroad.examine()
    assert found[f"role {ARN}"].state == "fail"
    assert message in found[f"role {ARN}"].detail + found[f"role {ARN}"].fix
    assert states(found, f"cluster {ANALYTICS}", *(f"{right} as {ARN}" for right in READ_PERMISSIONS)) == {"unknown"}
    assert states(found, "cluster emr-8kd2m1qp", "credentials", *READ_PERMISSIONS) == {"ok"}


def test_a_permission_that_the_role_lacks(abroad: Deployment) -> None:
    """The fix is in the policy of the role, not in that of the function."""
    abroad.cloud.roles[ARN].denied.add("DescribeServiceNodeInfos")
    found = abroad.examine()
    name = f"permission emr:DescribeServiceNodeInfos as {ARN}"
    assert found[name].state == "fail"
    assert found[name].fix == f'add "emr:DescribeServiceNodeInfos" on "*" to the policy of {ARN}'
    assert found["permission emr:DescribeServiceNodeInfos"].state == "ok"


def test_wrong_credentials_are_not_reported_for_the_role(abroad: Deployment) -> None:
    """AssumeRole is signed with the function's own credentials."""
    abroad.env["TENCENTCLOUD_SECRET_KEY"] = "another-key-entirely"
    found = abroad.examine()
    assert (found["credentials"].state, found[f"role {ARN}"].state) == ("fail", "unknown")


# -- the ledger


def is_a_folder(file: Path) -> None:
    file.mkdir()


def is_corrupted(file: Path) -> None:
    file.write_bytes(b"SQLite format 3\x00" + b"\xff" * 4096)


def belongs_to_another_program(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()


@pytest.mark.parametrize("spoil", [is_a_folder, is_corrupted, belongs_to_another_program])
def test_a_ledger_that_cannot_be_used(deployment: Deployment, spoil: Callable[[Path], None]) -> None:
    """It fails, because without its ledger the function sends nothing."""
    spoil(deployment.folder / "ledger.db")
    found = deployment.examine()["ledger"]
    assert found.state == "fail"
    assert "ledger.db" in found.detail
    assert "STEWARD_LEDGER" in found.fix


def test_a_ledger_that_forgets(deployment: Deployment, mocker: MockerFixture) -> None:
    """What was written is not read back."""
    mocker.patch.object(Ledger, "change_alarms", return_value=None)
    assert deployment.examine()["ledger"].state == "fail"


def test_a_ledger_for_one_host_is_a_warning(deployment: Deployment) -> None:
    """The ledger works, and its limits are reported."""
    deployment.ledger_url = "sqlite:///:memory:"
    found = deployment.examine()["ledger"]
    assert found.state == "warn"
    assert "written and read back" in found.detail


def test_two_examinations_do_not_collide_in_the_ledger(deployment: Deployment) -> None:
    """Each of them claims a key of its own."""
    assert [deployment.examine()["ledger"].state for _ in range(2)] == ["ok", "ok"]


# -- settings and configuration


@pytest.mark.parametrize(
    ("env", "code", "message"),
    [
        ({"STEWARD_MODE": "dry"}, 2, "STEWARD_MODE: 'dry' is not a mode"),
        ({"STEWARD_MODE": " "}, 2, "STEWARD_MODE: is set but empty"),
        ({"STEWARD_LEDGER": "mysql://x:planted-secret-of-tcop@y"}, 2, "STEWARD_LEDGER: is no ledger"),
        ({"STEWARD_EMR_ENDPOINT": "http://"}, 2, "is not an endpoint"),
        ({"STEWARD_MDOE": "observe"}, 0, "did you mean STEWARD_MODE?"),
        ({"STEWARD_SECRET_TCOP": ""}, 0, "STEWARD_SECRET_TCOP is set but empty"),
    ],
)
def test_settings(deployment: Deployment, env: dict[str, str], code: int, message: str) -> None:
    """An invalid setting fails with exit code 2; an unknown or empty variable is a warning with a hint."""
    deployment.env |= env
    deployment.examine()
    findings = [
        f"{one.detail} {one.fix}" for one in deployment.all if one.name == "settings" and one.state in ("warn", "fail")
    ]
    assert any(message in text for text in findings), findings
    assert exit_code(deployment.all) == code


def test_an_invalid_configuration(deployment: Deployment) -> None:
    """Each error is reported with its place; checks that do not need the configuration run as usual."""
    deployment.raw["clusters"][ANALYTICS]["region"] = "Guangzhou"
    deployment.raw["rules"][0]["do"]["operation"] = "Restart"
    deployment.examine()
    wrong = [one for one in deployment.all if one.name == "configuration"]
    assert {one.state for one in wrong} == {"fail"}
    assert any("rules[0].do.operation" in one.detail for one in wrong)
    assert "ledger" in {one.name for one in deployment.all if one.state == "ok"}
    assert exit_code(deployment.all) == 2


def test_a_missing_configuration(deployment: Deployment) -> None:
    """The finding has the path, and the fix the variable that names it."""
    deployment.config_path.write_text("", encoding="utf-8")
    deployment.config_path = deployment.folder / "none" / "steward.json"
    clock = SystemClock()
    setup = Setup.read({**deployment.env, "STEWARD_CONFIG": str(deployment.config_path)})
    (found,) = [
        one
        for one in Examination(setup, clock=clock, deadline=Deadline(clock, 5)).findings()
        if one.name == "configuration"
    ]
    assert (found.state, "no such file" in found.detail, "STEWARD_CONFIG" in found.fix) == ("fail", True, True)


@pytest.mark.parametrize(("seconds", "state"), [(1.0, "fail"), (3.0, "warn"), (60.0, "ok"), (None, "unknown")])
def test_the_time_limit(deployment: Deployment, seconds: float | None, state: str) -> None:
    """The platform's default of three seconds is a warning: HTTP senders may wait longer."""
    deployment.time_limit = seconds
    assert deployment.examine()["time limit"].state == state


def test_a_caller_without_its_secret(deployment: Deployment) -> None:
    """It is always refused, so it is reported with its variable."""
    del deployment.env["STEWARD_SECRET_GRAFANA"]
    found = deployment.examine()["webhook authentication"]
    assert (found.state, found.detail) == (
        "warn",
        "always refused, because the secret is not set: grafana (STEWARD_SECRET_GRAFANA)",
    )


# -- alarms


@pytest.fixture
def loud(deployment: Deployment) -> Deployment:
    """A deployment with a chat and an event bus."""
    deployment.env["STEWARD_CHAT_URL"] = CHAT_URL
    deployment.raw["alarms"] = {
        "chat": [{"url_env": "STEWARD_CHAT_URL"}],
        "event_bus": {"id": "eb-example0", "region": "ap-guangzhou"},
    }
    return deployment


CHAT, BUS = "alarms to chat STEWARD_CHAT_URL", "alarms to event bus eb-example0"


def test_alarms_are_not_sent_unasked(loud: Deployment, mocker: MockerFixture) -> None:
    """The URL is checked without sending; whether an alarm arrives is unknown."""
    notify = mocker.patch.object(apprise.Apprise, "notify")
    found = loud.examine()
    assert states(found, CHAT, BUS) == {"unknown"}
    assert "--send-test-alarm" in found[CHAT].fix
    notify.assert_not_called()
    assert not loud.cloud.put_events


@pytest.mark.parametrize("url", [None, "", "planted-secret-of-the-chat"])
def test_a_chat_with_an_invalid_url(loud: Deployment, url: str | None) -> None:
    """A URL that is missing or not supported is found without sending, and is not shown."""
    loud.env.pop("STEWARD_CHAT_URL")
    if url is not None:
        loud.env["STEWARD_CHAT_URL"] = url
    assert loud.examine()[CHAT].state == "fail"


def test_a_package_without_the_chat_library_is_found(loud: Deployment, mocker: MockerFixture) -> None:
    """The package contains it only where chats are configured."""
    mocker.patch.dict("sys.modules", {"apprise": None})
    assert "apprise, is not installed" in loud.examine()[CHAT].detail


def test_with_invalid_settings_no_test_alarm_is_sent(loud: Deployment) -> None:
    """Without settings there is no ledger and no endpoint."""
    loud.env["STEWARD_MODE"] = "dry"
    found = loud.examine(send_test_alarm=True)
    assert states(found, CHAT, BUS, "ledger", "endpoint") == {"unknown"}
    assert not loud.cloud.requests


@pytest.mark.parametrize("taken", [True, False])
def test_a_test_alarm_is_sent_once_to_each_channel(loud: Deployment, mocker: MockerFixture, taken: bool) -> None:
    """Each request sends another one, and each channel reports whether it accepted it."""
    notify = mocker.patch.object(apprise.Apprise, "notify", return_value=taken)
    if not taken:
        loud.cloud.denied.add((SECRET_ID, "PutEvents"))
    for times in (1, 2):
        found = loud.examine(send_test_alarm=True)
        assert states(found, CHAT, BUS) == {"ok" if taken else "fail"}
        assert notify.call_count == times
    assert len(loud.cloud.put_events) == (2 if taken else 0)
    assert taken or "eb:PutEvents" in found[BUS].fix


def test_a_secret_in_an_error_of_the_api_is_redacted(deployment: Deployment) -> None:
    """The finding shows the API's message without the secrets in it."""
    message = f"{SECRET_KEY} and planted-secret-of-tcop are wrong"
    deployment.server.faults.add(
        *(
            Fault(Kind.API_ERROR, action="DescribeInstances", code="UnauthorizedOperation", message=message)
            for _ in "12"
        )
    )
    assert "[redacted] and [redacted] are wrong" in deployment.examine()["permission emr:DescribeInstances"].detail


# -- in the function


def test_the_function_examines_itself(world: World) -> None:
    """An invocation returns the findings, and logs each at the level of its state."""
    world.cloud.remove_cluster("emr-8kd2m1qp")
    answer = world.deliver({"steward": "doctor"}, time_limit_ms=30_000).answer
    found = {one["name"]: one for one in answer["doctor"]}
    assert found["credentials"]["state"] == "warn"
    assert found["time limit"] == {"name": "time limit", "state": "ok", "detail": "30 s"}
    assert found["cluster emr-8kd2m1qp"]["state"] == "fail"
    assert answer["counts"]["fail"] == 1
    lines = [line for line in world.lines if line["event"] == "steward.doctor"]
    assert len(lines) == len(answer["doctor"])
    assert [line["check"] for line in lines if line["level"] == "ERROR"] == ["cluster emr-8kd2m1qp"]
    assert not world.outcomes()
    assert world.requests() == 0


def test_a_test_alarm_in_the_function_is_logged_as_an_alarm(world: World) -> None:
    """It is the same ERROR line as for any alarm, so an alarm policy matches it."""
    world.deliver({"steward": "doctor", "send_test_alarm": True})
    (line,) = [line for line in world.lines if line["event"] == "steward.alarm"]
    assert (line["level"], line["code"]) == ("ERROR", "doctor.test")


@pytest.mark.parametrize("event", [{"steward": "docter"}, {"steward": "doctor", "send-test-alarm": True}])
def test_a_misspelt_doctor_request_is_refused(world: World, event: dict[str, Any]) -> None:
    """A misspelt key or value is not ignored silently."""
    assert world.deliver(event).answer["counts"] == {"refused": 1}
    assert not world.cloud.requests


@pytest.mark.parametrize(("authorization", "status"), [("Bearer {STEWARD_SECRET_DEPLOY}", 403), ("Bearer none", 401)])
def test_over_http_the_doctor_does_not_answer(world: World, authorization: str, status: int) -> None:
    """A caller that may send alerts must not learn the permissions of the role."""
    headers = {"Authorization": authorization.format_map(world.env)}
    event = function_url_event("POST", "/", headers, json.dumps({"steward": "doctor"}).encode())
    answer = world.function.handle(event, {"time_limit_in_ms": 30_000})
    assert answer["statusCode"] == status
    assert not world.cloud.requests


def test_a_function_that_cannot_start_answers_the_doctor(
    mocker: MockerFixture, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The doctor is needed most then; any other event still raises."""
    env = {"STEWARD_CONFIG": str(tmp_path / "none.json"), "STEWARD_LEDGER": f"sqlite:///{tmp_path}/ledger.db"}
    mocker.patch.dict("os.environ", env, clear=True)
    mocker.patch.object(Function, "_instance", None)
    answer = app.main_handler({"steward": "doctor"}, {"time_limit_in_ms": 30_000})
    found = {one["name"]: one["state"] for one in answer["doctor"]}
    assert (found["configuration"], found["credentials"], found["settings"]) == ("fail", "fail", "ok")
    assert '"event":"steward.doctor"' in capsys.readouterr().out
    with pytest.raises(ConfigurationError):
        app.main_handler({"Type": "Timer"}, {})
