"""Planning: many intents, few requests, nothing added and nobody forgotten."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from handler.decide.case import Case
from handler.decide.planning import plan, resolve, scope_to_send
from handler.model.event import Event
from handler.model.intent import COMMAND_LIMITS, Intent, Limits
from handler.model.observation import Observation, Reading
from handler.model.request import Action, OpType, StrategyConfig
from handler.model.scope import OpScope, Target

RESTART = Action(OpType.RESTART_SERVICE, StrategyConfig())
MANNERS = (RESTART, Action(OpType.RESTART_SERVICE, StrategyConfig(batch_size=2)), Action(OpType.STOP_SERVICE))
IPS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
SEEN = Observation(
    "emr-4zvc5mul",
    2,
    {
        "HDFS": tuple(Reading(Target("HDFS", name, ip), 1, 1, 0, "") for name in ("DataNode", "zkfc") for ip in IPS),
        "HIVE": tuple(Reading(Target("HIVE", "HiveServer2", ip), 1, 1, 0, "") for ip in IPS[:1]),
    },
    0.0,
)


def an_intent(**fields: Any) -> Intent:
    values: dict[str, Any] = {
        "cluster": "emr-4zvc5mul",
        "action": RESTART,
        "scope": OpScope.of_component("HDFS", "DataNode", IPS[:1]),
        "rule": "r",
        "is_command": False,
    }
    return Intent(**{**values, **fields})


def cases_of(*intents: Intent) -> list[Case]:
    """A case for each intent."""
    return [Case(Event("e", "tcop", "n"), intent) for intent in intents]


good = st.one_of(
    st.just(OpScope.of_service("HDFS")),
    st.builds(OpScope.of_component, st.just("HDFS"), st.sampled_from(["DataNode", "datanode", "ZKFailoverController"])),
    st.builds(
        OpScope.of_component,
        st.sampled_from(["HDFS", "hdfs"]),
        st.sampled_from(["DataNode", "ZKFC"]),
        st.frozensets(st.sampled_from(IPS), min_size=1),
    ),
)
bad = st.sampled_from(
    [
        OpScope.of_service("KUDU"),
        OpScope.of_component("HDFS", "Data"),
        OpScope.of_component("HDFS", "DataNode", ["10.9.9.9"]),
    ]
)


@given(
    st.lists(
        st.builds(an_intent, cluster=st.sampled_from(["emr-a", "emr-b"]), action=st.sampled_from(MANNERS), scope=good)
    )
)
def test_every_intent_is_in_exactly_one_plan(intents: list[Intent]) -> None:
    """One plan for each cluster and action, first come first; its scope is the union of what is asked, exactly."""
    cases = cases_of(*intents)
    plans = plan(cases)
    assert [one for a_plan in plans for one in a_plan.cases] == [
        one
        for a_plan in plans
        for one in cases
        if (one.intent.cluster, one.intent.action) == (a_plan.cluster, a_plan.action)
    ]
    assert sum(len(a_plan.cases) for a_plan in plans) == len(intents)
    assert [(a_plan.cluster, a_plan.action) for a_plan in plans] == list(
        dict.fromkeys((one.cluster, one.action) for one in intents)
    )
    for a_plan in plans:
        assert a_plan.scope == OpScope.union_of(one.intent.scope for one in a_plan.cases)


@given(st.lists(good, min_size=1, max_size=4), st.lists(bad, max_size=2), st.data())
def test_what_is_sent_is_what_was_chosen(scopes: list[OpScope], wrong: list[OpScope], data: st.DataObject) -> None:
    """Whole, it covers the processes that are meant and no other that is there; in part, exactly those chosen."""
    (the_plan,) = plan(cases_of(*(an_intent(scope=scope) for scope in [*scopes, *wrong])))
    asked, unknown = resolve(the_plan, SEEN)
    assert len(unknown) == len(wrong)
    keys = [one.key for one in asked]
    assert keys == sorted(set(keys))
    everyone = {case for one in asked for case in one.cases} | {case for case, _ in unknown}
    assert everyone == {*the_plan.cases}
    chosen = data.draw(st.lists(st.sampled_from(asked), min_size=1, unique_by=lambda one: one.key))
    if wrong or len(chosen) < len(asked):
        scope = scope_to_send(the_plan, chosen, held_any=True)
        assert [part for part in scope if None in part] == []
    else:
        scope = scope_to_send(the_plan, asked, held_any=False)
        chosen = asked
    assert {reading.target.key for reading in SEEN.resolve(scope).values()} == {one.key for one in chosen}
    # In the cluster's own spelling, which the API takes.
    assert {component for _, component, _ in scope if component} <= {"DataNode", "zkfc", "HiveServer2"}


def test_an_order_is_not_held_back_by_an_alerts_limits() -> None:
    """Where a person and an alert ask for the same process, the person's limits hold; among alerts the strictest."""
    strict, loose = Limits(cooldown=5000.0, max_nodes=1), Limits(cooldown=1.0, max_nodes=9, max_share=0.01)
    alerts = cases_of(an_intent(limits=strict), an_intent(limits=loose, even_if_healthy=True))
    (of_alerts,) = resolve(plan(alerts)[0], SEEN)[0]
    assert of_alerts.limits == Limits(cooldown=5000.0, max_nodes=1, max_share=0.01)
    assert (of_alerts.is_command, of_alerts.even_if_healthy) == (False, True)
    first, second = plan([*alerts, *cases_of(an_intent(is_command=True, limits=COMMAND_LIMITS))])
    (of_order,) = resolve(first, SEEN)[0]
    assert (of_order.is_command, of_order.limits) == (True, COMMAND_LIMITS)
    assert resolve(second, SEEN)[0] == [of_alerts]


LIMITS = st.builds(Limits, *(st.integers(0, 9) for _ in range(4)))


@given(LIMITS, LIMITS, st.integers(0, 9), st.integers(0, 9))
def test_the_strictest_limits_admit_what_both_admit(left: Limits, right: Limits, count: int, seconds: int) -> None:
    """So many processes, so large a share, an event so old, so soon after the last operation; neither more nor less."""

    def admitted(by: Limits) -> tuple[bool, ...]:
        return count <= by.max_nodes, count <= by.max_share, seconds <= by.max_event_age, seconds >= by.cooldown

    both = [one and other for one, other in zip(admitted(left), admitted(right), strict=True)]
    assert list(admitted(left.strictest(right))) == both
