"""What one decision is made with: the record, a look, and the policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from handler.decide import intent_guards
from handler.decide.process_guards import BRINGS_UP, View
from handler.ledger import waiting
from handler.model.alarm import Alarm
from handler.model.history import History
from handler.model.intent import Limits
from handler.model.observation import UNKNOWN, UNSTATED, Observation

if TYPE_CHECKING:
    from collections.abc import Callable

    from handler.ledger.cluster_record import ClusterRecord
    from handler.model.intent import Intent
    from handler.model.operation import Operation
    from handler.model.outcome import Outcome
    from handler.model.policy import Cluster, Mode, Safety


@dataclass(frozen=True)
class Policy:
    """What steward.yml and the moment say about one decision."""

    #: None where it is no longer listed.
    cluster: Cluster | None
    safety: Safety
    #: The limits of an intent's rule; None where the rule is gone.
    limits_of: Callable[[Intent], Limits | None]
    now: float
    #: Who arms, and the id of what is armed.
    owner: str
    operation_id: str
    mode: Mode = "act"
    #: Whether there is time left to send something.
    may_arm: bool = True
    #: By how many seconds our clock is ahead of the API's; None where it is not known.
    clock_skew: float | None = None
    #: Seconds for which an ended operation counts for any rule: the longest cooldown, and the quarantine's time.
    keep: float = 86_400.0


@dataclass
class Step:
    """One decision under way: its record is changed as it goes on."""

    record: ClusterRecord
    #: None where nobody could look, for the reason ``failure``; both None where nothing had to be looked at.
    seen: Observation | None
    failure: Outcome | None
    policy: Policy
    #: Why each intent that stays pending is held, by its key.
    held: dict[str, Outcome] = field(default_factory=dict)

    def hold(self, intent: Intent, outcome: Outcome, limits: Limits | None) -> None:
        record, now = self.record, self.policy.now
        is_on_purpose = outcome.code in intent_guards.ON_PURPOSE
        max_wait = limits.max_wait if limits else Limits.max_wait
        if not waiting.expire(record, intent, outcome, max_wait, now, is_on_purpose=is_on_purpose):
            self.held[intent.key] = outcome
            waiting.hold(record, intent, outcome, now, is_on_purpose=is_on_purpose)

    def hold_all(self, outcome: Outcome) -> None:
        """Hold what is pending, as it is: nothing expires by a clock that is wrong."""
        self.held.update((key, outcome) for key, one in self.record.intents.items() if one.stage == "pending")

    def alarm(self, outcome: Outcome, about: str, where: str = "") -> Alarm:
        return Alarm(outcome.code, self.record.cluster, about, outcome.reason, fix=outcome.fix, where=where)

    @cached_property
    def told_unknown(self) -> set[str]:
        """The addresses of which a person was told that the health of their processes is not known."""
        return {key.rpartition("/")[2] for key in self.record.told if key.startswith("guard.health_unknown|")}

    @cached_property
    def unknown_at(self) -> dict[str, list[str]]:
        """By address: the components whose health is not known."""
        found: dict[str, list[str]] = {}
        for one in chain(*self.seen.services.values()) if self.seen else ():
            if one.health == UNKNOWN:
                found.setdefault(one.target.ip, []).append(one.target.component)
        return found

    @cached_property
    def view(self) -> View:
        """The cluster as the guards see it; asked for when the open operations are judged."""
        now = self.policy.now
        seen = self.seen or Observation(self.record.cluster, UNSTATED, {}, now)
        return View(seen, history_of(self.record, now, self.policy.safety.quarantine.within), self.policy.safety, now)


def history_of(record: ClusterRecord, now: float, quarantine_within: float) -> History:
    """The cluster's past, as the guards see it."""
    ongoing: dict[str, Operation] = {}
    last: dict[str, Operation] = {}
    restarts: dict[str, int] = {}
    counts = {True: 0, False: 0}
    for one in record.operations.values():
        counts[one.is_command] += one.armed_at > now - 3600
        is_counted = one.op_type in BRINGS_UP and not one.is_command and one.armed_at > now - quarantine_within
        for key in one.parts:
            if one.is_open:
                ongoing[key] = one
            if not one.may_have_touched(key):
                continue
            if key not in last or one.touched_at >= last[key].touched_at:
                last[key] = one
            if is_counted and one.armed_at > record.released.get(key, 0.0):
                restarts[key] = restarts.get(key, 0) + 1
    return History(ongoing, last, restarts, record.resolved, counts[False], counts[True])


def is_cooled(record: ClusterRecord, intent: Intent, policy: Policy, at: float) -> bool:
    """Whether the cooldown of what served an intent is over."""
    operation, limits = record.operations.get(intent.operation), policy.limits_of(intent)
    if operation is None or limits is None:
        return True
    return not operation.is_open and at >= operation.ended_at + limits.cooldown
