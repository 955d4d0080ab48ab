"""Operations: the algebra of scopes, against a model; strategies and actions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.model.components import same_spelling
from handler.model.observation import Observation, Reading, UnknownPart
from handler.model.request import Action, OpType, Request, StopParams, StrategyConfig
from handler.model.scope import ALL, OpScope, Target

UNIVERSE = [
    Target(service, component, ip)
    for service, component in (("HDFS", "DataNode"), ("HDFS", "NameNode"), ("HIVE", "HiveServer2"))
    for ip in ("10.0.0.1", "10.0.0.2", "10.0.0.3")
]
parts = st.one_of(
    st.sampled_from(["HDFS", "hive"]).map(OpScope.of_service),
    st.tuples(st.sampled_from([("HDFS", "DataNode"), ("HDFS", "datanode"), ("HIVE", "HiveServer2")])).map(
        lambda pair: OpScope.of_component(*pair[0])
    ),
    st.lists(st.sampled_from(UNIVERSE), max_size=5).map(OpScope.of_targets),
)
scopes = st.lists(parts, max_size=4).map(OpScope.union_of)


def covers(scope: OpScope, target: Target) -> bool:
    """Whether ``target`` is one of the scope's processes."""
    return any(
        service == target.service.upper()
        and (component is None or component.lower() == target.component.lower())
        and ip in (None, target.ip)
        for service, component, ip in scope
    )


def union(*scopes: OpScope) -> OpScope:
    return OpScope.union_of(scopes)


def meant(scope: OpScope) -> set[Target]:
    return {target for target in UNIVERSE if covers(scope, target)}


@given(left=scopes, right=scopes)
def test_union_is_what_either_means(left: OpScope, right: OpScope) -> None:
    """Commutative, idempotent, and exact."""
    assert meant(union(left, right)) == meant(left) | meant(right)
    assert union(left, right) == union(right, left)
    assert union(left, left) == left
    assert hash(union(left, right)) == hash(union(right, left))


@given(scope=scopes)
def test_the_wire_never_means_more(scope: OpScope) -> None:
    """A missing list there means all: a part without nodes is left out whole."""
    read_back = OpScope.union_of(
        OpScope.of_service(service["ServiceName"])
        if "ComponentInfoList" not in service
        else OpScope.union_of(
            OpScope.of_component(service["ServiceName"], one["ComponentName"], one.get("IpList", ALL))
            for one in service["ComponentInfoList"]
        )
        for service in scope.to_wire()["ServiceInfoList"]
    )
    assert meant(read_back) == meant(scope)
    assert bool(scope) == bool(list(scope))


def test_a_scope_reads_well() -> None:
    """For people, and for machines."""
    scope = union(
        OpScope.of_service("hive"), OpScope.of_component("HDFS", "DataNode", [f"10.0.0.{n}" for n in range(6)])
    )
    assert str(scope) == "HDFS/DataNode on 10.0.0.0, 10.0.0.1, 10.0.0.2, 10.0.0.3 and 2 more; HIVE (all)"
    assert scope.services == ["HDFS", "HIVE"]
    assert str(OpScope()) == "nothing"
    assert "HIVE" in repr(scope)
    assert not OpScope.of_component("HDFS", "DataNode", [])
    assert repr(ALL) == "ALL"
    assert str(UNIVERSE[0]) == str(OpScope.of_target(UNIVERSE[0])) == "HDFS/DataNode/10.0.0.1"


