"""Settings: what the environment says, read once and passed down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from handler.config.deployment import VARIABLES
from handler.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

Mode = Literal["act", "observe"]
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


#: The names that STEWARD_EMR_ENDPOINT may take instead of a host or a URL.
ENDPOINTS: Final = {
    "global": "emr.tencentcloudapi.com",
    "regional": "emr.{region}.tencentcloudapi.com",
    "international": "emr.intl.tencentcloudapi.com",
    "internal": "emr.internal.tencentcloudapi.com",  # inside a VPC (assumed)
}


@dataclass(frozen=True)
class Endpoint:
    """Where the EMR API is: ``host`` may hold ``{region}`` and a port."""

    scheme: Literal["https", "http"] = "https"
    host: str = ENDPOINTS["global"]

    def for_region(self, region: str) -> str:
        return self.host.replace("{region}", region)

    def of_service(self, service: str, region: str) -> str:
        """The host of another of the cloud's products, in the same network; a host that is not the cloud's own serves all."""
        host = self.for_region(region)
        return f"{service}.{host[len('emr.') :]}" if self.is_the_clouds else host

    @property
    def is_the_clouds(self) -> bool:
        """Whether the cloud itself answers there, and no proxy, recording or fake."""
        return self.host.startswith("emr.") and self.host.endswith(".tencentcloudapi.com")

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """``global``, ``regional``, ``international``, ``internal``, a host, or a whole URL without a path."""
        if text in ENDPOINTS:
            return cls("https", ENDPOINTS[text])
        scheme, found, host = text.partition("://")
        if not found:
            scheme, host = "https", text
        import re

        host = host.rstrip("/")
        named = re.fullmatch(r"((?:[A-Za-z0-9._-]|\{region\})+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?", host, re.ASCII)
        # A bare word is a misspelt name of those above, not a host that anybody calls.
        is_a_word = not found and re.fullmatch(r"[A-Za-z_-]+", host) and host != "localhost"
        if scheme not in ("https", "http") or not named or is_a_word or not 0 < int(named[2] or 443) < 65536:
            # A misspelt word is shown; anything more may hold a user and a password.
            is_harmless = re.fullmatch(r"[A-Za-z0-9._-]{1,60}", text, re.ASCII)
            raise ConfigurationError(
                f"{text!r} is not an endpoint" if is_harmless else "is not an endpoint",
                where="STEWARD_EMR_ENDPOINT",
                hint=f"one of {', '.join(ENDPOINTS)}, a host, or a URL such as http://127.0.0.1:18080",
            )
        return cls("http" if scheme == "http" else "https", host)


@dataclass(frozen=True)
class Credentials:
    """A key of the cloud's API. Never printed: its repr shows nothing but whether a token is there."""

    secret_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(repr=False, default="")

    @property
    def kind(self) -> str:
        """``role`` for the temporary key of an execution role, ``key`` for a lasting one."""
        return "role" if self.token else "key"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Credentials:
        """The function platform's names first, then the SDK's. Raises ConfigurationError where neither pair is whole.

        The platform rewrites its variables before every invocation (assumed), so this is called in each.
        """
        for names in (
            ("TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SESSIONTOKEN"),
            ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_TOKEN"),
        ):
            secret_id, secret_key, token = (env.get(name, "") for name in names)
            if secret_id and secret_key:
                return cls(secret_id, secret_key, token)
        raise ConfigurationError(
            "no credentials",
            where="environment",
            hint="give the function an execution role (`role` in serverless.yml), or set TENCENTCLOUD_SECRET_ID and "
            "TENCENTCLOUD_SECRET_KEY",
        )


@dataclass(frozen=True)
class Settings:
    """All that the environment decides. Variables are named STEWARD_…; of secrets only a Redis ledger's password is among them."""

    config: str = "steward.yml"
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
    """The packaged form where there is one, else the file that people write; both lie beside ``handler/``."""
    import os

    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    packaged = os.path.join(root, "steward.json")
    return packaged if os.path.exists(packaged) else os.path.join(root, "steward.yml")


def _default_ledger() -> str:
    return f"sqlite:///{temporary_folder()}/steward-ledger.db"


def temporary_folder() -> str:
    """Where files may be written that nobody keeps, as ``tempfile`` finds it, which takes 4 ms to import."""
    import os

    for folder in (os.environ.get("TMPDIR", ""), "/tmp"):  # noqa: S108 - the folder's name is all that is wanted
        if os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return os.path.abspath(folder)
    import tempfile

    return tempfile.gettempdir()
