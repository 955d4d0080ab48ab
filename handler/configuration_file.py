"""From steward.yml's content to the values that the function works with: every fault of it, with its key's path and the nearest right word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from handler.configuration import (
    DAYS,
    QUORUM_ROLES,
    AlarmSettings,
    Breaker,
    Caller,
    Chat,
    Cluster,
    Config,
    EventBus,
    Freeze,
    MaintenanceWindow,
    Quarantine,
    Safety,
    Webhook,
)
from handler.configuration_faults import in_words, meant
from handler.configuration_shape import CONFIG
from handler.errors import ConfigurationError, InvalidInput
from handler.intents import ORDER_LIMITS, Limits
from handler.operations import ALL, Manner, OpType, StopParams, StrategyConfig
from handler.patterns import PatternError, compile_pattern
from handler.rules import CLUSTER_ID, PROCESS_NAME, ComponentScope, Rule, ServiceScope, is_address
from handler.templates import Template, TemplateError, compile_template
from handler.unmatchable import LABEL_OF_TIMERS, NOT_OF_TIMERS, only_timers, unmatchable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: A role by its name or its number (STS, AssumeRole). The console's own characters, none that could be taken for another part.
ROLE_ARN = re.compile(r"qcs::cam::uin/[0-9]{5,20}:role(Name)?/[\w+=,.@-]{1,128}", re.ASCII)

VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}", re.ASCII)
CHAT_HINT = "the URL is a secret: set a variable to it, and name the variable here: STEWARD_CHAT_URL"


class InvalidConfiguration(ConfigurationError):
    """Everything that is wrong with a file: ``problems``, each a ConfigurationError with its line."""

    def __init__(self, problems: tuple[ConfigurationError, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


def read_config(raw: object, locate: Callable[[str], str] = lambda path: "") -> Config:
    """The configuration that ``raw`` (the file's mapping) means. ``locate`` gives ``file:line`` for a key's path.

    Raises InvalidConfiguration with every problem.
    """
    return _Reader(locate).read(raw)


class _Reader:
    def __init__(self, locate: Callable[[str], str]) -> None:
        self._locate = locate
        self._problems: list[ConfigurationError] = []

    def read(self, raw: object) -> Config:
        try:
            shape: Any = CONFIG.read(raw)
        except InvalidInput as error:
            for path, problem, hint in in_words(error.faults, raw):
                self._problem(path, problem, hint)
            raise InvalidConfiguration(tuple(self._problems)) from None
        clusters = {key: self._cluster(key, value) for key, value in shape["clusters"].items()}
        config = Config(
            clusters=clusters,
            rules=self._rules(shape.get("rules") or [], shape.get("limits") or {}, clusters),
            webhook=self._webhook(shape.get("webhook") or {}),
            safety=self._safety(shape.get("safety") or {}, clusters),
            alarms=self._alarms(shape.get("alarms") or {}),
        )
        self._remembered(config)
        if self._problems:
            raise InvalidConfiguration(tuple(self._problems))
        return config

    def _remembered(self, config: Config) -> None:
        """What is forgotten protects nothing: the ledger has to remember for as long as anything is counted."""
        spans = [(config.safety.quarantine.within, "safety.quarantine.within")]
        for rule in config.rules:
            for limits in (rule.limits, rule.order_limits):
                spans.append((limits.cooldown, f"the cooldown of rule {rule.name}"))
                spans.append((limits.max_event_age, f"the max_event_age of rule {rule.name}"))
        seconds, longest = max(spans)
        if seconds > config.safety.keep_records:
            hint = f"at least {span(seconds)}, or a shorter span there"
            self._problem("safety.keep_records", f"is shorter than {longest}, which would be forgotten", hint)

    def _problem(self, path: str, problem: str, hint: str = "") -> None:
        found = ConfigurationError(problem, path=path, where=self._locate(path), hint=hint)
        # Limits are read twice, for alerts and for orders: what is wrong with them is wrong once.
        if str(found) not in map(str, self._problems):
            self._problems.append(found)

    # -- clusters

    def _cluster(self, key: str, shape: Any) -> Cluster:
        path = f"clusters.{key}"
        if not CLUSTER_ID.fullmatch(key):
            self._problem(
                path,
                "is no cluster id",
                "emr- and eight or more lower-case letters and digits, as the console shows it",
            )
        if not re.fullmatch(r"[a-z]{2,}-[a-z0-9-]+", shape["region"]):
            self._problem(f"{path}.region", "is no region", "such as ap-guangzhou")
        role_arn = shape.get("role_arn", "")
        if "role_arn" in shape and not ROLE_ARN.fullmatch(role_arn):
            self._problem(
                f"{path}.role_arn",
                "is no role",
                "qcs::cam::uin/100000000001:roleName/steward, as the CAM console shows it",
            )
        return Cluster(
            id=key,
            name=shape.get("name", key),
            region=shape["region"],
            allow=frozenset(OpType(name) for name in shape["allow"]),
            operations_per_hour=shape.get("operations_per_hour", 12),
            role_arn=role_arn,
        )

    # -- rules

    def _rules(self, shapes: list[Any], defaults: Any, clusters: Mapping[str, Cluster]) -> tuple[Rule, ...]:
        base = self._limits("limits", defaults, Limits())
        order_base = self._limits("limits", defaults, ORDER_LIMITS)
        rules: list[Rule] = []
        names: set[str] = set()
        for index, shape in enumerate(shapes):
            path = f"rules[{index}]"
            if shape["name"] in names:
                self._problem(f"{path}.name", f"{shape['name']!r} stands twice", "names are unique")
            names.add(shape["name"])
            rule = self._rule(path, shape, base, order_base, clusters)
            if rule is not None:
                rules.append(rule)
        return tuple(rules)

    def _rule(
        self, path: str, shape: Any, base: Limits, order_base: Limits, clusters: Mapping[str, Cluster]
    ) -> Rule | None:
        before = len(self._problems)
        pattern = None
        try:
            pattern = compile_pattern(shape["when"], f"{path}.when")
            faults = list(unmatchable(shape["when"], f"{path}.when"))
        except PatternError as error:
            faults = [error]
        for fault in faults:
            self._problem(fault.path, fault.problem, fault.hint)
        do = shape["do"]
        manner = self._manner(f"{path}.do", do)
        cluster = self._template(do["cluster"], f"{path}.do.cluster")
        scope = self._scope(do["scope"], f"{path}.do.scope")
        if only_timers(shape["when"]):
            self._timers_lack(path, cluster, scope)
        even_if_healthy = do.get("even_if_healthy", False)
        if even_if_healthy and manner.op_type is not OpType.RESTART_SERVICE:
            self._problem(f"{path}.do.even_if_healthy", f"only RestartService takes it, not {manner.op_type}")
        if cluster is not None and not cluster.names:
            self._literal_cluster(f"{path}.do", do["cluster"], manner.op_type, clusters)
        limits = shape.get("limits") or {}
        order_limits = self._limits(f"{path}.limits", limits, order_base)
        limits = self._limits(f"{path}.limits", limits, base)
        if len(self._problems) > before or pattern is None or cluster is None:
            return None
        return Rule(shape["name"], pattern, manner, cluster, scope, limits, order_limits, even_if_healthy)

    def _timers_lack(self, path: str, cluster: Template | None, scope: tuple[ServiceScope, ...]) -> None:
        """What a template names and no timer has would be found missing first when the timer fires."""
        named = list(cluster.names) if cluster is not None else []
        for service, components in scope:
            named += service.names
            for component, ips in () if components is ALL else components:
                named += component.names
                named += [] if ips is ALL else [name for ip in ips for name in ip.names]
        for name in dict.fromkeys(named):
            field, _, label = name.partition(".")
            if field in NOT_OF_TIMERS or (label and label != LABEL_OF_TIMERS):
                self._problem(f"{path}.do", f"{{{name}}} is nothing that a timer has", "write out what is meant")

    def _literal_cluster(self, path: str, cluster: str, op_type: OpType, clusters: Mapping[str, Cluster]) -> None:
        known = clusters.get(cluster)
        if known is None:
            self._problem(f"{path}.cluster", f"{cluster} is not listed under clusters", meant(cluster, list(clusters)))
        elif op_type not in known.allow:
            self._problem(
                f"{path}.operation", f"{op_type} is not in `allow` of {cluster}", f"add it to clusters.{cluster}.allow"
            )

    def _manner(self, path: str, do: Any) -> Manner:
        op_type = OpType(do["operation"])
        strategy = do.get("strategy")
        stop = do.get("stop_params")
        manner = Manner(
            op_type,
            None
            if strategy is None
            else StrategyConfig(
                rolling=strategy.get("rolling", True),
                batch_size=strategy.get("batch_size", 1),
                time_wait=strategy.get("wait_seconds", 30),
                skip_failed=strategy.get("on_failure", "block") == "skip",
                args=tuple((key, tuple(values)) for key, values in strategy.get("args", {}).items()),
            ),
            None
            if stop is None
            else StopParams(stop.get("policy"), stop.get("thread_count"), stop.get("grace_seconds")),
            do.get("keep_monitor"),
        )
        if op_type is OpType.RESTART_SERVICE and strategy is None:
            self._problem(
                path, "RestartService needs a strategy", "strategy: {rolling: true, batch_size: 1, wait_seconds: 30}"
            )
        elif op_type in (OpType.START_MONITOR, OpType.STOP_MONITOR) and strategy is not None:
            self._problem(f"{path}.strategy", f"{op_type} takes none", "leave it out")
        if stop is not None and op_type is not OpType.STOP_SERVICE:
            self._problem(f"{path}.stop_params", f"only StopService takes them, not {op_type}", "leave them out")
        if do.get("keep_monitor") is not None and op_type is not OpType.STOP_MONITOR:
            self._problem(f"{path}.keep_monitor", f"only StopMonitor takes it, not {op_type}", "leave it out")
        return manner

    def _scope(self, raw: Mapping[str, Any], path: str) -> tuple[ServiceScope, ...]:
        scope: list[ServiceScope] = []
        if not raw:
            self._problem(path, "is empty", "name a service: {HDFS: all}")
        for service, components in raw.items():
            service_template = self._name(service, path, "service")
            if service_template is None:
                continue
            if components == "all":
                scope.append((service_template, ALL))
                continue
            scope.append((service_template, self._components(components, f"{path}.{service}")))
        return tuple(scope)

    def _components(self, raw: Mapping[str, Any], path: str) -> tuple[ComponentScope, ...]:
        if not raw:
            self._problem(path, "is empty", "say `all`, or name components")
        components: list[ComponentScope] = []
        for component, ips in raw.items():
            template = self._name(component, path, "component")
            if template is None:
                continue
            if ips == "all":
                components.append((template, ALL))
                continue
            if not ips:
                self._problem(f"{path}.{component}", "is empty", "say `all`, or list addresses")
            made = [self._address(ip, f"{path}.{component}[{index}]") for index, ip in enumerate(ips)]
            components.append((template, tuple(one for one in made if one is not None)))
        return tuple(components)

    def _name(self, raw: str, path: str, what: str) -> Template | None:
        """A service's or component's name. What no event changes is held against the API's spelling here, not first at 3 a.m."""
        template = self._template(raw, path)
        if template is not None and template.constant is not None and not PROCESS_NAME.fullmatch(template.constant):
            self._problem(path, f"{raw!r} is no {what} name", "letters and digits, as the console shows it")
        return template

    def _address(self, raw: str, path: str) -> Template | None:
        template = self._template(raw, path)
        if template is not None and template.constant is not None and not is_address(template.constant):
            self._problem(path, f"{raw!r} is no address", "such as 172.16.0.5, or a template such as {ip}")
        return template

    def _template(self, raw: str, path: str) -> Template | None:
        try:
            return compile_template(raw, path)
        except TemplateError as error:
            subject = f"{error.name} {error.problem}" if error.name else error.problem
            self._problem(
                path, subject, error.hint or (f"there is {', '.join(error.available)}" if error.available else "")
            )
            return None

    def _limits(self, path: str, raw: Mapping[str, Any], base: Limits) -> Limits:
        share = base.max_share
        if "max_share" in raw:
            share = self._share(f"{path}.max_share", raw["max_share"])
        return Limits(
            cooldown=self._duration(path, raw, "cooldown", base.cooldown),
            max_nodes=raw.get("max_nodes", base.max_nodes),
            max_share=share,
            max_event_age=self._duration(path, raw, "max_event_age", base.max_event_age, least=1),
        )

    def _share(self, path: str, raw: str | float) -> float:
        share = float(raw) if not isinstance(raw, str) else -1.0
        if isinstance(raw, str) and re.fullmatch(r"([0-9]*\.)?[0-9]+\s*%?", text := raw.strip()):
            share = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
        if not 0 < share <= 1:
            self._problem(path, f"{raw!r} is no share", "a percentage such as 25%, or a number above 0 and up to 1")
            return 1.0
        return share

    def _duration(
        self,
        path: str,
        raw: Mapping[str, Any],
        key: str,
        default: float,
        *,
        least: float = 0,
        most: float = 3660 * 86400,
    ) -> float:
        if key not in raw:
            return default
        seconds = duration(raw[key])
        if seconds is None:
            self._problem(f"{path}.{key}", f"{raw[key]!r} is no duration", "90s, 15m, 2h, 7d, or a number of seconds")
            return default
        if not least <= seconds <= most:
            self._problem(f"{path}.{key}", f"{raw[key]!r} is out of bounds", f"from {span(least)} to {span(most)}")
        return seconds

    # -- the door, safety, alarms

    def _env(
        self, path: str, name: str, hint: str = "secrets are set in the environment, and named here: STEWARD_SECRET_…"
    ) -> str:
        if not VARIABLE.fullmatch(name):
            # The value itself is never repeated: somebody may have written the secret here.
            self._problem(path, "is no environment variable's name", hint)
        return name

    def _webhook(self, shape: Any) -> Webhook:
        callers: list[Caller] = []
        for index, one in enumerate(shape.get("callers") or []):
            path = f"webhook.callers[{index}]"
            if any(caller.name == one["name"] for caller in callers):
                self._problem(f"{path}.name", f"{one['name']!r} stands twice", "names are unique")
            before = {caller.secret_env: caller.name for caller in callers}
            basic, bearer = one.get("basic"), one.get("bearer_env")
            if (basic is None) == (bearer is None):
                self._problem(path, "needs either basic or bearer_env", "exactly one of them")
                continue
            if basic is not None:
                if ":" in basic["user"]:
                    self._problem(f"{path}.basic.user", "holds a colon", "basic credentials end the user name with one")
                callers.append(
                    Caller(one["name"], self._env(f"{path}.basic.password_env", basic["password_env"]), basic["user"])
                )
            else:
                callers.append(Caller(one["name"], self._env(f"{path}.bearer_env", str(bearer))))
            if other := before.get(callers[-1].secret_env):
                # One could call as the other, and neither could be locked out alone.
                self._problem(path, f"has the secret of {other!r}", "each caller needs a variable of its own")
        # With less than SECONDS_TO_ACT and the time of a look nothing could ever be sent for a call.
        return Webhook(tuple(callers), self._duration("webhook", shape, "patience", 4.0, least=2, most=25))

    def _safety(self, shape: Any, clusters: Mapping[str, Cluster]) -> Safety:
        breaker, quarantine = shape.get("breaker") or {}, shape.get("quarantine") or {}
        return Safety(
            quorum_roles=tuple(shape.get("quorum_roles", QUORUM_ROLES)),
            breaker=Breaker(
                breaker.get("intents", 100),
                self._duration("safety.breaker", breaker, "window", 300.0, least=1),
                self._duration("safety.breaker", breaker, "close_after", 600.0),
            ),
            quarantine=Quarantine(
                quarantine.get("restarts", 3),
                self._duration("safety.quarantine", quarantine, "within", 3600.0, least=1),
                self._duration("safety.quarantine", quarantine, "release_after", 86400.0, least=1),
            ),
            freezes=tuple(
                self._freeze(f"safety.freezes[{index}]", one, clusters)
                for index, one in enumerate(shape.get("freezes") or [])
            ),
            maintenance_windows=tuple(
                self._window(f"safety.maintenance_windows[{index}]", one, clusters)
                for index, one in enumerate(shape.get("maintenance_windows") or [])
            ),
            keep_records=self._duration("safety", shape, "keep_records", 30 * 86400.0, least=86400),
        )

    def _named(self, path: str, shape: Any, clusters: Mapping[str, Cluster]) -> frozenset[str]:
        for index, name in enumerate(shape.get("clusters") or []):
            if name not in clusters:
                self._problem(
                    f"{path}.clusters[{index}]", f"{name} is not listed under clusters", meant(name, list(clusters))
                )
        return frozenset(shape.get("clusters") or [])

    def _freeze(self, path: str, shape: Any, clusters: Mapping[str, Cluster]) -> Freeze:
        zone = shape.get("time_zone")
        start = self._moment(f"{path}.from", shape["from"], zone, min)
        end = self._moment(f"{path}.to", shape["to"], zone, max)
        if start >= end > 0:
            self._problem(path, "ends before it begins", "`to` is later than `from`")
        return Freeze(start, end, shape["reason"], self._named(path, shape, clusters))

    def _moment(self, path: str, text: str, zone: str | None, which: Callable[..., float]) -> float:
        """Seconds since the epoch; where clocks are changed an hour is twice or never: ``which`` (min, max) of the two that may be meant."""
        import datetime

        try:
            moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            self._problem(path, f"{text!r} is no date and time", "2026-12-24T18:00:00+08:00")
            return 0.0
        if moment.tzinfo is None:
            if zone is None:
                self._problem(path, f"{text!r} names no time zone", "add +08:00, or time_zone: Asia/Shanghai")
                return 0.0
            moment = moment.replace(tzinfo=self._zone(path.rpartition(".")[0] + ".time_zone", zone))
        return which(moment.replace(fold=0).timestamp(), moment.replace(fold=1).timestamp())

    def _zone(self, path: str, name: str) -> Any:
        import datetime
        import zoneinfo

        try:
            return zoneinfo.ZoneInfo(name)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            self._problem(path, f"{name!r} is no time zone", "an IANA name such as Asia/Shanghai")
            return datetime.timezone.utc

    def _window(self, path: str, shape: Any, clusters: Mapping[str, Cluster]) -> MaintenanceWindow:
        self._zone(f"{path}.time_zone", shape["time_zone"])
        start, end = self._minute(f"{path}.start", shape["start"]), self._minute(f"{path}.end", shape["end"])
        if start == end:
            self._problem(path, "ends when it begins", "a whole day is 00:00 to 24:00")
        days = shape.get("days") or list(DAYS)
        return MaintenanceWindow(
            frozenset(DAYS.index(day) for day in days),
            start,
            end,
            shape["time_zone"],
            shape["reason"],
            self._named(path, shape, clusters),
        )

    def _minute(self, path: str, text: str) -> int:
        if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00", text):
            self._problem(path, f"{text!r} is no time of day", "HH:MM, quoted")
            return 0
        return int(text[:2]) * 60 + int(text[3:])

    def _alarms(self, shape: Any) -> AlarmSettings:
        chat = tuple(
            Chat(self._env(f"alarms.chat[{index}].url_env", one["url_env"], CHAT_HINT))
            for index, one in enumerate(shape.get("chat") or [])
        )
        bus = shape.get("event_bus")
        if bus is not None and not bus["id"].startswith("eb-"):
            self._problem(
                "alarms.event_bus.id", f"{bus['id']!r} is no event bus", "eb- and its name, as the console shows it"
            )
        return AlarmSettings(
            chat,
            None if bus is None else EventBus(bus["id"], bus["region"]),
            self._duration("alarms", shape, "group_within", 600.0),
        )


def duration(raw: object) -> float | None:
    """Seconds of ``90s``, ``15m``, ``2h``, ``7d``, ``1h30m`` or a number; None for anything else."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, (int, float)):
        return float(raw) if raw == raw and abs(raw) < 1e12 else None  # noqa: PLR0124 - NaN is not itself
    if not isinstance(raw, str):
        return None
    text = raw.strip().lower()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        return float(text)
    parts = re.findall(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*([smhd])", text)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != re.sub(r"\s", "", text):
        return None
    return sum(float(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] for number, unit in parts)


def span(seconds: float) -> str:
    """Seconds as :func:`duration` reads them, in the largest unit that they are a whole number of."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
