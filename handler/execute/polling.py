"""Looking at clusters: in parallel, once before acting and repeatedly afterwards.

Every look ends by a deadline.
"""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from handler.decide.verification import judge
from handler.errors import ApiError, LedgerUnavailable, ObservationIncomplete
from handler.lib.threads import side_by_side
from handler.model.observation import RUNNING, Observation, read
from handler.model.operation import State
from handler.model.request import OpType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from handler.cloud.emr import Gateway
    from handler.decide.verification import Verdict
    from handler.execute.context import Run
    from handler.lib.clock import Clock, Deadline
    from handler.model.observation import Reading
    from handler.model.operation import Operation
    from handler.model.policy import Cluster

#: Seconds between looks at an operation: short at first, since most are quick, then patient.
POLLS = (0.5, 1.0, 2.0, 3.0, 5.0)
#: Seconds that must be left for a look.
SECONDS_TO_LOOK = 0.3


def look(
    gateway: Gateway, cluster: Cluster, services: Iterable[str], deadline: Deadline
) -> dict[str, tuple[Reading, ...]]:
    """The processes of these services, as they are now. Raises ApiError, ObservationIncomplete."""
    names = sorted(set(services))
    readings = side_by_side(lambda service: gateway.processes(cluster, service, deadline), names)
    return dict(zip(names, readings, strict=True))


def observe(
    gateway: Gateway, cluster: Cluster, services: Iterable[str], deadline: Deadline, clock: Clock
) -> Observation:
    """The cluster and these services as they are now.

    A service that cannot be looked at is ``unseen``, and hides no other.

    Raises ApiError, ObservationIncomplete where the cluster itself cannot be looked at.
    """
    names = sorted(set(services))
    seen_at = clock.now()

    def part(service: str | None) -> Any:
        if service is None:
            return gateway.cluster_status(cluster, deadline)
        try:
            return gateway.processes(cluster, service, deadline)
        except (ApiError, ObservationIncomplete) as error:
            return error

    status, *found = side_by_side(part, [None, *names])
    parts = dict(zip(names, found, strict=True))
    unseen = {name: part for name, part in parts.items() if isinstance(part, (ApiError, ObservationIncomplete))}
    return Observation(
        cluster.id, status, {name: part for name, part in parts.items() if name not in unseen}, seen_at, unseen
    )


def services_of(operation: Operation) -> set[str]:
    """The services that an operation's targets belong to."""
    return {key.partition("/")[0] for key in operation.before}


def verdict_of(operation: Operation, services: Mapping[str, tuple[Reading, ...]]) -> Verdict:
    """What these readings, by service, show of the operation."""
    return judge(operation.op_type, operation.before, read(services, operation.before))


def _is_at_rest(run: Run, operation: Operation) -> bool:
    """Whether the workflow of a stop has ended: its processes show stopped before that. Of other operations nobody asks."""
    if operation.op_type is not OpType.STOP_SERVICE:
        return True
    try:
        return run.gateway.cluster_status(run.cluster, run.deadline) == RUNNING
    except ApiError as error:
        run.log.warning("steward.verification.look_failed", operation=operation.id, problem=str(error))
        return False


def verify(run: Run, operation: Operation) -> Verdict | None:
    """Look until every process is seen to be as promised, or the deadline nears.

    Returns the last verdict, or None where no look succeeded.

    What is seen to be kept is settled as VERIFIED. A look that fails is no verdict on the cluster, and the next one may
    not.
    """
    verdict: Verdict | None = None
    for pause in chain(POLLS, repeat(POLLS[-1])):
        if run.deadline.remaining() < pause + SECONDS_TO_LOOK:
            break
        run.clock.sleep(pause)
        try:
            services = look(run.gateway, run.cluster, services_of(operation), run.deadline)
        except (ApiError, ObservationIncomplete) as error:
            run.log.warning("steward.verification.look_failed", operation=operation.id, problem=str(error))
            continue
        verdict = verdict_of(operation, services)
        if verdict.all_kept and not _is_at_rest(run, operation):
            verdict = verdict.while_at_work()
        run.log.info(
            "steward.verification",
            operation=operation.id,
            cluster=operation.cluster,
            verified=len(verdict.kept),
            of=verdict.total,
            seen=verdict.describe(operation.name_of),
        )
        if verdict.all_kept:
            try:
                verified = operation.moved(
                    State.VERIFIED, run.clock.now(), observed=verdict.describe(operation.name_of)
                )
                run.ledger.settle(verified, operation.state)
            except LedgerUnavailable as error:
                # Seen is seen; the follow-up will see it too.
                run.log.error("steward.ledger.settle_failed", operation=operation.id, problem=str(error))
            break
    return verdict
