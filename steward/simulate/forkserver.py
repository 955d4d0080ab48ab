"""Processes that start quickly, since they are forked from one that has done the imports."""

from __future__ import annotations

import multiprocessing
from typing import Final

#: What the server imports once, for all processes that it forks.
PRELOADED: Final = (
    "steward.chaos.workload",
    "steward.cli.main",
    "steward.cli.context",
    "harness.fake_cloud.server",
    "steward.cli.narration",
    "steward.simulate.world",
    "handler.app",
    "tencentcloud.common.common_client",
    "tencentcloud.emr.v20190103.models",
    "redis",
)
PROCESSES: Final = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(list(PRELOADED))
