"""Keys of the model's states: equal for states that differ in names only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from handler.ledger.cluster_record import ClusterRecord
from handler.model.operation import State
from tests.engine.world import SERVICE, Worker, World

#: How many records are kept with their content.
MAX_KEPT: Final = 20_000


@dataclass
class Keys:
    """Gives equal states equal keys: what is only a name is left out, or replaced by its place."""

    _known: dict[Any, int] = field(default_factory=dict)
    _records: dict[int, tuple[ClusterRecord, int, tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)

    def of(self, world: World) -> int:
        """The key of a state: so wide a hash that two states hardly ever share one."""
        return hash(self._of(world))

    def _of(self, world: World) -> Any:
        content, operations, owners = self._of_record(world.record)
        places = {name: place for place, name in enumerate(operations)}
        others = {one.operation.id for one in world.flights}
        for worker in world.workers:
            others |= {worker.operation, *(name for name, _ in worker.moves)} - {""}
        for name in sorted(others - places.keys(), key=lambda name: int(name[3:])):
            places[name] = len(places)
        places[""] = -1
        workers = sorted((self._of_worker(one, world, places), one.number) for one in world.workers)
        names = {f"worker {number}": place for place, (_, number) in enumerate(workers)}
        flights = [
            (one.kind, places[one.operation.id], one.signed, tuple(one.operation.parts)) for one in world.flights
        ]
        ghost = world.ghost
        alarms = sorted((_without(key, places), about) for key, about in ghost.alarms)
        return (
            world.tick,
            content,
            tuple([names.get(owner, -1) for owner in owners]),
            world.processes,
            tuple(sorted(flights)),
            tuple([key for key, _ in workers]),
            (world.left, world.faults, world.deaths, world.may_die, world.followups, world.lost_swaps),
            (ghost.restarted, ghost.done, ghost.settled, ghost.paused_at, ghost.expired, tuple(alarms)),
            tuple(sorted((_plain(key), wish) for key, wish in ghost.wishes)),
            tuple([one and (_plain(one[0]), one[1]) for one in ghost.last_command]),
        )

    def _of_worker(self, one: Worker, world: World, places: dict[str, int]) -> Any:
        seen = one.seen and (
            one.seen.status,
            one.seen.seen_at,
            tuple((r.service_status, r.health, r.last_restart) for r in one.seen.services[SERVICE]),
        )
        moves = tuple(sorted((places[name], state.value) for name, state in one.moves)) if one.moves else ()
        return repr(
            (
                one.at,
                one.skew,
                one.event if not one.is_written else "",
                one.is_written,
                one.version == world.version if one.at == "swap" else None,
                one.loaded_at if not one.is_written else 0,
                seen,
                moves,
                places[one.operation],
                one.answer,
                one.laps,
            )
        )

    def _of_record(self, record: ClusterRecord) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
        known = self._records.get(id(record))
        if known is None:
            if len(self._records) > MAX_KEPT:
                self._records.clear()
            content, operations, owners = _content(record)
            number = self._known.setdefault(content, len(self._known))
            # The record is kept, so that no other one takes its id.
            known = self._records[id(record)] = (record, number, operations, owners)
        return known[1:]


def _content(record: ClusterRecord) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
    """What a record says, the operations that it names, and the owners."""
    intents = sorted(record.intents.values(), key=lambda one: one.seq)
    ops = sorted(record.operations.values(), key=lambda one: one.seq)
    ended = sorted(record.commands.items(), key=lambda one: one[1].seq)
    seqs = sorted({*(one.seq for one in intents), *(one.seq for one in ops), *(one.seq for _, one in ended)})
    rank = {seq: place for place, seq in enumerate(seqs)}
    places = {one.id: place for place, one in enumerate(ops)}
    places[""] = -1
    owners = [one.owner for one in ops if one.state in (State.SENDING, State.IN_DOUBT)]
    if record.hint:
        owners.append(record.hint[0])
    content = (
        bool(record.began),
        tuple(
            (
                _plain(one.key),
                rank[one.seq],
                tuple(sorted(one.statements.items())),
                (one.asked_at, one.waits_since, one.not_before, one.tries, one.alone, one.served),
                (one.stage, places.get(one.operation, -2), one.events),
            )
            for one in intents
        ),
        tuple(
            (
                (one.op_type.value, rank[one.seq], one.state.value, one.is_command, one.armed_at, one.ended_at),
                tuple(one.parts.items()),
                (tuple(_plain(key) for key in one.intents), one.occurrences),
            )
            for one in ops
        ),
        tuple((_plain(key), one.op_type, rank[one.seq], one.status, one.at) for key, one in ended),
        record.pause is None,
        record.hint and record.hint[1],
        tuple(sorted(_without(key, places) for key in record.told)),
    )
    return content, tuple(one.id for one in ops), tuple(owners)


def _plain(key: str) -> str:
    """The key of an intent without the number that an unnamed command is given."""
    return key.partition("#")[0]


def _without(alarm: str, places: dict[str, int]) -> str:
    """The key of an alarm, its operation by its place."""
    code, _, about = alarm.split("|", 2)
    return f"{code}|{places.get(about, _plain(about))}"
