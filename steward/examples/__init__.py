"""The example configuration and sample events for ``steward demo`` and ``steward serve``.

A wheel carries copies of them in this folder (see setup.py). In a checkout they are at its root.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGED: Final = Path(__file__).resolve().parent
_ROOT: Final = _PACKAGED if (_PACKAGED / "steward.yml").exists() else _PACKAGED.parents[1]

#: The example configuration.
CONFIG: Final = _ROOT / "steward.yml"


def sample_event(name: str) -> Path:
    """The path of a sample event, such as ``alertmanager-datanode-down.json``."""
    return _ROOT / "events" / name
