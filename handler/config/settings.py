"""Settings: the environment variables, read once and passed down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handler.cloud.account import Endpoint
from handler.errors import ConfigurationError
from handler.lib.temporary_folder import temporary_folder
from handler.model.policy import LEVELS, Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Settings:
    """All settings that the environment decides.

    Variables are named STEWARD_…. The only secret among them is the password in a Redis ledger's URL.
    """

    config: str = "steward.json"
    endpoint: Endpoint = field(default_factory=Endpoint)
    mode: Mode = "act"
    log_level: str = "INFO"
    ledger: str = field(default="sqlite:///:memory:", repr=False)

    @property
    def ledger_password(self) -> str:
        """What no output may show of the ledger's URL; empty where it has none."""
        before_host, at, _ = self.ledger.partition("://")[2].rpartition("@")
        return before_host.partition(":")[2] if at else ""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Raises ConfigurationError naming the variable and what it may be."""
        for name, value in env.items():
            if name in VARIABLES and not value.strip():
                raise ConfigurationError("is set but empty", where=name, hint="give it a value or leave it out")
        mode = env.get("STEWARD_MODE", "act")
        if mode not in ("act", "observe"):
            raise ConfigurationError(f"{mode!r} is not a mode", where="STEWARD_MODE", hint="act or observe")
        level = env.get("STEWARD_LOG_LEVEL", "INFO").upper()
        if level not in LEVELS:
            raise ConfigurationError(f"{level!r} is not a level", where="STEWARD_LOG_LEVEL", hint=", ".join(LEVELS))
        return cls(
            config=env.get("STEWARD_CONFIG") or _default_config(),
            endpoint=Endpoint.parse(env.get("STEWARD_EMR_ENDPOINT", "global")),
            mode="observe" if mode == "observe" else "act",
            log_level=level,
            ledger=env.get("STEWARD_LEDGER") or _default_ledger(),
        )


def _default_config() -> str:
    """Where the package has it: beside ``handler/``."""
    import os

    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.path.join(root, "steward.json")


def _default_ledger() -> str:
    return f"sqlite:///{temporary_folder()}/steward-ledger.db"


PREFIX: Final = "STEWARD_"


#: Every variable of our own. steward.yml names further ones, for secrets.
VARIABLES: Final = (
    "STEWARD_CONFIG",
    "STEWARD_EB_ENDPOINT",
    "STEWARD_EMR_ENDPOINT",
    "STEWARD_LEDGER",
    "STEWARD_LOG_LEVEL",
    "STEWARD_MODE",
)


#: Seconds of a time limit below which no cluster could be looked at, called and written down before it is over.
MIN_TIME_LIMIT: Final = 2.0


#: Seconds of the time limit that are kept for writing down and answering.
RESERVE: Final = 0.5


def unknown_variables(env: Mapping[str, str], named: Iterable[str] = ()) -> dict[str, str]:
    """The variables that begin like ours and that nobody reads.

    Each has the nearest right name, or an empty text.

    ``named`` are those that steward.yml names.
    """
    known = {*VARIABLES, *named}
    strangers = sorted(name for name in env if name.upper().startswith(PREFIX) and name not in known)
    if not strangers:
        return {}
    from handler.lib.wording import nearest

    # What is set already was not meant; and what all have in common makes none of them near.
    unset = {name.removeprefix(PREFIX): name for name in sorted(known) if name not in env}
    return {name: unset.get(nearest(name[len(PREFIX) :], unset), "") for name in strangers}


def is_on_the_platform(env: Mapping[str, str]) -> bool:
    """Whether this is the function platform, by a variable that it sets."""
    return env.get("TENCENTCLOUD_RUNENV") == "SCF"


def require_lasting_ledger(settings: Settings, env: Mapping[str, str], *, is_single_instance: bool) -> None:
    """Refuse to act on the platform with a ledger that the next instance does not have.

    Each instance has a temporary folder of its own, and so would have a memory of its own: the same alert could
    restart a process once an instance. Raises ConfigurationError.
    """
    is_temporary = settings.ledger.startswith(("sqlite:////tmp/", f"sqlite:///{temporary_folder()}/"))
    if settings.mode == "act" and is_on_the_platform(env) and is_temporary and not is_single_instance:
        raise ConfigurationError(
            "is an SQLite file in the temporary folder of one instance, and another instance would act again",
            where="STEWARD_LEDGER",
            hint="name a Redis (rediss://…); or limit the function to one instance and write "
            "`ledger: {single_instance: true}` in steward.yml",
        )


def time_limit_problem(seconds: float, patience: float) -> str:
    """The problem of a function's time limit; empty where it is long enough.

    ``patience`` is that of :class:`Webhook`.
    """
    if seconds < MIN_TIME_LIMIT:
        return f"{seconds:g} s: too little to look at a cluster, send and write down, so nothing is ever done"
    if seconds < patience + RESERVE:
        return f"{seconds:g} s: less than HTTP senders are kept waiting ({patience:g} s) and {RESERVE:g} s to answer"
    return ""
