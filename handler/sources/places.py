"""Where something happened: cluster ids and node addresses, found in what senders write."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_V4 = rf"{_BYTE}(?:\.{_BYTE}){{3}}"
_ADDRESS = re.compile(rf"({_V4})(?::[0-9]{{1,5}})?")
_WITHIN = re.compile(rf"(?<![0-9.]){_V4}(?!\.?[0-9])")
# EMR API, StartStopServiceOrMonitor: lower-case letters and digits; live ones have eight.
# "emr-instance" is a word of CAM's resource names (qcs::emr:…:emr-instance/emr-4zvc5mul) and would pass for one.
_CLUSTER = "emr-(?!instance(?![a-z0-9]))[a-z0-9]{8,32}"
_IS_CLUSTER = re.compile(_CLUSTER)
_CLUSTER_WITHIN = re.compile(rf"(?<![A-Za-z0-9_-]){_CLUSTER}(?![A-Za-z0-9_-])")
_PRIVATE = re.compile(r"10\.|192\.168\.|172\.(?:1[6-9]|2[0-9]|3[01])\.")
_MOST_SEARCHED = 1024  # characters of one value


def bare_address(text: str) -> str:
    """``text`` where it is an IP address and nothing else (version 6 in its shortest form), otherwise empty."""
    found = _ADDRESS.fullmatch(text)
    if found:
        return text if found.end(1) == len(text) else ""
    return _version_6(text) if ":" in text else ""


def address(text: str) -> str:
    """The IP address in ``172.16.0.5``, ``172.16.0.5:9100``, ``[fd00::5]:9100`` or ``http://172.16.0.5:9870/jmx``.

    Empty where ``text`` begins with none: a host's name is not resolved.
    """
    found = _ADDRESS.fullmatch(text)
    if found:
        return found[1]
    if len(text) > _MOST_SEARCHED:
        return ""
    host = text.partition("://")[2].partition("/")[0] if "://" in text else text
    if found := _ADDRESS.fullmatch(host):
        return found[1]
    if host.startswith("["):
        inner, bracket, port = host[1:].partition("]")
        is_port = not port or (port[0] == ":" and port[1:].isdigit())
        return _version_6(inner) if bracket and is_port else ""
    return _version_6(host)


@lru_cache(maxsize=512)
def cluster(text: str) -> str:
    """``text`` where it is an EMR cluster's id, otherwise empty."""
    return text if _IS_CLUSTER.fullmatch(text) else ""


def only_address(texts: Iterable[str]) -> str:
    """The one IPv4 address among ``texts``, or the one private address; empty where there are several, or none.

    EMR knows its nodes by their private addresses. A choice between two would be a guess at which node to restart.
    """
    found = {match for text in texts for match in _WITHIN.findall(text[:_MOST_SEARCHED])}
    if len(found) > 1:
        found = {match for match in found if _PRIVATE.match(match)}
    return found.pop() if len(found) == 1 else ""


def only_cluster(texts: Iterable[str]) -> str:
    """The one EMR cluster id among ``texts``; empty where there are several, or none."""
    found = {match for text in texts for match in _CLUSTER_WITHIN.findall(text[:_MOST_SEARCHED])}
    return found.pop() if len(found) == 1 else ""


def _version_6(text: str) -> str:
    if text.count(":") < 2 or len(text) > 45 or "%" in text:  # a zone index names an interface of the sender's
        return ""
    import ipaddress

    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        return ""
