"""Checks between the keys of steward.yml, which no key shows alone.

They find names that appear twice, clusters that are not listed, and operations that lack their parameters. A part that
could not be read is None here: its error is already reported, and its consequences are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic_core import PydanticCustomError

from handler.lib.wording import meant
from handler.model.request import Action, OpType, StopParams, StrategyConfig
from steward.config import models, values
from steward.config.durations import duration, span
from steward.config.pattern_lint import LABEL_OF_TIMERS, NOT_OF_TIMERS, only_timers
from steward.config.rule_values import template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from steward.config.report import Report

#: How to fix what is wrong with a field of an action.
_FIXES: Final = {
    "strategy": "strategy: {rolling: true, batch_size: 1, wait_seconds: 30}",
    "stop_params": "leave them out",
    "keep_monitor": "leave it out",
}

#: What is missing of a grant, as it may be written.
_GRANTS: Final = {
    "operations": "operations: [RestartService]",
    "clusters": "clusters: [emr-4zvc5mul], or all that are listed",
    "services": "services: [HDFS, HIVE], or all",
}


def check(report: Report, file: dict[str, Any]) -> None:
    """Report what is wrong between the parts of a file.

    ``file`` is its content as far as it can be read.
    """
    clusters = file.get("clusters")
    _rules(report, file.get("rules"), clusters)
    callers = _section(file, "webhook").get("callers")
    _callers(report, callers)
    for path, caller in _each("webhook.callers", callers):
        _grant(report, path, caller)
        if caller.get("clusters") != "all":
            _listed_clusters(report, path, caller, clusters)
    _named_callers(report, file.get("rules"), callers)
    safety = _section(file, "safety")
    for path, freeze in _each("safety.freezes", safety.get("freezes")):
        _freeze(report, path, freeze)
        _listed_clusters(report, path, freeze, clusters)
    for path, window in _each("safety.maintenance_windows", safety.get("maintenance_windows")):
        start = window.get("start")
        if start is not None and start == window.get("end"):
            report.problem(path, "ends when it begins", "a whole day is 00:00 to 24:00")
        _listed_clusters(report, path, window, clusters)
    if file.get("safety", {}) is not None:
        _records_are_kept(report, file, safety)


def _each(path: str, items: list[Any] | None) -> Iterator[tuple[str, Any]]:
    """The items of a list that could be read, each with its path."""
    return ((f"{path}[{index}]", item) for index, item in enumerate(items or ()) if item is not None)


def _section(holder: dict[str, Any], key: str) -> dict[str, Any]:
    return holder.get(key) or {}


# -- rules


def _rules(report: Report, rules: list[Any] | None, clusters: dict[str, Any] | None) -> None:
    taken: set[str] = set()
    for path, rule in _each("rules", rules):
        name, when, do = rule.get("name"), rule.get("when"), _section(rule, "do")
        if name is not None and name in taken:
            report.problem(f"{path}.name", f"{name!r} appears twice", "names are unique")
        taken.add(name)
        if when is not None and only_timers(when):
            _names_no_timer_has(report, f"{path}.do", do)
        op_type = None if do.get("operation") is None else OpType(do["operation"])
        if op_type is not None:
            _action(report, f"{path}.do", do, op_type)
        _allowed(report, f"{path}.do", do.get("cluster"), op_type, clusters)


def _action(report: Report, path: str, do: dict[str, Any], op_type: OpType) -> None:
    action = Action(
        op_type,
        StrategyConfig() if "strategy" in do else None,
        StopParams() if "stop_params" in do else None,
        False if "keep_monitor" in do else None,
    )
    for field, problem in action.problems():
        if field not in do:
            report.problem(path, problem, _FIXES[field])
        elif do[field] is not None:
            report.problem(f"{path}.{field}", problem, _FIXES[field])
    if do.get("even_if_healthy") and op_type is not OpType.RESTART_SERVICE:
        report.problem(f"{path}.even_if_healthy", f"only RestartService takes it, not {op_type}")


def _names_no_timer_has(report: Report, path: str, do: dict[str, Any]) -> None:
    """Report each name in a template that no timer has: it would be missing when the timer fires."""
    texts = [do.get("cluster")]
    for service, components in _section(do, "scope").items():
        texts.append(service)
        for component, ips in components.items() if isinstance(components, dict) else ():
            texts += [component, *(ips if isinstance(ips, list) else ())]
    for name in dict.fromkeys(name for text in texts for name in _names(text)):
        field, _, label = name.partition(".")
        if field in NOT_OF_TIMERS or (label and label != LABEL_OF_TIMERS):
            report.problem(path, f"{{{name}}} is not something that a timer has", "write out what is meant")


def _names(text: str | None) -> tuple[str, ...]:
    """The names in a template; none where it cannot be read."""
    try:
        return () if text is None else template(text).names
    except PydanticCustomError:
        return ()


def _allowed(
    report: Report, path: str, cluster: str | None, op_type: OpType | None, clusters: dict[str, Any] | None
) -> None:
    """Report an operation that is in ``allow`` of no cluster that the rule may mean.

    Without any cluster, nothing is reported here: that is a warning.
    """
    if cluster is None or clusters is None:
        return
    named = template(cluster).constant
    if named is not None and named not in clusters:
        _not_listed(report, f"{path}.cluster", named, clusters)
        return
    candidates = [key for key in clusters if named in (None, key)]
    if op_type is not None and candidates and not any(_allows(clusters[key], op_type) for key in candidates):
        whose = candidates[0] if len(candidates) == 1 else "any cluster"
        to = f"clusters.{whose}.allow" if len(candidates) == 1 else "the `allow` of those that are meant"
        report.problem(f"{path}.operation", f"{op_type} is not in `allow` of {whose}", f"add it to {to}")


def _allows(cluster: dict[str, Any] | None, op_type: OpType) -> bool:
    """Whether a cluster allows an operation. One that could not be read may allow anything."""
    allow = None if cluster is None else cluster.get("allow")
    return allow is None or None in allow or op_type in allow


def _not_listed(report: Report, path: str, cluster: str, clusters: dict[str, Any]) -> None:
    report.problem(path, f"{cluster} is not listed under clusters", meant(cluster, clusters))


def _listed_clusters(report: Report, path: str, holder: dict[str, Any], clusters: dict[str, Any] | None) -> None:
    for at, cluster in _each(f"{path}.clusters", holder.get("clusters")):
        if clusters is not None and cluster not in clusters:
            _not_listed(report, at, cluster, clusters)


# -- callers


def _callers(report: Report, callers: list[Any] | None) -> None:
    taken: set[str] = set()
    users_of_secret: dict[str, str] = {}
    for path, caller in _each("webhook.callers", callers):
        name = caller.get("name")
        if name is not None and name in taken:
            report.problem(f"{path}.name", f"{name!r} appears twice", "names are unique")
        taken.add(name)
        if ("basic" in caller) == ("bearer_env" in caller):
            report.problem(path, "needs either basic or bearer_env", "exactly one of them")
            continue
        secret = _section(caller, "basic").get("password_env") or caller.get("bearer_env")
        if secret is not None and secret in users_of_secret:
            # One could call as the other, and neither could be locked out alone.
            other = users_of_secret[secret]
            report.problem(path, f"has the secret of {other!r}", "each caller needs a variable of its own")
        elif secret is not None:
            users_of_secret[secret] = name or path


def _grant(report: Report, path: str, caller: dict[str, Any]) -> None:
    """Report what a caller lacks for requests, or has without being allowed them."""
    if "sources" not in caller or caller["sources"] is None:
        return
    is_requester = "request" in caller["sources"]
    for key in models.GRANT_OF_REQUESTS:
        if is_requester and key not in caller:
            report.problem(path, f"may send requests, and has no `{key}`", _GRANTS[key])
        elif not is_requester and key in caller and None not in caller["sources"]:
            report.problem(f"{path}.{key}", "is for callers that may send requests", "leave it out, or add request")


def _named_callers(report: Report, rules: list[Any] | None, callers: list[Any] | None) -> None:
    """Report a name in a rule's ``caller`` that no caller has: the rule would never match."""
    known = [caller["name"] for caller in callers or () if caller is not None and caller.get("name") is not None]
    if None in (callers or ()) or len(known) < len(callers or ()):
        return
    for path, rule in _each("rules", rules):
        for at, name in _literals_of_caller(rule.get("when") or {}, f"{path}.when"):
            if name not in known:
                report.problem(at, f"no caller of webhook.callers is named {name[:80]!r}", meant(name[:80], known))


