"""Judges the evidence of an examination: one finding for each check.

Pure: ``handler/doctor/probes.py`` collects the evidence. A check is never ``fail`` on suspicion: where the evidence is
missing it is ``unknown``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handler.config.settings import MIN_TIME_LIMIT, time_limit_problem, unknown_variables
from handler.doctor import cloud_checks
from handler.doctor.findings import Finding
from handler.receive import auth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from handler.config.config import Config
    from handler.doctor.findings import Evidence, LedgerEvidence
    from handler.errors import ConfigurationError

_FIX_SETTINGS: Final = "fix the settings first"


def diagnose(evidence: Evidence) -> list[Finding]:
    """The findings of all checks, in the order in which to fix them."""
    config = evidence.config
    findings = [
        *_settings(evidence),
        _time_limit(evidence),
        *_configuration(evidence),
        *cloud_checks.access(evidence),
    ]
    if config is not None:
        findings += cloud_checks.clusters_and_permissions(evidence, config)
    findings.append(_ledger(evidence.ledger))
    if config is not None:
        findings += [_webhook(evidence, config), *_alarms(evidence, config)]
    return findings


def exit_code(findings: Iterable[Finding]) -> int:
    """2 where the settings or the configuration fail, 1 where another check fails, else 0."""
    failing = {finding.name for finding in findings if finding.state == "fail"}
    if failing & {"settings", "configuration"}:
        return 2
    return 1 if failing else 0


# -- settings and configuration


def _settings(evidence: Evidence) -> list[Finding]:
    findings = [_problem("settings", problem) for problem in evidence.settings_problems]
    named = evidence.config.variables if evidence.config else ()
    if evidence.config is not None:  # without it, the variables of secrets are not known
        for name, nearest in unknown_variables(evidence.env, named).items():
            fix = f"did you mean {nearest}?" if nearest else "remove it"
            findings.append(Finding("settings", "warn", f"{name} is set, but nothing reads it", fix))
    fix = "give it a value, or remove it; the platform does not accept empty variables"
    findings += [
        Finding("settings", "warn", f"{name} is set but empty", fix)
        for name in named
        if name in evidence.env and not evidence.env[name].strip()
    ]
    return findings or [Finding("settings", "ok", f"mode {evidence.mode}, {evidence.endpoint}")]


def _problem(name: str, problem: ConfigurationError) -> Finding:
    at = ": ".join(part for part in (problem.where, problem.path) if part)
    return Finding(name, "fail", f"{at}: {problem.problem}" if at else problem.problem, problem.hint)


def _time_limit(evidence: Evidence) -> Finding:
    name = "time limit"
    if evidence.time_limit is None:
        fix = 'invoke the function with {"steward":"doctor"}'
        return Finding(name, "unknown", "it is known only inside the function", fix)
    patience = evidence.config.webhook.patience if evidence.config else 0.0
    problem = time_limit_problem(evidence.time_limit, patience)
    if problem:
        fix = "raise `timeout` in serverless.yml; 60 s is enough to look at a cluster, act and verify"
        return Finding(name, "fail" if evidence.time_limit < MIN_TIME_LIMIT else "warn", problem, fix)
    return Finding(name, "ok", f"{evidence.time_limit:g} s")


def _configuration(evidence: Evidence) -> list[Finding]:
    name = "configuration"
    if evidence.config is None:
        problems = [_problem(name, problem) for problem in evidence.config_problems]
        return problems or [Finding(name, "unknown", "not loaded, because the settings are invalid", _FIX_SETTINGS)]
    counts = f"{many(evidence.config.clusters, 'cluster')}, {many(evidence.config.rules, 'rule')}"
    detail = f"{evidence.config_path}: {counts}"
    if not evidence.config.clusters:
        fix = "list your clusters under `clusters:`; a cluster that is not listed is never touched"
        return [Finding(name, "warn", detail, fix)]
    return [Finding(name, "ok", detail)]


# -- ledger, webhooks and alarms


def _ledger(ledger: LedgerEvidence | None) -> Finding:
    name = "ledger"
    if ledger is None:
        return Finding(name, "unknown", "not opened, because the settings are invalid", _FIX_SETTINGS)
    if ledger.error:
        fix = (
            "check STEWARD_LEDGER, or move a broken file away: the next start creates an empty ledger; "
            "without a ledger the function sends nothing"
        )
        return Finding(name, "fail", ledger.error, fix)
    if not ledger.keeps:
        fix = "check STEWARD_LEDGER; no other program may use the same store and keys"
        return Finding(name, "fail", "it does not keep what is written to it", fix)
    detail = f"written and read back; {many(range(ledger.open_operations), 'open operation')}"
    if ledger.warnings:
        fix = "see in docs/limits.md what each ledger may lose"
        return Finding(name, "warn", "; ".join((*ledger.warnings, detail)), fix)
    return Finding(name, "ok", detail)


def _webhook(evidence: Evidence, config: Config) -> Finding:
    name = "webhook authentication"
    callers = config.webhook.callers
    if not callers:
        return Finding(name, "ok", "no caller is configured, so every HTTP call is refused")
    if weak := auth.weak_secrets(callers, evidence.env):
        fix = "set the variable to another secret: until then the function does not start"
        return Finding(name, "fail", "; ".join(f"{one.where}: {one.problem}" for one in weak), fix)
    without = [f"{caller.name} ({caller.secret_env})" for caller in callers if not evidence.env.get(caller.secret_env)]
    if without:
        fix = "set the variable in brackets, or remove the caller from steward.yml"
        return Finding(name, "warn", f"always refused, because the secret is not set: {', '.join(without)}", fix)
    return Finding(name, "ok", f"{many(callers, 'caller')}, each with a secret")


def _alarms(evidence: Evidence, config: Config) -> Iterable[Finding]:
    alarms = evidence.alarms
    try_it = 'send a test alarm: --send-test-alarm, or "send_test_alarm": true in the event'
    yield Finding(
        "alarms in the log",
        "unknown",
        "every alarm is an ERROR line steward.alarm; whether anybody is notified of it cannot be checked from here",
        "create an alarm policy of the log service for event:steward.alarm",
    )
    for variable, url_problem in alarms.chats.items():
        name = f"alarms to chat {variable}"
        if problem := url_problem or alarms.unsent.get(f"chat:{variable}", ""):
            yield Finding(name, "fail", problem, f"set {variable} to the apprise URL of the chat")
        elif alarms.was_sent:
            yield Finding(name, "ok", "accepted a test alarm")
        else:
            yield Finding(name, "unknown", "its URL is valid; nothing was sent to it", try_it)
    if config.alarms.event_bus is not None:
        bus = config.alarms.event_bus
        name = f"alarms to event bus {bus.id}"
        if "event_bus" in alarms.unsent:
            fix = f'add "eb:PutEvents" to the policy of the execution role, and check that {bus.id} is in {bus.region}'
            yield Finding(name, "fail", alarms.unsent["event_bus"], fix)
        elif alarms.was_sent:
            yield Finding(name, "ok", "accepted a test alarm")
        else:
            yield Finding(name, "unknown", "nothing was sent to it", try_it)


def many(things: Sequence[object] | Mapping[str, object], name: str) -> str:
    """The number of things in words, such as ``1 cluster`` or ``2 clusters``."""
    return f"{len(things)} {name}" + ("" if len(things) == 1 else "s")
