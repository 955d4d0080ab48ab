"""The doctor against the fake cloud, over real sockets: every fault is found, nothing acts, and no secret is told."""

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

from handler import entrypoint
from handler.app import Function
from handler.config.file import read_raw
from handler.doctor.checks import exit_code
from handler.doctor.findings import Finding
from handler.doctor.probes import Examination, Setup
from handler.errors import ConfigurationError
from handler.ledger.sqlite import SqliteLedger
from handler.lib.clock import Deadline, SystemClock
from handler.model.history import State
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.demo_clusters import demo_cloud
from harness.fake_cloud.server import CloudServer
from harness.fake_cloud.sts import Role
from harness.faults import Fault, Kind
from steward.simulate.fixtures import ROOT
from steward.simulate.platform import function_url_event
from steward.simulate.world import World
from tests.operations import an_operation

ANALYTICS = "emr-4zvc5mul"
OTHER = "200000000002"
ARN = f"qcs::cam::uin/{OTHER}:roleName/emr-steward"
HARMLESS = {"DescribeInstances", "DescribeServiceNodeInfos", "AssumeRole"}
LOOK_RIGHTS = ("right emr:DescribeInstances", "right emr:DescribeServiceNodeInfos")
SECRETS = {
    "STEWARD_SECRET_TCOP": "planted-secret-of-tcop",
    "STEWARD_SECRET_ALERTMANAGER": "planted-secret-of-alertmanager",
    "STEWARD_SECRET_GRAFANA": "planted-secret-of-grafana",
    "STEWARD_SECRET_DEPLOY": "planted-secret-of-deploy",
}
CHAT_URL = "json://127.0.0.1:9/planted-secret-of-the-chat"