def _literals_of_caller(when: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """The names that a pattern wants as ``caller``, each with its place."""
    for index, name in enumerate(when.get("caller") or ()):
        if isinstance(name, str):
            yield f"{path}.caller[{index}]", name
    for index, choice in enumerate(when.get("$or") or ()):
        yield from _literals_of_caller(choice, f"{path}.$or[{index}]")


# -- safety


def _freeze(report: Report, path: str, freeze: dict[str, Any]) -> None:
    ends: list[float] = []
    for key, which in (("from", min), ("to", max)):
        text = freeze.get(key)
        if text is None:
            continue
        if "time_zone" not in freeze and values.moment(text).tzinfo is None:
            report.problem(f"{path}.{key}", f"{text!r} names no time zone", "add +08:00, or time_zone: Asia/Shanghai")
        elif (at := values.epoch(text, freeze.get("time_zone"), which)) is not None:
            ends.append(at)
    if len(ends) == 2 and ends[0] >= ends[1]:
        report.problem(path, "ends before it begins", "`to` is later than `from`")


def _records_are_kept(report: Report, file: dict[str, Any], safety: dict[str, Any]) -> None:
    """Report a ``keep_records`` that is shorter than a span in which records are counted."""
    keep = _seconds(models.Safety, safety, "keep_records")
    counted = [(_seconds(models.Quarantine, _section(safety, "quarantine"), "within"), "safety.quarantine.within")]
    defaults = _section(file, "limits")
    for path, rule in _each("rules", file.get("rules")):
        whose = path if rule.get("name") is None else f"rule {rule['name']}"
        limits = {**defaults, **_section(rule, "limits")}
        counted += [(_seconds(models.Limits, limits, key), f"the {key} of {whose}") for key in ("cooldown", "max_wait")]
    longest, what = max((seconds or 0.0, what) for seconds, what in counted)
    if keep is not None and longest > keep:
        hint = f"at least {span(longest)}, or a shorter span there"
        report.problem("safety.keep_records", f"is shorter than {what}, which would be forgotten", hint)


def _seconds(model: type[models.Part], holder: dict[str, Any], key: str) -> float | None:
    """The seconds of a key, or of its default if it is left out; None if it cannot be read."""
    return duration(holder[key] if key in holder else model.model_fields[key].default)
