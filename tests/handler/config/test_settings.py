"""Settings: what the environment may say, and what it is told where it may not."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.cloud.account import ENDPOINTS, Credentials, Endpoint
from handler.config.settings import VARIABLES, Settings, require_lasting_ledger, time_limit_problem, unknown_variables
from handler.errors import ConfigurationError
from handler.lib.temporary_folder import temporary_folder
from handler.model.policy import LEVELS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:abc",
        "http://127.0.0.1:",
        "http://127.0.0.1:99999",
        "127.0.0.1:0",
        "emr.example.com:1:2",
        "{zone}.example.com",
        "http://user@host",
        "http://host?x",
        "http://host#x",
        "http://",
        "",
        "/",
        " global",
        "globl",
        "host\nX-Header: y",
        "höst",
        "HTTP//host",
        "file:///etc/passwd",
    ],
)
def test_what_is_no_endpoint_stops_the_start(text: str) -> None:
    """Not at the first call, with an alert waiting: when it is read, naming the variable and what it may be."""
    with pytest.raises(ConfigurationError, match=r"STEWARD_EMR_ENDPOINT.*is not an endpoint.*a host, or a URL"):
        Endpoint.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://user:planted-secret@emr.example.com",
        "user:planted-secret@emr.example.com",
        "https://user:planted-secret",
        "https://emr.example.com/?key=planted-secret",
        "https://user:planted-secret%40emr.example.com",
    ],
)
def test_an_endpoint_with_a_password_is_refused_without_it(text: str) -> None:
    """No output repeats it: an exception of the start is logged by the platform too."""
    with pytest.raises(ConfigurationError, match="is not an endpoint") as raised:
        Endpoint.parse(text)
    assert "planted" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "scheme", "host"),
    [
        ("global", "https", "emr.tencentcloudapi.com"),
        ("regional", "https", "emr.ap-guangzhou.tencentcloudapi.com"),
        ("international", "https", "emr.intl.tencentcloudapi.com"),
        ("internal", "https", "emr.internal.tencentcloudapi.com"),
        ("emr.example.com", "https", "emr.example.com"),
        ("http://127.0.0.1:18080/", "http", "127.0.0.1:18080"),
        ("emr.example.com:8443", "https", "emr.example.com:8443"),
        ("https://emr.{region}.example.com/", "https", "emr.ap-guangzhou.example.com"),
        ("http://localhost:65535", "http", "localhost:65535"),
        ("http://[::1]:18080", "http", "[::1]:18080"),
    ],
)
def test_endpoints(text: str, scheme: str, host: str) -> None:
    """A word, a host, or a URL; a port, a region in the name, an IPv6 address."""
    endpoint = Endpoint.parse(text)
    assert (endpoint.scheme, endpoint.for_region("ap-guangzhou")) == (scheme, host)


@given(st.text() | st.builds("http://{}".format, st.text()))
def test_an_endpoint_is_one_or_is_refused(text: str) -> None:
    """No text breaks the reading."""
    try:
        endpoint = Endpoint.parse(text)
    except ConfigurationError:
        return
    assert endpoint.scheme in ("http", "https")
    assert endpoint.host.isascii()
    assert not set(endpoint.host) & set("/?#@ \\\r\n")


def test_without_an_environment_the_defaults_are_careful_ones() -> None:
    """The real API, acting, and the ledger that needs nothing."""
    settings = Settings.from_env({})
    assert (settings.endpoint.host, settings.endpoint.scheme) == (ENDPOINTS["global"], "https")
    assert (settings.mode, settings.log_level) == ("act", "INFO")
    assert settings.ledger.startswith("sqlite:////")
    assert Path(settings.config) == ROOT / "steward.json"


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"STEWARD_MODE": "Act"}, "STEWARD_MODE: 'Act' is not a mode (act or observe)"),
        ({"STEWARD_LOG_LEVEL": "TRACE"}, "STEWARD_LOG_LEVEL: 'TRACE' is not a level (DEBUG, INFO, WARNING, ERROR)"),
    ],
)
def test_a_word_that_is_none_is_named_with_those_that_are(env: dict[str, str], says: str) -> None:
    """A mode that is misspelt must not act."""
    with pytest.raises(ConfigurationError) as raised:
        Settings.from_env(env)
    assert str(raised.value) == says


def test_credentials_come_from_the_platform_first() -> None:
    """A whole pair of its names, then the SDK's; never printed."""
    sdk = {"TENCENTCLOUD_SECRET_ID": "id-b", "TENCENTCLOUD_SECRET_KEY": "key-b"}
    role = {"TENCENTCLOUD_SECRETID": "id-a", "TENCENTCLOUD_SECRETKEY": "key-a", "TENCENTCLOUD_SESSIONTOKEN": "token-a"}
    assert Credentials.from_env({**sdk, **role}).kind == "role"
    assert Credentials.from_env(sdk).kind == "key"
    assert "key-a" not in repr(Credentials.from_env(role))
    with pytest.raises(ConfigurationError, match="execution role"):
        Credentials.from_env({"TENCENTCLOUD_SECRETID": "only"})


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"STEWARD_MODE": "dry"}, "act or observe"),
        ({"STEWARD_LOG_LEVEL": "LOUD"}, "DEBUG"),
        ({"STEWARD_EMR_ENDPOINT": "ftp://x"}, "is not an endpoint"),
        ({"STEWARD_EMR_ENDPOINT": "http://h/path"}, "is not an endpoint"),
        ({"STEWARD_CONFIG": " "}, "set but empty"),
    ],
)
def test_a_wrong_setting_stops_the_start(env: dict[str, str], says: str) -> None:
    """Naming the variable and what it may be."""
    with pytest.raises(ConfigurationError, match=says) as raised:
        Settings.from_env(env)
    assert next(iter(env)) in str(raised.value)


