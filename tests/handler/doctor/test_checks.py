"""The checks of the doctor on any evidence, without a cloud."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler import errors
from handler.cloud.account import Credentials
from handler.config.config import Config
from handler.doctor.checks import diagnose, exit_code
from handler.doctor.cloud_checks import ASSUME_ROLE, OPERATE_ACTION, READ_ACTIONS
from handler.doctor.findings import AlarmEvidence, Call, Evidence, Finding, LedgerEvidence
from handler.model.policy import Cluster
from handler.model.request import OpType

HOST = "emr.tencentcloudapi.com"
ARN = "qcs::cam::uin/200000000002:roleName/emr-steward"
OURS = Cluster("emr-4zvc5mul", "analytics", "ap-guangzhou", frozenset(OpType))
THEIRS = Cluster("emr-8kd2m1qp", "nightly", "ap-shanghai", frozenset(OpType), role_arn=ARN)
CONFIG = Config({OURS.id: OURS, THEIRS.id: THEIRS})
KEY = Credentials("AKIDEXAMPLE", "secret-key-example")
EXPIRED = errors.NotAuthenticated("AuthFailure.SignatureExpire", "expired", "request-1")

ERRORS = st.sampled_from(
    [
        None,
        EXPIRED,
        errors.NotAuthenticated("AuthFailure.SignatureFailure", "m", "r"),
        errors.NotAuthenticated("AssumeRole.AuthFailure.TokenFailure", "m", "r"),
        errors.NotAuthenticated("InvalidCredential", "m"),
        errors.NotAuthorized("UnauthorizedOperation.CheckCamAuth", "m", "r"),
        errors.NotFound("ResourceNotFound.InstanceNotFound", "m"),
        errors.NeverSent("ConnectionRefusedError", "m"),
        errors.AnswerLost("DeadlineExceeded", "m"),
        errors.Throttled("RequestLimitExceeded", "m", "r"),
        errors.ServerFailed("InternalError", "m", "r"),
        errors.ObservationIncomplete("m"),
    ]
)
CALLS = st.builds(
    Call,
    st.sampled_from([*READ_ACTIONS, ASSUME_ROLE]),
    st.sampled_from([OURS.id, THEIRS.id]),
    st.sampled_from([HOST, "sts.tencentcloudapi.com"]),
    st.sampled_from(["", ARN]),
    ERRORS,
    st.sampled_from([None, 2, 4]),
)
EVIDENCE = st.builds(
    Evidence,
    env=st.dictionaries(st.sampled_from(["STEWARD_MODE", "STEWARD_MDOE", "TENCENTCLOUD_SECRETKEY"]), st.just("x")),
    endpoint=st.just(f"https://{HOST}"),
    mode=st.just("act"),
    config_path=st.just("steward.yml"),
    config=st.sampled_from([None, CONFIG, Config()]),
    settings_problems=st.sampled_from([(), (errors.ConfigurationError("is not a mode", where="STEWARD_MODE"),)]),
    config_problems=st.sampled_from([(), (errors.ConfigurationError("is empty"),)]),
    credentials=st.sampled_from([None, KEY, Credentials("a", "b", "c")]),
    calls=st.lists(CALLS, max_size=6).map(tuple),
    clock_skew=st.none() | st.floats(-1e6, 1e6),
    ledger=st.sampled_from(
        [None, LedgerEvidence("gone"), LedgerEvidence(keeps=True), LedgerEvidence(), LedgerEvidence("", True, ("w",))]
    ),
    alarms=st.sampled_from(
        [AlarmEvidence(), AlarmEvidence({"CHAT": ""}, True, {"chat:CHAT": "no"}), AlarmEvidence({"CHAT": "no"})]
    ),
    time_limit=st.sampled_from([None, 0.0, 3.0, 60.0]),
)


@given(EVIDENCE)
def test_any_evidence_is_judged(evidence: Evidence) -> None:
    """Every finding has a detail, a failure has a fix, and nothing is ok against the evidence of an error."""
    found = diagnose(evidence)
    assert all(one.detail for one in found)
    assert all(
        one.fix for one in found if one.state in ("fail", "unknown") and one.name not in ("configuration", "settings")
    )
    by_name = {one.name: one.state for one in found}
    assert set(by_name) >= {"settings", "time limit", "configuration", "credentials", "clock", "ledger"}
    if not evidence.calls:
        assert by_name["credentials"] in ("fail", "unknown")
    for call in evidence.calls:
        if evidence.config and call.action in READ_ACTIONS and isinstance(call.error, errors.NotAuthorized):
            assert by_name.get(f"permission emr:{call.action}" + (f" as {ARN}" if call.role else ""), "fail") == "fail"
    assert all(one.state != "ok" for one in found if one.name.startswith(f"permission emr:{OPERATE_ACTION}"))
    assert exit_code(found) in (0, 1, 2)


def of(**changes: object) -> dict[str, Finding]:
    base: dict[str, object] = {
        "env": {},
        "endpoint": f"https://{HOST}",
        "mode": "act",
        "config_path": "steward.yml",
        "config": CONFIG,
        "credentials": KEY,
    }
    return {one.name: one for one in diagnose(Evidence(**{**base, **changes}))}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("skew", "error", "state"),
    [
        (None, None, "ok"),
        (None, EXPIRED, "fail"),
        (None, errors.NeverSent("ConnectionRefusedError", "m"), "unknown"),
        (0.4, EXPIRED, "fail"),  # the request took long to arrive; the answer of the API counts
        (31.0, None, "warn"),
        (-299.0, None, "warn"),
        (300.0, None, "fail"),
    ],
)
def test_the_clock_without_a_date_is_judged_by_the_signature(
    skew: float | None, error: errors.ApiError | None, state: str
) -> None:
    """Where answers have no Date header, an accepted or refused signature shows the clock's state."""
    assert of(clock_skew=skew, calls=(Call(READ_ACTIONS[0], OURS.id, HOST, "", error, 2),))["clock"].state == state


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (None, "ok"),
        (errors.NotAuthorized("UnauthorizedOperation", "m", "r"), "ok"),
        (errors.Throttled("RequestLimitExceeded", "m", "r"), "ok"),
        (errors.ServerFailed("InternalError", "m", "r"), "ok"),
        (errors.ObservationIncomplete("m"), "ok"),
        (errors.NeverSent("gaierror", "m"), "fail"),
        (errors.AnswerLost("JSONDecodeError", "m"), "fail"),
        (errors.NotAuthenticated("InvalidCredential", "m"), "unknown"),
    ],
)
def test_a_refusal_is_an_answer(error: errors.StewardError | None, state: str) -> None:
    """An endpoint fails only where no answer came from the API."""
    assert of(calls=(Call(READ_ACTIONS[0], OURS.id, HOST, "", error, 2),))[f"endpoint {HOST}"].state == state


