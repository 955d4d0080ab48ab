"""What must hold in the model's world: at each step, and when all has become calm."""

from __future__ import annotations

from handler.ledger.cluster_record import ClusterRecord, Saying
from handler.model.alarm import Alarm
from handler.model.observation import Observation
from handler.model.operation import Operation, State
from handler.model.request import OpType
from tests.engine.world import KEYS, NEVER, Bounds, Ghost, Process, Step, Worker, World


class Broken(Exception):
    """Something that must hold does not."""


class Books:
    """Keeps the books of what happened, and finds what must not happen."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds

    # -- the cluster

    def carry_out(self, world: World, operation: Operation) -> World:
        """The cluster carries a request out, process by process."""
        processes, ghost = list(world.processes), world.ghost
        for key in operation.parts:
            process = KEYS.index(key)
            one = processes[process]
            if operation.op_type is OpType.RESTART_SERVICE:
                if not one.is_started:
                    continue
                if one.hangs:
                    break  # a rolling restart blocks before it
                ghost = self._restarted(ghost, world, operation, process)
                processes[process] = one._replace(restarts=one.restarts + 1, is_up=one.restarts + 1 >= one.needs)
            elif operation.op_type is OpType.STOP_SERVICE:
                ghost = self._carried_out(ghost, operation, process, "stop")
                processes[process] = one._replace(is_started=False, is_up=False)
            else:
                ghost = self._carried_out(ghost, operation, process, "start")
                processes[process] = one._replace(is_started=True, is_up=one.needs == 1)
            if operation.op_type is OpType.RESTART_SERVICE and not processes[process].is_up:
                break
        if self._bounds.has_quorum and sum(one.is_up for one in processes) * 2 <= len(processes):
            raise Broken("the quorum is lost to us")
        return world._replace(processes=tuple(processes), ghost=ghost)

    def _restarted(self, ghost: Ghost, world: World, operation: Operation, process: int) -> Ghost:
        bounds, before = self._bounds, ghost.restarted[process]
        if not operation.is_command and world.tick - before < bounds.cooldown - 2 * max(bounds.skews):
            raise Broken(f"process {process} is restarted twice within its cooldown, at {before} and at {world.tick}")
        if not operation.is_command and world.processes[process].restarts >= bounds.restarts:
            raise Broken(f"process {process} is restarted once more than the quarantine allows")
        restarted = (*ghost.restarted[:process], world.tick, *ghost.restarted[process + 1 :])
        ghost = ghost._replace(restarted=restarted)
        for one in operation.occurrences if bounds.once_an_occurrence else ():
            if (one, "occurrence", process) in ghost.done:
                raise Broken(f"process {process}, which answers, is restarted twice for one occurrence")
            ghost = ghost._replace(done=ghost.done | {(one, "occurrence", process)})
        return self._carried_out(ghost, operation, process, "restart")

    def _carried_out(self, ghost: Ghost, operation: Operation, process: int, action: str) -> Ghost:
        wishes = [wish for key, wish in ghost.wishes if key in operation.intents] if operation.is_command else []
        for wish in wishes:
            if (wish, action, process) in ghost.done:
                raise Broken(f"the command {wish!r} is carried out twice on process {process}")
        return ghost._replace(done=ghost.done | {(wish, action, process) for wish in wishes}) if wishes else ghost

    def check_leaving(self, record: ClusterRecord, worker: str) -> None:
        if record.hint is not None and record.hint[0] == worker:
            raise Broken(f"{worker} leaves, and others rely on it")

    def check_settled(self, record: ClusterRecord, worker: Worker) -> None:
        """What its owner knows for certain is not in doubt."""
        operation = record.operations.get(worker.operation)
        if operation is not None and operation.state is State.IN_DOUBT and worker.answer is not State.IN_DOUBT:
            raise Broken(f"{worker.name} knows that the operation is {worker.answer}, and it stays in doubt")

    def check_look(self, seen: Observation | None, now: float) -> None:
        if seen is not None and now - seen.seen_at > self._bounds.latest_send * self._bounds.tick:
            raise Broken("an operation is armed by an old look")

    def check_armed(self, operation: Operation, record: ClusterRecord) -> None:
        """No command is sent later than it may wait; while it is under way, its wait does not run."""
        for intent in [record.intents[key] for key in operation.intents] if operation.is_command else ():
            if operation.armed_at - intent.waits_since > self._bounds.max_wait * self._bounds.tick:
                raise Broken(f"the command {intent.key} is sent later than it may wait")

    def check_sending(self, world: World) -> None:
        """Nothing is sent long after a pause began: what was armed before it may still go."""
        bounds, paused_at = self._bounds, world.ghost.paused_at
        if paused_at is not None and world.tick - paused_at > bounds.latest_send + 2 * max(bounds.skews):
            raise Broken("a request is sent under a pause")

    # -- the record

    def written(self, world: World, record: ClusterRecord) -> World:
        """The world with this record, whose sayings are said at once."""
        if record == world.record:
            return world
        for one in record.open_operations():
            if gone := [key for key in one.intents if key in record.commands]:
                raise Broken(f"{gone[0]} ends while its operation is under way")
        busy = [key for one in record.operations.values() if one.is_open for key in one.parts]
        if len(busy) != len(set(busy)):
            raise Broken("two open operations are on one process")
        for name in record.operations.keys() - world.record.operations.keys():
            self.check_armed(record.operations[name], record)
        ghost = world.ghost
        for saying in record.outbox.values():
            ghost = self._said(ghost, saying, record, world)
        record.outbox.clear()
        return world._replace(record=record, version=world.version + 1, ghost=ghost)

    def _said(self, ghost: Ghost, saying: Saying, record: ClusterRecord, world: World) -> Ghost:
        if saying.kind == "settled":
            events = {f"{event} by {saying.body['key']}" for event in saying.body["events"]}
            if twice := ghost.settled.intersection(events):
                raise Broken(f"the end of {', '.join(sorted(twice))} is said twice")
            ghost = ghost._replace(settled=ghost.settled.union(events))
            if saying.body["outcome"] == "expired" and "request|" not in saying.body["key"]:
                gone = {number for number, key in enumerate(KEYS) if key in saying.body["key"]}
                ghost = ghost._replace(expired=ghost.expired | gone)
            return ghost
        alarm = Alarm.from_json(saying.body)
        others = frozenset(one for one in ghost.alarms if one[0] != alarm.key)
        if saying.kind == "well":
            return ghost._replace(alarms=others)
        if self._bounds.is_quiet:
            raise Broken(f"a person is called, and nothing is wrong: {alarm.key}: {alarm.text}")
        if others != ghost.alarms:
            raise Broken(f"a person is told twice: {alarm.key}")
        about = tuple(number for number, key in enumerate(KEYS) if _is_about(alarm, key, record))
        return ghost._replace(alarms=others | {(alarm.key, about)})

    def heard(self, world: World, step: Step, key: str) -> World:
        """The world in which a step was written down, as the intent ``key``."""
        ghost = world.ghost
        if step.kind == "pause":
            ghost = ghost._replace(paused_at=world.tick)
        elif step.kind == "resume":
            ghost = ghost._replace(paused_at=None)
        elif step.kind == "command":
            ghost = ghost._replace(wishes=ghost.wishes | {(key, step.wish)} if step.wish else ghost.wishes)
            if step.action != "restart":
                last = list(ghost.last_command)
                for process in step.processes:
                    last[process] = (key, step.action)
                ghost = ghost._replace(last_command=tuple(last))
        return world._replace(ghost=ghost)

    # -- the end

    def check_end(self, world: World) -> None:
        """What holds when nothing goes wrong any more, and the follow-up has run for long."""
        if world.record.intents:
            stuck = ", ".join(f"{one.where} ({one.stage}, {one.held_by})" for one in world.record.intents.values())
            raise Broken(f"it never ends: {stuck}")
        if world.record.open_operations():
            raise Broken(f"operations stay open: {[one.in_words() for one in world.record.open_operations()]}")
        told = {process for _, about in world.ghost.alarms for process in about}
        for number, one in enumerate(world.processes):
            self._check_process(world, number, one, told)
        for key, ended in world.record.commands.items():
            wishes = [wish for name, wish in world.ghost.wishes if name == key]
            done = {process for wish, _, process in world.ghost.done if wish in wishes}
            meant = {process for process, name in enumerate(KEYS) if ended.scope.covers(name)}
            if ended.status in ("refused", "expired") and done >= meant:
                raise Broken(f"the command {key} was carried out, and ended {ended.status}: {ended.reason}")

    def _check_process(self, world: World, number: int, one: Process, told: set[int]) -> None:
        if one.is_started and not one.is_up and number not in told:
            raise Broken(f"process {number} is down in the end, and nobody was told")
        if number in self._bounds.told and number not in told:
            raise Broken(f"nobody was told about process {number}")
        if number in self._bounds.helped and not one.is_up:
            raise Broken(f"process {number}, which a restart would have helped, stays down")
        if number in world.ghost.expired and one.is_up and world.ghost.restarted[number] > NEVER:
            raise Broken(f"the alert about process {number} expired, although its restart helped")
        if (last := world.ghost.last_command[number]) is None:
            return
        key, action = last
        ended = world.record.commands.get(key)
        if not key:  # refused when it came, since it may have been a retry
            return
        if ended is None:
            raise Broken(f"nobody knows how the last command on process {number} ended")
        if ended.status in ("done", "unverified", "skipped") and one.is_started != (action == "start"):
            state = "started" if one.is_started else "stopped"
            raise Broken(f"the last command on process {number}, {action}, ended {ended.status}; but it is {state}")


def _is_about(alarm: Alarm, process: str, record: ClusterRecord) -> bool:
    """Whether an alarm tells of a process."""
    if process in alarm.about:
        return True
    operation = record.operations.get(alarm.about)
    if operation is not None:
        return process in operation.parts
    command = record.intents.get(alarm.about) or record.commands.get(alarm.about)
    return command is not None and command.scope.covers(process)
