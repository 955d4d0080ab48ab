"""The exit codes of the command, as docs/commands.md and ``steward --help`` show them."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130

EXIT_CODES: Final = {
    OK: "success; an event that was skipped, or is pending without an alarm, is a success",
    FAILED: "`run`: an event was refused, failed, expired or is in doubt, an alarm was raised, or the sender should "
    "repeat an event; or a check of the doctor fails. `follow-up`: something failed, was refused, expired or is in "
    "doubt, or a cluster cannot be read or is not in the configuration. `explain`: the "
    "file holds no readable event, or the id is not in the ledger. `release`: the process is not in quarantine. "
    "`doctor`: a check fails. `demo`: an operation was not verified",
    USAGE: "wrong usage, settings or configuration (`check`: any error in it), or a ledger that does not exist or cannot "
    "be read",
    INTERRUPTED: "interrupted",
}
