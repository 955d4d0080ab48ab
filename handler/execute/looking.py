"""Looking at a cluster: its status and some services, side by side, by a deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handler.errors import ApiError, NotCarriedOut, ObservationIncomplete
from handler.lib.threads import side_by_side
from handler.model.observation import UNSTATED, Observation
from handler.model.outcome import API_REFUSALS, OTHER_API_REFUSAL, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from handler.cloud.emr import Gateway
    from handler.ledger.cluster_record import ClusterRecord
    from handler.lib.clock import Clock, Deadline
    from handler.model.operation import State
    from handler.model.policy import Cluster
    from handler.model.timing import Timing


def observe(
    gateway: Gateway,
    cluster: Cluster,
    services: Iterable[str],
    deadline: Deadline,
    clock: Clock,
    *,
    hide: Callable[[str], str],
    with_status: bool = True,
) -> Observation:
    """The cluster and these services as they are now.

    ``with_status``: also what the cluster is at.

    A service that cannot be looked at is ``unseen``, and hides no other. ``hide`` takes the secrets out of the reason,
    which may be kept.

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

    status, *found = side_by_side(part, [None, *names]) if with_status else (UNSTATED, *side_by_side(part, names))
    parts = dict(zip(names, found, strict=True))
    unseen = {name: hide(str(part)) for name, part in parts.items() if isinstance(part, Exception)}
    return Observation(
        cluster.id, status, {name: part for name, part in parts.items() if name not in unseen}, seen_at, unseen
    )


def why_not(error: ApiError | ObservationIncomplete, hide: Callable[[str], str]) -> Outcome:
    """The outcome of what waits because nobody could look.

    It may be kept: ``hide`` takes the secrets out of it.
    """
    code = getattr(error, "code", "ObservationIncomplete")
    fix = "Check the EMR API, and the function's network and role (`steward doctor`)."
    if isinstance(error, NotCarriedOut):
        fix = API_REFUSALS.get(code.partition(".")[0], OTHER_API_REFUSAL).fix
    reason = hide(f"the cluster cannot be looked at: {error}")
    return Outcome.pending("look.failed", reason, fix=fix, guard="look", api_code=code)


def shows(seen: Observation, services: Collection[str], *, with_status: bool) -> bool:
    """Whether an earlier look has all that a decision needs."""
    return {*seen.services, *seen.unseen}.issuperset(services) and (seen.status != UNSTATED or not with_status)


def moves_of(record: ClusterRecord) -> frozenset[tuple[str, State]]:
    """The operations and their states.

    Where they are others than when a look began, it no longer shows the cluster.
    """
    return frozenset([(one.id, one.state) for one in record.operations.values()])


def is_old(seen: Observation, timing: Timing, now: float) -> bool:
    """Whether what was seen may no longer be so: its worker was held up."""
    return now - seen.seen_at > timing.look_age
