"""What a command has begun: it waits for it, and ends what cannot outlive it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handler.execute.follow_up import MESSAGE
from handler.model.operation import State
from handler.model.outcome import Outcome
from handler.report.history import OperationRow, fields_of, log_operation, log_settled
from handler.report.log import Log
from steward.cli.quarantine import CODE as QUARANTINE
from steward.cli.rows import OpenIntent, Work
from steward.simulate.platform import timer_event

if TYPE_CHECKING:
    from handler.ledger.cluster_record import ClusterRecord, Saying
    from handler.model.operation import Operation
    from steward.simulate.clock import SimulatedClock
    from steward.simulate.world import Wired

#: Simulated seconds between two rounds of the follow-up, as the function's timer has it.
INTERVAL: Final = 60.0
#: Rounds after which the command waits no longer: four hours.
MAX_ROUNDS: Final = 240
#: What holds an intent back and passes with time. For anything else a person has to do something.
CURED_BY_TIME: Final = frozenset({
    "", "guard.under_operation", "guard.cooldown", "guard.queued", "guard.backoff", "guard.max_nodes",
    "guard.max_share", "guard.operations_per_hour", "guard.cluster_busy", "guard.peer_down", "time.short",
})  # fmt: skip
ENDED: Final = "it ended with its fake cluster, which ends with the command"
OBSERVED: Final = "it was only observed, and nothing is sent for it"


class Begun:
    """The operations and intents of one command, without what was there before it."""

    def __init__(self, world: Wired) -> None:
        """Raises LedgerUnavailable."""
        self._world = world
        work = Work.of(world.function.ledger)
        self._known = {(one.cluster, one.intent.key) for one in work.intents()}
        self._told = {(record.cluster, key) for record in work.records for key in record.told}

    def operations(self) -> list[OperationRow]:
        """The operations that this command sent, as they are now."""
        lines, ledger = self._world.lines, self._world.function.ledger
        sent = {line["operation"]: line["cluster"] for line in lines if line["event"] == "steward.request"}
        found = {
            name: one for cluster in set(sent.values()) for name, one in ledger.load(cluster).record.operations.items()
        }
        rows = {line["operation"]: OperationRow.of(line) for line in lines if line["event"] == "steward.operation"}
        return [
            rows.get(name) or OperationRow.of(fields_of(found[name])) for name in sent if name in rows or name in found
        ]

    def open_operations(self) -> list[OperationRow]:
        """The operations of this command that have not ended."""
        return [operation for operation in self.operations() if operation.is_open]

    def pending(self) -> list[OpenIntent]:
        """What this command asked for, and what is not yet served."""
        intents = Work.of(self._world.function.ledger).intents("pending")
        return [one for one in intents if (one.cluster, one.intent.key) not in self._known]

    def goes_on(self) -> bool:
        """Whether anything of this command is going to change by itself."""
        return bool(self.open_operations()) or any(one.intent.held_by in CURED_BY_TIME for one in self.pending())

    def run_to_the_end(self, clock: SimulatedClock) -> None:
        """Advance the simulated clock until nothing of this command changes by itself.

        Four hours at most.

            The follow-up runs each simulated minute.
        """
        for _ in range(MAX_ROUNDS):
            if not self.goes_on():
                return
            clock.sleep(INTERVAL)
            self._world.deliver(timer_event("follow-up", MESSAGE, clock.now()), retries=0)

    def drop(self, why: str) -> None:
        """End what is left of this command without sending anything, and without an alarm."""
        world = self._world
        ledger, now, log = world.function.ledger, world.clock.now(), Log(lambda text: None, world.clock)
        sent = {operation.id for operation in self.open_operations()}

        def end(record: ClusterRecord) -> tuple[list[Operation], list[Saying]]:
            before = set(record.outbox)
            ended = [
                one.moved(State.TIMED_OUT, ended_at=now, problem=why)
                for one in record.open_operations()
                if one.id in sent
            ]
            record.operations.update((one.id, one) for one in ended)
            for one in list(record.intents.values()):
                if (record.cluster, one.key) in self._known:
                    continue
                if one.stage == "proving":  # its events were told that it is done
                    del record.intents[one.key]
                else:
                    record.end(one, Outcome.withdrawn("command.ended", why), now)
                    record.commands.pop(one.key, None)
            said = [record.outbox.pop(one) for one in set(record.outbox) - before]
            for key in list(record.told):
                if (record.cluster, key) not in self._told and not key.startswith(f"{QUARANTINE}|"):
                    del record.told[key]
            return ended, said

        for name in ledger.clusters_with_work():
            (ended, said), _ = ledger.change(name, end)
            lines = [log_operation(log, one) for one in ended]
            lines += [line for one in said if one.kind == "settled" for line in log_settled(log, name, one)]
            ledger.append(lines)
