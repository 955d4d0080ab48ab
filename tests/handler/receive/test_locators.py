"""Cluster ids and addresses are found in the texts of senders, and never guessed."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.receive.locators import address, cluster, only_address, only_cluster


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("172.16.0.5", "172.16.0.5"),
        ("172.16.0.5:9100", "172.16.0.5"),
        ("http://172.16.0.5:9870/jmx?a=b", "172.16.0.5"),
        ("http://[fd00::5]:9870/", "fd00::5"),
        ("[fd00::5]:9100", "fd00::5"),
        ("[fd00::5]", "fd00::5"),
        ("FD00:0:0:0:0:0:0:5", "fd00::5"),
        ("::1", "::1"),
        ("172.16.0.256", ""),
        ("172.16.0", ""),
        ("172.16.0.05", ""),
        ("172.16.0.5.7", ""),
        ("172.16.0.5:123456", ""),
        ("172.16.0.5 ", ""),
        ("１72.16.0.5", ""),
        ("dn-5.example:9100", ""),
        ("[fd00::5]x", ""),
        ("[fd00::5", ""),
        ("fe80::1%eth0", ""),
        ("12:34", ""),
        ("", ""),
        ("x" * 5000 + "://172.16.0.5", ""),
    ],
)
def test_an_address_is_read_without_its_port(text: str, found: str) -> None:
    """Exporters write addresses with ports and in URLs; a host name is not an address."""
    assert address(text) == found


@given(st.ip_addresses())
def test_every_address_is_recognised(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """IPv4 and IPv6 addresses are recognised as the standard library writes them."""
    assert address(f"[{ip}]:1" if ip.version == 6 else f"{ip}:1") == str(ip)


@given(st.text(st.sampled_from("0123456789.:[]%/ -ax"), max_size=24))
def test_only_addresses_are_addresses(text: str) -> None:
    """Whatever is found is an address for the standard library too."""
    for found in (address(text), only_address([text])):
        if found:
            assert str(ipaddress.ip_address(found)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("emr-4zvc5mul", "emr-4zvc5mul"),
        ("emr-instance", ""),
        ("", ""),
    ],
)
def test_a_cluster_is_recognised_by_its_format(text: str, found: str) -> None:
    """A part of a CAM resource name and an empty text are not cluster ids."""
    assert cluster(text) == found


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["emr-4zvc5mul#172.16.0.5#HDFS"], "172.16.0.5"),
        (["172.16.0.5", "node 172.16.0.5 is down"], "172.16.0.5"),
        (["118.89.233.99"], "118.89.233.99"),
        (["172.21.0.17", "118.89.233.99"], "172.21.0.17"),
        (["172.16.0.5", "172.16.0.6"], ""),
        (["172.15.0.5", "118.89.233.99"], ""),
        (["version 1.2.3.4.5"], ""),
        (["x"], ""),
        ([], ""),
    ],
)
def test_only_a_single_address_is_taken(texts: list[str], found: str) -> None:
    """Of two private addresses neither is chosen; a private one is preferred to public ones."""
    assert only_address(texts) == found


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["emr-4zvc5mul#172.16.0.5"], "emr-4zvc5mul"),
        (["emr-4zvc5mul", "a emr-4zvc5mul b"], "emr-4zvc5mul"),
        (["emr-4zvc5mul", "emr-8kd2m1qp"], ""),
        (["my-emr-4zvc5mul"], ""),
        (["qcs::emr:ap-guangzhou:uin/1:emr-instance/emr-4zvc5mul"], "emr-4zvc5mul"),
        (["emr-4zvc5mul-x"], ""),
        (["x" * 2000 + " emr-4zvc5mul"], ""),
    ],
)
def test_only_a_single_cluster_is_taken(texts: list[str], found: str) -> None:
    """Of two clusters neither is chosen."""
    assert only_cluster(texts) == found
