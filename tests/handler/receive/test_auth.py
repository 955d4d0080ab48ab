"""The door: who comes in, who does not, and that the time taken tells nothing."""

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
from handler.receive.auth import authenticate, secrets_of, without_secret

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
def test_a_caller_with_its_secret_comes_in(authorization: str, name: str) -> None:
    """Basic and bearer, the scheme in any case, a password with a colon and beyond ASCII."""
    assert authenticate(authorization, CALLERS, ENV) == name


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
def test_nobody_else_does(authorization: str) -> None:
    """Wrong, missing, unreadable or another's credentials; and the refusal does not say which."""
    with pytest.raises(Unauthenticated, match=r"^no valid credentials$"):
        authenticate(authorization, CALLERS, ENV)


@given(st.text())
def test_no_header_breaks_the_door(authorization: str) -> None:
    """Whatever stands in the header is a refusal."""
    for scheme in ("", "Basic ", "Bearer "):
        with pytest.raises(Unauthenticated):
            authenticate(scheme + authorization, CALLERS, ENV)


def test_a_door_without_callers_is_shut() -> None:
    """With nobody configured everybody is refused."""
    with pytest.raises(Unauthenticated):
        authenticate("Bearer token-of-alertmanager", (), ENV)


def test_a_secret_that_is_no_utf_8_is_compared_by_its_bytes() -> None:
    """The environment hands on any bytes: such a secret opens for whoever has it, and breaks nothing for the others."""
    env = {**ENV, "SECRET_TCOP": b"caf\xe9-latin-1".decode("utf-8", "surrogateescape")}
    assert authenticate("Bearer token-of-alertmanager", CALLERS, env) == "alertmanager"
    given_bytes = base64.b64encode(b"tcop:caf\xe9-latin-1").decode()
    assert authenticate(f"Basic {given_bytes}", CALLERS, env) == "tcop"


@pytest.mark.parametrize(
    "authorization", ["", "Bearer wrong", basic("tcop", "pass:word ü"), "Bearer token-of-alertmanager"]
)
def test_every_caller_is_compared_in_constant_time(mocker: MockerFixture, authorization: str) -> None:
    """Whoever calls, found first or not at all, each configured caller is compared, digests of one length with each other."""
    compare = mocker.spy(hmac, "compare_digest")
    with contextlib.suppress(Unauthenticated):
        authenticate(authorization, CALLERS, ENV)
    assert compare.call_count == len(CALLERS)
    assert {len(part) for call in compare.call_args_list for part in call.args} == {32}


def test_what_the_log_must_hide_and_should_say() -> None:
    """The secrets that are set; and by name and variable, never by value, the callers that have none."""
    assert secrets_of(CALLERS, ENV) == ["pass:word ü", "token-of-alertmanager"]
    assert without_secret(CALLERS, ENV) == ["grafana (SECRET_GRAFANA)", "deploy (SECRET_DEPLOY)"]
