"""The follow-up: each minute it reconciles every cluster that has something open.

What an invocation could not see to its end (its time was up, it crashed, an answer was lost, a guard held it) ends
here. It may run twice at once, and beside any invocation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handler.decide.intent_guards import clock_agrees
from handler.errors import LedgerUnavailable
from handler.execute.context import Collaborators, Run
from handler.execute.reconcile import reconcile
from handler.lib.threads import side_by_side
from handler.model.alarm import Alarm
from handler.report.log import outcome_of

if TYPE_CHECKING:
    from handler.lib.clock import Deadline

#: The ``Message`` of the timer that calls for it.
MESSAGE: Final = "steward:follow-up"
#: Seconds between two rounds that forget what is old.
TIDY_SECONDS: Final = 3600.0


@dataclass
class Round:
    """What one round came to."""

    runs: list[Run] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


class FollowUp(Collaborators):
    """One round, for one invocation."""

    def run(self, deadline: Deadline) -> Round:
        """Reconcile the clusters that have something open, by the deadline.

        Raises LedgerUnavailable where these cannot be read.
        """
        done = Round()
        clusters = self.ledger.clusters_with_work()

        def follow(name: str) -> dict[str, int]:
            run = Run(**vars(self), cluster_id=name, cluster=self.config.clusters.get(name), deadline=deadline)
            done.runs.append(run)
            return _follow(run)

        for counts in side_by_side(follow, clusters):
            for state, count in counts.items():
                done.counts[state] = done.counts.get(state, 0) + count
        for run in done.runs:
            done.alarms += run.alarms
        self.log.info("steward.follow_up", clusters=len(clusters), states=done.counts or None)
        self._tidy()
        return done

    def _tidy(self) -> None:
        """Forget old history, once an hour, and only after the API has confirmed our clock in this round."""
        now, skew = self.clock.now(), self.gateway.clock_skew
        try:
            is_due = self.ledger.change_alarms(lambda record: record.followed(now, TIDY_SECONDS, skew is not None))
            if not is_due or skew is None or clock_agrees(skew):
                return
            forgotten = self.ledger.forget(now - self.config.safety.keep_records)
        except LedgerUnavailable as error:
            self.log.error("steward.ledger.expire_failed", problem=str(error))
            return
        if forgotten:
            self.log.info("steward.ledger.expired", lines=forgotten)


def _follow(run: Run) -> dict[str, int]:
    """Reconcile one cluster; how many operations are open now, by state, and how many intents are pending."""
    try:
        record = reconcile(run)
    except LedgerUnavailable as error:
        run.log.error("steward.ledger.unavailable", cluster=run.cluster_id, problem=str(error))
        run.alarms.append(
            Alarm(
                "ledger.unavailable",
                run.cluster_id,
                "record",
                f"{error}: nothing is done to this cluster",
                fix="Check the ledger (`steward doctor`). A record that cannot be read has to be removed by hand.",
            )
        )
        return {}
    except Exception as error:  # this cluster's; the others are served all the same
        failure = outcome_of(error, run.log)
        run.alarms.append(Alarm(failure.code, run.cluster_id, "reconcile", failure.reason, fix=failure.fix))
        return {}
    counts: dict[str, int] = {}
    for operation in (*record.open_operations(), *(ended for ended in run.operations_ended)):
        counts[operation.state.value] = counts.get(operation.state.value, 0) + 1
    if pending := sum(one.stage == "pending" for one in record.intents.values()):
        counts["pending"] = pending
    return counts
