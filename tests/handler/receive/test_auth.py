"""Webhook authentication: who is accepted, who is refused, and that the timing reveals nothing."""

from __future__ import annotations

import base64
import contextlib
import hmac
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import Unauthenticated
from handler.model.policy import Caller
from handler.receive.auth import authenticate, callers_without_secret, secrets_of

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

TCOP = Caller("tcop", "SECRET_TCOP", user="tcop")
ALERTMANAGER = Caller("alertmanager", "SECRET_ALERTMANAGER")
UNSET = Caller("grafana", "SECRET_GRAFANA")
EMPTY = Caller("deploy", "SECRET_DEPLOY", user="deploy")
CALLERS = (TCOP, ALERTMANAGER, UNSET, EMPTY)
ENV = {"SECRET_TCOP": "pass:word ü", "SECRET_ALERTMANAGER": "token-of-alertmanager", "SECRET_DEPLOY": ""}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "name"),
    [
        (basic("tcop", "pass:word ü"), "tcop"),
        (basic("tcop", "pass:word ü").replace("Basic", "bAsIc"), "tcop"),
        ("Bearer token-of-alertmanager", "alertmanager"),
        ("  bearer   token-of-alertmanager  ", "alertmanager"),
    ],
)
def test_a_caller_with_its_secret_is_accepted(authorization: str, name: str) -> None:
    """Basic and bearer credentials work in any case, and a password may hold a colon and any character."""
    assert authenticate(authorization, CALLERS, ENV).name == name


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        " ",
        "Basic",
        "Basic ",
        "Bearer",
        "Bearer ",
        "Bearer \ud800",
        "Basic \ud800",
        "Basic not-base64!",
        "Basic Zm9v",  # no colon
        basic("tcop", "wrong"),
        basic("tcop", ""),
        basic("Tcop", "pass:word ü"),
        basic("alertmanager", "token-of-alertmanager"),
        basic("", "token-of-alertmanager"),
        basic("deploy", ""),  # its secret is empty
        basic("grafana", ""),
        "Bearer pass:word ü",
        "Bearer tcop:pass:word ü",
        "Bearer token-of-alertmanager2",
        "Bearer TOKEN-OF-ALERTMANAGER",
        "token-of-alertmanager",
        "Digest token-of-alertmanager",
        "Bearer token-of-alertmanager, Bearer x",
    ],
)
def test_anybody_else_is_refused(authorization: str) -> None:
    """Credentials that are wrong, missing, unreadable or another caller's are refused with the same text."""
    with pytest.raises(Unauthenticated, match=r"^no valid credentials$"):
        authenticate(authorization, CALLERS, ENV)


@given(st.text())
def test_no_header_breaks_the_authentication(authorization: str) -> None:
    """Any other header is refused, whatever it holds."""
    for scheme in ("", "Basic ", "Bearer "):
        with pytest.raises(Unauthenticated):
            authenticate(scheme + authorization, CALLERS, ENV)


def test_without_callers_everybody_is_refused() -> None:
    """Webhooks are off until a caller is configured."""
    with pytest.raises(Unauthenticated):
        authenticate("Bearer token-of-alertmanager", (), ENV)


def test_a_secret_that_is_not_utf_8_is_compared_by_its_bytes() -> None:
    """The environment may hold any bytes: such a secret works for its caller and does not break the others."""
    env = {**ENV, "SECRET_TCOP": b"caf\xe9-latin-1".decode("utf-8", "surrogateescape")}
    assert authenticate("Bearer token-of-alertmanager", CALLERS, env).name == "alertmanager"
    given_bytes = base64.b64encode(b"tcop:caf\xe9-latin-1").decode()
    assert authenticate(f"Basic {given_bytes}", CALLERS, env).name == "tcop"


@pytest.mark.parametrize(
    "authorization", ["", "Bearer wrong", basic("tcop", "pass:word ü"), "Bearer token-of-alertmanager"]
)
def test_every_caller_is_compared_in_constant_time(mocker: MockerFixture, authorization: str) -> None:
    """Every configured caller is compared, whether the first one matches or none, by digests of equal length."""
    compare = mocker.spy(hmac, "compare_digest")
    with contextlib.suppress(Unauthenticated):
        authenticate(authorization, CALLERS, ENV)
    assert compare.call_count == len(CALLERS)
    assert {len(part) for call in compare.call_args_list for part in call.args} == {32}


def test_secrets_to_redact_and_callers_without_one() -> None:
    """Secrets that are set are listed for redaction; callers without one are named with their variable."""
    assert secrets_of(CALLERS, ENV) == ["pass:word ü", "token-of-alertmanager"]
    assert callers_without_secret(CALLERS, ENV) == ["grafana (SECRET_GRAFANA)", "deploy (SECRET_DEPLOY)"]