class Shifted:
    """The machine's clock, ``seconds`` ahead."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._clock = SystemClock()
        self.monotonic, self.sleep = self._clock.monotonic, self._clock.sleep

    def now(self) -> float:
        return self._clock.now() + self._seconds


class Patient:
    """A deployment to be examined: change what is wrong with it, then examine it."""

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
    def ledger(self) -> SqliteLedger:
        return SqliteLedger(f"{self.folder}/ledger.db")

    def examine(self, *, send_test_alarm: bool = False, seconds: float = 10) -> dict[str, Finding]:
        """The findings by name. In every case: nothing acted, and no secret is in them."""
        if not self.config_path.exists():
            self.config_path.write_text(json.dumps(self.raw), encoding="utf-8")
        clock = SystemClock()
        setup = Setup.read({"STEWARD_LEDGER": self.ledger_url, **self.env}, config_path=str(self.config_path))
        examination = Examination(setup, clock=clock, deadline=Deadline(clock, seconds), time_limit=self.time_limit)
        found = examination.findings(send_test_alarm=send_test_alarm)
        told = json.dumps([one.to_wire() for one in found])
        keys = [key for pair in self.cloud.credentials.values() for key in pair if key]
        for secret in (
            "planted-secret",
            *keys,
            *(v for k, v in self.env.items() if v and ("KEY" in k or "TOKEN" in k)),
        ):
            assert secret not in told
        assert not self.cloud.operations
        assert {request.action for request in self.cloud.requests} <= HARMLESS | (
            {"PutEvents"} if send_test_alarm else set()
        )
        for one in found:
            assert one.seen
            assert one.mend or one.state == "ok"
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
def patient(tmp_path: Path, server: CloudServer, mocker: MockerFixture) -> Patient:
    """In a folder that is no temporary one, as far as the ledger knows: a warning of that is a case of its own."""
    mocker.patch("handler.ledger.sqlite.temporary_folder", return_value="/no/such/folder")
    return Patient(tmp_path, server)


def states(found: dict[str, Finding], *names: str) -> set[str]:
    return {found[name].state for name in names}


def test_a_healthy_deployment_is_found_so(patient: Patient, cloud: Cloud) -> None:
    """Everything is ok but what no harmless request shows; each right was shown by a call that was really made."""
    found = patient.examine()
    host = patient.server.endpoint
    sound = ("settings", "configuration", "credentials", f"endpoint {host}", "clock", "ledger", "door", *LOOK_RIGHTS)
    assert states(found, *sound, f"cluster {ANALYTICS}", "cluster emr-8kd2m1qp") == {"ok"}
    untried = {name for name, one in found.items() if one.state != "ok"}
    act = "right emr:StartStopServiceOrMonitor on"
    assert untried == {"time limit", f"{act} {ANALYTICS}", f"{act} emr-8kd2m1qp", "alarms in the log"}
    assert {found[name].state for name in untried} == {"not proved"}
    assert exit_code(patient.all) == 0
    assert found["credentials"].seen == "a lasting key, accepted by the API"
    assert len(cloud.requests_for("DescribeInstances")) == len(cloud.requests_for("DescribeServiceNodeInfos")) == 2


# -- credentials


@pytest.mark.parametrize(
    ("env", "state", "says"),
    [
        ({"TENCENTCLOUD_SECRET_KEY": "another-key-entirely"}, "fail", "SignatureFailure"),
        ({"TENCENTCLOUD_SECRET_ID": "AKIDUNKNOWN"}, "fail", "STEWARD_EMR_ENDPOINT=international"),
        ({"TENCENTCLOUD_TOKEN": "a-token-of-another-key"}, "fail", "the token has ended"),
        ({"TENCENTCLOUD_SECRET_KEY": " blank-before-the-key"}, "fail", "holds a blank"),
        ({"TENCENTCLOUD_SECRET_KEY": ""}, "fail", "TENCENTCLOUD_SECRET_ID is set and TENCENTCLOUD_SECRET_KEY is not"),
        ({"TENCENTCLOUD_SECRET_ID": "", "TENCENTCLOUD_SECRET_KEY": ""}, "fail", "execution role"),
    ],
)
def test_credentials_that_are_not_accepted(patient: Patient, env: dict[str, str], state: str, says: str) -> None:
    """Which kind, what the API says of them, and how to mend it; what follows from it is not proved, and no fault."""
    patient.env |= env
    found = patient.examine()
    assert found["credentials"].state == state
    assert says in found["credentials"].seen + found["credentials"].mend
    assert states(found, *LOOK_RIGHTS, f"cluster {ANALYTICS}") == {"not proved"}
    assert exit_code(patient.all) == 1


def test_a_roles_temporary_key_is_told_as_such(patient: Patient, cloud: Cloud) -> None:
    """By the platform's own names, with its token."""
    cloud.credentials["AKIDROLE"] = ("the-key-of-the-role", "the-token-of-the-role")
    patient.env |= {
        "TENCENTCLOUD_SECRETID": "AKIDROLE",
        "TENCENTCLOUD_SECRETKEY": "the-key-of-the-role",
        "TENCENTCLOUD_SESSIONTOKEN": "the-token-of-the-role",
    }
    patient.time_limit = 60
    assert patient.examine()["credentials"] == Finding(
        "credentials", "ok", "the temporary key of a role, accepted by the API"
    )


def test_a_lasting_key_in_the_function_is_a_warning(patient: Patient) -> None:
    """It works, and should not be there."""
    patient.time_limit = 60
    assert patient.examine()["credentials"].state == "warn"


# -- the way to the API


def test_a_closed_endpoint(patient: Patient) -> None:
    """Refused: told for the host, and nothing else is blamed."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{one.getsockname()[1]}"
    patient.env["STEWARD_EMR_ENDPOINT"] = f"http://{host}"
    found = patient.examine()
    assert found[f"endpoint {host}"].state == "fail"
    assert "ConnectionRefused" in found[f"endpoint {host}"].seen
    assert "internal" in found[f"endpoint {host}"].mend
    assert states(found, "credentials", "clock", *LOOK_RIGHTS) == {"not proved"}
    assert [one.name for one in patient.all if one.state == "fail"] == [f"endpoint {host}"]


def test_an_endpoint_that_is_silent(patient: Patient) -> None:
    """Told within the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        host = f"127.0.0.1:{mute.getsockname()[1]}"
        patient.env["STEWARD_EMR_ENDPOINT"] = f"http://{host}"
        assert patient.examine(seconds=0.5)[f"endpoint {host}"].state == "fail"


@pytest.mark.parametrize(
    ("ahead", "state", "says"),
    [
        (0, "ok", "within 30 s"),
        (100, "warn", "behind the API's"),
        (-100, "warn", "ahead of"),
        (400, "fail", "behind"),
        (-400, "fail", "ahead"),
    ],
)
def test_the_clock(tmp_path: Path, cloud: Cloud, ahead: float, state: str, says: str) -> None:
    """By the API's Date; beyond five minutes the API refuses the signature, and the key is not blamed for it."""
    with CloudServer(cloud, signed_by=Shifted(ahead)) as server:
        patient = Patient(tmp_path, server)
        found = patient.examine()
    assert found["clock"].state == state
    assert says in found["clock"].seen
    assert found["credentials"].state == ("not proved" if state == "fail" else "ok")
    assert found[f"endpoint {server.endpoint}"].state == "ok"


