"""Where the follow-up says that an operation is: the rows of the once-only semantics that it decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from handler.decide.verification import SIGNATURE_SECONDS, Verdict, conclude
from handler.model.observation import Observation
from handler.model.operation import OPEN, State
from handler.model.request import OpType
from tests.operations import an_operation

NOW = 1_000_000.0


def verdict(kept: int, carried_out: int, untouched: int, unclear: int) -> Verdict:
    groups = [
        tuple(f"{name}{n}" for n in range(count)) for name, count in (("k", kept), ("c", carried_out), ("u", untouched))
    ]
    return Verdict(groups[0], groups[1], groups[2], groups[2][:unclear])


some = st.integers(0, 2)
verdicts = st.builds(verdict, some, some, some, some).filter(lambda one: one.total > 0)
situations = st.fixed_dictionaries(
    {
        "state": st.sampled_from([State.ACCEPTED, State.IN_DOUBT]),
        "op_type": st.sampled_from(OpType),
        "seen": st.none() | verdicts,
        "status": st.sampled_from([2, 8, 9, 14, 301]),
        "age": st.sampled_from([0.0, 300.0, SIGNATURE_SECONDS, SIGNATURE_SECONDS + 1, 599.0, 600.0, 5000.0]),
    }
)


def concluded(situation: dict[str, Any]) -> tuple[State, str]:
    operation = an_operation("op-1", now=NOW - situation["age"], state=situation["state"], op_type=situation["op_type"])
    seen = situation["seen"]
    observed = Observation("emr-4zvc5mul", situation["status"], {}, NOW) if seen is not None else None
    return conclude(operation, seen, observed, NOW)


@given(situations)
def test_a_request_in_doubt_is_ruled_out_only_when_it_cannot_act_any_more(situation: dict[str, Any]) -> None:
    """NOT_SENT frees it to be sent again: only in doubt, after a look at a running cluster that shows no trace, its signature expired."""
    state, why = concluded(situation)
    if state is State.NOT_SENT:
        assert situation["state"] is State.IN_DOUBT
        assert situation["status"] == 2
        assert situation["age"] > SIGNATURE_SECONDS
        assert situation["seen"] is not None
        assert situation["seen"].none_touched
        assert not situation["seen"].unclear
        assert "signature" in why


def test_a_look_that_began_while_the_signature_was_valid_rules_nothing_out() -> None:
    """What it showed may have changed before it ended."""
    operation = an_operation("op-1", now=NOW, state=State.IN_DOUBT)
    for began, state in ((SIGNATURE_SECONDS, State.IN_DOUBT), (SIGNATURE_SECONDS + 1, State.NOT_SENT)):
        seen = Observation("emr-4zvc5mul", 2, {}, NOW + began)
        assert conclude(operation, verdict(0, 0, 1, 0), seen, NOW + SIGNATURE_SECONDS + 30)[0] is state


def test_what_may_yet_act_is_not_given_up() -> None:
    """Maintenance has less patience than a signature has time: in doubt, it stays open, and its processes held, until then."""
    operation = replace(an_operation("op-1", now=NOW, state=State.IN_DOUBT), deadline=NOW + 300)
    for age, state in (
        (301.0, State.IN_DOUBT),
        (SIGNATURE_SECONDS, State.IN_DOUBT),
        (SIGNATURE_SECONDS + 1, State.NOT_SENT),
    ):
        assert (
            conclude(operation, verdict(0, 0, 1, 0), Observation("emr-4zvc5mul", 2, {}, NOW + age), NOW + age)[0]
            is state
        )


@given(situations)
def test_verified_is_what_was_seen_on_every_process(situation: dict[str, Any]) -> None:
    """Neither more nor less, whatever the state, the age and the cluster's status."""
    state, _ = concluded(situation)
    is_kept = situation["seen"] is not None and situation["seen"].all_kept
    is_over = situation["op_type"] is not OpType.STOP_SERVICE or situation["status"] == 2
    assert (state is State.VERIFIED) == (is_kept and is_over), "a stop ends with its workflow"


@given(situations)
def test_before_its_deadline_nothing_has_failed(situation: dict[str, Any]) -> None:
    """FAILED and TIMED_OUT come with the deadline; FAILED needs a trace, TIMED_OUT the want of one."""
    state, why = concluded(situation)
    if situation["age"] < 600:
        assert state not in (State.FAILED, State.TIMED_OUT)
    seen = situation["seen"]
    if state is State.FAILED:
        assert seen is not None
        assert not seen.none_touched
    if state is State.TIMED_OUT:
        assert seen is None or seen.none_touched
    assert bool(why) == (state is not situation["state"])


@given(situations)
def test_an_operation_only_goes_on(situation: dict[str, Any]) -> None:
    """What the API took is never in doubt again, nor free to be sent again."""
    state, _ = concluded(situation)
    assert state not in (State.SENDING, State.REJECTED)
    if situation["state"] is State.ACCEPTED:
        assert state not in (State.IN_DOUBT, State.NOT_SENT)


@given(situations)
def test_nothing_is_open_for_ever(situation: dict[str, Any]) -> None:
    """After its deadline an operation is settled, in doubt or not, within a further round."""
    state, _ = concluded({**situation, "age": 5000.0})
    if state in OPEN:  # a restart in doubt is first found to have been carried out
        assert (situation["state"], state) == (State.IN_DOUBT, State.ACCEPTED)
        state, _ = concluded({**situation, "age": 5000.0, "state": state})
    assert state not in OPEN
