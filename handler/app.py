"""The function: its entry, its wiring, and the exit contract of one invocation.

``Function`` wires settings, configuration, clock, gateway and ledger, here and nowhere else. ``Invocation`` serves one
event of the platform. HTTP calls are always answered. Timers and asynchronous events return their result, and raise
only where nothing could be written down: the platform then delivers them again (two more times, a minute apart).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from handler.cloud.account import Credentials
from handler.cloud.client import CloudApi
from handler.cloud.credentials import AssumedRoles, Keys
from handler.cloud.emr import EmrGateway
from handler.config.loader import load
from handler.config.settings import (
    RESERVE,
    Settings,
    is_on_the_platform,
    require_lasting_ledger,
    time_limit_problem,
    unknown_variables,
)
from handler.decide import grants
from handler.errors import ConfigurationError, InvalidInput, LedgerUnavailable, NotAuthenticated, Unauthenticated
from handler.execute.follow_up import MESSAGE as FOLLOW_UP
from handler.execute.follow_up import FollowUp
from handler.execute.pipeline import Pipeline, Served
from handler.execute.saying import say
from handler.ledger.ledger import open_ledger
from handler.lib.clock import Deadline, SystemClock
from handler.model.outcome import Record
from handler.receive import auth
from handler.receive.envelopes import Context, HttpCall, is_doctor_request, open_envelope
from handler.receive.payload import read, response_fields
from handler.report import history, responses
from handler.report.alarms import Alarms
from handler.report.log import Log, event_fields, outcome_of
from handler.report.outcome_alarms import alarms_of, follow_up_missing, ledger_unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from handler.cloud.emr import Gateway
    from handler.config.config import Config
    from handler.doctor.probes import Examination
    from handler.execute.context import Run
    from handler.ledger.ledger import Ledger
    from handler.ledger.store import Line
    from handler.lib.clock import Clock
    from handler.model.alarm import Alarm
    from handler.model.event import Event, Unreadable
    from handler.model.policy import Caller


def main_handler(event: Any, context: Any) -> Any:
    """The entry that the platform calls (``index.main_handler``).

    ``event`` and ``context`` are dicts there; here they may be anything.

    Raises ConfigurationError where the function cannot start, and LedgerUnavailable where nothing could be written
    down, for events that are not HTTP: the platform delivers them again.
    """
    try:
        function = Function.of_this_instance()
    except ConfigurationError:
        if isinstance(open_envelope(event), HttpCall):
            # The caller cannot be authenticated without the configuration, so the answer says nothing about it.
            return responses.problem(500, "the function cannot start; its log says why")
        if not is_doctor_request(event):
            raise
        from handler.doctor.probes import examine_broken_function

        return examine_broken_function(event, Context.of(context).seconds, os.environ, to_stdout)
    return function.handle(event, context)


class Function:
    """The function, wired, as one instance keeps it between invocations.

    Correctness needs none of what it keeps.
    """

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
        self._is_checked = self._is_warned = False
        self._raised: dict[str, float] = {}
        self._asked_for_follow_up = float("-inf")

    @classmethod
    def of_this_instance(cls) -> Function:
        """The instance's function, made by its first invocation.

        A bad setting or configuration fails that invocation, and every one after it.
        """
        if cls._instance is None:
            try:
                settings = Settings.from_env(os.environ)
                config = load(settings.config)
                require_lasting_ledger(settings, os.environ, is_single_instance=config.is_single_instance)
                if weak := auth.weak_secrets(config.webhook.callers, os.environ):
                    raise weak[0]
                cls._instance = cls(settings, config)
            except ConfigurationError as error:
                log = Log(to_stdout, SystemClock())
                log.error("steward.configuration", problem=str(error))
                # Nothing works until a person corrects it. The alarm channels are not known here, only the log is.
                fix = "Correct it and deploy again; `steward check` lists every problem of steward.yml."
                log.error("steward.alarm", code="configuration", about=error.where, reason=str(error), fix=fix, count=1)
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
        self._warn_of_secrets_once(log)
        envelope = open_envelope(raw)
        if isinstance(envelope, HttpCall):
            return invocation.answer_call(envelope, about.time_limit)
        self.check_once(log, about.time_limit)
        if is_doctor_request(raw):
            return invocation.examine(raw, about.seconds)
        return invocation.serve_events(read(raw))

    # -- wiring for one invocation

    def pipeline(self, log: Log, owner: str) -> Pipeline:
        return Pipeline(*self._collaborators(log, owner))

    def follow_up(self, log: Log, owner: str) -> FollowUp:
        return FollowUp(*self._collaborators(log, owner))

    def _collaborators(self, log: Log, owner: str) -> tuple[Any, ...]:
        return (self.config, self.gateway(log), self.ledger, self._clock, log, self.settings.mode, owner)

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
            names={cluster.id: cluster.name for cluster in self.config.clusters.values()},
            raised=self._raised,
        )

    def examination(self, deadline: Deadline, time_limit: float) -> Examination:
        """The doctor, with this function's own settings, ledger and connection to the API.

        ``time_limit`` is in seconds.
        """
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

    def missing_follow_up(self) -> list[Alarm]:
        """The alarm that no follow-up comes, if so. It is asked once a minute."""
        now = self._clock.now()
        if not is_on_the_platform(self._env) or now - self._asked_for_follow_up < 60:
            return []
        self._asked_for_follow_up = now
        try:
            missed = self.ledger.change_alarms(lambda record: record.misses_follow_up(now))
        except LedgerUnavailable:
            return []
        return [] if missed is None else [follow_up_missing(missed)]

    def authenticate(self, call: HttpCall) -> Caller:
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

    def _warn_of_secrets_once(self, log: Log) -> None:
        """At an instance's start, log which callers are always refused."""
        callers = () if self._is_warned else auth.callers_without_secret(self.config.webhook.callers, self._env)
        self._is_warned = True
        for caller in callers:
            reason = "its secret is not set, so it is always refused"
            log.warning("steward.auth.no_secret", caller=caller, reason=reason)

    def check_once(self, log: Log, time_limit: float | None) -> None:
        """At an instance's start, log once what a person should know.

        ``time_limit`` in seconds; None where it is not known.
        """
        if self._is_checked:
            return
        self._is_checked = True
        for variable, nearest in unknown_variables(self._env, self.config.variables).items():
            hint = f"did you mean {nearest}?" if nearest else "leave it out"
            log.warning("steward.settings.unknown", variable=variable, reason=f"nothing reads it; {hint}")
        if time_limit and (problem := time_limit_problem(time_limit, self.config.webhook.patience)):
            log.warning("steward.settings.time_limit", reason=problem, fix="raise `timeout` in serverless.yml")
        try:
            for warning in self.ledger.check():
                log.warning("steward.ledger.check", reason=warning)
        except LedgerUnavailable as error:
            log.error("steward.ledger.unavailable", problem=str(error))


