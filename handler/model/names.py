"""What names a cluster, a process and a node: one meaning for whatever reads them, be it a file, an event, a request or the command line."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

#: EMR API, StartStopServiceOrMonitor: lower-case letters and digits; live ones have eight.
#: "emr-instance" is a word of CAM's resource names (qcs::emr:…:emr-instance/emr-4zvc5mul) and would pass for one.
CLUSTER_ID: Final = "emr-(?!instance(?![a-z0-9]))[a-z0-9]{8,32}"
#: What is said of a cluster's id that is none.
CLUSTER_ID_IS: Final = "emr- and eight or more lower-case letters and digits"
_BYTE: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4: Final = rf"{_BYTE}(?:\.{_BYTE}){{3}}"

_IS_CLUSTER_ID: Final = re.compile(CLUSTER_ID)
#: Services and components, as the API spells them: ``HDFS``, ``HiveServer2``, ``Impala-Daemon``.
_IS_PROCESS_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_IS_IPV4: Final = re.compile(IPV4)


@lru_cache(maxsize=512)
def is_cluster_id(text: str) -> bool:
    """Whether ``text`` is an EMR cluster's id."""
    return _IS_CLUSTER_ID.fullmatch(text) is not None


@lru_cache(maxsize=512)
def is_process_name(text: str) -> bool:
    """Whether ``text`` can be the name of a service or of a component."""
    return _IS_PROCESS_NAME.fullmatch(text) is not None


def address(text: str) -> str:
    """``text`` where it is an IP address and nothing else (version 6 in its shortest form), otherwise empty."""
    if _IS_IPV4.fullmatch(text):
        return text
    if text.count(":") < 2 or len(text) > 45 or "%" in text:  # a zone index names an interface of the sender's
        return ""
    import ipaddress

    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        return ""
