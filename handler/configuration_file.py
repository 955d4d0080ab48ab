"""From steward.yml's content to the values that the function works with: every fault of it, with its key's path and the nearest right word.

Where the shape of the file is wrong, the rest of it is read all the same, so that all faults are told at once. A part that cannot be read is
None then: its fault is told already, and nothing that follows from it is said.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from handler import names
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
from handler.configuration_shape import CONFIG
from handler.errors import ConfigurationError
from handler.intents import ORDER_LIMITS, Limits
from handler.nearest import meant
from handler.operations import ALL, Manner, OpType, StopParams, StrategyConfig
from handler.patterns import PatternError, compile_pattern
from handler.rules import ComponentScope, Rule, ServiceScope
from handler.templates import Template, TemplateError, compile_template
from handler.unmatchable import LABEL_OF_TIMERS, NOT_OF_TIMERS, only_timers, unmatchable
from handler.validation import dotted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from handler.patterns import Pattern
    from handler.validation import Steps

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
        #: By their texts, in which they stand in the order in which they were found.
        self._problems: dict[str, ConfigurationError] = {}
        #: Paths of durations that could not be read.
        self._unread: set[str] = set()
        #: Seconds for which something is counted, and what.
        self._counted: list[tuple[float, str]] = []

    def read(self, raw: object) -> Config:
        """Raises InvalidConfiguration with every problem, in the order of their lines."""
        shape: Any = raw
        if faults := CONFIG.faults(raw):
            shape = self._readable(faults, raw)
        if shape is None:
            raise InvalidConfiguration(tuple(self._problems.values()))
        clusters = self._clusters(shape["clusters"])
        config = Config(
            clusters=clusters or {},
            rules=self._rules(shape.get("rules"), shape.get("limits"), clusters),
            webhook=self._webhook(shape.get("webhook")),
            safety=self._safety(shape.get("safety", {}), clusters),
            alarms=self._alarms(shape.get("alarms")),
        )
        self._remembered(config.safety)
        if self._problems:
            raise InvalidConfiguration(tuple(sorted(self._problems.values(), key=_line)))
        return config

    def _readable(self, faults: list[tuple[Steps, str]], raw: object) -> Any:
        """The file without what is wrong with its shape, which is told."""
        from handler.configuration_faults import in_words, readable

        told = in_words(faults, raw)
        for fault in told:
            self._problem(dotted("", fault.steps), fault.problem, fault.hint)
        return readable(raw, told)

    def _remembered(self, safety: Safety) -> None:
        """What is forgotten protects nothing: the ledger has to remember for as long as anything is counted."""
        seconds, longest = max([*self._counted, (safety.quarantine.within, "safety.quarantine.within")])
        if seconds > safety.keep_records and "safety.keep_records" not in self._unread:
            hint = f"at least {span(seconds)}, or a shorter span there"
            self._problem("safety.keep_records", f"is shorter than {longest}, which would be forgotten", hint)

    def _problem(self, path: str, problem: str, hint: str = "") -> None:
        # Limits are read twice, for alerts and for orders: what is wrong with them is wrong once.
        found = ConfigurationError(problem, path=path, where=self._locate(path), hint=hint)
        self._problems.setdefault(str(found), found)

    # -- clusters

    def _clusters(self, shapes: Mapping[str, Any] | None) -> dict[str, Cluster] | None:
        return None if shapes is None else {key: self._cluster(key, shape) for key, shape in shapes.items()}

    def _cluster(self, key: str, shape: Any) -> Cluster:
        path = f"clusters.{key}"
        if not names.is_cluster_id(key):
            self._problem(path, "is not a cluster id", f"{names.CLUSTER_ID_IS}, as the console shows it")
        shape = shape or {"region": None, "allow": None}
        region, allow, role_arn = shape["region"], shape["allow"], shape.get("role_arn", "")
        if region is not None and not re.fullmatch(r"[a-z]{2,}-[a-z0-9-]+", region):
            self._problem(f"{path}.region", "is no region", "such as ap-guangzhou")
        if role_arn is not None and "role_arn" in shape and not ROLE_ARN.fullmatch(role_arn):
            self._problem(
                f"{path}.role_arn",
                "is no role",
                "qcs::cam::uin/100000000001:roleName/steward, as the CAM console shows it",
            )
        # What could not be read may be any: no rule is refused for it.
        operations = list(OpType) if allow is None or None in allow else allow
        return Cluster(
            id=key,
            name=shape.get("name", key),
            region=region,
            allow=frozenset(OpType(name) for name in operations),
            operations_per_hour=shape.get("operations_per_hour", 12),
            role_arn=role_arn,
        )

    # -- rules

    def _rules(
        self, shapes: list[Any] | None, defaults: Any, clusters: Mapping[str, Cluster] | None
    ) -> tuple[Rule, ...]:
        base = self._limits("limits", defaults or {}, Limits())
        order_base = self._limits("limits", defaults or {}, ORDER_LIMITS)
        rules: list[Rule] = []
        taken: set[str] = set()
        for path, shape in _each("rules", shapes):
            name = shape["name"]
            if name is not None and name in taken:
                self._problem(f"{path}.name", f"{name!r} stands twice", "names are unique")
            taken.add(name)
            rule = self._rule(path, shape, base, order_base, clusters)
            if rule is not None:
                rules.append(rule)
        return tuple(rules)

    def _rule(
        self, path: str, shape: Any, base: Limits, order_base: Limits, clusters: Mapping[str, Cluster] | None
    ) -> Rule | None:
        when, do, raw_limits = shape["when"], shape["do"] or _NOTHING_TO_DO, shape.get("limits") or {}
        pattern = self._pattern(when, f"{path}.when")
        manner = self._manner(f"{path}.do", do)
        cluster = self._template(do["cluster"], f"{path}.do.cluster")
        scope = self._scope(do["scope"], f"{path}.do.scope")
        if pattern is not None and only_timers(when):
            self._timers_lack(path, cluster, scope)
        even_if_healthy = do.get("even_if_healthy", False)
        if even_if_healthy and manner is not None and manner.op_type is not OpType.RESTART_SERVICE:
            self._problem(f"{path}.do.even_if_healthy", f"only RestartService takes it, not {manner.op_type}")
        if cluster is not None and clusters is not None:
            self._allowed(f"{path}.do", cluster, manner, clusters)
        order_limits = self._limits(f"{path}.limits", raw_limits, order_base)
        limits = self._limits(f"{path}.limits", raw_limits, base)
        for held in (limits, order_limits):
            name = f"rule {shape['name']}" if shape["name"] is not None else path
            self._counted.append((held.cooldown, f"the cooldown of {name}"))
            self._counted.append((held.max_event_age, f"the max_event_age of {name}"))
        if pattern is None or manner is None or cluster is None:
            return None
        return Rule(shape["name"], pattern, manner, cluster, scope, limits, order_limits, even_if_healthy)

    def _pattern(self, raw: Mapping[str, Any] | None, path: str) -> Pattern | None:
        """None where it cannot be read; the first fault of each of its fields is told then."""
        if raw is None:
            return None
        try:
            pattern = compile_pattern(raw, path)
        except PatternError as error:
            faults = list(_of_each_field(raw, path)) or [error]
            pattern = None
        else:
            faults = list(unmatchable(raw, path))
        for fault in faults:
            self._problem(fault.path, fault.problem, fault.hint)
        return pattern

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

    def _allowed(self, path: str, cluster: Template, manner: Manner | None, clusters: Mapping[str, Cluster]) -> None:
        """What no cluster that may be meant allows is never done. (Where none is listed, nothing is: that is a warning.)"""
        named = cluster.constant
        if named is not None and named not in clusters:
            self._unlisted(f"{path}.cluster", named, clusters)
            return
        asked = clusters if named is None else {named: clusters[named]}
        if manner is not None and asked and not any(manner.op_type in one.allow for one in asked.values()):
            whose = next(iter(asked)) if len(asked) == 1 else "any cluster"
            to = f"clusters.{whose}.allow" if len(asked) == 1 else "the `allow` of those that are meant"
            self._problem(f"{path}.operation", f"{manner.op_type} is not in `allow` of {whose}", f"add it to {to}")

    def _unlisted(self, path: str, cluster: str, clusters: Mapping[str, Cluster]) -> None:
        self._problem(path, f"{cluster} is not listed under clusters", meant(cluster, clusters))

    def _manner(self, path: str, do: Any) -> Manner | None:
        if do["operation"] is None:
            return None
        manner = Manner(
            OpType(do["operation"]),
            _strategy(do["strategy"] or {}) if "strategy" in do else None,
            _stop_params(do["stop_params"] or {}) if "stop_params" in do else None,
            do.get("keep_monitor"),
        )
        for field, problem in manner.problems():
            if field not in do:
                self._problem(path, problem, _MENDS[field])
            elif do[field] is not None:
                self._problem(f"{path}.{field}", problem, _MENDS[field])
        return manner

    def _scope(self, raw: Mapping[str, Any] | None, path: str) -> tuple[ServiceScope, ...]:
        scope: list[ServiceScope] = []
        if raw == {}:
            self._problem(path, "is empty", "name a service: {HDFS: all}")
        for service, components in (raw or {}).items():
            service_template = self._name(service, path, "service")
            if service_template is None or components is None:
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
            if template is None or ips is None:
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
        if template is not None and template.constant is not None and not names.is_process_name(template.constant):
            self._problem(path, f"{raw!r} is not a {what} name", "letters and digits, as the console shows it")
        return template

    def _address(self, raw: str | None, path: str) -> Template | None:
        template = self._template(raw, path)
        if template is not None and template.constant is not None and not names.address(template.constant):
            self._problem(path, f"{raw!r} is not an address", "such as 172.16.0.5, or a template such as {ip}")
        return template

    def _template(self, raw: str | None, path: str) -> Template | None:
        if raw is None:
            return None
        try:
            return compile_template(raw, path)
        except TemplateError as error:
            subject = f"{error.name} {error.problem}" if error.name else error.problem
            self._problem(
                path, subject, error.hint or (f"there is {', '.join(error.available)}" if error.available else "")
            )
            return None

    def _limits(self, path: str, raw: Mapping[str, Any], base: Limits) -> Limits:
        share = raw.get("max_share")
        return Limits(
            cooldown=self._duration(path, raw, "cooldown", base.cooldown),
            max_nodes=raw.get("max_nodes") or base.max_nodes,
            max_share=base.max_share if share is None else self._share(f"{path}.max_share", share),
            max_event_age=self._duration(path, raw, "max_event_age", base.max_event_age, least=1),
        )

    def _share(self, path: str, raw: str | float) -> float:
        share = float(raw) if not isinstance(raw, str) else -1.0
        if isinstance(raw, str) and re.fullmatch(r"([0-9]*\.)?[0-9]+\s*%?", text := raw.strip()):
            share = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
        if not 0 < share <= 1:
            is_percent = 1 < share <= 100 and not str(raw).endswith("%")
            hint = f"did you mean {share:g}%?" if is_percent else "a percentage such as 25%, or a number up to 1"
            self._problem(path, f"{raw!r} is no share", hint)
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
        """In seconds; the default where there is none, or none that could be read."""
        if key not in raw:
            return default
        seconds = None if raw[key] is None else duration(raw[key])
        if seconds is not None and least <= seconds <= most:
            return seconds
        self._unread.add(f"{path}.{key}")
        if seconds is not None:
            self._problem(f"{path}.{key}", f"{raw[key]!r} is out of bounds", f"from {span(least)} to {span(most)}")
        elif raw[key] is not None:
            self._problem(f"{path}.{key}", f"{raw[key]!r} is no duration", "90s, 15m, 2h, 7d, or a number of seconds")
        return default

    # -- the door, safety, alarms

    def _env(
        self,
        path: str,
        name: str | None,
        hint: str = "secrets are set in the environment, and named here: STEWARD_SECRET_…",
    ) -> str:
        if name is not None and not VARIABLE.fullmatch(name):
            # The value itself is never repeated: somebody may have written the secret here.
            self._problem(path, "is no environment variable's name", hint)
        return name or ""

    def _webhook(self, shape: Any) -> Webhook:
        shape = shape or {}
        callers: list[Caller] = []
        taken: set[str] = set()
        users_of_secret: dict[str, str] = {}
        for path, one in _each("webhook.callers", shape.get("callers")):
            name = one["name"]
            if name is not None and name in taken:
                self._problem(f"{path}.name", f"{name!r} stands twice", "names are unique")
            taken.add(name)
            if ("basic" in one) == ("bearer_env" in one):
                self._problem(path, "needs either basic or bearer_env", "exactly one of them")
                continue
            basic = one.get("basic") or {"user": None, "password_env": None}
            if ":" in (basic["user"] or ""):
                self._problem(f"{path}.basic.user", "holds a colon", "basic credentials end the user name with one")
            if "basic" in one:
                secret = self._env(f"{path}.basic.password_env", basic["password_env"])
            else:
                secret = self._env(f"{path}.bearer_env", one["bearer_env"])
            callers.append(Caller(name, secret, basic["user"] or ""))
            if secret in users_of_secret:
                # One could call as the other, and neither could be locked out alone.
                other = users_of_secret[secret]
                self._problem(path, f"has the secret of {other!r}", "each caller needs a variable of its own")
            elif secret:
                users_of_secret[secret] = name or path
        # With less than SECONDS_TO_ACT and the time of a look nothing could ever be sent for a call.
        return Webhook(tuple(callers), self._duration("webhook", shape, "patience", 4.0, least=2, most=25))

    def _safety(self, shape: Any, clusters: Mapping[str, Cluster] | None) -> Safety:
        shape = {"keep_records": None} if shape is None else shape
        breaker, quarantine = shape.get("breaker") or {}, shape.get("quarantine") or {}
        return Safety(
            quorum_roles=tuple(shape.get("quorum_roles") or QUORUM_ROLES),
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
                self._freeze(path, one, clusters) for path, one in _each("safety.freezes", shape.get("freezes"))
            ),
            maintenance_windows=tuple(
                self._window(path, one, clusters)
                for path, one in _each("safety.maintenance_windows", shape.get("maintenance_windows"))
            ),
            keep_records=self._duration("safety", shape, "keep_records", 30 * 86400.0, least=86400),
        )

    def _named(self, path: str, shape: Any, clusters: Mapping[str, Cluster] | None) -> frozenset[str]:
        named = dict(_each(f"{path}.clusters", shape.get("clusters")))
        for at, name in named.items():
            if clusters is not None and name not in clusters:
                self._unlisted(at, name, clusters)
        return frozenset(named.values())

    def _freeze(self, path: str, shape: Any, clusters: Mapping[str, Cluster] | None) -> Freeze:
        zone = shape.get("time_zone", "")
        start = self._moment(f"{path}.from", shape["from"], zone, min)
        end = self._moment(f"{path}.to", shape["to"], zone, max)
        if start is not None and end is not None and start >= end:
            self._problem(path, "ends before it begins", "`to` is later than `from`")
        return Freeze(start or 0.0, end or 0.0, shape["reason"], self._named(path, shape, clusters))

    def _moment(self, path: str, text: str | None, zone: str | None, which: Callable[..., float]) -> float | None:
        """Seconds since the epoch, None where it cannot be read; where clocks are changed an hour is twice or never: ``which`` (min, max)
        of the two that may be meant. ``zone`` is empty where there is none."""
        import datetime

        if text is None:
            return None
        try:
            moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            self._problem(path, f"{text!r} is no date and time", "2026-12-24T18:00:00+08:00")
            return None
        if moment.tzinfo is None:
            if zone == "":
                self._problem(path, f"{text!r} names no time zone", "add +08:00, or time_zone: Asia/Shanghai")
                return None
            named = self._zone(path.rpartition(".")[0] + ".time_zone", zone)
            if named is None:
                return None
            moment = moment.replace(tzinfo=named)
        return which(moment.replace(fold=0).timestamp(), moment.replace(fold=1).timestamp())

    def _zone(self, path: str, name: str | None) -> Any:
        import zoneinfo

        try:
            return None if name is None else zoneinfo.ZoneInfo(name)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            self._problem(path, f"{name!r} is no time zone", "an IANA name such as Asia/Shanghai")
            return None

    def _window(self, path: str, shape: Any, clusters: Mapping[str, Cluster] | None) -> MaintenanceWindow:
        self._zone(f"{path}.time_zone", shape["time_zone"])
        start, end = self._minute(f"{path}.start", shape["start"]), self._minute(f"{path}.end", shape["end"])
        if start == end and start is not None:
            self._problem(path, "ends when it begins", "a whole day is 00:00 to 24:00")
        days = shape.get("days") or list(DAYS)
        return MaintenanceWindow(
            frozenset(DAYS.index(day) for day in days if day is not None),
            start or 0,
            end or 0,
            shape["time_zone"],
            shape["reason"],
            self._named(path, shape, clusters),
        )

    def _minute(self, path: str, text: str | None) -> int | None:
        if text is not None and re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00", text):
            return int(text[:2]) * 60 + int(text[3:])
        if text is not None:
            self._problem(path, f"{text!r} is no time of day", "HH:MM, quoted")
        return None

    def _alarms(self, shape: Any) -> AlarmSettings:
        shape = shape or {}
        chat = tuple(
            Chat(self._env(f"{path}.url_env", one["url_env"], CHAT_HINT))
            for path, one in _each("alarms.chat", shape.get("chat"))
        )
        bus = shape.get("event_bus")
        if bus is not None and bus["id"] is not None and not bus["id"].startswith("eb-"):
            self._problem(
                "alarms.event_bus.id", f"{bus['id']!r} is no event bus", "eb- and its name, as the console shows it"
            )
        return AlarmSettings(
            chat,
            None if bus is None else EventBus(bus["id"], bus["region"]),
            self._duration("alarms", shape, "group_within", 600.0),
        )


#: A rule's ``do`` that could not be read.
_NOTHING_TO_DO: Final[dict[str, Any]] = {"operation": None, "cluster": None, "scope": None}


#: How to mend what is wrong with a field of a manner.
_MENDS: Final = {
    "strategy": "strategy: {rolling: true, batch_size: 1, wait_seconds: 30}",
    "stop_params": "leave them out",
    "keep_monitor": "leave it out",
}


def _strategy(shape: Any) -> StrategyConfig:
    return StrategyConfig(
        rolling=shape.get("rolling", True),
        batch_size=shape.get("batch_size", 1),
        time_wait=shape.get("wait_seconds", 30),
        skip_failed=shape.get("on_failure", "block") == "skip",
        args=tuple((key, tuple(values or ())) for key, values in (shape.get("args") or {}).items()),
    )


def _stop_params(shape: Any) -> StopParams:
    return StopParams(shape.get("policy"), shape.get("thread_count"), shape.get("grace_seconds"))


def _each(path: str, shapes: list[Any] | None) -> Iterator[tuple[str, Any]]:
    """What could be read of a list, each with its path."""
    return ((f"{path}[{index}]", shape) for index, shape in enumerate(shapes or ()) if shape is not None)


def _line(problem: ConfigurationError) -> int:
    """Of its place in the file; 0 where that has no lines."""
    line = problem.where.rpartition(":")[2]
    return int(line) if line.isdigit() else 0


def _of_each_field(pattern: Mapping[str, Any], path: str) -> Iterator[PatternError]:
    """Of a pattern that does not compile: the first fault of each field, and what no event can match in the others."""
    sound = {}
    for key, value in pattern.items():
        try:
            compile_pattern({key: value}, path)
        except PatternError as error:
            yield error
        else:
            sound[key] = value
    yield from unmatchable(sound, path)


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
