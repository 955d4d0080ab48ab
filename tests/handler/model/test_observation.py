"""What a cluster is seen to be: the API's numbers in words, and what a scope means among its processes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.model.components import COMPONENTS, component_key, same_spelling
from handler.model.observation import BUSY, GONE, HEALTH, RUNNING, Observation, Reading, UnknownPart, read
from handler.model.scope import OpScope, Target


def reading(
    status: int = 1,
    monitor: int = 1,
    health: int = 1,
    last: str = "",
    component: str = "DataNode",
    ip: str = "10.0.0.1",
) -> Reading:
    return Reading(Target("HDFS", component, ip), status, monitor, health, last)


def seen(*readings: Reading, status: int = RUNNING) -> Observation:
    return Observation("emr-4zvc5mul", status, {"HDFS": readings}, 0.0)


@pytest.mark.parametrize(
    ("one", "unavailable", "up", "may_serve", "serves"),
    [
        (reading(health=1), False, True, True, True),
        (reading(health=-3), False, True, True, True),  # at risk: slow, and still serving
        (reading(health=0), True, False, False, False),  # dead: started, and its probe is not answered
        (reading(health=-4), False, False, True, False),  # not checked: no evidence of either
        (reading(health=-2), False, False, True, False),  # unknown: the checker is broken, or the machine is down
        (reading(health=77), False, False, True, False),  # a code that is new
        (reading(status=2, health=-4), False, False, False, False),
        (reading(status=2, health=0), False, False, False, False),
        (reading(status=2, health=1), False, False, True, False),  # being stopped: its probe is still answered
        (reading(status=2, health=-2), False, False, True, False),
        *((reading(status=new, health=1), False, False, True, False) for new in (0, 3, 5, -1, 99)),
        *((reading(status=new, health=0), False, False, True, False) for new in (0, 3, 5, -1, 99)),
    ],
)
def test_what_a_reading_says(one: Reading, unavailable: bool, up: bool, may_serve: bool, serves: bool) -> None:
    """A state that is unknown counts as serving where it would be taken away, and as not serving where it must remain."""
    assert (one.is_unavailable, one.is_up, one.may_serve, one.surely_serves) == (unavailable, up, may_serve, serves)


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (
            reading(health=0, last="2024-08-16 14:13:32"),
            "started, health unavailable, last restart 2024-08-16 14:13:32",
        ),
        (reading(status=2, monitor=2, health=-4), "stopped, in maintenance, health not checked, last restart unknown"),
        (reading(status=7, health=77), "status 7, health code 77, last restart unknown"),
    ],
)
def test_a_reading_is_told_in_words(one: Reading, text: str) -> None:
    """Numbers that are new are shown as they are."""
    assert one.describe() == text


def test_a_status_is_told_in_words() -> None:
    """Each number that the pages name, once; and one that they do not."""
    assert not set(BUSY) & set(GONE)
    assert RUNNING not in {*BUSY, *GONE}
    assert seen().status_text() == "running"
    for number, words in {**BUSY, **GONE}.items():
        assert seen(status=number).status_text() == words
    assert seen(status=999).status_text() == "in status 999"
    assert set(HEALTH) == {1, 0, -2, -3, -4}


#: Each component's name with its aliases.
SPELLINGS = [(name, *aliases) for names in COMPONENTS.values() for name, aliases in names.items()]


@given(st.sampled_from([names for names in SPELLINGS if len(names) > 1 and "DataNode" not in names]), st.data())
def test_any_spelling_finds_the_process(spellings: tuple[str, ...], data: st.DataObject) -> None:
    """Whatever page a rule was written from, and whatever the cluster calls it; its own name goes out."""
    names = st.sampled_from(sorted(spellings)).flatmap(lambda name: st.sampled_from([name, name.upper(), name.title()]))
    asked, shown = data.draw(names), data.draw(names)
    assert same_spelling(asked, shown)
    view = seen(reading(component=shown), reading(component="DataNode"))
    (found,) = view.resolve(OpScope.of_component("hdfs", asked)).values()
    assert found.target.component == shown


def test_no_spelling_means_two_processes() -> None:
    """No alias is another component's or its name, all are lower case, and other names mean themselves.

    Services may share a component's name (``FE`` of StarRocks and of Doris), since the service stands beside it.
    """
    every = [name.lower() for names in set(SPELLINGS) for name in names]
    assert len(every) == len(set(every))
    aliases = [alias for names in SPELLINGS for alias in names[1:]]
    assert aliases == [alias.lower() for alias in aliases]
    assert [component_key(name) for name, *_ in SPELLINGS] == [name.lower() for name, *_ in SPELLINGS]
    assert not same_spelling("DataNode", "NameNode")


def test_the_readings_of_an_operation_are_found_again() -> None:
    """By key, those that are still there."""
    view = seen(reading(), reading(ip="10.0.0.2"))
    keys = ["HDFS/datanode/10.0.0.2", "HDFS/datanode/10.9.9.9"]
    assert list(read(view.services, keys)) == keys[:1]
    assert list(view.component("hdfs", "DATANODE")) == ["10.0.0.1", "10.0.0.2"]
    assert view.component("YARN", "NodeManager") == {}


def test_a_process_named_twice_is_meant_once() -> None:
    """By parts of a scope that overlap through two spellings."""
    view = seen(reading(component="zkfc"))
    scope = OpScope.union_of(
        (OpScope.of_component("HDFS", "zkfc"), OpScope.of_component("HDFS", "ZKFailoverController", ["10.0.0.1"]))
    )
    assert len(view.resolve(scope)) == 1


def test_a_long_list_of_what_exists_is_cut() -> None:
    """A refusal on a cluster of hundreds stays readable."""
    view = seen(*(reading(ip=f"10.0.0.{n}") for n in range(10, 40)))
    with pytest.raises(UnknownPart, match=r"10\.0\.0\.21 and 18 more$"):
        view.resolve(OpScope.of_component("HDFS", "DataNode", ["10.9.9.9"]))