# -- clusters and rights


def test_a_cluster_that_is_not_there(patient: Patient, cloud: Cloud) -> None:
    """Its own finding; the right to look is there, as the API answered."""
    cloud.remove_cluster(ANALYTICS)
    found = patient.examine()
    assert found[f"cluster {ANALYTICS}"].state == "fail"
    assert "region" in found[f"cluster {ANALYTICS}"].mend
    assert found["right emr:DescribeInstances"].state == "ok"
    assert exit_code(patient.all) == 1


def test_a_cluster_that_is_busy(patient: Patient, cloud: Cloud) -> None:
    """A warning: operations wait for it."""
    cloud.cluster(ANALYTICS).status = 4
    found = patient.examine()[f"cluster {ANALYTICS}"]
    assert (found.state, "status is 4" in found.seen) == ("warn", True)


@pytest.mark.parametrize("action", ["DescribeInstances", "DescribeServiceNodeInfos"])
def test_a_right_that_is_missing(patient: Patient, cloud: Cloud, action: str) -> None:
    """Named with its statement; the other one is not blamed."""
    cloud.denied.add((SECRET_ID, action))
    found = patient.examine()
    name = f"right emr:{action}"
    assert found[name].state == "fail"
    assert f'"emr:{action}" on "*"' in found[name].mend
    assert ANALYTICS in found[name].seen
    assert [one.name for one in patient.all if one.state == "fail"] == [name]
    assert found["credentials"].state == "ok"


def test_a_service_is_looked_at_that_a_rule_names(patient: Patient, cloud: Cloud) -> None:
    """The call that shows the right is one that operations make; without such a rule, one for a usual service."""
    patient.raw["rules"] = [rule for rule in patient.raw["rules"] if rule["do"]["cluster"] != ANALYTICS]
    patient.examine()
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
        (State.REJECTED, "AssumeRole.UnauthorizedOperation", "not proved"),
        (State.REJECTED, "InvalidParameter.InvalidIpList", "not proved"),
        (State.NOT_SENT, "", "not proved"),
        (State.IN_DOUBT, "InternalError.CamCgwError", "not proved"),
    ],
)
def test_the_right_to_act_is_shown_by_the_past_alone(patient: Patient, state: State, code: str, expected: str) -> None:
    """What the API took shows it, for that cluster only; an attempt that the doctor makes would not be harmless."""
    operation = an_operation("op-1")
    assert patient.ledger.arm(operation, 0)
    assert patient.ledger.settle(operation.moved(state, 1_000_001.0, code=code), State.SENDING)
    found = patient.examine()
    assert found[f"right emr:StartStopServiceOrMonitor on {ANALYTICS}"].state == expected
    assert found["right emr:StartStopServiceOrMonitor on emr-8kd2m1qp"].state == "not proved"
    assert not patient.cloud.requests_for("StartStopServiceOrMonitor")


# -- roles


@pytest.fixture
def abroad(patient: Patient) -> Patient:
    """A deployment one of whose clusters belongs to another account."""
    patient.raw["clusters"][ANALYTICS]["role_arn"] = ARN
    patient.cloud.cluster(ANALYTICS).uin = OTHER
    patient.cloud.roles[ARN] = Role(ARN)
    return patient


def test_a_role_that_can_be_assumed(abroad: Patient) -> None:
    """It is, and the rights are shown for its key too."""
    found = abroad.examine()
    assert states(found, f"role {ARN}", f"cluster {ANALYTICS}", *(f"{right} as {ARN}" for right in LOOK_RIGHTS)) == {
        "ok"
    }


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda cloud: cloud.roles.clear(), "RoleNotFound"),
        (lambda cloud: setattr(cloud.roles[ARN], "trusts", frozenset()), "sts:AssumeRole"),
        (lambda cloud: cloud.denied.add((SECRET_ID, "AssumeRole")), "sts:AssumeRole"),
    ],
    ids=["none such", "no trust", "no right"],
)
def test_a_role_that_cannot(abroad: Patient, spoil: Callable[[Cloud], object], says: str) -> None:
    """The role is named; what depends on it is not proved, and our own clusters are examined all the same."""
    spoil(abroad.cloud)
    found = abroad.examine()
    assert found[f"role {ARN}"].state == "fail"
    assert says in found[f"role {ARN}"].seen + found[f"role {ARN}"].mend
    assert states(found, f"cluster {ANALYTICS}", *(f"{right} as {ARN}" for right in LOOK_RIGHTS)) == {"not proved"}
    assert states(found, "cluster emr-8kd2m1qp", "credentials", *LOOK_RIGHTS) == {"ok"}