def test_one_answer_is_enough_for_an_endpoint() -> None:
    """One lost call does not make the endpoint fail while another call was answered."""
    lost = Call(READ_ACTIONS[1], OURS.id, HOST, "", errors.AnswerLost("ReadTimeout", "m"))
    found = of(calls=(Call(READ_ACTIONS[0], OURS.id, HOST, "", None, 2), lost))
    assert found[f"endpoint {HOST}"].state == "ok"
    assert found[f"permission emr:{READ_ACTIONS[1]}"].state == "unknown"


def test_a_refused_key_of_a_role_is_reported_for_the_role() -> None:
    """The role was assumed with the function's credentials, which are therefore ok."""
    refused = errors.NotAuthenticated("AuthFailure.TokenFailure", "m", "r")
    found = of(calls=(Call(ASSUME_ROLE, THEIRS.id, HOST, ARN), Call(READ_ACTIONS[0], THEIRS.id, HOST, ARN, refused)))
    assert (found[f"role {ARN}"].state, found["credentials"].state) == ("fail", "ok")


@pytest.mark.parametrize(
    "error", [errors.Throttled("RequestLimitExceeded", "m", "r"), errors.ServerFailed("InternalError", "m", "r")]
)
def test_an_answer_that_does_not_depend_on_the_key_proves_nothing(error: errors.ApiError) -> None:
    """The API may have sent it before it checked the signature."""
    calls = (
        Call(READ_ACTIONS[0], OURS.id, HOST, "", error),
        Call(ASSUME_ROLE, THEIRS.id, HOST, ARN, error),
        Call(READ_ACTIONS[0], THEIRS.id, HOST, ARN, error),
    )
    found = of(calls=calls)
    assert found["credentials"].state == "unknown"
    found = of(calls=(Call(ASSUME_ROLE, THEIRS.id, HOST, ARN), *calls[2:]))
    assert (found["credentials"].state, found[f"role {ARN}"].state) == ("ok", "unknown")


@pytest.mark.parametrize(
    ("failing", "code"),
    [((), 0), (("ledger",), 1), (("configuration", "ledger"), 2), (("settings",), 2)],
)
def test_the_exit_code(failing: tuple[str, ...], code: int) -> None:
    """Warnings and unknown states do not count as failures."""
    others = [Finding("clock", "warn", "x", "y"), Finding("webhook authentication", "unknown", "x", "y")]
    assert exit_code([*others, *(Finding(name, "fail", "x", "y") for name in failing)]) == code
