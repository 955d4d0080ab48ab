"""The rules of steward.yml: patterns, templates and operations that can be meant, and limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from handler.config.problems import each
from handler.decide.pattern_lint import LABEL_OF_TIMERS, NOT_OF_TIMERS, only_timers, unmatchable
from handler.decide.patterns import PatternError, compile_pattern
from handler.decide.rules import ComponentScope, Rule, ServiceScope
from handler.decide.templates import Template, TemplateError, compile_template
from handler.model import names
from handler.model.intent import COMMAND_LIMITS, Limits
from handler.model.request import Action, OpType, StopParams, StrategyConfig
from handler.model.scope import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from handler.config.problems import Notes
    from handler.decide.patterns import Pattern
    from handler.model.policy import Cluster

#: A rule's ``do`` that could not be read.
_NOTHING_TO_DO: Final[dict[str, Any]] = {"operation": None, "cluster": None, "scope": None}
#: How to mend what is wrong with a field of a action.
_FIXES: Final = {
    "strategy": "strategy: {rolling: true, batch_size: 1, wait_seconds: 30}",
    "stop_params": "leave them out",
    "keep_monitor": "leave it out",
}


def read_rules(
    notes: Notes, schemas: list[Any] | None, defaults: Any, clusters: Mapping[str, Cluster]
) -> tuple[Rule, ...]:
    """``defaults`` are the file's ``limits``; ``clusters`` is empty where it could not be read."""
    of_alerts, of_orders = (_limits(notes, "limits", defaults or {}, base) for base in (Limits(), COMMAND_LIMITS))
    rules: list[Rule] = []
    taken: set[str] = set()
    for path, schema in each("rules", schemas):
        name = schema["name"]
        if name is not None and name in taken:
            notes.problem(f"{path}.name", f"{name!r} appears twice", "names are unique")
        taken.add(name)
        rule = _rule(notes, path, schema, (of_alerts, of_orders), clusters)
        if rule is not None:
            rules.append(rule)
    return tuple(rules)


def _rule(
    notes: Notes, path: str, schema: Any, defaults: tuple[Limits, Limits], clusters: Mapping[str, Cluster]
) -> Rule | None:
    when, do, raw_limits = schema["when"], schema["do"] or _NOTHING_TO_DO, schema.get("limits") or {}
    pattern = _pattern(notes, when, f"{path}.when")
    action = _manner(notes, f"{path}.do", do)
    cluster = _template(notes, do["cluster"], f"{path}.do.cluster")
    scope = _scope(notes, do["scope"], f"{path}.do.scope")
    if pattern is not None and only_timers(when):
        _timers_lack(notes, path, cluster, scope)
    even_if_healthy = do.get("even_if_healthy", False)
    if even_if_healthy and action is not None and action.op_type is not OpType.RESTART_SERVICE:
        notes.problem(f"{path}.do.even_if_healthy", f"only RestartService takes it, not {action.op_type}")
    if cluster is not None:
        _allowed(notes, f"{path}.do", cluster, action, clusters)
    limits, order_limits = (_limits(notes, f"{path}.limits", raw_limits, base) for base in defaults)
    for held in (limits, order_limits):
        name = f"rule {schema['name']}" if schema["name"] is not None else path
        notes.counted(held.cooldown, f"the cooldown of {name}")
        notes.counted(held.max_event_age, f"the max_event_age of {name}")
    if pattern is None or action is None or cluster is None:
        return None
    return Rule(schema["name"], pattern, action, cluster, scope, limits, order_limits, even_if_healthy)


def _pattern(notes: Notes, raw: Mapping[str, Any] | None, path: str) -> Pattern | None:
    """None where it cannot be read; the first fault of each of its fields is told then."""
    if raw is None:
        return None
    try:
        pattern = compile_pattern(raw, path)
    except PatternError as error:
        errors = list(_of_each_field(raw, path)) or [error]
        pattern = None
    else:
        errors = list(unmatchable(raw, path))
    for fault in errors:
        notes.problem(fault.path, fault.problem, fault.hint)
    return pattern


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


def _timers_lack(notes: Notes, path: str, cluster: Template | None, scope: tuple[ServiceScope, ...]) -> None:
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
            notes.problem(f"{path}.do", f"{{{name}}} is not something that a timer has", "write out what is meant")


def _allowed(
    notes: Notes, path: str, cluster: Template, action: Action | None, clusters: Mapping[str, Cluster]
) -> None:
    """What no cluster that may be meant allows is never done. (Where none is listed, nothing is: that is a warning.)"""
    named = cluster.constant
    if named is not None and not notes.listed(f"{path}.cluster", named):
        return
    asked = {key: one for key, one in clusters.items() if named in (None, key)}
    if action is not None and asked and not any(action.op_type in one.allow for one in asked.values()):
        whose = next(iter(asked)) if len(asked) == 1 else "any cluster"
        to = f"clusters.{whose}.allow" if len(asked) == 1 else "the `allow` of those that are meant"
        notes.problem(f"{path}.operation", f"{action.op_type} is not in `allow` of {whose}", f"add it to {to}")