def test_a_right_that_the_role_lacks(abroad: Patient) -> None:
    """It is the role's policy that needs the statement, not ours."""
    abroad.cloud.roles[ARN].denied.add("DescribeServiceNodeInfos")
    found = abroad.examine()
    name = f"right emr:DescribeServiceNodeInfos as {ARN}"
    assert found[name].state == "fail"
    assert found[name].mend.startswith(f"the policy of {ARN} needs")
    assert found["right emr:DescribeServiceNodeInfos"].state == "ok"


def test_bad_credentials_are_not_the_roles_fault(abroad: Patient) -> None:
    """AssumeRole is signed by ours."""
    abroad.env["TENCENTCLOUD_SECRET_KEY"] = "another-key-entirely"
    found = abroad.examine()
    assert (found["credentials"].state, found[f"role {ARN}"].state) == ("fail", "not proved")


# -- the ledger


def a_folder(file: Path) -> None:
    file.mkdir()


def corrupted(file: Path) -> None:
    file.write_bytes(b"SQLite format 3\x00" + b"\xff" * 4096)


def somebody_elses(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()


@pytest.mark.parametrize("spoil", [a_folder, corrupted, somebody_elses])
def test_a_ledger_that_cannot_be_used(patient: Patient, spoil: Callable[[Path], None]) -> None:
    """A folder, a broken file, another program's database: without it nothing is sent, so it fails."""
    spoil(patient.folder / "ledger.db")
    found = patient.examine()["ledger"]
    assert found.state == "fail"
    assert "ledger.db" in found.seen
    assert "STEWARD_LEDGER" in found.mend


@pytest.mark.parametrize("answers", [[True, True], [False]])
def test_a_ledger_that_forgets(patient: Patient, mocker: MockerFixture, answers: list[bool]) -> None:
    """What is written is read back: a key that is claimed twice, or taken before it was claimed, shows it."""
    mocker.patch.object(SqliteLedger, "claim", side_effect=answers)
    assert patient.examine()["ledger"].state == "fail"


def test_a_ledger_for_one_host_is_a_warning(patient: Patient) -> None:
    """It is sound, and it says what it cannot do."""
    patient.ledger_url = "sqlite:///:memory:"
    found = patient.examine()["ledger"]
    assert found.state == "warn"
    assert "written and read back" in found.seen


def test_two_examinations_do_not_meet_in_the_ledger(patient: Patient) -> None:
    """Each tries a key of its own."""
    assert [patient.examine()["ledger"].state for _ in range(2)] == ["ok", "ok"]


# -- what is set


@pytest.mark.parametrize(
    ("env", "code", "says"),
    [
        ({"STEWARD_MODE": "dry"}, 2, "STEWARD_MODE: 'dry' is not a mode"),
        ({"STEWARD_MODE": " "}, 2, "STEWARD_MODE: is set but empty"),
        ({"STEWARD_LEDGER": "mysql://x:planted-secret-of-tcop@y"}, 2, "STEWARD_LEDGER: is no ledger"),
        ({"STEWARD_EMR_ENDPOINT": "http://"}, 2, "is not an endpoint"),
        ({"STEWARD_MDOE": "observe"}, 0, "did you mean STEWARD_MODE?"),
        ({"STEWARD_SECRET_TCOP": ""}, 0, "STEWARD_SECRET_TCOP is set but empty"),
    ],
)
def test_settings(patient: Patient, env: dict[str, str], code: int, says: str) -> None:
    """What stops a start fails with 2; what nobody reads, or is empty, is a warning with the nearest right name."""
    patient.env |= env
    patient.examine()
    told = [f"{one.seen} {one.mend}" for one in patient.all if one.name == "settings" and one.state in ("warn", "fail")]
    assert any(says in text for text in told), told
    assert exit_code(patient.all) == code


def test_a_configuration_with_faults(patient: Patient) -> None:
    """Each with its place; what does not need it is examined all the same."""
    patient.raw["clusters"][ANALYTICS]["region"] = "Guangzhou"
    patient.raw["rules"][0]["do"]["operation"] = "Restart"
    patient.examine()
    wrong = [one for one in patient.all if one.name == "configuration"]
    assert {one.state for one in wrong} == {"fail"}
    assert any("rules[0].do.operation" in one.seen for one in wrong)
    assert "ledger" in {one.name for one in patient.all if one.state == "ok"}
    assert exit_code(patient.all) == 2


def test_a_configuration_that_is_not_there(patient: Patient) -> None:
    """The path, and the variable that names it."""
    patient.config_path.write_text("", encoding="utf-8")
    patient.config_path = patient.folder / "none" / "steward.json"
    clock = SystemClock()
    setup = Setup.read({**patient.env, "STEWARD_CONFIG": str(patient.config_path)})
    (found,) = [
        one
        for one in Examination(setup, clock=clock, deadline=Deadline(clock, 5)).findings()
        if one.name == "configuration"
    ]
    assert (found.state, "no such file" in found.seen, "STEWARD_CONFIG" in found.mend) == ("fail", True, True)


@pytest.mark.parametrize(("seconds", "state"), [(1.0, "fail"), (3.0, "warn"), (60.0, "ok"), (None, "not proved")])
def test_the_time_limit(patient: Patient, seconds: float | None, state: str) -> None:
    """The platform's three seconds are fewer than an HTTP sender is kept waiting."""
    patient.time_limit = seconds
    assert patient.examine()["time limit"].state == state


def test_a_caller_without_its_secret(patient: Patient) -> None:
    """It can never come in; it is named with its variable."""
    del patient.env["STEWARD_SECRET_GRAFANA"]
    found = patient.examine()["door"]
    assert (found.state, found.seen) == ("warn", "can never come in: grafana (STEWARD_SECRET_GRAFANA)")


# -- alarms


@pytest.fixture
def loud(patient: Patient) -> Patient:
    """A deployment with a chat and an event bus."""
    patient.env["STEWARD_CHAT_URL"] = CHAT_URL
    patient.raw["alarms"] = {
        "chat": [{"url_env": "STEWARD_CHAT_URL"}],
        "event_bus": {"id": "eb-example0", "region": "ap-guangzhou"},
    }
    return patient


CHAT, BUS = "alarms by chat STEWARD_CHAT_URL", "alarms on event bus eb-example0"


def test_alarms_are_not_sent_unasked(loud: Patient, mocker: MockerFixture) -> None:
    """What can be seen without sending is; that they arrive is not proved."""
    notify = mocker.patch.object(apprise.Apprise, "notify")
    found = loud.examine()
    assert states(found, CHAT, BUS) == {"not proved"}
    assert "--send-test-alarm" in found[CHAT].mend
    notify.assert_not_called()
    assert not loud.cloud.put_events


@pytest.mark.parametrize("url", [None, "", "planted-secret-of-the-chat"])
def test_a_chat_whose_url_is_none(loud: Patient, url: str | None) -> None:
    """Not set, or of no kind that the library knows: found without sending, its content untold."""
    loud.env.pop("STEWARD_CHAT_URL")
    if url is not None:
        loud.env["STEWARD_CHAT_URL"] = url
    assert loud.examine()[CHAT].state == "fail"


def test_a_package_without_the_chat_library_is_found(loud: Patient, mocker: MockerFixture) -> None:
    """It is packed only where chats are configured."""
    mocker.patch.dict("sys.modules", {"apprise": None})
    assert "is not there" in loud.examine()[CHAT].seen


def test_with_settings_that_are_none_no_alarm_is_tried(loud: Patient) -> None:
    """There is no ledger to say it once by, and nothing else to go by either."""
    loud.env["STEWARD_MODE"] = "dry"
    found = loud.examine(send_test_alarm=True)
    assert states(found, CHAT, BUS, "ledger", "endpoint") == {"not proved"}
    assert not loud.cloud.requests


@pytest.mark.parametrize("taken", [True, False])
def test_a_test_alarm_is_sent_once_everywhere(loud: Patient, mocker: MockerFixture, taken: bool) -> None:
    """To each way that is configured, however often it is asked for; each says whether it went."""
    notify = mocker.patch.object(apprise.Apprise, "notify", return_value=taken)
    if not taken:
        loud.cloud.denied.add((SECRET_ID, "PutEvents"))
    for times in (1, 2):
        found = loud.examine(send_test_alarm=True)
        assert states(found, CHAT, BUS) == {"ok" if taken else "fail"}
        assert notify.call_count == times
    assert len(loud.cloud.put_events) == (2 if taken else 0)
    assert taken or "eb:PutEvents" in found[BUS].mend


def test_an_api_that_repeats_a_secret_does_not_make_us_tell_it(patient: Patient) -> None:
    """What the API says is shown, and what is secret in it is not."""
    message = f"{SECRET_KEY} and planted-secret-of-tcop are wrong"
    patient.server.faults.add(
        *(
            Fault(Kind.API_ERROR, action="DescribeInstances", code="UnauthorizedOperation", message=message)
            for _ in "12"
        )
    )
    assert "[redacted] and [redacted] are wrong" in patient.examine()["right emr:DescribeInstances"].seen


# -- in the function


def test_the_function_examines_itself(world: World) -> None:
    """By an invocation: the findings are its answer, and a line of the log each, as loud as they are bad."""
    world.cloud.remove_cluster("emr-8kd2m1qp")
    answer = world.deliver({"steward": "doctor"}, time_limit_ms=30_000).answer
    found = {one["name"]: one for one in answer["doctor"]}
    assert found["credentials"]["state"] == "warn"
    assert found["time limit"] == {"name": "time limit", "state": "ok", "seen": "30 s"}
    assert found["cluster emr-8kd2m1qp"]["state"] == "fail"
    assert answer["counts"]["fail"] == 1
    lines = [line for line in world.lines if line["event"] == "steward.doctor"]
    assert len(lines) == len(answer["doctor"])
    assert [line["check"] for line in lines if line["level"] == "ERROR"] == ["cluster emr-8kd2m1qp"]
    assert not world.outcomes()
    assert world.requests() == 0


def test_a_test_alarm_in_the_function_is_a_line_that_an_alarm_policy_sees(world: World) -> None:
    """The same ERROR line as any alarm."""
    world.deliver({"steward": "doctor", "send_test_alarm": True})
    (line,) = [line for line in world.lines if line["event"] == "steward.alarm"]
    assert (line["level"], line["code"]) == ("ERROR", "doctor.test")


@pytest.mark.parametrize("event", [{"steward": "docter"}, {"steward": "doctor", "send-test-alarm": True}])
def test_what_is_nearly_that_request_is_refused(world: World, event: dict[str, Any]) -> None:
    """A misspelt key is not dropped in silence."""
    assert world.deliver(event).answer["counts"] == {"refused": 1}
    assert not world.cloud.requests


@pytest.mark.parametrize(("authorization", "status"), [("Bearer {STEWARD_SECRET_DEPLOY}", 403), ("Bearer none", 401)])
def test_over_http_the_doctor_does_not_answer(world: World, authorization: str, status: int) -> None:
    """Whoever may send alerts need not learn what the role may do."""
    headers = {"Authorization": authorization.format_map(world.env)}
    event = function_url_event("POST", "/", headers, json.dumps({"steward": "doctor"}).encode())
    answer = world.function.handle(event, {"time_limit_in_ms": 30_000})
    assert answer["statusCode"] == status
    assert not world.cloud.requests


def test_a_function_that_cannot_start_answers_the_doctor(
    mocker: MockerFixture, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That is when it is needed; any other event still fails loudly."""
    env = {"STEWARD_CONFIG": str(tmp_path / "none.json"), "STEWARD_LEDGER": f"sqlite:///{tmp_path}/ledger.db"}
    mocker.patch.dict("os.environ", env, clear=True)
    mocker.patch.object(Function, "_instance", None)
    answer = entrypoint.main_handler({"steward": "doctor"}, {"time_limit_in_ms": 30_000})
    found = {one["name"]: one["state"] for one in answer["doctor"]}
    assert (found["configuration"], found["credentials"], found["settings"]) == ("fail", "fail", "ok")
    assert '"event":"steward.doctor"' in capsys.readouterr().out
    with pytest.raises(ConfigurationError):
        entrypoint.main_handler({"Type": "Timer"}, {})