def test_without_credentials_nothing_starts_to_call() -> None:
    """Neither pair is whole: said with the way to mend it."""
    with pytest.raises(ConfigurationError, match="execution role"):
        Credentials.from_env({"TENCENTCLOUD_SECRETKEY": "b", "TENCENTCLOUD_SECRET_ID": "a"})


@pytest.mark.parametrize("level", [*LEVELS, *map(str.lower, LEVELS)])
def test_levels_in_any_case(level: str) -> None:
    """A level is a word."""
    assert Settings.from_env({"STEWARD_LOG_LEVEL": level}).log_level == level.upper()


@pytest.mark.parametrize(
    ("env", "named", "unknown"),
    [
        ({}, (), {}),
        (dict.fromkeys(VARIABLES, "x"), (), {}),
        ({"STEWARD_MDOE": "observe"}, (), {"STEWARD_MDOE": "STEWARD_MODE"}),
        ({"STEWARD_LOGLEVEL": "DEBUG"}, (), {"STEWARD_LOGLEVEL": "STEWARD_LOG_LEVEL"}),
        ({"steward_mode": "observe"}, (), {"steward_mode": "STEWARD_MODE"}),
        ({"STEWARD_SECRET_TCOP": "x"}, ("STEWARD_SECRET_TCOP",), {}),
        ({"STEWARD_SECRET_TPOC": "x"}, ("STEWARD_SECRET_TCOP",), {"STEWARD_SECRET_TPOC": "STEWARD_SECRET_TCOP"}),
        # what is set already cannot have been meant
        ({"STEWARD_MODES": "x", "STEWARD_MODE": "act"}, (), {"STEWARD_MODES": ""}),
        ({"STEWARD_COLOUR_OF_THE_SKY": "x"}, (), {"STEWARD_COLOUR_OF_THE_SKY": ""}),
        ({"TENCENTCLOUD_REGION": "x", "STEWARDSHIP": "x"}, (), {}),
    ],
)
def test_a_misspelt_variable_is_told_with_the_nearest_right_name(
    env: dict[str, str], named: tuple[str, ...], unknown: dict[str, str]
) -> None:
    """STEWARD_MDOE=observe would act; what steward.yml names is known."""
    assert unknown_variables(env, named) == unknown


@pytest.mark.parametrize(
    ("seconds", "patience", "says"),
    [
        (1.0, 1.0, "nothing is ever done"),
        (3.0, 4.0, "HTTP senders are kept waiting (4 s)"),
        (3.0, 2.5, ""),
        (60.0, 25.0, ""),
    ],
)
def test_a_time_limit_that_is_too_small_is_told(seconds: float, patience: float, says: str) -> None:
    """The platform's default of three seconds is less than the door's patience."""
    problem = time_limit_problem(seconds, patience)
    assert says in problem
    assert bool(problem) == bool(says)


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("value", ["", " "])
def test_a_variable_that_is_set_but_empty_is_a_mistake(name: str, value: str) -> None:
    """An unset secret in a deployment's template looks so; it is not taken for the default."""
    with pytest.raises(ConfigurationError, match=f"{name}: is set but empty"):
        Settings.from_env({name: value})


