"""Each rule of the engine, taken out by one edit, and the scenario that must notice."""

from __future__ import annotations

from typing import Final, NamedTuple

MODEL: Final = "tests/engine/test_model.py"


class Rule(NamedTuple):
    """What is taken out, by one edit of ``file``, and the test of ``test_model.py`` that must fail then."""

    name: str
    file: str
    old: str
    new: str
    noticed_by: str

    @property
    def test(self) -> str:
        """The test's id: of a scenario, or of a test of its own."""
        own = self.noticed_by.startswith("test_")
        return f"{MODEL}::{self.noticed_by if own else f'test_it_holds_in_many_orders[{self.noticed_by}]'}"


CONCLUSION: Final = "handler/ledger/conclusion.py"
WAITING: Final = "handler/ledger/waiting.py"
ADMISSION: Final = "handler/ledger/admission.py"
RECORD: Final = "handler/ledger/cluster_record.py"
WEIGHING: Final = "handler/execute/weighing.py"
DECISION: Final = "handler/execute/decision.py"
VERIFICATION: Final = "handler/decide/verification.py"

RULES: Final = (
    Rule(
        "a process is judged by its looks while an operation is on it",
        "handler/decide/process_guards.py",
        "    not_under_operation,\n    not_in_maintenance,\n    not_stopped,\n    needed,\n    not_satisfied,\n",
        "    not_in_maintenance,\n    not_stopped,\n    needed,\n    not_satisfied,\n    not_under_operation,\n",
        "a start while the stop is under way",
    ),
    Rule(
        "a process that came up is trusted to stay up",
        CONCLUSION,
        'record.intents[intent.key] = intent._replace(stage="proving", events=(), more_events=0, tries=0)',
        "record.intents.pop(intent.key)",
        "it dies again under one alert",
    ),
    Rule(
        "a restart that did not help is the last one",
        CONCLUSION,
        "record.intents[intent.key] = back._replace(events=(), more_events=0)",
        "record.intents.pop(intent.key)",
        "a second restart helps",
    ),
    Rule(
        "a sender that takes its alert back ends it",
        ADMISSION,
        "record.intents[key] = one._replace(statements=rest)",
        "record.intents[key] = one._replace(statements=rest)\n        if not rest:\n            del record.intents[key]",
        "a false end of the alert",
    ),
    Rule(
        "what is being served waits, too",
        WEIGHING,
        'if intent.stage != "pending":\n            continue\n        limits',
        'if intent.stage == "proving" or intent.key not in meant:\n            continue\n        limits',
        "an operation that takes longer than max_wait",
    ),
    Rule(
        "a command goes on with what its first request did not reach",
        CONCLUSION,
        "elif found == {Verdict.NOT_REACHED}:",
        "elif Verdict.FAILED not in found or Verdict.NOT_REACHED in found:",
        "a command blocks half way",
    ),
    Rule(
        "a command without an id joins an equal one that is not the last",
        ADMISSION,
        "if one.digest == digest and one.seq == newest:",
        "if one.digest == digest:",
        "stop, start, stop without ids",
    ),
    Rule(
        "a command without an id is always a new one",
        ADMISSION,
        "found = _retried(record, stated, digest, now)",
        "found = None",
        "a client repeats its request",
    ),
    Rule(
        "a restart supersedes a stop",
        WAITING,
        "OpType.STOP_SERVICE: OpType.START_SERVICE,",
        "OpType.STOP_SERVICE: OpType.RESTART_SERVICE,",
        "a restart meets a pending stop",
    ),
    Rule(
        "nothing supersedes anything",
        WEIGHING,
        "lost = waiting.supersede(record, meant, now)",
        "lost: dict[str, set[str]] = {}",
        "a start while the stop is under way",
    ),
    Rule(
        "the quarantine counts only what was seen to be carried out",
        "handler/execute/policy.py",
        "if is_counted and one.armed_at > record.released.get(key, 0.0):",
        'if is_counted and one.parts[key].verdict in ("VERIFIED", "FAILED"):',
        "it comes up without a LastRestartTime, and dies again",
    ),
    Rule(
        "a wait runs on while a pause holds it",
        WAITING,
        "if is_on_purpose and not intent.is_command and",
        "if False and",
        "a pause that lasts",
    ),
    Rule(
        "a command waits for ever",
        WAITING,
        "        if waited > max_wait or (in_all > longest and not intent.served):\n",
        "        if False:\n",
        "a command meets a pause",
    ),
    Rule(
        "what a joined request was refused for is joined again",
        CONCLUSION,
        "alone=operation.state is State.REJECTED,",
        "alone=False,",
        "a neighbour that the API refuses",
    ),
    Rule(
        "what a blocked request did not reach is joined again",
        CONCLUSION,
        "back._replace(alone=not operation.is_open and len(operation.parts) > 1)",
        "back._replace(alone=False)",
        "a neighbour blocks the restart",
    ),
    Rule(
        "what was accepted and did nothing is tried for ever",
        CONCLUSION,
        "if found == {Verdict.NOT_REACHED} and before.state is State.ACCEPTED and not is_one_by_one:",
        "if False:",
        "a neighbour blocks the restart",
    ),
    Rule(
        "an old look serves though operations moved",
        "handler/execute/looking.py",
        "return frozenset([(one.id, one.state) for one in record.operations.values()])",
        "return frozenset()",
        "two stops in a quorum",
    ),
    Rule(
        "only what is still SENDING can be settled",
        CONCLUSION,
        "is_late = operation.state is State.IN_DOUBT and state is not State.IN_DOUBT",
        "is_late = False",
        "a worker that is taken for lost",
    ),
    Rule(
        "one occurrence is served again",
        "handler/decide/process_guards.py",
        "    if last is None or not asked.intent.occurrences <= last.occurrences:\n        return None\n",
        "    return None\n",
        "its heap is full, and that is stated again",
    ),
    Rule(
        "nobody hears that a restart did not end its alert",
        DECISION,
        "and bool(intent.occurrences & operation.occurrences)",
        "and False",
        "its heap is full, and that is stated again",
    ),
    Rule(
        "a swap without a reply counts as lost",
        "handler/ledger/ledger.py",
        "return stored.version if stored.value == data else 0",
        "return 0",
        "the reply to a swap is lost",
    ),
    Rule(
        "who leaves is still relied upon",
        RECORD,
        "        if self.hint is not None and self.hint[0] == owner:\n            self.hint = None",
        "        if self.hint is not None and self.hint[0] == owner:\n            pass",
        "it never comes up",
    ),
    Rule(
        "the hint is a lock",
        RECORD,
        "if self.hint is not None and now < self.hint[1] <= now + 2 * self.timing.lost:",
        "if self.hint is not None:",
        "test_a_hint_is_no_lock",
    ),
    Rule(
        "the cooldown runs while an operation does",
        "handler/model/operation.py",
        "return self.ended_at or self.armed_at",
        "return self.armed_at",
        "it never comes up",
    ),
    Rule(
        "a look counts for the time at which it is thought about",
        DECISION,
        "not is_cooled(step.record, intent, step.policy, seen.seen_at)",
        "not is_cooled(step.record, intent, step.policy, step.policy.now)",
        "it dies again, and another one is looked at",
    ),
    Rule(
        "a request in doubt is ruled out at once",
        VERIFICATION,
        "may_act = at - operation.armed_at <= timing.ruled_out",
        "may_act = False",
        "clocks that differ",
    ),
    Rule(
        "a request in doubt is ruled out after 360 s",
        "handler/model/timing.py",
        "ruled_out: float = 420.0",
        "ruled_out: float = 360.0",
        "test_a_request_in_doubt_is_ruled_out_late_enough",
    ),
    Rule(
        "a worker that died is waited for",
        CONCLUSION,
        "if one.state is State.SENDING and now - one.armed_at >= record.timing.lost:",
        "if False:",
        "two alerts, and a worker dies",
    ),
    Rule(
        "two operations may be open on one process",
        RECORD,
        "if not busy.isdisjoint(operation.parts):",
        "if False:",
        "test_no_second_operation_is_armed_on_a_process",
    ),
    Rule(
        "a command's wait runs on where its request was lost",
        CONCLUSION,
        "elif found == {Verdict.NOT_REACHED}:\n"
        '        record.intents[intent.key] = intent._replace(stage="pending", operation="", waits_since=now)',
        "elif found == {Verdict.NOT_REACHED}:\n"
        '        record.intents[intent.key] = intent._replace(stage="pending", operation="")',
        "a command that was lost is sent again",
    ),
    Rule(
        "what is healthy again expires",
        WEIGHING,
        "            rest = {key: one for key",
        '            if waiting.expire(record, intent, Outcome.pending("late", ""), limits.max_wait, now, is_on_purpose=False):\n'
        "                continue\n"
        "            rest = {key: one for key",
        "an alert about what a command restarts",
    ),
    Rule(
        "a command is sent however late it is",
        WEIGHING,
        "if asked and not _is_too_late(step, intent, limits):",
        "if asked:",
        "a command that nobody looks at in time",
    ),
    Rule(
        "what was carried out is superseded",
        WAITING,
        ".difference(one.served)",
        "",
        "a start while the stop is under way",
    ),
    Rule(
        "that the process answers ends the alarm about a restart that did not help",
        "handler/ledger/reasons.py",
        '"intent.still_stated"',
        '"operation.failed"',
        "its heap is full, and that is stated again",
    ),
    Rule(
        "an old look is good enough to act upon",
        "handler/execute/looking.py",
        "return now - seen.seen_at > timing.look_age",
        "return False",
        "a command that was lost is sent again",
    ),
    Rule(
        "a pause holds nothing",
        WEIGHING,
        "if pause is not None and now < pause.until:",
        "if False:",
        "a pause that lasts",
    ),
)