@pytest.mark.parametrize(
    ("strategy", "processes", "batches"),
    [
        (StrategyConfig(), 5, 5),
        (StrategyConfig(batch_size=2), 5, 3),
        (StrategyConfig(rolling=False), 5, 1),
        (StrategyConfig(), 0, 0),
    ],
)
def test_batches(strategy: StrategyConfig, processes: int, batches: int) -> None:
    """How many a rolling restart takes."""
    assert strategy.batches(processes) == batches


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        (Action(OpType.RESTART_SERVICE), "strategy"),
        (Action(OpType.RESTART_SERVICE, StrategyConfig()), ""),
        (Action(OpType.START_SERVICE, keep_monitor=True), "keep_monitor"),
        (Action(OpType.STOP_MONITOR, keep_monitor=True), ""),
        (Action(OpType.START_SERVICE, stop_params=StopParams()), "stop_params"),
        (Action(OpType.STOP_MONITOR, StrategyConfig()), ""),
        (Action(OpType.STOP_SERVICE, stop_params=StopParams("safe")), ""),
    ],
)
def test_what_the_api_would_not_take(action: Action, problem: str) -> None:
    """It is said before anything is sent."""
    assert [field for field, _ in action.problems()] == ([problem] if problem else [])


@given(left=scopes, right=scopes)
def test_a_digest_is_of_the_meaning(left: OpScope, right: OpScope) -> None:
    """Equal for requests that ask the same, however they were written."""
    action = Action(OpType.STOP_SERVICE)
    one, other = Request("emr-4zvc5mul", action, left), Request("emr-4zvc5mul", action, right)
    assert (one.digest() == other.digest()) == (left == right)


# -- resolving against what is seen


def seen() -> Observation:
    services: dict[str, tuple[Reading, ...]] = {"HDFS": (), "HIVE": (), "KUDU": ()}
    for target in UNIVERSE:
        services[target.service] += (Reading(target, 1, 1, 1, ""),)
    return Observation("emr-4zvc5mul", 2, services, 0.0)


