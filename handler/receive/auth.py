"""The door: who may call the function over HTTP.

A caller proves itself by basic or bearer credentials, whose secrets come from the environment. With no caller
configured every call is refused: an open door to a production cluster is never the default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handler.errors import Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from handler.model.policy import Caller


def authenticate(authorization: str, callers: Iterable[Caller], env: Mapping[str, str]) -> str:
    """The name of the caller whose credentials the ``Authorization`` header holds.

    Every caller is compared, each in constant time, so that the time taken tells nothing. Raises Unauthenticated.
    """
    import hashlib
    import hmac

    given = hashlib.sha256(_credentials(authorization)).digest()
    found = ""
    for caller in callers:
        expected = _expected(caller, env)
        # A caller whose secret is not set is compared too, with what nobody can give.
        known = hashlib.sha256(expected or b"").digest()
        if hmac.compare_digest(given, known) and expected:
            found = caller.name
    if not found:
        raise Unauthenticated("no valid credentials")
    return found


def secrets_of(callers: Iterable[Caller], env: Mapping[str, str]) -> list[str]:
    """The secrets that are set, for the log to hide."""
    return [secret for caller in callers if (secret := env.get(caller.secret_env, ""))]


def without_secret(callers: Iterable[Caller], env: Mapping[str, str]) -> list[str]:
    """``name (VARIABLE)`` of the callers that can never come in, since their secret is not set."""
    return [f"{caller.name} ({caller.secret_env})" for caller in callers if not env.get(caller.secret_env)]


def _credentials(authorization: str) -> bytes:
    """What the header says, as ``basic user:password`` or ``bearer token``."""
    scheme, _, rest = authorization.strip().partition(" ")
    scheme, rest = scheme.lower(), rest.strip()
    if scheme == "basic":
        import base64
        import binascii

        try:
            return b"basic " + base64.b64decode(rest.encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            return b"unreadable"
    if scheme == "bearer":
        return b"bearer " + rest.encode("utf-8", "surrogatepass")
    return b"unknown"


def _expected(caller: Caller, env: Mapping[str, str]) -> bytes:
    secret = env.get(caller.secret_env, "")
    if not secret:
        return b""
    if caller.user:
        return _bytes(f"basic {caller.user}:{secret}")
    return _bytes(f"bearer {secret}")


def _bytes(text: str) -> bytes:
    # The environment's bytes that are no UTF-8 arrive as lone surrogates; they are the bytes again.
    return text.encode("utf-8", "surrogateescape")
