"""The numbers by which the API shows the state of a process and of a cluster.

Sources: DescribeServiceNodeInfos and DescribeInstances (EMR API 2019-01-03), and the console's pages on the health of
roles. What no page documents is marked as assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# ServiceStatus: what was last requested, even if it failed
STARTED, STOPPED = 1, 2

# MonitorStatus: whether EMR's own daemon watches the process
WATCHED, MAINTENANCE = 1, 2

# HealthStatus.Code: what the port probe sees
GOOD, UNAVAILABLE, UNKNOWN, AT_RISK, NOT_PROBED = 1, 0, -2, -3, -4

#: HealthStatus.Text by code: in Chinese, and in English for a caller whose X-TC-Language is en-US.
HEALTH_TEXT: Final[Mapping[int, tuple[str, str]]] = {
    GOOD: ("良好", "Good"),
    UNAVAILABLE: ("不可用", "Unavailable"),
    UNKNOWN: ("未知", "Unknown"),
    AT_RISK: ("存在隐患", "At risk"),
    NOT_PROBED: ("未探测", "Not detected"),
}

# Status of a cluster: 2 is running, other numbers are a workflow, a failure, or the end of its life
RUNNING: Final = 2
BEING_CREATED: Final = 3
CREATION_FAILED: Final = 301
#: The creation or scaling failed. That operations on it fail with FailedOperation is assumed.
FAILED: Final = frozenset({CREATION_FAILED, 302})
#: Being destroyed, or destroyed. That such a cluster is not found is assumed.
GOING: Final = frozenset({14, 19, 20, 21, 23, 33, 34})

#: Status while an operation runs, by OpType. (StopMonitor *enters* maintenance, 进入维护; StartMonitor *leaves* it, 退出维护.)
STATUS_DURING: Final[Mapping[str, int]] = {
    "RestartService": 8,
    "StopMonitor": 9,
    "StopService": 10,
    "StartMonitor": 11,
    "StartService": 12,
}

STATUS_TEXT: Final[Mapping[int, str]] = {
    2: "集群运行中",
    8: "重启服务中",
    9: "进入维护中",
    10: "服务暂停中",
    11: "退出维护中",
    12: "退出暂停中",
}
