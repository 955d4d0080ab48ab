"""The doctor's judgement of whatever was seen, without a world around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler import errors
from handler.cloud.account import Credentials
from handler.config.config import Config
from handler.doctor.checks import ACT, ASSUME, LOOKS, diagnose, exit_code
from handler.doctor.findings import AlarmsSeen, Call, Finding, LedgerSeen, Seen
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
    st.sampled_from([*LOOKS, ASSUME]),
    st.sampled_from([OURS.id, THEIRS.id]),
    st.sampled_from([HOST, "sts.tencentcloudapi.com"]),
    st.sampled_from(["", ARN]),
    ERRORS,
    st.sampled_from([None, 2, 4]),
)
SEEN = st.builds(
    Seen,
    env=st.dictionaries(st.sampled_from(["STEWARD_MODE", "STEWARD_MDOE", "TENCENTCLOUD_SECRETKEY"]), st.just("x")),
    endpoint=st.just(f"https://{HOST}"),
    mode=st.just("act"),
    config_path=st.just("steward.yml"),
    config=st.sampled_from([None, CONFIG, Config()]),
    settings_problems=st.sampled_from([(), (errors.ConfigurationError("is not a mode", where="STEWARD_MODE"),)]),
    config_problems=st.sampled_from([(), (errors.ConfigurationError("is empty"),)]),
    credentials=st.sampled_from([None, KEY, Credentials("a", "b", "c")]),
    calls=st.lists(CALLS, max_size=6).map(tuple),
    skew=st.none() | st.floats(-1e6, 1e6),
    ledger=st.sampled_from(
        [None, LedgerSeen("gone"), LedgerSeen(keeps=True), LedgerSeen(), LedgerSeen("", True, ("w",))]
    ),
    alarms=st.sampled_from(
        [AlarmsSeen(), AlarmsSeen({"CHAT": ""}, True, {"chat:CHAT": "no"}), AlarmsSeen({"CHAT": "no"})]
    ),
    time_limit=st.sampled_from([None, 0.0, 3.0, 60.0]),
)


@given(SEEN)
def test_whatever_was_seen_is_judged(seen: Seen) -> None:
    """Every finding says what was seen, and how to mend what is a fault; nothing is ok that an error speaks against."""
    found = diagnose(seen)
    assert all(one.seen for one in found)
    assert all(
        one.fix
        for one in found
        if one.state in ("fail", "not proved") and one.name not in ("configuration", "settings")
    )
    by_name = {one.name: one.state for one in found}
    assert set(by_name) >= {"settings", "time limit", "configuration", "credentials", "clock", "ledger"}
    if not seen.calls:
        assert by_name["credentials"] in ("fail", "not proved")
    for call in seen.calls:
        if seen.config and call.action in LOOKS and isinstance(call.error, errors.NotAuthorized):
            assert by_name.get(f"right emr:{call.action}" + (f" as {ARN}" if call.role else ""), "fail") == "fail"
    assert all(one.state != "ok" for one in found if one.name.startswith(f"right emr:{ACT}"))
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
    return {one.name: one for one in diagnose(Seen(**{**base, **changes}))}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("skew", "error", "state"),
    [
        (None, None, "ok"),
        (None, EXPIRED, "fail"),
        (None, errors.NeverSent("ConnectionRefusedError", "m"), "not proved"),
        (0.4, EXPIRED, "fail"),  # a signature that was long under way; what the API says counts
        (31.0, None, "warn"),
        (-299.0, None, "warn"),
        (300.0, None, "fail"),
    ],
)
def test_the_clock_without_a_date_is_judged_by_the_signature(
    skew: float | None, error: errors.ApiError | None, state: str
) -> None:
    """An API that sends no Date still accepts or refuses."""
    assert of(skew=skew, calls=(Call(LOOKS[0], OURS.id, HOST, "", error, 2),))["clock"].state == state


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
        (errors.NotAuthenticated("InvalidCredential", "m"), "not proved"),
    ],
)
def test_a_refusal_is_an_answer(error: errors.StewardError | None, state: str) -> None:
    """The endpoint is not blamed for what the API says; it is for what nobody says."""
    assert of(calls=(Call(LOOKS[0], OURS.id, HOST, "", error, 2),))[f"endpoint {HOST}"].state == state


def test_one_answer_is_enough_for_an_endpoint() -> None:
    """A call that was lost beside one that was answered is a look that failed, no endpoint that is closed."""
    lost = Call(LOOKS[1], OURS.id, HOST, "", errors.AnswerLost("ReadTimeout", "m"))
    found = of(calls=(Call(LOOKS[0], OURS.id, HOST, "", None, 2), lost))
    assert found[f"endpoint {HOST}"].state == "ok"
    assert found[f"right emr:{LOOKS[1]}"].state == "not proved"


def test_a_roles_key_that_is_refused_is_the_roles() -> None:
    """Assumed, and then not accepted: our own credentials are not blamed."""
    refused = errors.NotAuthenticated("AuthFailure.TokenFailure", "m", "r")
    found = of(calls=(Call(ASSUME, THEIRS.id, HOST, ARN), Call(LOOKS[0], THEIRS.id, HOST, ARN, refused)))
    assert (found[f"role {ARN}"].state, found["credentials"].state) == ("fail", "ok")


@pytest.mark.parametrize(
    "error", [errors.Throttled("RequestLimitExceeded", "m", "r"), errors.ServerFailed("InternalError", "m", "r")]
)
def test_an_answer_that_says_nothing_of_the_key_proves_nothing_of_it(error: errors.ApiError) -> None:
    """It may have come before the signature was looked at."""
    calls = (
        Call(LOOKS[0], OURS.id, HOST, "", error),
        Call(ASSUME, THEIRS.id, HOST, ARN, error),
        Call(LOOKS[0], THEIRS.id, HOST, ARN, error),
    )
    found = of(calls=calls)
    assert found["credentials"].state == "not proved"
    found = of(calls=(Call(ASSUME, THEIRS.id, HOST, ARN), *calls[2:]))
    assert (found["credentials"].state, found[f"role {ARN}"].state) == ("ok", "not proved")


@pytest.mark.parametrize(
    ("failing", "code"),
    [((), 0), (("ledger",), 1), (("configuration", "ledger"), 2), (("settings",), 2)],
)
def test_the_exit_code(failing: tuple[str, ...], code: int) -> None:
    """A warning and what is not proved are no failure."""
    others = [Finding("clock", "warn", "x", "y"), Finding("door", "not proved", "x", "y")]
    assert exit_code([*others, *(Finding(name, "fail", "x", "y") for name in failing)]) == code