@pytest.mark.parametrize(
    ("scope", "problem"),
    [
        (OpScope.of_service("KUDU"), "service KUDU"),
        (OpScope.of_component("HDFS", "DatNode"), "HDFS has DataNode, NameNode"),
        (OpScope.of_component("HDFS", "DataNode", ["10.9.9.9"]), "runs on 10.0.0.1, 10.0.0.2, 10.0.0.3"),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(scope: OpScope, problem: str) -> None:
    """Unknown service, component or address."""
    with pytest.raises(UnknownPart, match=problem):
        seen().resolve(scope)


@given(scope=scopes)
def test_a_scope_resolves_to_what_it_means(scope: OpScope) -> None:
    """Each process once, whatever case it was written in."""
    assert {reading.target for reading in seen().resolve(scope).values()} == meant(scope)


def test_known_spellings_mean_one_process() -> None:
    """Tencent's own pages differ."""
    assert same_spelling("ZKFC", "ZKFailoverController")
    assert not same_spelling("DataNode", "NameNode")


# -- the algebra's laws, over names in any case, empty lists, and a cluster that grows


WORDS = ("HDFS", "hdfs", "YARN")
NAMES = ("DataNode", "datanode", "DATANODE", "NameNode")
IPS = ("10.0.0.1", "10.0.0.2")
#: "10.0.0.99" and Router come later: where "all" and "all that there is today" part.
LATER = [
    Target(service, component, ip)
    for service in ("HDFS", "YARN")
    for component in ("DataNode", "NameNode", "Router")
    for ip in (*IPS, "10.0.0.99")
]
anything = st.lists(
    st.one_of(
        st.builds(OpScope.of_service, st.sampled_from(WORDS)),
        st.builds(OpScope.of_component, st.sampled_from(WORDS), st.sampled_from(NAMES)),
        st.builds(
            OpScope.of_component, st.sampled_from(WORDS), st.sampled_from(NAMES), st.frozensets(st.sampled_from(IPS))
        ),
    ),
    max_size=4,
).map(OpScope.union_of)


def meant_later(scope: OpScope) -> set[Target]:
    return {target for target in LATER if covers(scope, target)}


@given(left=anything, right=anything, third=anything)
def test_union_is_associative_and_all_absorbs(left: OpScope, right: OpScope, third: OpScope) -> None:
    """In any grouping; nothing adds nothing; and "all" stays all whatever is added."""
    assert union(union(left, right), third) == union(left, union(right, third)) == union(left, right, third)
    assert union(left, OpScope()) == left
    every = union(OpScope.of_service("hdfs"), OpScope.of_service("YARN"))
    assert union(left, every) == every


@given(left=anything, right=anything)
def test_equal_is_what_means_the_same_and_nothing_else(left: OpScope, right: OpScope) -> None:
    """One stable form for one meaning, today and on a cluster that has grown; equal scopes hash alike."""
    same = meant_later(left) == meant_later(right)
    assert (left == right) == (left.stable() == right.stable()) == same
    assert not same or hash(left) == hash(right)


@given(scope=anything)
def test_a_scope_covers_the_processes_that_it_means(scope: OpScope) -> None:
    """By their keys, today and on a cluster that has grown."""
    assert {target for target in LATER if scope.covers(target.key)} == meant_later(scope)


@given(left=anything, right=anything)
def test_scopes_overlap_where_one_process_may_be_in_both(left: OpScope, right: OpScope) -> None:
    """Either way round; "all" overlaps what is not there yet."""
    assert left.overlaps(right) == right.overlaps(left) == bool(meant_later(left) & meant_later(right))


@given(scope=anything)
def test_targets_are_the_processes_of_a_scope_that_names_each(scope: OpScope) -> None:
    """None where a part says "all"."""
    assert (scope.targets is None) == scope.says_all == any(None in part for part in scope)
    if scope.targets is not None:
        assert {target.key for target in scope.targets} == {target.key for target in meant_later(scope)}
        assert OpScope.of_targets(scope.targets) == scope


@given(scope=anything)
def test_the_wire_holds_no_empty_list(scope: OpScope) -> None:
    """For the API a missing or empty list is "all": there is none, and every name stands once."""
    services = scope.to_wire()["ServiceInfoList"]
    assert [one["ServiceName"] for one in services] == scope.services
    for service in services:
        components = service.get("ComponentInfoList", [{"ComponentName": "x"}])
        assert components
        assert len({one["ComponentName"].lower() for one in components}) == len(components)
        assert all(one.get("IpList", ["x"]) for one in components)


@pytest.mark.parametrize(
    "nothing",
    [
        OpScope(),
        OpScope.of_component("HDFS", "DataNode", []),
        OpScope.of_targets([]),
        OpScope.union_of([]),
        union(OpScope.of_component("HDFS", "DataNode", []), OpScope.of_component("YARN", "NodeManager", [])),
    ],
    ids=range(5),
)
def test_nothing_is_one_value(nothing: OpScope) -> None:
    """However nothing is said, it equals nothing, shows as nothing, is never sent as "all", and adds nothing."""
    assert not nothing
    assert nothing == OpScope()
    assert (str(nothing), nothing.services, list(nothing), nothing.to_wire()) == (
        "nothing",
        [],
        [],
        {"ServiceInfoList": []},
    )
    assert union(OpScope.of_service("HDFS"), nothing) == OpScope.of_service("HDFS")


@pytest.mark.parametrize("op_type", list(OpType))
@pytest.mark.parametrize("strategy", [None, StrategyConfig()])
@pytest.mark.parametrize("params", [None, StopParams("safe")])
@pytest.mark.parametrize("keep_monitor", [None, False, True])
def test_every_manner_is_taken_or_says_why_not(
    op_type: OpType, strategy: StrategyConfig | None, params: StopParams | None, keep_monitor: bool | None
) -> None:
    """RestartService needs a strategy; StopParams are StopService's, and False too is said of StopMonitor alone."""
    wrong = {
        "strategy": op_type is OpType.RESTART_SERVICE and strategy is None,
        "stop_params": op_type is not OpType.STOP_SERVICE and params is not None,
        "keep_monitor": op_type is not OpType.STOP_MONITOR and keep_monitor is not None,
    }
    told = dict(Action(op_type, strategy, params, keep_monitor).problems())
    assert {field for field, is_wrong in wrong.items() if is_wrong} == set(told)
