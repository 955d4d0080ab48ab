"""The doctor's hands: it reads the settings, makes calls that change nothing, writes into the ledger and reads it back.

What it saw is judged by ``handler/doctor/checks.py``. No request of it can act on a cluster: of the EMR API it calls
DescribeInstances and DescribeServiceNodeInfos, of STS AssumeRole; PutEvents, and chats, only where a test alarm is
asked for. Nothing here raises for what is wrong with a deployment: that is what it is there to tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from handler.cloud.account import Credentials
from handler.cloud.client import CloudApi
from handler.cloud.credentials import AssumedRoles, Keys
from handler.cloud.emr import EmrGateway
from handler.config.file import load
from handler.config.settings import RESERVE, Settings
from handler.doctor.checks import ASSUME, LOOKS, diagnose
from handler.doctor.findings import AlarmsSeen, Call, Finding, LedgerSeen, Seen
from handler.errors import ApiError, ConfigurationError, InvalidConfiguration, LedgerUnavailable, ObservationIncomplete
from handler.ledger.protocol import open_ledger
from handler.lib.clock import Deadline, SystemClock
from handler.lib.threads import side_by_side
from handler.model.alarm import Alarm
from handler.receive import auth
from handler.report.alarms import Alarms
from handler.report.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from handler.config.config import Config
    from handler.ledger.protocol import Ledger
    from handler.lib.clock import Clock
    from handler.model.policy import Cluster

#: A service that nearly every cluster has; one that a cluster does not have is answered with an empty list.
USUAL_SERVICE: Final = "HDFS"
#: Seconds for which the ledger is told to remember what is written into it as a trial.
TRIAL_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Setup:
    """What is examined: settings, configuration and ledger as far as they can be had, and what is wrong with them."""

    env: Mapping[str, str]
    settings: Settings | None = None
    config: Config | None = None
    ledger: Ledger | None = None
    config_path: str = ""
    settings_problems: tuple[ConfigurationError, ...] = ()
    config_problems: tuple[ConfigurationError, ...] = ()

    @classmethod
    def read(cls, env: Mapping[str, str], *, config_path: str = "", ledger_url: str = "") -> Setup:
        """From the environment, as the function would; ``config_path`` and ``ledger_url`` are used in place of its own. Raises nothing."""
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
        config, errors = _config(path)
        return cls(env, settings, config, ledger, path, tuple(problems), errors)


def _config(path: str) -> tuple[Config | None, tuple[ConfigurationError, ...]]:
    if not path:
        return None, ()
    try:
        return load(path), ()
    except InvalidConfiguration as error:
        return None, error.problems
    except ConfigurationError as error:
        return None, (error,)


class Examination:
    """One examination. ``time_limit`` (seconds) is the function's, and None elsewhere."""

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
        """``write`` takes the log line of a test alarm, which is noted here in any case."""
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
        """Look at everything, and judge it. No secret is in what is answered."""
        setup, settings = self._setup, self._setup.settings
        calls = self._calls()
        seen = Seen(
            env=setup.env,
            endpoint=f"{settings.endpoint.scheme}://{settings.endpoint.host}" if settings else "",
            mode=settings.mode if settings else "",
            config_path=setup.config_path,
            config=setup.config,
            settings_problems=setup.settings_problems,
            config_problems=setup.config_problems,
            credentials=self._credentials,
            calls=calls,
            skew=self._api.clock_skew,
            ledger=None if setup.ledger is None else self._try_ledger(setup.ledger),
            alarms=self._try_alarms(send_test_alarm),
            time_limit=self._time_limit,
        )
        hide = self._log.hide
        return [Finding(hide(found.name), found.state, hide(found.seen), hide(found.fix)) for found in diagnose(seen)]

    # -- calls

    def _calls(self) -> tuple[Call, ...]:
        setup, credentials = self._setup, self._credentials
        if setup.settings is None or setup.config is None or credentials is None:
            return ()
        endpoint = setup.settings.endpoint
        keys = Keys(lambda: credentials, self._roles, self._api, endpoint, self._log.also_hide)
        gateway = EmrGateway(self._api, endpoint, keys.for_cluster, keys.refused)
        config = setup.config

        def look(cluster: Cluster) -> list[Call]:
            calls: list[Call] = []
            host = endpoint.for_region(cluster.region)
            if cluster.role_arn:
                error = _error_of(lambda: keys.for_cluster(cluster, self._deadline))
                sts = endpoint.of_service("sts", cluster.region)
                calls.append(Call(ASSUME, cluster.id, sts, cluster.role_arn, error))
                if error is not None:
                    return calls
            status: list[int] = []
            error = _error_of(lambda: status.append(gateway.cluster_status(cluster, self._deadline)))
            calls.append(Call(LOOKS[0], cluster.id, host, cluster.role_arn, error, *status))
            service = _service_of(cluster, config)
            error = _error_of(lambda: gateway.processes(cluster, service, self._deadline))
            calls.append(Call(LOOKS[1], cluster.id, host, cluster.role_arn, error))
            return calls

        return tuple(call for calls in side_by_side(look, list(config.clusters.values())) for call in calls)

    # -- the ledger

    def _try_ledger(self, ledger: Ledger) -> LedgerSeen:
        import os

        key, now = f"doctor|{os.urandom(8).hex()}", self._clock.now()
        try:
            warnings = ledger.check()
            # Claimed by nobody before, and by us from then on: both are seen in what it answers.
            keeps = ledger.claim(key, now, TRIAL_SECONDS) and not ledger.claim(key, now, TRIAL_SECONDS)
            operations = tuple(ledger.operations())
            return LedgerSeen("", keeps, tuple(warnings), len(ledger.open_operations()), operations)
        except LedgerUnavailable as error:
            return LedgerSeen(str(error))

    # -- alarms

    def _try_alarms(self, send: bool) -> AlarmsSeen:
        config = self._setup.config
        if config is None:
            return AlarmsSeen()
        chats = {chat.url_env: self._chat_problem(chat.url_env) for chat in config.alarms.chat}
        if not send or self._setup.ledger is None:
            return AlarmsSeen(chats)
        import json
        import os

        alarms = Alarms(
            config.alarms,
            self._setup.env,
            ledger=open_ledger("sqlite:///:memory:"),  # one that fails is told here, and by no follow-up later
            api=self._api,
            credentials=self._credentials,
            clock=self._clock,
        )
        trial = Alarm("doctor.test", "", os.urandom(4).hex(), "a test alarm, asked for by `doctor`: nothing is wrong")
        alarms.say([trial], self._log, self._deadline)
        lines = [json.loads(line) for line in self._lines]
        unsent = {line["channel"]: line["problem"] for line in lines if line["event"] == "steward.alarm.unsent"}
        return AlarmsSeen(chats, was_sent=True, unsent=unsent)

    def _chat_problem(self, variable: str) -> str:
        url = self._setup.env.get(variable, "")
        if not url.strip():
            return f"{variable} is not set"
        try:
            import apprise
        except ImportError:
            return "apprise, the library that speaks to chats, is not there"
        return "" if apprise.Apprise().add(url) else f"{variable} is no URL that apprise knows"

    # -- what is hidden

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


