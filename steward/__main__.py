"""Entry point of the ``steward`` command, also as ``python -m steward``."""

from __future__ import annotations

import sys
from typing import Final

#: The packages that the extra ``cli`` installs and the function itself does without.
EXTRA: Final = frozenset({"click", "rich", "ruamel", "starlette", "typer", "uvicorn"})


def main() -> None:
    """Run the command, or name the extra that it needs."""
    try:
        from steward.cli.main import main as run_command

        run_command()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        sys.stderr.write(
            f'steward: the package {error.name} is missing; install the command\'s extra: pip install "emr-steward[cli]"\n'
        )
        sys.exit(2)
    except KeyboardInterrupt:  # while it is still being loaded
        sys.exit(130)


if __name__ == "__main__":
    main()
