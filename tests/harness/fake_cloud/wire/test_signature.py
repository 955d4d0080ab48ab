"""The fake cloud checks TC3-HMAC-SHA256 as the API does."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.common.sign import Sign

from harness.fake_cloud.wire.signature import Caller, claimed_secret_id, verify
from harness.messages import Call
from tests.harness.calls import refused

NOW = 1_748_833_200
KEYS: dict[str, tuple[str, str | None]] = {
    "AKIDpermanent": ("key-one", None),
    "AKIDtemporary": ("key-two", "token-two"),
}


def signed(
    secret_id: str = "AKIDpermanent",  # noqa: S107 - a planted one
    key: str = "key-one",
    *,
    host: str = "emr.tencentcloudapi.com",
    sent_host: str | None = None,
    signed_headers: str = "content-type;host",
    timestamp: int = NOW,
    date: str | None = None,
    service: str = "emr",
    body: bytes = b'{"InstanceId": "emr-4zvc5mul"}',
    query: str = "",
    extra: dict[str, str] | None = None,
) -> Call:
    """A call signed with the SDK's own code; ``host`` is signed and ``sent_host`` sent."""
    headers = {"content-type": "application/json", "host": host, "x-tc-timestamp": str(timestamp), **(extra or {})}
    date = date or time.strftime("%Y-%m-%d", time.gmtime(timestamp))
    lines = "".join(f"{name}:{headers[name].lower()}\n" for name in signed_headers.split(";"))
    payload = hashlib.sha256(body).hexdigest()
    canonical = hashlib.sha256(f"POST\n/\n{query}\n{lines}\n{signed_headers}\n{payload}".encode()).hexdigest()
    text = f"TC3-HMAC-SHA256\n{timestamp}\n{date}/{service}/tc3_request\n{canonical}"
    headers["authorization"] = (
        f"TC3-HMAC-SHA256 Credential={secret_id}/{date}/{service}/tc3_request, SignedHeaders={signed_headers}, "
        f"Signature={Sign.sign_tc3(key, date, service, text)}"
    )
    headers["host"] = host if sent_host is None else sent_host
    return Call("POST", "/", query, headers, body)


def test_the_published_known_answer_is_accepted() -> None:
    """The documentation's example request (Signature v3), with its key, time and signature."""
    call = Call.received(
        "POST",
        "/",
        {
            "Host": "cvm.tencentcloudapi.com",
            "Content-Type": "application/json; charset=utf-8",
            "X-TC-Timestamp": "1551113065",
            "Authorization": "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
            "SignedHeaders=content-type;host, "
            "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
        },
        rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}',
    )
    keys: dict[str, tuple[str, str | None]] = {
        "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE": ("Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", None)
    }
    assert verify(call, keys, 1_551_113_065) == Caller("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "cvm")
    with refused("AuthFailure.SignatureFailure"):
        verify(replace(call, body=call.body + b" "), keys, 1_551_113_065)


@pytest.mark.parametrize(
    "call",
    [
        signed(),
        signed(timestamp=NOW - 300),
        signed(timestamp=NOW + 300),
        signed("AKIDtemporary", "key-two", extra={"x-tc-token": "token-two"}),
        signed(signed_headers="content-type;host;x-tc-action", extra={"x-tc-action": "DescribeInstances"}),
        signed(host="127.0.0.1:18080"),
        signed(host="http://127.0.0.1:18080"),
        signed(host="http://127.0.0.1:18080", sent_host="127.0.0.1:18080"),
        signed(host="127.0.0.1", sent_host="127.0.0.1:18080", service="127"),
    ],
    ids=[
        "as the SDK",
        "five minutes behind",
        "five minutes ahead",
        "temporary key",
        "more headers signed",
        "with a port",
        "the command line's Host",
        "the command line's Host behind a proxy that rewrites it",
        "the Node SDK's Host",
    ],
)
def test_what_the_known_clients_sign_is_accepted(call: Call) -> None:
    """Each client's way to sign a request is understood."""
    assert verify(call, KEYS, NOW).secret_id == claimed_secret_id(call)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (signed(key="another"), "AuthFailure.SignatureFailure"),
        (signed("AKIDunknown"), "AuthFailure.SecretIdNotFound"),
        (signed(timestamp=NOW - 301), "AuthFailure.SignatureExpire"),
        (signed(timestamp=NOW + 301), "AuthFailure.SignatureExpire"),
        (signed(date="2025-06-01"), "AuthFailure.SignatureFailure"),
        (signed(sent_host="emr.example.com"), "AuthFailure.SignatureFailure"),
        (signed(signed_headers="content-type"), "AuthFailure.SignatureFailure"),
        (signed(signed_headers="host"), "AuthFailure.SignatureFailure"),
        (signed("AKIDtemporary", "key-two"), "AuthFailure.TokenFailure"),
        (signed("AKIDtemporary", "key-two", extra={"x-tc-token": "token-one"}), "AuthFailure.TokenFailure"),
        (signed(extra={"x-tc-token": "token-two"}), "AuthFailure.TokenFailure"),
        (replace(signed(), headers={"host": "emr.tencentcloudapi.com"}), "AuthFailure.InvalidAuthorization"),
    ],
    ids=[
        "wrong key",
        "unknown key",
        "too old",
        "too new",
        "another day's scope",
        "another host",
        "host not signed",
        "content type not signed",
        "token missing",
        "wrong token",
        "token for a permanent key",
        "no authorization",
    ],
)
def test_what_is_wrongly_signed_is_refused_with_its_code(call: Call, code: str) -> None:
    """Each mistake has the code that the API gives it."""
    with refused(code):
        verify(call, KEYS, NOW)


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("x-tc-timestamp", "", "MissingParameter"),
        ("x-tc-timestamp", "now", "AuthFailure.SignatureExpire"),
        ("x-tc-timestamp", "١٧٤٨٨٣٣٢٠٠", "AuthFailure.SignatureExpire"),
        ("x-tc-timestamp", str(NOW + 1), "AuthFailure.SignatureFailure"),
        ("content-type", "text/plain", "AuthFailure.SignatureFailure"),
        ("authorization", "Basic dXNlcjpwYXNz", "AuthFailure.InvalidAuthorization"),
        ("authorization", "", "AuthFailure.InvalidAuthorization"),
    ],
)
def test_a_header_changed_on_the_way_is_refused(header: str, value: str, code: str) -> None:
    """What the signature covers cannot be exchanged."""
    call = signed()
    with refused(code):
        verify(replace(call, headers={**call.headers, header: value}), KEYS, NOW)


@given(
    body=st.binary(max_size=60),
    query=st.text("ab=&", max_size=6),
    change=st.sampled_from(["body", "query", "path", "method"]),
)
def test_no_changed_request_passes(body: bytes, query: str, change: str) -> None:
    """Whatever is signed passes as it is, and no longer once any part of it is changed."""
    call = signed(body=body, query=query)
    assert verify(call, KEYS, NOW) == Caller("AKIDpermanent", "emr")
    changes: dict[str, Any] = {"body": body + b"x", "query": query + "c", "path": "/v3", "method": "PUT"}
    with refused("AuthFailure.SignatureFailure"):
        verify(replace(call, **{change: changes[change]}), KEYS, NOW)
