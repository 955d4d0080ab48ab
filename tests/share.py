"""How much of the long tests is run: all of it by ``make exhaustive``, a share of it in CI."""

from __future__ import annotations

import os
from typing import Final

#: From 0 to 1.
SHARE: Final = float(os.environ.get("STEWARD_TEST_SHARE", "1"))
