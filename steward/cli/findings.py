"""The doctor's findings, as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from steward.cli.narration import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handler.doctor.findings import Finding

#: In the order in which they are printed.
COLOURS: Final = {"fail": "bold red", "warn": "yellow", "unknown": "cyan", "ok": "green"}


def show_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Print each finding with its fix, failures first, and the totals at the end."""
    for state, colour in COLOURS.items():
        for finding in findings:
            if finding.state != state:
                continue
            # Text, not markup: the API's words must not change the style.
            console.print(Text.assemble((f"{state:<11}", colour), f"{finding.name}: {finding.detail}"), soft_wrap=True)
            if finding.fix:
                say(console, f"{'':<11}→ {finding.fix}", "dim")
    counts = {state: sum(finding.state == state for finding in findings) for state in COLOURS}
    say(console, ", ".join(f"{count} {state}" for state, count in counts.items() if count))
