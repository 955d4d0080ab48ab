"""The composition root: where settings, configuration, clock, gateway and ledger are wired, and nowhere else."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handler.cloud.client import CloudApi
from handler.cloud.credentials import AssumedRoles, Keys
from handler.cloud.emr import EmrGateway
from handler.config.deployment import RESERVE, time_limit_problem, unknown_variables
from handler.config.file import load
from handler.config.settings import Credentials, Settings
from handler.errors import ConfigurationError, LedgerUnavailable, NotAuthenticated
from handler.execute.follow_up import FollowUp
from handler.execute.pipeline import Pipeline
from handler.invocation import Invocation, asks_for_doctor
from handler.ledger.protocol import open_ledger
from handler.lib.clock import Deadline, SystemClock
from handler.receive import auth
from handler.receive.envelopes import HttpCall, Queue, open_envelope
from handler.receive.payload import read
from handler.report.alarms import Alarm, Alarms
from handler.report.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handler.cloud.emr import Gateway
    from handler.doctor.probes import Examination
    from handler.ledger.protocol import Ledger
    from handler.lib.clock import Clock
    from handler.model.policy import Config

#: Seconds: the platform's own default, where the context does not say.
DEFAULT_TIME_LIMIT: Final = 3.0


class Context(NamedTuple):
    """What the platform says of an invocation."""

    request_id: str
    #: Seconds that the invocation may take; None where it does not say.
    time_limit: float | None

    @property
    def seconds(self) -> float:
        """The time limit that counts."""
        return DEFAULT_TIME_LIMIT if self.time_limit is None else self.time_limit

    @classmethod
    def of(cls, raw: Any) -> Context:
        """Whatever the platform, or whoever calls, passes."""
        about = raw if isinstance(raw, dict) else {}
        limit = about.get("time_limit_in_ms")
        if not isinstance(limit, (int, float)) or isinstance(limit, bool) or not 0 <= limit < 1e9:
            limit = None
        return cls(str(about.get("request_id") or "")[:80], None if limit is None else limit / 1000)


class Function:
    """The function, wired: what one instance keeps between invocations, none of which correctness needs."""

    _instance: Function | None = None

    def __init__(
        self,
        settings: Settings,
        config: Config,
        *,
        env: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        ledger: Ledger | None = None,
        gateway: Gateway | None = None,
        transport: Callable[[], Any] | None = None,
        write: Callable[[str], Any] | None = None,
    ) -> None:
        self.settings = settings
        self.config = config
        self.ledger = ledger or open_ledger(settings.ledger)
        self._env = os.environ if env is None else env
        self._clock = clock or SystemClock()
        self._gateway = gateway
        self._transport = transport
        self._api = CloudApi(transport)
        self._write = write or to_stdout
        self._roles = AssumedRoles(self._clock)
        self._is_checked = False
        self._said: dict[str, float] = {}

    @classmethod
    def of_this_instance(cls) -> Function:
        """Made by the first invocation; a bad setting or configuration fails it, and every one after it, loudly."""
        if cls._instance is None:
            try:
                settings = Settings.from_env(os.environ)
                cls._instance = cls(settings, load(settings.config))
            except ConfigurationError as error:
                log = Log(to_stdout, SystemClock())
                log.error("steward.configuration", problem=str(error))
                # What no event gets past is a person's matter; where alarms go besides the log is not known here.
                log.error("steward.alarm", code="configuration", about=error.where, reason=str(error), count=1)
                raise
        return cls._instance

    def handle(self, raw: Any, context: Any) -> Any:
        """One invocation."""
        about = Context.of(context)
        log = Log(
            self._write,
            self._clock,
            level=self.settings.log_level,
            secrets=self._secrets(),
            base={"request_id": about.request_id},
        )
        invocation = Invocation(self, log, Deadline(self._clock, max(0.0, about.seconds - RESERVE)))
        self._check_once(log, about.time_limit)
        envelope = open_envelope(raw)
        if isinstance(envelope, HttpCall):
            return invocation.answer_call(envelope)
        if asks_for_doctor(raw):
            return invocation.examine(raw, about.seconds)
        events = envelope.read() if isinstance(envelope, Queue) else read(raw)
        return invocation.serve_events(events)

    # -- wiring for one invocation

    def pipeline(self, log: Log, owner: str) -> Pipeline:
        return Pipeline(
            config=self.config,
            gateway=self.gateway(log),
            ledger=self.ledger,
            clock=self._clock,
            log=log,
            mode=self.settings.mode,
            owner=owner,
        )

    def follow_up(self, log: Log, say: Callable[[Alarm], None]) -> FollowUp:
        return FollowUp(self.config, self.gateway(log), self.ledger, self._clock, log, say)

    def gateway(self, log: Log) -> Gateway:
        """The EMR API, with the credentials of this moment; ``log`` hides what is made of them."""
        if self._gateway is not None:
            return self._gateway

        def own() -> Credentials:
            try:
                return Credentials.from_env(self._env)
            except ConfigurationError as error:
                raise NotAuthenticated("NoCredentials", str(error)) from None

        endpoint = self.settings.endpoint
        keys = Keys(own, self._roles, self._api, endpoint, log.also_hide)
        return EmrGateway(self._api, endpoint, keys.for_cluster, keys.refused)

    def alarms(self) -> Alarms:
        try:
            credentials: Credentials | None = Credentials.from_env(self._env)
        except ConfigurationError:
            credentials = None
        return Alarms(
            self.config.alarms,
            self._env,
            ledger=self.ledger,
            api=self._api,
            credentials=credentials,
            clock=self._clock,
            said=self._said,
        )

    def examination(self, deadline: Deadline, time_limit: float) -> Examination:
        """The doctor, with this function's own settings, ledger and way to the API. ``time_limit`` in seconds."""
        from handler.doctor.probes import Examination, Setup

        setup = Setup(self._env, self.settings, self.config, self.ledger, self.settings.config)
        return Examination(
            setup,
            clock=self._clock,
            deadline=deadline,
            roles=self._roles,
            transport=self._transport,
            time_limit=time_limit,
            write=self._write,
        )

    def authenticate(self, call: HttpCall) -> str:
        return auth.authenticate(call.headers.get("authorization", ""), self.config.webhook.callers, self._env)

    @property
    def clock(self) -> Clock:
        return self._clock

    def _secrets(self) -> list[str]:
        secrets = [
            *auth.secrets_of(self.config.webhook.callers, self._env),
            *self._roles.secrets(),
            self.settings.ledger_password,
            *(url for chat in self.config.alarms.chat if (url := self._env.get(chat.url_env, ""))),
        ]
        try:
            known = Credentials.from_env(self._env)
        except ConfigurationError:
            return secrets
        # The id of a key is no secret, and an operator needs it in an error; the key and the token are.
        return [*secrets, known.secret_key, known.token]

    def _check_once(self, log: Log, time_limit: float | None) -> None:
        """At an instance's start: what a person should know, once. ``time_limit`` in seconds; None where it is not known."""
        if self._is_checked:
            return
        self._is_checked = True
        for variable, nearest in unknown_variables(self._env, self.config.variables).items():
            hint = f"did you mean {nearest}?" if nearest else "leave it out"
            log.warning("steward.settings.unknown", variable=variable, reason=f"nothing reads it; {hint}")
        if time_limit and (problem := time_limit_problem(time_limit, self.config.webhook.patience)):
            log.warning("steward.settings.time_limit", reason=problem, mend="raise `timeout` in serverless.yml")
        for caller in auth.without_secret(self.config.webhook.callers, self._env):
            log.warning("steward.door.no_secret", caller=caller, reason="its secret is not set: it can never come in")
        try:
            for warning in self.ledger.check():
                log.warning("steward.ledger.check", reason=warning)
        except LedgerUnavailable as error:
            log.error("steward.ledger.unavailable", problem=str(error))


def to_stdout(text: str) -> None:
    """Where the platform reads the log."""
    sys.stdout.write(text)
    sys.stdout.flush()