def _manner(notes: Notes, path: str, do: Any) -> Action | None:
    if do["operation"] is None:
        return None
    action = Action(
        OpType(do["operation"]),
        _strategy(do["strategy"] or {}) if "strategy" in do else None,
        _stop_params(do["stop_params"] or {}) if "stop_params" in do else None,
        do.get("keep_monitor"),
    )
    for field, problem in action.problems():
        if field not in do:
            notes.problem(path, problem, _FIXES[field])
        elif do[field] is not None:
            notes.problem(f"{path}.{field}", problem, _FIXES[field])
    return action


def _strategy(schema: Any) -> StrategyConfig:
    return StrategyConfig(
        rolling=schema.get("rolling", True),
        batch_size=schema.get("batch_size", 1),
        time_wait=schema.get("wait_seconds", 30),
        skip_failed=schema.get("on_failure", "block") == "skip",
        args=tuple((key, tuple(values or ())) for key, values in (schema.get("args") or {}).items()),
    )


def _stop_params(schema: Any) -> StopParams:
    return StopParams(schema.get("policy"), schema.get("thread_count"), schema.get("grace_seconds"))


def _scope(notes: Notes, raw: Mapping[str, Any] | None, path: str) -> tuple[ServiceScope, ...]:
    scope: list[ServiceScope] = []
    if raw == {}:
        notes.problem(path, "is empty", "name a service: {HDFS: all}")
    for service, components in (raw or {}).items():
        service_template = _name(notes, service, path, "service")
        if service_template is None or components is None:
            continue
        if components == "all":
            scope.append((service_template, ALL))
            continue
        scope.append((service_template, _components(notes, components, f"{path}.{service}")))
    return tuple(scope)


def _components(notes: Notes, raw: Mapping[str, Any], path: str) -> tuple[ComponentScope, ...]:
    if not raw:
        notes.problem(path, "is empty", "say `all`, or name components")
    components: list[ComponentScope] = []
    for component, ips in raw.items():
        template = _name(notes, component, path, "component")
        if template is None or ips is None:
            continue
        if ips == "all":
            components.append((template, ALL))
            continue
        if not ips:
            notes.problem(f"{path}.{component}", "is empty", "say `all`, or list addresses")
        made = [_address(notes, ip, f"{path}.{component}[{index}]") for index, ip in enumerate(ips)]
        components.append((template, tuple(one for one in made if one is not None)))
    return tuple(components)


def _name(notes: Notes, raw: str, path: str, what: str) -> Template | None:
    """A service's or component's name. What no event changes is held against the API's spelling here, not first at 3 a.m."""
    template = _template(notes, raw, path)
    if template is not None and template.constant is not None and not names.is_process_name(template.constant):
        notes.problem(path, f"{raw!r} is not a {what} name", "letters and digits, as the console shows it")
    return template


def _address(notes: Notes, raw: str | None, path: str) -> Template | None:
    template = _template(notes, raw, path)
    if template is not None and template.constant is not None and not names.address(template.constant):
        notes.problem(path, f"{raw!r} is not an address", "such as 172.16.0.5, or a template such as {ip}")
    return template


def _template(notes: Notes, raw: str | None, path: str) -> Template | None:
    if raw is None:
        return None
    try:
        return compile_template(raw, path)
    except TemplateError as error:
        subject = f"{error.name} {error.problem}" if error.name else error.problem
        notes.problem(
            path, subject, error.hint or (f"there is {', '.join(error.available)}" if error.available else "")
        )
        return None


def _limits(notes: Notes, path: str, raw: Mapping[str, Any], base: Limits) -> Limits:
    share = raw.get("max_share")
    return Limits(
        cooldown=notes.duration(path, raw, "cooldown", base.cooldown),
        max_nodes=raw.get("max_nodes") or base.max_nodes,
        max_share=base.max_share if share is None else _share(notes, f"{path}.max_share", share),
        max_event_age=notes.duration(path, raw, "max_event_age", base.max_event_age, least=1),
    )


def _share(notes: Notes, path: str, raw: str | float) -> float:
    share = float(raw) if not isinstance(raw, str) else -1.0
    if isinstance(raw, str) and re.fullmatch(r"([0-9]*\.)?[0-9]+\s*%?", text := raw.strip()):
        share = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    if not 0 < share <= 1:
        is_percent = 1 < share <= 100 and not str(raw).endswith("%")
        hint = f"did you mean {share:g}%?" if is_percent else "a percentage such as 25%, or a number up to 1"
        notes.problem(path, f"{raw!r} is not a share", hint)
        return 1.0
    return share
