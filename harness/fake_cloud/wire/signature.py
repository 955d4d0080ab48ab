"""TC3-HMAC-SHA256, checked as the API checks it (API 3.0, Signature v3)."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.fake_cloud.errors import ApiError, missing_parameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.messages import Call

ALGORITHM: Final = "TC3-HMAC-SHA256"
#: A timestamp may be off by this much, either way.
TOLERANCE_SECONDS: Final = 300

_AUTHORIZATION: Final = re.compile(
    r"TC3-HMAC-SHA256 Credential=(?P<secret_id>[^/,\s]+)/(?P<date>\d{4}-\d{2}-\d{2})/(?P<service>[^/,\s]+)/tc3_request,\s*"
    r"SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class Caller:
    """Who signed, and for which service."""

    secret_id: str
    service: str


def claimed_secret_id(call: Call) -> str:
    """The secret id that a request names, verified or not; empty if it names none."""
    found = _AUTHORIZATION.fullmatch(call.header("authorization"))
    return found["secret_id"] if found else ""


def verify(call: Call, credentials: Mapping[str, tuple[str, str | None]], now: float) -> Caller:
    """Who signed ``call``. Raises an AuthFailure, or MissingParameter if there is no timestamp.

    ``credentials``: see :attr:`Cloud.credentials`; ``now``: seconds since the epoch.
    """
    claim = _AUTHORIZATION.fullmatch(call.header("authorization"))
    if not claim:
        raise ApiError("AuthFailure.InvalidAuthorization")
    timestamp = call.header("x-tc-timestamp")
    if not timestamp:
        raise missing_parameter("X-TC-Timestamp")
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise ApiError("AuthFailure.SignatureExpire")
    if claim["secret_id"] not in credentials:
        raise ApiError("AuthFailure.SecretIdNotFound")
    key, token = credentials[claim["secret_id"]]
    if claim["date"] != time.strftime("%Y-%m-%d", time.gmtime(int(timestamp))):
        raise ApiError(
            "AuthFailure.SignatureFailure", "The date in the credential's scope is not that of X-TC-Timestamp."
        )
    signed = claim["headers"].split(";")
    if not {"content-type", "host"} <= set(signed):
        raise ApiError("AuthFailure.SignatureFailure", "content-type and host must be signed.")
    scope = f"{claim['date']}/{claim['service']}/tc3_request"
    secret = _signing_key(key, claim["date"], claim["service"])
    if not any(
        hmac.compare_digest(_sign(secret, timestamp, scope, canonical), claim["signature"])
        for canonical in _canonical_requests(call, signed)
    ):
        raise ApiError("AuthFailure.SignatureFailure")
    if (token or "") != call.header("x-tc-token"):
        raise ApiError("AuthFailure.TokenFailure")
    return Caller(claim["secret_id"], claim["service"])


def _signing_key(key: str, date: str, service: str) -> bytes:
    secret = f"TC3{key}".encode()
    for part in (date, service, "tc3_request"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    return secret


def _sign(secret: bytes, timestamp: str, scope: str, canonical: str) -> str:
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.new(secret, f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}".encode(), hashlib.sha256).hexdigest()


def _canonical_requests(call: Call, signed: list[str]) -> Iterator[str]:
    """The request in each form that the known clients sign."""
    payload = call.header("x-tc-content-sha256")
    hashed = hashlib.sha256(payload.encode() if payload == "UNSIGNED-PAYLOAD" else call.body).hexdigest()
    for host in _hosts(call.header("host")):
        # The page wants values in lower case; the Python SDK signs them as they are.
        for lower in (False, True):
            headers = ""
            for name in signed:
                value = host if name == "host" else call.header(name)
                headers += f"{name}:{value.lower() if lower else value}\n"
            yield "\n".join((call.method, call.path, call.query, headers, ";".join(signed), hashed))


def _hosts(host: str) -> Iterator[str]:
    """The Host header, and what clients sign instead of it.

    The command line signs the whole endpoint that it was given, its scheme included; the Node SDK leaves the port out.
    """
    bare = host.removeprefix("http://").removeprefix("https://").rstrip("/")
    yield host
    yield f"http://{bare}"
    yield f"https://{bare}"
    yield bare.rpartition(":")[0] or bare
