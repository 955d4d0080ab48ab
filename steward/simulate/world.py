"""The function wired to a cloud: a private fake one, or that of the settings."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from handler.app import Function
from handler.cloud.account import Endpoint
from handler.config.settings import Settings
from handler.errors import InvalidInput
from handler.ledger.ledger import Ledger, open_ledger
from handler.lib.clock import Clock, SystemClock
from handler.model.event import Event, Unreadable
from handler.model.scope import Target
from handler.receive.envelopes import HttpCall, open_envelope
from handler.receive.payload import read
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.demo_clusters import demo_cloud
from steward.simulate.platform import RETRIES, Invocation, invoke, restamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handler.config.config import Config
    from harness.fake_cloud.adapter import CloudAdapter


@dataclass
class Wired:
    """The function wired to a cloud, with its environment and its log lines."""

    function: Function
    clock: Clock
    env: dict[str, str]
    lines: list[dict[str, Any]] = field(default_factory=list)

    def deliver(
        self, event: Any, *, fresh: bool = True, time_limit_ms: int = 30_000, retries: int = RETRIES
    ) -> Invocation:
        """Deliver an event as the platform would; ``fresh``: as if it had just happened.

        An HTTP call gets the credentials of the first caller with a token that may send it.
        """
        if fresh:
            event = restamp(event, self.clock.now())
        return invoke(self.function, self._signed(event), self.clock, time_limit_ms=time_limit_ms, retries=retries)

    def outcomes(self) -> list[dict[str, Any]]:
        """The outcome lines so far."""
        return [line for line in self.lines if line["event"] == "steward.outcome"]

    def _signed(self, event: Any) -> Any:
        if not isinstance(open_envelope(event), HttpCall) or not self.function.config.webhook.callers:
            return event
        bearers = [one for one in self.function.config.webhook.callers if not one.user]
        sent = {one.source for one in received_of(event)}
        bearer = next((one for one in bearers if sent <= one.grant.sources), next(iter(bearers), None))
        # A sample's own credentials are not known here.
        headers = {
            name: value for name, value in dict(event.get("headers") or {}).items() if name.lower() != "authorization"
        }
        if bearer is not None:
            headers["authorization"] = f"Bearer {self.env[bearer.secret_env]}"
        return {**event, "headers": headers}


@dataclass(kw_only=True)
class World(Wired):
    """The function wired to a fake cloud, whose state tests can set and read."""

    cloud: Cloud

    def requests(self) -> int:
        """The number of operations that the cloud performed."""
        return len(self.cloud.operations)

    def kill_what_fires(self, event: Any, known: set[str] | None = None) -> list[str]:
        """Kill the processes that the firing alerts of ``event`` name: their names.

        An alert whose id is in ``known`` is ignored; the ids of the others are added. A process that a rule restarts
        ``even_if_healthy`` is not killed: such an alert is about a process that runs.
        """
        killed = []
        known = set() if known is None else known
        for alert in events_of(event):
            if alert.status != "firing" or not (alert.component and alert.ip) or alert.id in known:
                continue
            known.add(alert.id)
            view = alert.view()
            if any(rule.even_if_healthy and rule.matches(view) for rule in self.function.config.rules):
                continue
            try:
                process = self.cloud.process(alert.cluster, alert.component, alert.ip)
            except KeyError:
                continue  # no such process: the function reports it
            process.kill()
            killed.append(str(Target(process.service, process.component, process.ip)))
        return list(dict.fromkeys(killed))


def events_of(event: Any) -> list[Event]:
    """The readable events of a payload in any envelope."""
    return [one for one in received_of(event) if isinstance(one, Event)]


def received_of(event: Any) -> list[Event | Unreadable]:
    """The events of a payload in any envelope, as the function reads them.

    A body that cannot be read is one Unreadable.
    """
    envelope = open_envelope(event)
    try:
        payload = envelope.payload() if isinstance(envelope, HttpCall) else event
    except InvalidInput as error:
        return [Unreadable("the HTTP call", "unknown", error)]
    return read(payload)


def real_world(
    config: Config,
    *,
    settings: Settings,
    ledger: Ledger,
    env: Mapping[str, str],
    on_line: Callable[[dict[str, Any]], None] | None = None,
) -> Wired:
    """Wire the function to the endpoint of ``settings``, with the credentials of ``env``."""
    clock, lines = SystemClock(), _Lines(on_line)
    full_env = {**_caller_secrets(config), **env}
    function = Function(settings, config, env=full_env, clock=clock, ledger=ledger, write=lines.write)
    return Wired(function, clock, full_env, lines.rows)


def private_world(
    config: Config,
    *,
    settings: Settings | None = None,
    clock: Clock | None = None,
    cloud: Cloud | None = None,
    ledger: Ledger | None = None,
    endpoint: str = "",
    env: Mapping[str, str] | None = None,
    on_line: Callable[[dict[str, Any]], None] | None = None,
) -> World:
    """Wire the function to the demo clusters, or to ``cloud``, with the real SDK.

    Requests go to the fake at ``endpoint`` over sockets, or in process if there is none.
    """
    clock, lines = clock or SystemClock(), _Lines(on_line)
    cloud = cloud or demo_cloud(clock, transition_seconds=1.0)
    for cluster in config.clusters.values():
        if cluster.id not in {one.id for one in cloud.clusters()}:
            cloud.add_cluster(cluster.id, _like_the_demo(cloud), name=cluster.name, region=cluster.region)
    fake_credentials = {"TENCENTCLOUD_SECRET_ID": SECRET_ID, "TENCENTCLOUD_SECRET_KEY": SECRET_KEY}
    full_env = {**_caller_secrets(config), **(env or {}), **fake_credentials}
    settings = settings or Settings(log_level="DEBUG")
    function = Function(
        replace(settings, endpoint=Endpoint.parse(endpoint)) if endpoint else settings,
        config,
        env=full_env,
        clock=clock,
        ledger=ledger or open_ledger("sqlite:///:memory:"),
        transport=None if endpoint else lambda: in_process(cloud),
        write=lines.write,
    )
    return World(function, clock, full_env, lines.rows, cloud=cloud)


def _caller_secrets(config: Config) -> dict[str, str]:
    """A secret for each caller, for use where the environment has none."""
    return {one.secret_env: secrets.token_urlsafe(24) for one in config.webhook.callers}


class _Lines:
    """The function's log lines, kept as ``rows`` and passed on as they are written."""

    def __init__(self, on_line: Callable[[dict[str, Any]], None] | None) -> None:
        self.rows: list[dict[str, Any]] = []
        self._on_line = on_line

    def write(self, text: str) -> None:
        for line in text.splitlines():
            row = json.loads(line)
            self.rows.append(row)
            if self._on_line is not None:
                self._on_line(row)


def in_process(cloud: Cloud) -> CloudAdapter:
    """A transport from the function to ``cloud``.

    It records when a request is sent, as the function's own transport does.
    """
    from handler.lib.in_flight import note_sent
    from harness.fake_cloud.adapter import CloudAdapter  # imports requests

    return CloudAdapter(cloud, on_send=note_sent)


def _like_the_demo(cloud: Cloud) -> dict[str, dict[str, list[str]]]:
    services: dict[str, dict[str, list[str]]] = {}
    for process in cloud.clusters()[0].processes():
        services.setdefault(process.service, {}).setdefault(process.component, []).append(process.ip)
    return services
