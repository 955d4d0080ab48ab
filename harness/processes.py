"""Processes that share nothing but what each of them would import first, and so are there at once."""

from __future__ import annotations

import multiprocessing
from typing import Final

PROCESSES: Final = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "harness.needs",
        "harness.command",
        "harness.command.surroundings",
        "harness.cloud.server",
        "harness.narration",
        "harness.world",
        "handler.function",
        "tencentcloud.common.common_client",
        "redis",
    ]
)
