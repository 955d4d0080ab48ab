"""Where the API is, and the key that signs a call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from handler.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        """The host of another product of the cloud, in the same network.

        A host that is not the cloud's own serves all products.
        """
        host = self.for_region(region)
        return f"{service}.{host[len('emr.') :]}" if self.is_the_clouds else host

    @property
    def is_the_clouds(self) -> bool:
        """Whether the cloud itself answers there, and no proxy, recording or fake."""
        return self.host.startswith("emr.") and self.host.endswith(".tencentcloudapi.com")

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read ``global``, ``regional``, ``international``, ``internal``, a host, or a URL.

        The URL must have no path.
        """
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
    """A key of the cloud's API.

    Its repr shows only whether there is a token, so that it is never printed.
    """

    secret_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(repr=False, default="")

    @property
    def kind(self) -> str:
        """``role`` for the temporary key of an execution role, ``key`` for a lasting one."""
        return "role" if self.token else "key"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Credentials:
        """Read the key from the environment: the function platform's names first, then the SDK's.

        Raises ConfigurationError where neither pair is complete.

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
