"""Changes are made at their time, however often one looks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.clock import START, VirtualClock
from harness.fake_cloud.demo_clusters import ANALYTICS, demo_cloud
from harness.fake_cloud.state.timeline import Timeline
from harness.fake_cloud.state.workflow import ScopePart, Strategy


@given(
    steps=st.lists(st.floats(min_value=0.1, max_value=20), max_size=25),
    batch=st.integers(min_value=1, max_value=6),
    wait=st.integers(min_value=0, max_value=8),
)
def test_what_is_seen_does_not_depend_on_how_often_one_looks(steps: list[float], batch: int, wait: int) -> None:
    """Two equal clouds, one looked at after every step and one only at the end, show the same."""

    def cloud_after(looks: bool) -> list[tuple[int, str, int]]:
        clock = VirtualClock()
        cloud = demo_cloud(clock)
        scope = [ScopePart("HDFS", "DataNode")]
        strategy = Strategy(rolling=True, batch_size=batch, wait_seconds=wait)
        operation = cloud.start_stop(ANALYTICS, "RestartService", scope, strategy, region="ap-guangzhou")
        for step in steps:
            clock.advance(step)
            if looks:
                assert sum(process.health == 0 for process in operation.targets) <= batch
        return [(process.health, process.last_restart, process.restarts) for process in operation.targets]

    assert cloud_after(looks=True) == cloud_after(looks=False)


def test_a_change_may_look_at_the_state(clock: VirtualClock) -> None:
    """A look from within a change sees what was made before it, and nothing that comes after."""
    timeline = Timeline(clock)
    made: list[str] = []

    def look(_: float) -> None:
        with timeline.current():
            made.append(f"seen {made}")

    timeline.at(START + 1, lambda _: made.append("first"))
    timeline.at(START + 2, look)
    timeline.at(START + 3, lambda _: made.append("last"))
    clock.advance(3)
    with timeline.current() as now:
        assert (now, made) == (START + 3, ["first", "seen ['first']", "last"])
