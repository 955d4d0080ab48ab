"""What an HTTP caller is told: statuses, bodies, and problem+json by RFC 9457."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import FieldError
from handler.model.outcome import API_REFUSALS, OTHER_API_REFUSAL, Outcome, OutcomeStatus, Record
from handler.report.responses import TITLES, answer, problem

STATUSES = get_args(OutcomeStatus)


def a_record(outcome: Outcome, event: str = "e-1", operations: tuple[str, ...] = ()) -> Record:
    return Record(0.0, event, "request", "n", "emr-4zvc5mul", outcome, ("r",), operations)


def body_of(response: dict[str, Any]) -> dict[str, Any]:
    """The response's body, as the platform sends it: UTF-8."""
    assert set(response) == {"isBase64Encoded", "statusCode", "headers", "body"}
    assert response["isBase64Encoded"] is False
    assert response["headers"]["Cache-Control"] == "no-store"
    body = json.loads(response["body"].encode("utf-8"))
    assert isinstance(body, dict)
    return body


@pytest.mark.parametrize("status", sorted(TITLES))
def test_a_problem_is_rfc_9457(status: int) -> None:
    """type, title, status and detail, the status the response's own, and each field at fault."""
    response = problem(status, "what is wrong", errors=[FieldError("a[0].b", "is none"), FieldError("", "is late")])
    assert response["statusCode"] == status
    assert response["headers"]["Content-Type"] == "application/problem+json"
    assert body_of(response) == {
        "type": "about:blank",
        "title": TITLES[status],
        "status": status,
        "detail": "what is wrong",
        "errors": [{"field": "a[0].b", "detail": "is none"}, {"field": "", "detail": "is late"}],
    }


def test_a_problem_bears_its_headers_and_further_members() -> None:
    """WWW-Authenticate and the like; without faults there is no list of them."""
    response = problem(401, "who?", headers={"WWW-Authenticate": "Basic"}, sessionId="s")
    assert response["headers"]["WWW-Authenticate"] == "Basic"
    assert body_of(response)["sessionId"] == "s"
    assert "errors" not in body_of(response)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.done("worked"), 200),
        (Outcome.skipped("guard.satisfied", "already"), 200),
        (Outcome.unverified("as asked"), 200),
        (Outcome.accepted("taken"), 202),
        (Outcome.pending("guard.cooldown", "later"), 202),
        (Outcome.withdrawn("intent.resolved", "resolved"), 200),
        (Outcome.expired("intent.expired", "too late", fix="Do it."), 409),
        (Outcome.in_doubt("api.ReadTimeout", "lost", fix="Do it."), 202),
        (Outcome.refused("guard.listed", "x", fix="Do it.", http_status=403), 403),
        (Outcome.refused("once.conflict", "x", fix="Do it."), 422),
        (Outcome.refused_by_api("ResourceNotFound.InstanceNotFound", "x"), 404),
        (Outcome.refused_by_api("AuthFailure.SignatureExpire", "x"), 500),
        (Outcome.refused_by_api("UnauthorizedOperation.CheckCamAuth", "x"), 500),
        (Outcome.refused_by_api("AssumeRole.InvalidParameter", "x"), 500),
        (Outcome.refused_by_api("InvalidParameter.InvalidIpList", "x"), 422),
        (Outcome.refused("guard.quarantine", "x", fix="Do it."), 422),
        (Outcome.failed("internal_error", "x", fix="Do it."), 500),
        (Outcome.skipped("once.sending", "in progress", http_status=202), 202),
        (Outcome.skipped("once.failed", "did not help", http_status=500), 500),
    ],
)
def test_a_direct_caller_is_told_by_the_status(outcome: Outcome, status: int) -> None:
    """One thing was asked: what became of it is the status, and the body says why."""
    response = answer([a_record(outcome)], is_direct=True, extra={})
    assert response["statusCode"] == status
    body = body_of(response)
    assert body["outcomes"][0]["outcome"] == outcome.status
    if status >= 400:
        assert response["headers"]["Content-Type"] == "application/problem+json"
        assert (body["status"], body["detail"]) == (status, outcome.reason)


MADE = {
    "done": Outcome.done("reason"),
    "unverified": Outcome.unverified("reason"),
    "skipped": Outcome.skipped("code", "reason"),
    "accepted": Outcome.accepted("reason"),
    "pending": Outcome.pending("code", "reason"),
    "withdrawn": Outcome.withdrawn("code", "reason"),
    "expired": Outcome.expired("code", "reason", fix="Do it."),
    "refused": Outcome.refused("code", "reason", fix="Do it."),
    "failed": Outcome.failed("code", "reason", fix="Do it."),
    "in_doubt": Outcome.in_doubt("code", "reason", fix="Do it."),
}


