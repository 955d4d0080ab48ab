"""Collects the evidence of an examination without changing a cluster.

It loads the settings, makes read-only calls, and writes a trial entry to the ledger. ``checks.py`` judges the result.
The only calls are DescribeInstances and DescribeServiceNodeInfos of EMR, and AssumeRole of STS. A test alarm, which has
to be requested, also uses the chats and PutEvents. A broken deployment raises nothing here: it is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from handler.cloud.account import Credentials
from handler.cloud.client import CloudApi
from handler.cloud.credentials import AssumedRoles, Keys
from handler.cloud.emr import EmrGateway
from handler.config.loader import load
from handler.config.settings import RESERVE, Settings
from handler.doctor.checks import diagnose
from handler.doctor.cloud_checks import ASSUME_ROLE, READ_ACTIONS
from handler.doctor.findings import AlarmEvidence, Call, Evidence, Finding, LedgerEvidence
from handler.errors import ApiError, ConfigurationError, InvalidConfiguration, LedgerUnavailable, ObservationIncomplete
from handler.ledger.ledger import open_ledger
from handler.lib.clock import Deadline, SystemClock
from handler.lib.threads import side_by_side
from handler.model.alarm import Alarm
from handler.receive import auth
from handler.report.alarms import Alarms
from handler.report.history import past_of
from handler.report.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from handler.config.config import Config
    from handler.ledger.ledger import Ledger
    from handler.lib.clock import Clock
    from handler.model.policy import Cluster

#: A service that nearly every cluster has. For a service that a cluster lacks, the API returns an empty list.
DEFAULT_SERVICE: Final = "HDFS"


@dataclass(frozen=True)
class Setup:
    """The parts of a deployment that could be loaded, and the errors in the others."""

    env: Mapping[str, str]
    settings: Settings | None = None
    config: Config | None = None
    ledger: Ledger | None = None
    config_path: str = ""
    settings_problems: tuple[ConfigurationError, ...] = ()
    config_problems: tuple[ConfigurationError, ...] = ()

    @classmethod
    def read(
        cls,
        env: Mapping[str, str],
        *,
        config_path: str = "",
        ledger_url: str = "",
        load_config: Callable[[str], Config] = load,
    ) -> Setup:
        """Loads everything from the environment, as the function does. Never raises.

        ``config_path`` and ``ledger_url`` take precedence over the settings. ``load_config`` reads the configuration:
        the command reads steward.yml itself.
        """
        problems: list[ConfigurationError] = []
        settings = ledger = None
        try:
            settings = Settings.from_env(env)
        except ConfigurationError as error:
            problems.append(error)
        path = config_path or (settings.config if settings else "")
        if settings is not None:
            try:
                ledger = open_ledger(ledger_url or settings.ledger)
            except ConfigurationError as error:
                problems.append(error)
        config, errors = _config(path, load_config)
        return cls(env, settings, config, ledger, path, tuple(problems), errors)


def _config(path: str, load_config: Callable[[str], Config]) -> tuple[Config | None, tuple[ConfigurationError, ...]]:
    if not path:
        return None, ()
    try:
        return load_config(path), ()
    except InvalidConfiguration as error:
        return None, error.problems
    except ConfigurationError as error:
        return None, (error,)


class Examination:
    """One examination of a deployment."""

    def __init__(
        self,
        setup: Setup,
        *,
        clock: Clock,
        deadline: Deadline,
        roles: AssumedRoles | None = None,
        transport: Callable[[], Any] | None = None,
        time_limit: float | None = None,
        write: Callable[[str], Any] | None = None,
    ) -> None:
        """Prepare an examination.

        ``time_limit`` is that of the function in seconds, and None elsewhere. ``write`` also receives the log lines of a
        test alarm.
        """
        self._setup = setup
        self._clock = clock
        self._deadline = deadline
        self._roles = roles or AssumedRoles(clock)
        self._time_limit = time_limit
        self._lines: list[str] = []
        self._write = write
        self._credentials = _credentials(setup.env)
        self._log = Log(self._note, clock, secrets=self._secrets())
        self._api = CloudApi(transport)

    def findings(self, *, send_test_alarm: bool = False) -> list[Finding]:
        """Collect the evidence and judge it. Secrets are redacted from the findings."""
        setup, settings = self._setup, self._setup.settings
        calls = self._calls()
        evidence = Evidence(
            env=setup.env,
            endpoint=f"{settings.endpoint.scheme}://{settings.endpoint.host}" if settings else "",
            mode=settings.mode if settings else "",
            config_path=setup.config_path,
            config=setup.config,
            settings_problems=setup.settings_problems,
            config_problems=setup.config_problems,
            credentials=self._credentials,
            calls=calls,
            clock_skew=self._api.clock_skew,
            ledger=None if setup.ledger is None else self._try_ledger(setup.ledger),
            alarms=self._try_alarms(send_test_alarm),
            time_limit=self._time_limit,
        )
        hide = self._log.hide
        return [Finding(hide(one.name), one.state, hide(one.detail), hide(one.fix)) for one in diagnose(evidence)]

    # -- calls

    def _calls(self) -> tuple[Call, ...]:
        setup, credentials = self._setup, self._credentials
        if setup.settings is None or setup.config is None or credentials is None:
            return ()
        endpoint = setup.settings.endpoint
        keys = Keys(lambda: credentials, self._roles, self._api, endpoint, self._log.also_hide)
        gateway = EmrGateway(self._api, endpoint, keys.for_cluster, keys.refused)
        config = setup.config

        def calls_to(cluster: Cluster) -> list[Call]:
            calls: list[Call] = []
            host = endpoint.for_region(cluster.region)
            if cluster.role_arn:
                error = _error_of(lambda: keys.for_cluster(cluster, self._deadline))
                sts = endpoint.of_service("sts", cluster.region)
                calls.append(Call(ASSUME_ROLE, cluster.id, sts, cluster.role_arn, error))
                if error is not None:
                    return calls
            status: list[int] = []
            error = _error_of(lambda: status.append(gateway.cluster_status(cluster, self._deadline)))
            calls.append(Call(READ_ACTIONS[0], cluster.id, host, cluster.role_arn, error, *status))
            service = _service_of(cluster, config)
            error = _error_of(lambda: gateway.processes(cluster, service, self._deadline))
            calls.append(Call(READ_ACTIONS[1], cluster.id, host, cluster.role_arn, error))
            return calls

        return tuple(call for calls in side_by_side(calls_to, list(config.clusters.values())) for call in calls)

    # -- the ledger

    def _try_ledger(self, ledger: Ledger) -> LedgerEvidence:
        import os

        key, now = f"doctor|{os.urandom(8).hex()}", self._clock.now()
        try:
            warnings = ledger.check()
            ledger.change_alarms(lambda record: record.add([key], [], now))
            keeps = ledger.change_alarms(lambda record: record.told.pop(key, None)) is not None
            operations = tuple(past_of(ledger).operations)
            return LedgerEvidence("", keeps, tuple(warnings), sum(one.is_open for one in operations), operations)
        except LedgerUnavailable as error:
            return LedgerEvidence(str(error))

    # -- alarms

    def _try_alarms(self, send: bool) -> AlarmEvidence:
        config = self._setup.config
        if config is None:
            return AlarmEvidence()
        chats = {chat.url_env: self._chat_problem(chat.url_env) for chat in config.alarms.chat}
        if not send or self._setup.ledger is None:
            return AlarmEvidence(chats)
        import json
        import os

        alarms = Alarms(
            config.alarms,
            self._setup.env,
            ledger=open_ledger("sqlite:///:memory:"),  # a failure is reported here, and no follow-up timer retries it
            api=self._api,
            credentials=self._credentials,
            clock=self._clock,
        )
        test_alarm = Alarm(
            "doctor.test",
            "",
            os.urandom(4).hex(),
            "test alarm, requested with `doctor`: nothing is wrong",
            fix="Nothing to do.",
        )
        alarms.notify(alarms.of([test_alarm]), self._log, self._deadline)
        lines = [json.loads(line) for line in self._lines]
        unsent = {line["channel"]: line["problem"] for line in lines if line["event"] == "steward.alarm.unsent"}
        return AlarmEvidence(chats, was_sent=True, unsent=unsent)

    def _chat_problem(self, variable: str) -> str:
        url = self._setup.env.get(variable, "")
        if not url.strip():
            return f"{variable} is not set"
        try:
            import apprise
        except ImportError:
            return "the library for chats, apprise, is not installed; build the package with chats configured"
        return "" if apprise.Apprise().add(url) else f"{variable} is not a URL that apprise supports"

    # -- log lines and redaction

    def _note(self, text: str) -> None:
        self._lines += text.splitlines()
        if self._write is not None:
            self._write(text)

    def _secrets(self) -> list[str]:
        env, config = self._setup.env, self._setup.config
        secrets = [value for name, value in env.items() if name in SECRET_VARIABLES]
        if self._setup.settings is not None:
            secrets.append(self._setup.settings.ledger_password)
        if config is not None:
            secrets += auth.secrets_of(config.webhook.callers, env)
            secrets += [env.get(chat.url_env, "") for chat in config.alarms.chat]
        return [*secrets, *self._roles.secrets()]


#: The variables of the cloud whose values are secrets, even where the other half of the pair is missing.
SECRET_VARIABLES: Final = (
    "TENCENTCLOUD_SECRETKEY",
    "TENCENTCLOUD_SESSIONTOKEN",
    "TENCENTCLOUD_SECRET_KEY",
    "TENCENTCLOUD_TOKEN",
)


def _credentials(env: Mapping[str, str]) -> Credentials | None:
    try:
        return Credentials.from_env(env)
    except ConfigurationError:
        return None


def _error_of(call: Callable[[], object]) -> ApiError | ObservationIncomplete | None:
    try:
        call()
    except (ApiError, ObservationIncomplete) as error:
        return error
    return None


def _service_of(cluster: Cluster, config: Config) -> str:
    """A service that a rule names for the cluster, else a common one."""
    for rule in config.rules:
        if rule.cluster.constant == cluster.id:
            for service, _ in rule.scope:
                if service.constant:
                    return service.constant.upper()
    return DEFAULT_SERVICE


def report(findings: Sequence[Finding], log: Log) -> dict[str, Any]:
    """Log each finding at the level of its state, and return them all as JSON."""
    log_line = {"ok": log.info, "unknown": log.info, "warn": log.warning, "fail": log.error}
    counts: dict[str, int] = {}
    for one in findings:
        counts[one.state] = counts.get(one.state, 0) + 1
        log_line[one.state]("steward.doctor", check=one.name, state=one.state, detail=one.detail, fix=one.fix)
    return {"doctor": [one.to_wire() for one in findings], "counts": counts}


def examine_broken_function(
    raw: Mapping[str, Any], time_limit: float, env: Mapping[str, str], write: Callable[[str], Any]
) -> dict[str, Any]:
    """Examines a function that cannot start, and returns the report.

    ``time_limit`` is in seconds.
    """
    clock = SystemClock()
    deadline = Deadline(clock, time_limit - RESERVE)
    examination = Examination(Setup.read(env), clock=clock, deadline=deadline, time_limit=time_limit, write=write)
    findings = examination.findings(send_test_alarm=bool(raw.get("send_test_alarm")))
    return report(findings, Log(write, clock))
