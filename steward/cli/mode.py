"""Whether a command may act on its target: the options ``--act`` and ``--mode``."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from handler.config.settings import Settings
from handler.model.policy import Mode
from steward.cli.context import is_private

MODES: Final = ("act", "observe")
ActOption = Annotated[
    bool, typer.Option("--act", help="Send requests to the API at STEWARD_EMR_ENDPOINT, too; without it, observe.")
]


def chosen_mode(settings: Settings, *, act: bool, mode: str | None = None) -> Mode:
    """Choose the mode for the target.

    Anything but the private fake cluster is only observed, unless ``--act`` is given. STEWARD_MODE applies where no option is given. Raises BadParameter for options that contradict each other.
    """
    if mode not in (None, *MODES):
        raise typer.BadParameter(f"{mode!r} is neither act nor observe", param_hint="--mode")
    if act and mode == "observe":
        raise typer.BadParameter("contradicts --mode observe; give one of them", param_hint="--act")
    if mode == "act" and not act and not is_private():
        raise typer.BadParameter("acts on the private fake cluster only; use --act", param_hint="--mode act")
    if act or mode == "act":
        return "act"
    if mode == "observe" or not is_private():
        return "observe"
    return settings.mode
