"""Finds cluster ids and node addresses in the texts that senders write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from handler.model import names

if TYPE_CHECKING:
    from collections.abc import Iterable

_ADDRESS = re.compile(rf"({names.IPV4})(?::[0-9]{{1,5}})?")
_WITHIN = re.compile(rf"(?<![0-9.]){names.IPV4}(?!\.?[0-9])")
_CLUSTER_WITHIN = re.compile(rf"(?<![A-Za-z0-9_-]){names.CLUSTER_ID}(?![A-Za-z0-9_-])")
_PRIVATE = re.compile(r"10\.|192\.168\.|172\.(?:1[6-9]|2[0-9]|3[01])\.")
_MAX_SEARCHED = 1024  # characters of one value


def address(text: str) -> str:
    """The IP address of a host, with or without a port, or of a URL.

    Examples: ``172.16.0.5``, ``172.16.0.5:9100``, ``[fd00::5]:9100``, ``http://172.16.0.5:9870/jmx``.
    Empty where the host is not an IP address: host names are not resolved.
    """
    found = _ADDRESS.fullmatch(text)
    if found:
        return found[1]
    if len(text) > _MAX_SEARCHED:
        return ""
    host = text.partition("://")[2].partition("/")[0] if "://" in text else text
    if found := _ADDRESS.fullmatch(host):
        return found[1]
    if host.startswith("["):
        inner, bracket, port = host[1:].partition("]")
        is_port = not port or (port[0] == ":" and port[1:].isdigit())
        return names.address(inner) if bracket and is_port else ""
    return names.address(host)


def cluster(text: str) -> str:
    """``text`` where it is the id of an EMR cluster, otherwise empty."""
    return text if names.is_cluster_id(text) else ""


def only_address(texts: Iterable[str]) -> str:
    """The only IPv4 address in ``texts``, or the only private one where there are several.

    EMR knows its nodes by their private addresses. The result is empty where more than one address remains: a choice
    would be a guess at which node to restart.
    """
    found = {match for text in texts for match in _WITHIN.findall(text[:_MAX_SEARCHED])}
    if len(found) > 1:
        found = {match for match in found if _PRIVATE.match(match)}
    return found.pop() if len(found) == 1 else ""


def only_cluster(texts: Iterable[str]) -> str:
    """The only EMR cluster id in ``texts``; empty where there is none, or more than one."""
    found = {match for text in texts for match in _CLUSTER_WITHIN.findall(text[:_MAX_SEARCHED])}
    return found.pop() if len(found) == 1 else ""