#: Of the cloud's variables, those whose value is a secret, whether or not their pair is whole.
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
    """A service that a rule names for the cluster, to be looked at; else one that is usual."""
    for rule in config.rules:
        if rule.cluster.constant == cluster.id:
            for service, _ in rule.scope:
                if service.constant:
                    return service.constant.upper()
    return USUAL_SERVICE


def report(findings: Sequence[Finding], log: Log) -> dict[str, Any]:
    """The findings as a function answers them; each is a line of the log too, as loud as it is bad."""
    say = {"ok": log.info, "not proved": log.info, "warn": log.warning, "fail": log.error}
    counts: dict[str, int] = {}
    for found in findings:
        counts[found.state] = counts.get(found.state, 0) + 1
        say[found.state]("steward.doctor", check=found.name, state=found.state, seen=found.seen, fix=found.fix)
    return {"doctor": [found.to_wire() for found in findings], "counts": counts}


def of_broken_function(
    raw: Mapping[str, Any], time_limit: float, env: Mapping[str, str], write: Callable[[str], Any]
) -> dict[str, Any]:
    """The examination of a function that cannot start: what is wrong with its settings or configuration, and what is not. ``time_limit`` in seconds."""
    clock = SystemClock()
    deadline = Deadline(clock, time_limit - RESERVE)
    examination = Examination(Setup.read(env), clock=clock, deadline=deadline, time_limit=time_limit, write=write)
    findings = examination.findings(send_test_alarm=bool(raw.get("send_test_alarm")))
    return report(findings, Log(write, clock))
