"""Arming: what agrees is one request, which says what was chosen and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.decide.process_guards import Asked
from handler.execute.arming import arm, scope_to_send
from handler.execute.policy import Policy, Step
from handler.model.intent import Intent, Limits
from handler.model.observation import Observation, Reading
from handler.model.operation import State
from handler.model.policy import Cluster, Safety
from handler.model.request import Action, OpType, StrategyConfig
from handler.model.scope import OpScope, Target
from tests.intents import CLUSTER, NOW, RESTART, STOP, a_record, an_intent

IPS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
SEEN = Observation(
    CLUSTER,
    2,
    {
        "HDFS": tuple(Reading(Target("HDFS", name, ip), 1, 1, 0, "") for name in ("DataNode", "zkfc") for ip in IPS),
        "HIVE": tuple(Reading(Target("HIVE", "HiveServer2", ip), 1, 1, 0, "") for ip in IPS[:1]),
    },
    NOW,
)
LOOSE = Limits(max_nodes=99, max_share=1.0)
DATANODES = tuple(f"HDFS/datanode/{ip}" for ip in IPS)
SKIPPING = Action(OpType.RESTART_SERVICE, StrategyConfig(skip_failed=True))


def asked_of(intent: Intent, limits: Limits = LOOSE) -> list[Asked]:
    return [Asked(key, reading, intent, limits) for key, reading in SEEN.resolve(intent.scope).items()]


def intent(key: str, seq: int, ip: str = IPS[0], component: str = "DataNode", **fields: Any) -> Intent:
    service = "HIVE" if component == "HiveServer2" else "HDFS"
    scope = OpScope.of_component(service, component, [ip])
    return an_intent(**{"key": key, "seq": seq, "scope": scope, "events": (f"e-{key}",), **fields})


def step_of(*intents: Intent, limits: Limits = LOOSE, hourly: int = 12, **policy: Any) -> Step:
    cluster = Cluster(CLUSTER, "analytics", "ap-guangzhou", frozenset(OpType), hourly)
    values: dict[str, Any] = {"now": NOW, "owner": "w", "operation_id": "op-1", **policy}
    return Step(a_record(*intents), SEEN, None, Policy(cluster, Safety(), lambda _: limits, **values))


def armed(*intents: Intent, **more: Any) -> tuple[Step, list[str]]:
    """The step after arming, and the keys of the intents that the operation serves."""
    step = step_of(*intents, **more)
    limits = more.get("limits", LOOSE)
    operation, request = arm(step, [(one, asked_of(one, limits)) for one in intents])
    assert (operation is None) == (request is None)
    if operation is None or request is None:
        return step, []
    assert (operation.state, operation.owner, operation.armed_at) == (State.SENDING, "w", NOW)
    assert step.record.operations == {"op-1": operation}
    assert SEEN.resolve(request.scope).keys() == operation.parts.keys()
    assert {key for key, one in step.record.intents.items() if one.stage == "serving"} == {*operation.intents}
    return step, [*operation.intents]


@pytest.mark.parametrize(
    ("first", "second", "is_joined"),
    [
        (intent("a", 1), intent("b", 2, IPS[1]), True),
        (intent("a", 1), intent("b", 2, IPS[1], action=STOP), False),
        (intent("a", 1), intent("b", 2, IPS[1], is_command=True), False),
        (intent("a", 1), intent("b", 2, IPS[1], alone=True), False),
        (intent("a", 1, alone=True), intent("b", 2, IPS[1]), False),
        # What a rolling request blocks must not be another component's.
        (intent("a", 1), intent("b", 2, component="zkfc"), False),
        (intent("a", 1), intent("b", 2, component="HiveServer2"), False),
        (intent("a", 1, action=SKIPPING), intent("b", 2, component="zkfc", action=SKIPPING), True),
        (intent("a", 1, action=STOP), intent("b", 2, component="HiveServer2", action=STOP), True),
        (intent("a", 1), intent("b", 2), True),  # one process, for two rules
    ],
)
def test_what_agrees_is_one_request(first: Intent, second: Intent, is_joined: bool) -> None:
    """The rest is sent next, and says so."""
    step, served = armed(first, second)
    if is_joined:
        assert served == ["a", "b"]
    else:
        assert len(served) == 1
        assert {key: one.code for key, one in step.held.items()} == {({"a", "b"} - {*served}).pop(): "guard.queued"}


def test_commands_go_first_and_then_what_came_first() -> None:
    """A person does not wait for alerts."""
    alert, command = intent("a", 1), intent("b", 2, IPS[1], is_command=True)
    assert armed(alert, command)[1] == ["b"]
    assert armed(intent("b", 2, action=STOP), intent("a", 1, IPS[1]))[1] == ["a"]


@pytest.mark.parametrize(
    ("more", "code"),
    [({"hourly": 0}, "guard.operations_per_hour"), ({"may_arm": False}, "time.short")],
)
def test_what_may_not_be_sent_now_is_held(more: dict[str, Any], code: str) -> None:
    """Nothing is armed; only the first of them is told."""
    step, served = armed(intent("a", 1), intent("b", 2, IPS[1], action=STOP), **more)
    assert served == []
    assert {key: one.code for key, one in step.held.items()} == {"a": code, "b": code}
    assert [key.partition("|")[0] for key in step.record.told] == ([code] if code.startswith("guard") else [])


def test_in_observe_mode_everything_ends_with_what_would_be_sent() -> None:
    """And nothing is armed."""
    step, served = armed(intent("a", 1), intent("b", 2, IPS[1], action=STOP), mode="observe")
    assert (served, step.record.intents, step.record.operations) == ([], {}, {})
    assert "would send RestartService of HDFS/DataNode/10.0.0.1" in step.record.news["a"].reason
    assert {one.code for one in step.record.news.values()} == {"mode.observe"}


def test_a_command_waits_as_a_whole_where_a_quorum_holds_a_part_of_it() -> None:
    """It goes on in portions only by limits of its own."""
    three = OpScope.of_component("HDFS", "DataNode", list(IPS))
    whole = an_intent(key="c", is_command=True, scope=three)
    step, served = armed(whole, limits=Limits(max_nodes=1, max_share=1.0))
    assert served == ["c"]
    assert step.record.operations["op-1"].parts.keys() == {DATANODES[0]}


good = st.one_of(
    st.just(OpScope.of_service("HDFS")),
    st.just(OpScope.of_service("HIVE")),
    st.builds(OpScope.of_component, st.just("HDFS"), st.sampled_from(["DataNode", "datanode", "ZKFailoverController"])),
    st.builds(
        OpScope.of_component,
        st.sampled_from(["HDFS", "hdfs"]),
        st.sampled_from(["DataNode", "ZKFC"]),
        st.frozensets(st.sampled_from(IPS), min_size=1),
    ),
)


@given(st.lists(good, min_size=1, max_size=4), st.data())
def test_what_is_sent_is_what_was_chosen(scopes: list[OpScope], data: st.DataObject) -> None:
    """Whole, it covers the processes that are meant and no other that is there; in part, exactly those chosen."""
    intents = [an_intent(key=str(n), scope=scope) for n, scope in enumerate(scopes)]
    asked = list({one.key: one for intent in intents for one in asked_of(intent)}.values())
    chosen = data.draw(st.lists(st.sampled_from(asked), min_size=1, unique_by=lambda one: one.key))
    scope = scope_to_send(intents, chosen, SEEN)
    assert {reading.target.key for reading in SEEN.resolve(scope).values()} == {one.key for one in chosen}
    if len(chosen) < len(asked) or not any(one.says_all for one in scopes):
        assert not scope.says_all
    # In the cluster's own spelling, which the API takes.
    assert {component for _, component, _ in scope if component} <= {"DataNode", "zkfc", "HiveServer2"}


def test_all_stays_all_where_all_of_it_goes() -> None:
    """So the API orders the components of a service itself; a part of it names each process."""
    whole = an_intent(scope=OpScope.of_service("hdfs"))
    asked = asked_of(whole)
    assert scope_to_send([whole], asked, SEEN) == OpScope.of_service("HDFS")
    assert not scope_to_send([whole], asked[1:], SEEN).says_all
    assert not scope_to_send([whole], asked, None).says_all
    component = an_intent(scope=OpScope.of_component("HDFS", "DATANODE"))
    assert str(scope_to_send([component], asked_of(component), SEEN)) == "HDFS/DataNode on all nodes"


def test_an_operation_bears_what_the_guards_ask_for_later() -> None:
    """The readings from before, and of a restart of what answers the occurrences that it serves."""
    one, other = intent("a", 1, even_if_healthy=True), intent("b", 2, IPS[1])
    step, _ = armed(one, other)
    operation = step.record.operations["op-1"]
    assert operation.occurrences == one.occurrences
    assert operation.components == ("HDFS/DataNode",)
    assert (operation.rules, operation.action, operation.is_command) == (("r",), RESTART, False)
    assert operation.deadline > NOW
