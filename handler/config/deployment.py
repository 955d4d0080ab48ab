"""What can be seen to be wrong with how the function is deployed: variables that nobody reads, a time limit that is too short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX: Final = "STEWARD_"
#: Every variable of our own. steward.yml names further ones, for secrets.
VARIABLES: Final = (
    "STEWARD_CONFIG",
    "STEWARD_EB_ENDPOINT",
    "STEWARD_EMR_ENDPOINT",
    "STEWARD_LEDGER",
    "STEWARD_LOG_LEVEL",
    "STEWARD_MODE",
)
#: Seconds of a time limit below which no cluster could be looked at, called and written down before it is over.
LEAST_TIME_LIMIT: Final = 2.0
#: Seconds of the time limit that are kept for writing down and answering.
RESERVE: Final = 0.5


def unknown_variables(env: Mapping[str, str], named: Iterable[str] = ()) -> dict[str, str]:
    """The variables that look like ours and that nobody reads, each with the nearest right name, or with nothing.

    ``named`` are those that steward.yml names.
    """
    known = {*VARIABLES, *named}
    strangers = sorted(name for name in env if name.upper().startswith(PREFIX) and name not in known)
    if not strangers:
        return {}
    from handler.lib.nearest import nearest

    # What is set already was not meant; and what all have in common makes none of them near.
    unset = {name.removeprefix(PREFIX): name for name in sorted(known) if name not in env}
    return {name: unset.get(nearest(name[len(PREFIX) :], unset), "") for name in strangers}


def time_limit_problem(seconds: float, patience: float) -> str:
    """What is wrong with a function's time limit; nothing where it is long enough. ``patience``: see ``Webhook``."""
    if seconds < LEAST_TIME_LIMIT:
        return f"{seconds:g} s: too little to look at a cluster, send and write down, so nothing is ever done"
    if seconds < patience + RESERVE:
        return f"{seconds:g} s: less than HTTP senders are kept waiting ({patience:g} s) and {RESERVE:g} s to answer"
    return ""
