"""The scenarios that the model explores: what is asked, what goes wrong, and the bounds of both."""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.engine.world import Bounds, Step


class Scenario(NamedTuple):
    """What is asked of a small cluster, and what may go wrong."""

    bounds: Bounds
    steps: tuple[Step, ...]


def fires(*processes: int, **fields: object) -> Step:
    return Step("fire", processes, **fields)  # type: ignore[arg-type]


def resolved(*processes: int, after: tuple[int, ...]) -> Step:
    return Step("resolve", processes, after=after)


def command(action: str, *processes: int, id: str = "", wish: str = "", **fields: object) -> Step:
    return Step("command", processes, action, sender=id, wish=wish or id, **fields)  # type: ignore[arg-type]


SIGNED: Final = Bounds(
    faults=1,
    kinds=("ok", "late"),
    deaths=0,
    cooldown=6,
    ruled_out=4,
    deadline=8,
    skews=(-1, 1),
    followups=1,
    max_wait=20,
    uses_hint=False,
)
SCENARIOS: Final[dict[str, Scenario]] = {
    "two alerts, and a worker dies": Scenario(
        Bounds(processes=2, down=(0, 1), last_tick=4, faults=0, followups=1), (fires(0), fires(1))
    ),
    "two alerts, and an answer is lost": Scenario(
        Bounds(processes=2, down=(0, 1), last_tick=4, deaths=0, followups=1, kinds=("ok", "done, answer lost", "late")),
        (fires(0), fires(1)),
    ),
    "a second sender says the same": Scenario(
        Bounds(last_tick=3, followups=1, kinds=("ok", "lost", "late")), (fires(0), fires(0, sender="tcop"))
    ),
    "three deliveries at once": Scenario(
        Bounds(workers=3, last_tick=1, followups=0, kinds=("ok", "done, answer lost", "not sent"), uses_hint=False),
        (fires(0, times=3),),
    ),
    "it dies again under one alert": Scenario(Bounds(dies_again=(0,), last_tick=4, deaths=0, faults=0), (fires(0),)),
    "it dies again, and another one is looked at": Scenario(
        Bounds(
            processes=2,
            down=(0, 1),
            dies_again=(0,),
            last_tick=2,
            deaths=0,
            faults=0,
            workers=1,
            cooldown=2,
            followups=0,
            uses_hint=False,
        ),
        (fires(0), fires(1, earliest=1, after=(0,))),
    ),
    "it never comes up": Scenario(
        Bounds(broken=(0,), last_tick=5, deaths=0, faults=0, is_slow=True, cooldown=4), (fires(0),)
    ),
    "a second restart helps": Scenario(
        Bounds(stubborn=(0,), last_tick=3, deaths=0, faults=0, helped=(0,), is_slow=True), (fires(0),)
    ),
    "it comes up without a LastRestartTime, and dies again": Scenario(
        Bounds(missing=(0,), dies_again=(0,), restarts=1, cooldown=7, last_tick=5, deaths=0, faults=0), (fires(0),)
    ),
    "a command meets a pause": Scenario(
        Bounds(down=(), last_tick=2, deaths=0, faults=0, max_wait=2, followups=1),
        (Step("pause"), command("stop", 0, id="c1")),
    ),
    "a false end of the alert": Scenario(
        Bounds(last_tick=4, deaths=0, followups=1), (fires(0), resolved(0, after=(0,)))
    ),
    "one of two senders takes it back": Scenario(
        Bounds(last_tick=2, followups=1, kinds=("ok", "not sent")),
        (fires(0), fires(0, sender="tcop"), resolved(0, after=(0,))),
    ),
    "a neighbour blocks the restart": Scenario(
        Bounds(processes=2, down=(0, 1), hangs=(0,), last_tick=5, deaths=0, faults=0, workers=1, helped=(1,)),
        (fires(0), fires(1)),
    ),
    "a command blocks half way": Scenario(
        Bounds(processes=2, down=(), broken=(0,), deaths=0, faults=0), (command("restart", 0, 1, id="c1"),)
    ),
    "an operation that takes longer than max_wait": Scenario(
        Bounds(last_tick=4, deaths=0, faults=0, max_wait=3, deadline=6, is_slow=True, latest_send=9, lost=9),
        (command("restart", 0, id="c1"),),
    ),
    "a command that nobody looks at in time": Scenario(
        Bounds(down=(), last_tick=4, deaths=0, faults=0, max_wait=2, latest_send=9, lost=9, workers=1, followups=0),
        (command("stop", 0, id="c1"),),
    ),
    "a command that was lost is sent again": Scenario(
        Bounds(last_tick=2, deaths=0, kinds=("ok", "lost"), max_wait=3, helped=(0,)), (command("restart", 0, id="c1"),)
    ),
    "an alert about what a command restarts": Scenario(
        Bounds(
            last_tick=5,
            deaths=0,
            kinds=("ok", "done, answer lost"),
            cooldown=2,
            max_wait=1,
            expiry=2,
            followups=1,
            workers=1,
        ),
        (command("restart", 0, id="c1"), fires(0, after=(0,))),
    ),
    "a start while the stop is under way": Scenario(
        Bounds(down=(), last_tick=3, deaths=0, is_slow=True, followups=1, kinds=("ok", "not sent")),
        (command("stop", 0, id="c1"), command("start", 0, id="c2", after=(0,))),
    ),
    "stop, start, stop without ids": Scenario(
        Bounds(down=(), last_tick=3, deaths=0, faults=0, is_slow=True, followups=1),
        (
            command("stop", 0, wish="a"),
            command("start", 0, wish="b", after=(0,)),
            command("stop", 0, wish="c", after=(1,)),
        ),
    ),
    "a client repeats its request": Scenario(
        Bounds(down=(), last_tick=3, followups=1, kinds=("ok", "done, answer lost")),
        (command("restart", 0, wish="once", times=2),),
    ),
    "a restart meets a pending stop": Scenario(
        Bounds(down=(), last_tick=4, deaths=0, kinds=("ok", "not sent"), followups=1, is_quiet=True, lost=9),
        (command("stop", 0, id="c1"), command("restart", 0, id="c2", after=(0,))),
    ),
    "in doubt, several times": Scenario(
        Bounds(last_tick=5, deaths=0, faults=2, kinds=("ok", "done, answer lost", "lost", "late")), (fires(0),)
    ),
    "no LastRestartTime": Scenario(Bounds(missing=(0,), last_tick=5, faults=0), (fires(0),)),
    "no LastRestartTime, and it never comes up": Scenario(
        Bounds(missing=(0,), broken=(0,), last_tick=4, deaths=0, faults=0), (fires(0),)
    ),
    "a pause": Scenario(
        Bounds(last_tick=4, deaths=0, faults=0, followups=1), (fires(0), Step("pause"), Step("resume", after=(1,)))
    ),
    "a pause that lasts": Scenario(
        Bounds(last_tick=3, deaths=0, faults=0, max_wait=2, followups=2, helped=(0,)),
        (fires(0), Step("pause", after=(0,))),
    ),
    "a long pause": Scenario(
        Bounds(last_tick=5, deaths=0, faults=0, max_wait=2, expiry=0, followups=1, helped=(0,)),
        (Step("pause"), fires(0, after=(0,)), Step("resume", after=(1,), earliest=4)),
    ),
    "a neighbour that the API refuses": Scenario(
        Bounds(
            processes=2,
            down=(0, 1),
            broken=(0,),
            last_tick=2,
            deaths=0,
            faults=3,
            kinds=("rejected", "ok"),
            followups=1,
            helped=(1,),
        ),
        (fires(0, 1),),
    ),
    "two stops in a quorum": Scenario(
        Bounds(processes=3, down=(), has_quorum=True, last_tick=3, deaths=0, faults=0, followups=1, uses_hint=False),
        (command("stop", 0, id="c1"), command("stop", 1, id="c2")),
    ),
    "its heap is full, and that is stated again": Scenario(
        Bounds(down=(), last_tick=5, deaths=0, faults=0, followups=1, cooldown=2, once_an_occurrence=True, told=(0,)),
        (fires(0, even_if_healthy=True, times=2),),
    ),
    "the reply to a swap is lost": Scenario(
        Bounds(last_tick=3, deaths=0, faults=0, lost_swaps=1, is_quiet=True, lost=9), (fires(0),)
    ),
    "a worker that is taken for lost": Scenario(
        Bounds(last_tick=4, deaths=0, followups=1, kinds=("ok", "not sent"), lost=1, latest_send=3), (fires(0),)
    ),
    "clocks that differ": Scenario(SIGNED, (fires(0),)),
}
