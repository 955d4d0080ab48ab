"""What we send, against the official SDK's typed models: every request, every field, found by walking the models themselves."""

from __future__ import annotations

import inspect
import re
import warnings
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.common.abstract_model import AbstractModel
from tencentcloud.emr.v20190103 import models

from handler.model.request import Action, OpType, Request, StopParams, StrategyConfig
from handler.model.scope import ALL, OpScope

ROOT = models.StartStopServiceOrMonitorRequest

names = st.text("ABCDEFGHIJabcdefghij-_.2", min_size=1, max_size=12)
addresses = st.frozensets(st.ip_addresses().map(str), min_size=1, max_size=4)
parts = st.builds(OpScope.of_service, names) | st.builds(OpScope.of_component, names, names, addresses | st.just(ALL))
scopes = st.lists(parts, min_size=1, max_size=5).map(OpScope.union_of)
strategies = st.builds(
    StrategyConfig,
    rolling=st.booleans(),
    batch_size=st.integers(1, 99_999),
    time_wait=st.integers(0, 300),
    skip_failed=st.booleans(),
    args=st.lists(st.tuples(names, st.lists(st.text(), max_size=3).map(tuple)), max_size=3).map(tuple),
)
policies: st.SearchStrategy[Literal["safe", "default"] | None] = st.sampled_from(("safe", "default", None))
stops = st.builds(StopParams, policies, st.none() | st.integers(0, 100), st.none() | st.integers(0, 10_000))
actions = st.builds(
    Action, st.sampled_from(OpType), st.none() | strategies, st.none() | stops, st.none() | st.booleans()
)
requests = st.builds(Request, st.from_regex(r"emr-[a-z0-9]{8}", fullmatch=True), actions, scopes)


def through_the_sdk(wire: dict[str, Any]) -> Any:
    """Read by the SDK's model, which warns of what it does not know, and written again."""
    request = ROOT()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        request._deserialize(wire)
    return request._serialize()


@given(requests)
def test_every_request_is_what_the_typed_models_serialise(request: Request) -> None:
    """No key of ours is unknown to the SDK, none is lost, and no value changes on its way through."""
    wire = request.to_wire()
    assert through_the_sdk(wire) == wire


def fields_of(model: type) -> dict[str, type | None]:
    """The properties of one of the SDK's models, each with the model that it holds, read from its documentation."""
    found: dict[str, type | None] = {}
    for name, value in inspect.getmembers(model, lambda member: isinstance(member, property)):
        if hasattr(AbstractModel, name):
            continue
        kind = re.search(r":rtype: (?:list of |:class:`[\w.]*?)?(\w+)`?\s*$", inspect.getdoc(value) or "", re.MULTILINE)
        assert kind, f"{model.__name__}.{name} does not say what it is"
        found[name] = getattr(models, kind[1], None)
    return found


def walked(model: type, at: str = "") -> set[str]:
    """Every path of a request that the SDK knows."""
    paths: set[str] = set()
    for name, inner in fields_of(model).items():
        paths.add(at + name)
        if inner is not None:
            paths |= walked(inner, f"{at}{name}.")
    return paths


def paths_of(value: Any, at: str = "") -> set[str]:
    """Every path of what we send."""
    if isinstance(value, list):
        return {path for item in value for path in paths_of(item, at)}
    if not isinstance(value, dict):
        return set()
    return {at + key for key in value} | {path for key, item in value.items() for path in paths_of(item, f"{at}{key}.")}


def test_no_field_of_the_sdk_is_unknown_to_us() -> None:
    """A field or a nested model that the vendor adds fails here first, wherever it stands."""
    fullest = Request(
        "emr-4zvc5mul",
        Action(OpType.STOP_MONITOR, StrategyConfig(args=(("k", ("v",)),)), StopParams("safe", 1, 1), True),
        OpScope.of_component("HDFS", "DataNode", ["10.0.0.1"]),
    )
    known = walked(ROOT)
    assert "OpScope.ServiceInfoList.ComponentInfoList.IpList" in known
    assert "StrategyConfig.Args.Values" in known
    assert known == paths_of(fullest.to_wire())


def test_the_operations_are_the_sdks() -> None:
    """The OpTypes that its documentation lists, in its words; and StopMonitor is the one that enters maintenance."""
    documented = inspect.getdoc(ROOT.OpType) or ""
    assert set(re.findall(r"(?:Start|Stop|Restart)(?:Service|Monitor)", documented)) == {op.value for op in OpType}
    assert "StopMonitor：进入维护" in documented
    assert "StartMonitor：退出维护" in documented