def test_every_outcome_and_refusal_has_a_status_with_a_title() -> None:
    """No status is answered that has no name."""
    assert [*MADE] == [outcome.status for outcome in MADE.values()]
    assert sorted(MADE) == sorted(STATUSES)
    for outcome in MADE.values():
        assert outcome.http_status < 400 or outcome.http_status in TITLES
    assert {refusal.http_status for refusal in (*API_REFUSALS.values(), OTHER_API_REFUSAL)} <= set(TITLES)


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([Outcome.done("x")], 200),
        ([Outcome.refused("guard.listed", "x", fix="Do it.")], 200),
        ([Outcome.failed("internal_error", "x", fix="Do it.")], 200),
        ([Outcome.done("x"), Outcome.unverified("x")], 200),
        ([Outcome.done("x"), Outcome.accepted("x")], 202),
        ([Outcome.refused("guard.listed", "x", fix="Do it."), Outcome.pending("guard.cooldown", "x")], 202),
        ([Outcome.expired("a.b", "x", fix="Do it."), Outcome.withdrawn("a.b", "x")], 200),
        ([Outcome.done("x"), Outcome.in_doubt("api.X", "x", fix="Do it.")], 202),
        ([], 200),
    ],
)
def test_a_sender_is_told_that_all_is_decided(outcomes: list[Outcome], status: int) -> None:
    """A sender that repeats 5xx is not asked to: refusals are decisions, 202 while something is yet to be seen."""
    response = answer([a_record(outcome) for outcome in outcomes], is_direct=False, extra={})
    assert response["statusCode"] == status
    assert response["headers"]["Content-Type"] == "application/json"


@pytest.mark.parametrize("is_direct", [True, False])
@pytest.mark.parametrize("others", [[], [Outcome.done("x"), Outcome.in_doubt("api.X", "x", fix="Do it.")]])
def test_who_may_do_better_later_is_asked_to_repeat(is_direct: bool, others: list[Outcome]) -> None:
    """503, which Alertmanager alone repeats, and when; what became of each event stands in the body, and no retCode that says 0."""
    again = Outcome.failed("ledger.unavailable", "nothing could be written down", fix="Do it.", retryable=True)
    records = [a_record(outcome) for outcome in (*others, again)]
    response = answer(records, is_direct=is_direct, extra={"sessionId": "s", "retCode": 0})
    assert (response["statusCode"], response["headers"]["Retry-After"]) == (503, "60")
    assert response["headers"]["Content-Type"] == "application/problem+json"
    body = body_of(response)
    assert body["detail"] == "nothing could be written down"
    assert len(body["outcomes"]) == len(records)
    assert "retCode" not in body


def test_a_direct_call_with_many_events_is_answered_as_a_sender() -> None:
    """One status cannot speak for two."""
    records = [a_record(Outcome.refused("guard.listed", "x", fix="Do it.")), a_record(Outcome.done("x"))]
    assert answer(records, is_direct=True, extra={})["statusCode"] == 200


def test_an_answer_names_every_event_and_bears_what_the_sender_wants() -> None:
    """Event, outcome, code, reason, the operations where there are any; Cloud Monitor's sessionId and retCode."""
    records = [a_record(Outcome.done("worked"), "e-1", ("op-1",)), a_record(Outcome.skipped("x.y", "not"), "e-2")]
    assert body_of(answer(records, is_direct=False, extra={"sessionId": "s", "retCode": 0})) == {
        "outcomes": [
            {"event": "e-1", "outcome": "done", "code": "verified", "reason": "worked", "operations": ["op-1"]},
            {"event": "e-2", "outcome": "skipped", "code": "x.y", "reason": "not"},
        ],
        "sessionId": "s",
        "retCode": 0,
    }


@given(st.text(), st.text() | st.just("lone \ud800"), st.sampled_from(STATUSES), st.booleans())
def test_every_answer_can_be_sent(event: str, reason: str, status: OutcomeStatus, is_direct: bool) -> None:
    """Whatever a sender wrote into its names, lone surrogates too, the body is UTF-8 and reads back."""
    response = answer([a_record(Outcome(status, "code", reason), event)], is_direct=is_direct, extra={})
    assert body_of(response)["outcomes"][0]["reason"] == reason