class Invocation:
    """One event of the platform: its time, its log, its answer."""

    def __init__(self, function: Function, log: Log, deadline: Deadline) -> None:
        self._function = function
        self._log = log
        self._deadline = deadline

    # -- HTTP

    def answer_call(self, call: HttpCall, time_limit: float | None) -> dict[str, Any]:
        """Authenticate the caller, read the body, act on it and answer.

        The answer holds no secret, whatever the sender wrote. Raises nothing.
        """
        response = self._response(call, time_limit)
        return {**response, "body": self._log.hide(response["body"])}

    def _response(self, call: HttpCall, time_limit: float | None) -> dict[str, Any]:
        self._deadline = self._deadline.sooner(self._function.config.webhook.patience)
        try:
            caller = self._function.authenticate(call)
        except Unauthenticated as error:
            self._log.warning("steward.auth.refused", remote=call.remote, path=self._log.hide(call.path)[:200])
            return responses.unauthenticated(str(error))
        self._function.check_once(self._log, time_limit)  # a call that is refused opens no ledger
        self._log = self._log.with_fields(caller=caller.name)
        if call.method != "POST":
            return responses.problem(405, "only POST is supported", headers={"Allow": "POST"})
        try:
            payload = call.payload()
        except InvalidInput as error:
            self._log.warning("steward.input.refused", problem=str(error), bytes=call.size)
            return responses.problem(413 if call.is_too_large else 400, "the body cannot be read", errors=error.errors)
        if is_doctor_request(payload):
            # Whoever may call over HTTP need not learn what the role may do.
            refused = grants.refusal("the doctor, which answers to an invocation of the function only")
            self._say([], [grants.alarm(caller, refused)], [])
            return responses.problem(403, refused.reason)
        events = read(payload, call.idempotency_key, caller=caller.name)
        served = self._serve(events, caller)
        if unusable := responses.unusable(events, served.records):
            return unusable
        return responses.answer(served.records, is_direct=events[0].source == "request", extra=response_fields(payload))

    # -- the doctor

    def examine(self, raw: Mapping[str, Any], time_limit: float) -> dict[str, Any]:
        """What is well with this function and what is not. ``time_limit`` in seconds."""
        from handler.doctor.probes import report

        examination = self._function.examination(self._deadline, time_limit)
        return report(examination.findings(send_test_alarm=bool(raw.get("send_test_alarm"))), self._log)

    # -- everything else

    def serve_events(self, events: Sequence[Event | Unreadable]) -> dict[str, Any]:
        """Act on events that did not come over HTTP, and return what became of them.

        Raises LedgerUnavailable where nothing could be written down.
        """
        if all(_is_follow_up(event) for event in events):
            return self._follow_up()
        served = self._serve(events)
        if again := [record.outcome for record in served.records if record.outcome.retryable]:
            reason = self._log.hide(again[0].reason)
            raise LedgerUnavailable(f"{len(again)} of {len(served.records)} events: {reason}")
        return responses.summary(served.records, self._log.hide)

    def _follow_up(self) -> dict[str, Any]:
        function, alarms = self._function, self._function.alarms()
        try:
            done = function.follow_up(self._log, _owner()).run(self._deadline)
        except LedgerUnavailable as error:
            self._log.error("steward.ledger.unavailable", problem=str(error))
            alarms.notify(alarms.of([ledger_unavailable(str(error))]), self._log, self._deadline)
            return {"follow_up": "the ledger cannot be used"}
        self._say(done.runs, done.alarms, [])
        alarms.send_unsent(self._log, self._deadline)
        return {"follow_up": done.counts}

    # -- both

    def _serve(self, events: Sequence[Event | Unreadable], caller: Caller | None = None) -> Served:
        """Outcomes, their log lines, their alarms and their place in the ledger."""
        function = self._function
        for event in events if self._log.is_debug else ():
            self._log.debug("steward.event", **event_fields(event))
        try:
            served = function.pipeline(self._log, _owner()).serve(events, self._deadline, caller)
        except Exception as error:
            served = self._failed(events, error)
        texts = self._log.outcomes(served.records, mode=function.settings.mode)
        alarms = [*served.alarms, *alarms_of(served.decided)]
        if any(record.outcome.is_open for record in served.records):
            alarms += function.missing_follow_up()
        self._say(served.runs, alarms, history.lines_of(served.records, texts))
        return served

    def _say(self, runs: Sequence[Run], alarms: Sequence[Alarm], lines: list[Line]) -> None:
        kept, channels = self._function.ledger, self._function.alarms
        say(runs, alarms, lines, ledger=kept, channels=channels, log=self._log, deadline=self._deadline)

    def _failed(self, events: Sequence[Event | Unreadable], error: Exception) -> Served:
        outcome = outcome_of(error, self._log)
        now = self._function.clock.now()
        records = [Record(now, event.id, event.source, event.name, event.cluster, outcome) for event in events]
        return Served(records, records)


def to_stdout(text: str) -> None:
    """Where the platform reads the log."""
    sys.stdout.write(text)
    sys.stdout.flush()


def _owner() -> str:
    return os.urandom(8).hex()


def _is_follow_up(event: Event | Unreadable) -> bool:
    return event.source == "timer" and getattr(event, "message", "") == FOLLOW_UP
