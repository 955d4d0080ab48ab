"""One decision about a cluster: from its record and a look to at most one operation. Pure.

The steps, in their order: what was sent and lost is in doubt; open operations are judged by the look, and their intents
go on; newer commands supersede older ones; the guards weigh each pending intent; what waits too long is told of; what
passes and agrees is joined and armed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from handler.decide import intent_guards
from handler.decide.verification import verdicts
from handler.execute.arming import arm
from handler.execute.policy import Policy, Step, is_cooled
from handler.execute.weighing import weigh
from handler.ledger import conclusion
from handler.ledger.cluster_record import OF_CLUSTER, STORM, is_condition
from handler.model.components import spelled
from handler.model.observation import UNKNOWN, Observation, read
from handler.model.operation import State, Verdict
from handler.model.request import OpType

if TYPE_CHECKING:
    from handler.ledger.cluster_record import ClusterRecord
    from handler.model.intent import Intent
    from handler.model.operation import Operation
    from handler.model.outcome import Outcome
    from handler.model.request import Request


class Decision(NamedTuple):
    """What is to be sent, and why each intent that is still pending is held."""

    operation: Operation | None
    request: Request | None
    held: dict[str, Outcome]


def decide(record: ClusterRecord, seen: Observation | None, failure: Outcome | None, policy: Policy) -> Decision:
    """Change the record by what a look shows, and arm at most one operation.

    ``seen`` is None where nobody could look, for the reason ``failure``.
    """
    step = Step(record, seen, failure, policy)
    now = policy.now
    record.began = record.began or now
    if wrong_clock := intent_guards.clock_agrees(policy.clock_skew):
        # Nothing is concluded with a clock that is wrong.
        record.tell(step.alarm(wrong_clock, "clock"), now)
        step.hold_all(wrong_clock)
        return Decision(None, None, step.held)
    conclusion.lose(record, now)
    _judge(step)
    if seen is not None:
        _well_again(step, seen)
        _prove(step, seen)
    else:
        _unseen(step)
    passing = weigh(step)
    operation, request = arm(step, passing)
    if policy.clock_skew is not None:  # the API has confirmed our clock
        record.forget(now, policy.keep)
    return Decision(operation, request, step.held)


def services_to_see(record: ClusterRecord, policy: Policy) -> set[str]:
    """The services that a decision has to look at; none where nothing can be decided now."""
    services: set[str] = set()
    for operation in record.open_operations():
        if operation.state is not State.SENDING or policy.now - operation.armed_at >= record.timing.lost:
            services.update(key.partition("/")[0] for key in operation.parts)
    for intent in record.intents.values():
        if _is_due(record, intent, policy):
            services.update(intent.scope.services)
    for key in filter(is_condition, record.told):
        about = key.split("|", 2)[2]
        if "/" in about:
            services.add(about.partition("/")[0])
    return services


def _is_due(record: ClusterRecord, intent: Intent, policy: Policy) -> bool:
    """Whether a look may bring an intent on."""
    return intent.stage == "pending" or (intent.stage == "proving" and is_cooled(record, intent, policy, policy.now))


def needs_status(record: ClusterRecord, policy: Policy) -> bool:
    """Whether a decision has to know what the cluster is at.

    Not to see that a start or a restart has worked: that its processes show.
    """
    return (
        any(_is_due(record, one, policy) for one in record.intents.values())
        or any(
            one.op_type is OpType.STOP_SERVICE or policy.now - one.armed_at > record.timing.ruled_out
            for one in record.open_operations()
        )
        or any(key.partition("|")[0] in OF_CLUSTER for key in record.told)
    )


def _judge(step: Step) -> None:
    """What the look shows of open operations; of one that nobody could look at by its deadline, that it failed."""
    record, now, seen = step.record, step.policy.now, step.seen
    for operation in record.open_operations():
        if operation.state is State.SENDING:
            continue
        services = {key.partition("/")[0] for key in operation.parts}
        if seen is not None and services <= seen.services.keys():
            readings = read(seen.services, operation.parts)
            while (current := record.operations.get(operation.id)) and current.is_open:
                # That one process was reached may show that another was not.
                found = verdicts(current, readings, seen, record.timing)
                if not any(found.values()):
                    break
                conclusion.judge(record, operation.id, found, now)
        elif step.policy.cluster is None or now >= operation.deadline + record.timing.unseen:
            conclusion.judge(record, operation.id, dict.fromkeys(operation.parts, Verdict.FAILED), now, is_unseen=True)


def _well_again(step: Step, seen: Observation) -> None:
    """What a look shows to be over of what a person was told."""
    record, now, view = step.record, step.policy.now, step.view
    if not record.told:
        return
    by_key = {reading.target.key: reading for readings in seen.services.values() for reading in readings}
    for key in [*filter(is_condition, record.told)]:
        code, _, about = key.split("|", 2)
        service, _, component = about.partition("/")
        reading = by_key.get(about)
        if code in OF_CLUSTER:
            record.well(code, about, OF_CLUSTER[code], now)
        elif service not in seen.services or about in view.history.open:
            continue
        elif code == STORM:
            if view.storm(service, component) is None:
                record.well(code, about, f"most {component} serve again", now)
        elif reading is None:
            record.well(code, about, f"{spelled(about)} is no longer there", now)
        elif reading.is_up or (code == "guard.health_unknown" and reading.health != UNKNOWN):
            record.well(code, about, f"{reading.target} is well again: {reading.describe()}", now)
        elif reading.is_stopped:
            record.well(code, about, f"{reading.target} was stopped by an operator", now)


def _unseen(step: Step) -> None:
    """Nobody could look: a person is told; and what only a look would end, ends where there will be none."""
    record, now, failure = step.record, step.policy.now, step.failure
    is_listed = step.policy.cluster is not None
    if failure is not None and failure.code == "look.failed":
        record.tell(step.alarm(failure, "look"), now)
    for key in [*filter(is_condition, record.told)] if not is_listed else ():
        code, _, about = key.split("|", 2)
        record.well(code, about, "the cluster is no longer listed in steward.yml", now)
    for one in [one for one in record.intents.values() if one.stage == "proving"]:
        if not is_listed or (failure and now - one.last_statement > max(record.timing.expiry, step.policy.keep)):
            del record.intents[one.key]  # its events were told "done"


def _prove(step: Step, seen: Observation) -> None:
    """Whether what an operation helped is still well after its cooldown."""
    by_key = {reading.target.key: reading for readings in seen.services.values() for reading in readings}
    for intent in list(step.record.intents.values()):
        if intent.stage != "proving" or not is_cooled(step.record, intent, step.policy, seen.seen_at):
            continue
        if not seen.services.keys() >= set(intent.scope.services):
            continue
        operation = step.record.operations.get(intent.operation)
        key = (intent.scope.targets or ())[0].key
        reading = by_key.get(key)
        is_again = (
            intent.even_if_healthy
            and operation is not None
            and reading is not None
            and reading.is_up
            and bool(intent.occurrences & operation.occurrences)
        )
        is_unknown = reading is not None and reading.health == UNKNOWN and not reading.is_stopped
        if is_unknown and step.policy.now - intent.last_statement <= step.record.timing.expiry:
            continue
        is_well = reading is None or not reading.is_unavailable
        conclusion.proved(step.record, intent, step.policy.now, is_well=is_well, same_occurrence=is_again)