def test_what_is_said_is_taken() -> None:
    """Every setting by its variable, and nothing from another's."""
    settings = Settings.from_env(
        {
            "STEWARD_CONFIG": "/etc/steward.json",
            "STEWARD_EMR_ENDPOINT": "http://127.0.0.1:18080",
            "STEWARD_MODE": "observe",
            "STEWARD_LEDGER": "sqlite:////var/steward.db",
            "STEWARD_SECRET_TCOP": "",
        }
    )
    assert settings == Settings(
        "/etc/steward.json", Endpoint("http", "127.0.0.1:18080"), "observe", "INFO", "sqlite:////var/steward.db"
    )


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (
            {"TENCENTCLOUD_SECRETID": "a", "TENCENTCLOUD_SECRETKEY": "b", "TENCENTCLOUD_SESSIONTOKEN": "c"},
            ("a", "b", "c"),
        ),
        ({"TENCENTCLOUD_SECRET_ID": "a", "TENCENTCLOUD_SECRET_KEY": "b", "TENCENTCLOUD_TOKEN": "c"}, ("a", "b", "c")),
        # half a pair is none, and its token belongs to nobody else
        (
            {
                "TENCENTCLOUD_SECRETID": "x",
                "TENCENTCLOUD_SESSIONTOKEN": "y",
                "TENCENTCLOUD_SECRET_ID": "a",
                "TENCENTCLOUD_SECRET_KEY": "b",
            },
            ("a", "b", ""),
        ),
        # the token of the SDK's names does not go with the role's key
        ({"TENCENTCLOUD_SECRETID": "a", "TENCENTCLOUD_SECRETKEY": "b", "TENCENTCLOUD_TOKEN": "y"}, ("a", "b", "")),
    ],
)
def test_credentials_are_never_mixed(env: dict[str, str], expected: tuple[str, str, str]) -> None:
    """Key, id and token come from one set of names."""
    found = Credentials.from_env(env)
    assert (found.secret_id, found.secret_key, found.token) == expected
    assert repr(found) == f"{found}" == "Credentials()"
    assert found.kind == ("role" if expected[2] else "key")


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("redis://:hunter2-x@cache:6379/0", "hunter2-x"),
        ("rediss://user:p:w@x@cache/0", "p:w@x"),
        ("redis://cache/0", ""),
        ("sqlite:////tmp/a@b.db", ""),
    ],
)
def test_a_ledgers_password_is_known_as_a_secret(url: str, password: str) -> None:
    """It is hidden in every line, and the settings do not show it themselves."""
    settings = Settings.from_env({"STEWARD_LEDGER": url})
    assert settings.ledger_password == password
    assert url not in repr(settings)


def test_the_temporary_folder_is_the_one_that_python_finds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Found without importing what finds it, with and without the variable that names it, and where that names nothing."""
    for named in (str(tmp_path), str(tmp_path / "missing"), ""):
        monkeypatch.setenv("TMPDIR", named)
        monkeypatch.setattr(tempfile, "tempdir", None)
        assert temporary_folder() == tempfile.gettempdir()


@pytest.mark.parametrize(
    ("ledger", "mode", "platform", "single", "is_refused"),
    [
        ("", "act", "SCF", False, True),  # the default is a file in the temporary folder
        ("sqlite:////tmp/steward-ledger.db", "act", "SCF", False, True),
        ("sqlite:////tmp/steward-ledger.db", "act", "SCF", True, False),
        ("sqlite:////tmp/steward-ledger.db", "observe", "SCF", False, False),
        ("sqlite:////tmp/steward-ledger.db", "act", "", False, False),  # a laptop's temporary folder is its own
        ("sqlite:////mnt/shared/steward-ledger.db", "act", "SCF", False, False),
        ("rediss://:password@10.0.0.1:6379/0", "act", "SCF", False, False),
    ],
)
def test_the_function_acts_only_with_a_ledger_that_its_next_instance_has(
    ledger: str, mode: str, platform: str, single: bool, is_refused: bool
) -> None:
    """Each instance has a temporary folder of its own, so the same alert would restart a process in each."""
    env = {"STEWARD_MODE": mode, **({"STEWARD_LEDGER": ledger} if ledger else {})}
    settings = Settings.from_env(env)
    platform_env = {"TENCENTCLOUD_RUNENV": platform}
    if not is_refused:
        require_lasting_ledger(settings, platform_env, is_single_instance=single)
        return
    with pytest.raises(ConfigurationError, match="another instance would act again") as raised:
        require_lasting_ledger(settings, platform_env, is_single_instance=single)
    assert raised.value.where == "STEWARD_LEDGER"
    assert "single_instance: true" in raised.value.hint
