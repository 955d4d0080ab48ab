"""Webhook authentication: who may call the function over HTTP.

A caller proves its identity with basic or bearer credentials. Their secrets come from environment variables. Without
any configured caller every call is refused: by default nobody can reach a production cluster over HTTP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handler.errors import ConfigurationError, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from handler.model.policy import Caller

#: Characters that a secret has at least, so that it cannot be guessed.
MIN_SECRET: Final = 16


def authenticate(authorization: str, callers: Iterable[Caller], env: Mapping[str, str]) -> Caller:
    """The caller whose credentials are in the ``Authorization`` header.

    The credentials are compared with those of every caller, each time in constant time, so that the duration reveals
    nothing. Raises Unauthenticated.
    """
    import hashlib
    import hmac

    given = hashlib.sha256(_credentials(authorization)).digest()
    found: Caller | None = None
    for caller in callers:
        expected = _expected(caller, env)
        # A caller without a secret is compared too, so that the number of comparisons is always the same.
        expected_digest = hashlib.sha256(expected or b"").digest()
        if hmac.compare_digest(given, expected_digest) and expected:
            found = caller
    if found is None:
        raise Unauthenticated("no valid credentials")
    return found


def secrets_of(callers: Iterable[Caller], env: Mapping[str, str]) -> list[str]:
    """The secrets that are set, which the log has to redact."""
    return [secret for caller in callers if (secret := env.get(caller.secret_env, ""))]


def callers_without_secret(callers: Iterable[Caller], env: Mapping[str, str]) -> list[str]:
    """``name (VARIABLE)`` of each caller whose secret is not set, so that it is always refused."""
    return [f"{caller.name} ({caller.secret_env})" for caller in callers if not env.get(caller.secret_env)]


def weak_secrets(callers: Iterable[Caller], env: Mapping[str, str]) -> list[ConfigurationError]:
    """What is wrong with the secrets that are set: too short, or the same for two callers."""
    found: list[ConfigurationError] = []
    owners: dict[str, str] = {}
    for caller in callers:
        secret = env.get(caller.secret_env, "")
        if secret and len(secret) < MIN_SECRET:
            problem = f"the secret of {caller.name} has less than {MIN_SECRET} characters"
            found.append(ConfigurationError(problem, where=caller.secret_env, hint="openssl rand -base64 24"))
        elif secret and owners.setdefault(secret, caller.name) != caller.name:
            # One could call as the other, with the other's grant.
            problem = f"the secret of {caller.name} is that of {owners[secret]}, too"
            found.append(ConfigurationError(problem, where=caller.secret_env, hint="each caller needs one of its own"))
    return found


def _credentials(authorization: str) -> bytes:
    """The header's credentials as ``basic user:password`` or ``bearer token``."""
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
    # Bytes of the environment that are not UTF-8 arrive as lone surrogates. This restores the original bytes.
    return text.encode("utf-8", "surrogateescape")
