"""The formats of cluster ids, service and component names, and node addresses.

The configuration, events, requests and the command line all check them here, so that each has one meaning.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

#: EMR API, StartStopServiceOrMonitor: lower-case letters and digits. The ids of live clusters have eight.
#: "emr-instance" is excluded: it is part of CAM resource names (qcs::emr:…:emr-instance/emr-4zvc5mul), not an id.
CLUSTER_ID: Final = "emr-(?!instance(?![a-z0-9]))[a-z0-9]{8,32}"
#: The format of a cluster id, for messages.
CLUSTER_ID_FORMAT: Final = "emr- followed by 8 to 32 lower-case letters or digits"
_BYTE: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4: Final = rf"{_BYTE}(?:\.{_BYTE}){{3}}"

_IS_CLUSTER_ID: Final = re.compile(CLUSTER_ID)
#: Services and components, as the API spells them: ``HDFS``, ``HiveServer2``, ``Impala-Daemon``.
_IS_PROCESS_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_IS_IPV4: Final = re.compile(IPV4)


@lru_cache(maxsize=512)
def is_cluster_id(text: str) -> bool:
    """Whether ``text`` is the id of an EMR cluster."""
    return _IS_CLUSTER_ID.fullmatch(text) is not None


@lru_cache(maxsize=512)
def is_process_name(text: str) -> bool:
    """Whether ``text`` can be the name of a service or a component."""
    return _IS_PROCESS_NAME.fullmatch(text) is not None


def address(text: str) -> str:
    """``text`` as an IP address, or an empty string where it is not one.

    An IPv6 address is returned in its shortest form.
    """
    if _IS_IPV4.fullmatch(text):
        return text
    if text.count(":") < 2 or len(text) > 45 or "%" in text:  # a zone index (%eth0) names an interface of the sender
        return ""
    import ipaddress

    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        return ""
