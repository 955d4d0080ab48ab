"""What is well and what is not, judged from what an examination saw.

Pure: ``handler/doctor/probes.py`` looks, this file judges. A finding that is not proved is no fault: it says that nothing
harmless shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handler.config.settings import MIN_TIME_LIMIT, time_limit_problem, unknown_variables
from handler.doctor.findings import Finding
from handler.errors import ApiError, NotAuthenticated, NotAuthorized, NotFound, ObservationIncomplete
from handler.model.observation import RUNNING
from handler.model.operation import UNTOUCHED, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from handler.config.config import Config
    from handler.doctor.findings import Call, LedgerSeen, Seen
    from handler.errors import ConfigurationError
    from handler.model.operation import Operation

#: Seconds by which clocks may differ: the API refuses a signature beyond the second, and a network's delay is within
#: the first.
FINE_SKEW: Final = 30.0
MAX_SKEW: Final = 300.0
#: Calls that change nothing, each with the resource that its right is for.
LOOKS: Final = ("DescribeInstances", "DescribeServiceNodeInfos")
ACT: Final = "StartStopServiceOrMonitor"
ASSUME: Final = "AssumeRole"


def diagnose(seen: Seen) -> list[Finding]:
    """A finding for each thing, in the order in which they are to be mended."""
    findings = [
        *_settings(seen),
        _time_limit(seen),
        *_configuration(seen),
        _credentials(seen),
        *_roles(seen, seen.config),
        *_endpoints(seen),
        _clock(seen),
    ]
    if seen.config is not None:
        findings += [*_clusters(seen, seen.config), *_looking(seen, seen.config), *_acting(seen, seen.config)]
    findings.append(_ledger(seen.ledger))
    if seen.config is not None:
        findings += [_door(seen, seen.config), *_alarms(seen, seen.config)]
    return findings


def exit_code(findings: Iterable[Finding]) -> int:
    """0 where nothing fails, 2 where settings or configuration do, else 1."""
    failing = {finding.name for finding in findings if finding.state == "fail"}
    if failing & {"settings", "configuration"}:
        return 2
    return 1 if failing else 0


# -- what is set


def _settings(seen: Seen) -> list[Finding]:
    findings = [_problem("settings", problem) for problem in seen.settings_problems]
    named = seen.config.variables if seen.config else ()
    if seen.config is not None:  # without it, a secret's name is not known to be one
        for name, nearest in unknown_variables(seen.env, named).items():
            fix = f"did you mean {nearest}?" if nearest else "leave it out"
            findings.append(Finding("settings", "warn", f"{name} is set, and nothing reads it", fix))
    findings += [
        Finding("settings", "warn", f"{name} is set but empty", "give it a value; the platform takes no empty ones")
        for name in named
        if name in seen.env and not seen.env[name].strip()
    ]
    return findings or [Finding("settings", "ok", f"mode {seen.mode}, {seen.endpoint}")]


def _problem(name: str, problem: ConfigurationError) -> Finding:
    at = ": ".join(part for part in (problem.where, problem.path) if part)
    return Finding(name, "fail", f"{at}: {problem.problem}" if at else problem.problem, problem.hint)


def _time_limit(seen: Seen) -> Finding:
    fix = "raise `timeout` in serverless.yml; 60 s leave time to look, act and look again"
    if seen.time_limit is None:
        return Finding(
            "time limit", "not proved", "it is seen in the function only", 'invoke it with {"steward":"doctor"}'
        )
    patience = seen.config.webhook.patience if seen.config else 0.0
    problem = time_limit_problem(seen.time_limit, patience)
    if problem:
        return Finding("time limit", "fail" if seen.time_limit < MIN_TIME_LIMIT else "warn", problem, fix)
    return Finding("time limit", "ok", f"{seen.time_limit:g} s")


def _configuration(seen: Seen) -> list[Finding]:
    if seen.config is None:
        problems = [_problem("configuration", problem) for problem in seen.config_problems]
        return problems or [
            Finding("configuration", "not proved", "the settings do not say which", "mend the settings")
        ]
    counts = f"{many(seen.config.clusters, 'cluster')}, {many(seen.config.rules, 'rule')}"
    if not seen.config.clusters:
        return [
            Finding(
                "configuration",
                "warn",
                f"{seen.config_path}: {counts}",
                "a cluster that is not listed is never touched",
            )
        ]
    return [Finding("configuration", "ok", f"{seen.config_path}: {counts}")]


# -- who we are to the API


def _credentials(seen: Seen) -> Finding:
    found = seen.credentials
    if found is None:
        half = [
            f"{one} is set and {other} is not"
            for pair in (
                ("TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY"),
                ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"),
            )
            for one, other in (pair, pair[::-1])
            if seen.env.get(one) and not seen.env.get(other)
        ]
        fix = "give the function an execution role (`role` in serverless.yml), or set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY"
        return Finding("credentials", "fail", "; ".join(half) or "none", fix)
    kind = "the temporary key of a role" if found.kind == "role" else "a lasting key"
    ours = [call for call in seen.calls if not call.role or call.action == ASSUME]
    for call in ours:
        if isinstance(call.error, NotAuthenticated):
            return _refused_key("credentials", kind, call.error)
    if not any(_is_accepted(call) for call in ours):
        return Finding(
            "credentials", "not proved", f"{kind}; the API was not asked, or did not answer", "mend what fails below"
        )
    if seen.time_limit is not None and found.kind == "key":
        return Finding(
            "credentials",
            "warn",
            f"{kind} in the function, accepted by the API",
            "give the function an execution role instead",
        )
    return Finding("credentials", "ok", f"{kind}, accepted by the API")


def _refused_key(name: str, kind: str, error: ApiError) -> Finding:
    code = error.code.rpartition(".")[2]
    if code == "SignatureExpire":
        return Finding(name, "not proved", f"{kind}; the clock is in the way", "mend the clock")
    fix = {
        "SecretIdNotFound": "the key is deleted, disabled, or of the other site: keys of the international site need STEWARD_EMR_ENDPOINT=international",
        "InvalidSecretId": "it is no API key of this cloud; make one in the CAM console",
        "SignatureFailure": "the secret key is not that of the secret id",
        "TokenFailure": "the token has ended, or is another key's",
        "InvalidCredential": "the id or the key is empty or holds a blank",
    }.get(code, "make a new key, or give the function an execution role")
    return Finding(name, "fail", f"{kind}; {error}", fix)


def _roles(seen: Seen, config: Config | None) -> Iterable[Finding]:
    arns = (cluster.role_arn for cluster in config.clusters.values()) if config else ()
    for arn in dict.fromkeys(filter(None, arns)):
        name = f"role {arn}"
        mine = [call for call in seen.calls if call.role == arn]
        asked = next((call for call in mine if call.action == ASSUME), None)
        refused = next(
            (call for call in mine if call.action != ASSUME and isinstance(call.error, NotAuthenticated)), None
        )
        if asked is not None and asked.error is not None:
            fix = "our policy needs sts:AssumeRole on it, and its trust policy has to name our account"
            ours_is_at_fault = isinstance(asked.error, NotAuthenticated)
            yield Finding(
                name,
                "not proved" if ours_is_at_fault else "fail",
                str(asked.error),
                "mend the credentials" if ours_is_at_fault else fix,
            )
        elif refused is not None and isinstance(refused.error, ApiError):
            yield _refused_key(name, "its temporary key", refused.error)
        elif any(_is_accepted(call) for call in mine if call.action != ASSUME):
            yield Finding(name, "ok", "assumed, and its key accepted")
        else:
            seen_so_far = "it was not assumed" if asked is None else "assumed; no call with its key was answered"
            yield Finding(name, "not proved", seen_so_far, "mend what fails above")


def _endpoints(seen: Seen) -> Iterable[Finding]:
    hosts = dict.fromkeys(call.host for call in seen.calls)
    if not hosts:
        yield Finding("endpoint", "not proved", "no call was made", "mend what fails above")
    for host in hosts:
        calls = [call for call in seen.calls if call.host == host]
        silent = next((call for call in calls if not _is_answered(call)), None)
        if silent is None or any(_is_answered(call) for call in calls):
            yield Finding(f"endpoint {host}", "ok", "answers")
        elif isinstance(silent.error, NotAuthenticated):
            yield Finding(f"endpoint {host}", "not proved", "nothing was sent", "mend the credentials")
        else:
            fix = (
                "a function needs public access (`publicAccess`), or, in a VPC, a NAT gateway or STEWARD_EMR_ENDPOINT=internal; "
                "a wrong STEWARD_EMR_ENDPOINT does not answer either"
            )
            yield Finding(f"endpoint {host}", "fail", f"does not answer: {silent.error}", fix)


def _is_answered(call: Call) -> bool:
    """Whether the API itself said something: a refusal is an answer."""
    if call.error is None or isinstance(call.error, (NotFound, ObservationIncomplete)):
        return True
    return isinstance(call.error, ApiError) and bool(call.error.request_id)


def _is_accepted(call: Call) -> bool:
    """Whether the answer shows that the signature was accepted. Of other refusals it is not known what is looked at first."""
    return call.error is None or isinstance(call.error, (NotFound, NotAuthorized, ObservationIncomplete))


def _clock(seen: Seen) -> Finding:
    fix = "set the machine's clock (NTP); the API refuses a signature whose time is 300 s off"
    is_refused = any(getattr(call.error, "code", "").endswith("SignatureExpire") for call in seen.calls)
    if seen.skew is None:
        if is_refused:
            return Finding("clock", "fail", "more than 300 s off: the API says that the signature has expired", fix)
        if any(call.error is None for call in seen.calls):
            return Finding("clock", "ok", "less than 300 s off, since a signature was accepted")
        return Finding("clock", "not proved", "no answer bore a date", "mend what fails above")
    off = f"{abs(seen.skew):.0f} s {'ahead of' if seen.skew > 0 else 'behind'} the API's"
    if is_refused or abs(seen.skew) >= MAX_SKEW:
        return Finding("clock", "fail", off, fix)
    if abs(seen.skew) > FINE_SKEW:
        return Finding("clock", "warn", off, fix)
    return Finding("clock", "ok", f"within {FINE_SKEW:.0f} s of the API's")


# -- clusters, and what we may do to them


def _clusters(seen: Seen, config: Config) -> Iterable[Finding]:
    for cluster in config.clusters.values():
        name = f"cluster {cluster.id}"
        call = next((one for one in seen.calls if one.cluster == cluster.id and one.action == LOOKS[0]), None)
        if call is None:
            yield Finding(name, "not proved", "it was not looked at", "mend what fails above")
        elif isinstance(call.error, NotFound):
            whose = (
                f"the account of {cluster.role_arn}"
                if cluster.role_arn
                else "our account; another account's needs role_arn"
            )
            yield Finding(
                name, "fail", f"not seen in {cluster.region}", f"check its id and region; it has to belong to {whose}"
            )
        elif call.error is not None:
            yield Finding(name, "not proved", f"the look failed: {call.error}", "mend what fails above, or try again")
        elif call.status != RUNNING:
            yield Finding(
                name,
                "warn",
                f"seen, but its status is {call.status}",
                f"operations wait until it is {RUNNING} (running)",
            )
        else:
            yield Finding(name, "ok", f"seen in {cluster.region}, running")


def _looking(seen: Seen, config: Config) -> Iterable[Finding]:
    """The rights to look, for each key that looks: the calls are really made, and change nothing."""
    for role in dict.fromkeys(cluster.role_arn for cluster in config.clusters.values()):
        whose = f"the policy of {role}" if role else "the policy of the execution role"
        for action in LOOKS:
            name = f"right emr:{action}" + (f" as {role}" if role else "")
            calls = [call for call in seen.calls if call.role == role and call.action == action]
            refused = [call for call in calls if isinstance(call.error, NotAuthorized)]
            if refused:
                on = ", ".join(call.cluster for call in refused)
                yield Finding(
                    name, "fail", f"refused on {on}: {refused[0].error}", f'{whose} needs "{_label(action)}" on "*"'
                )
            elif any(_is_accepted(call) for call in calls):
                yield Finding(name, "ok", "called, and allowed")
            else:
                yield Finding(name, "not proved", "no call of it was answered", "mend what fails above")


def _acting(seen: Seen, config: Config) -> Iterable[Finding]:
    """The right to act, of which only the past can be evidence.

    The action has no dry run. Nothing documents in which order the API checks rights and parameters, and the right is
    the single cluster's: a request made to be refused might act, or be refused before the right is asked for, and one
    for another cluster shows another right.
    """
    past = seen.ledger.operations if seen.ledger else ()
    for cluster in config.clusters.values():
        name = f"right {_label(ACT)} on {cluster.id}"
        whose = f"the policy of {cluster.role_arn}" if cluster.role_arn else "the policy of the execution role"
        fix = f'{whose} needs "{_label(ACT)}" on the cluster\'s emr-instance resource'
        last = next(
            (one for one in past if one.cluster == cluster.id and (_was_taken(one) or _was_forbidden(one))), None
        )
        if last is None:
            untried = "the action has no dry run, and no harmless request shows it; without the right it is refused, and alarmed"
            yield Finding(name, "not proved", untried, f"{fix}; the first real operation shows it")
        elif _was_taken(last):
            yield Finding(name, "ok", f"the API took {last.id} on {_day(last.armed_at)}, the ledger says")
        else:
            yield Finding(name, "fail", f"refused on {_day(last.armed_at)} ({last.id}: {last.code})", fix)


def _was_taken(operation: Operation) -> bool:
    return operation.state in (State.ACCEPTED, State.VERIFIED, State.UNVERIFIED, State.FAILED)


def _was_forbidden(operation: Operation) -> bool:
    return operation.state in UNTOUCHED and operation.code.startswith("UnauthorizedOperation")


def _day(at: float) -> str:
    import datetime

    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%d")


def _label(action: str) -> str:
    return f"emr:{action}"


# -- what remembers, who may call, who is told


def _ledger(seen: LedgerSeen | None) -> Finding:
    if seen is None:
        return Finding("ledger", "not proved", "the settings do not say which", "mend the settings")
    if seen.error:
        return Finding(
            "ledger",
            "fail",
            seen.error,
            "without it nothing is sent; check STEWARD_LEDGER, or move a broken file away: the next start makes a new one, which remembers nothing",
        )
    if not seen.keeps:
        return Finding(
            "ledger",
            "fail",
            "it does not keep what is written into it",
            "check STEWARD_LEDGER; no other store may share its keys",
        )
    state = f"written and read back; {seen.open_operations} operations open"
    if seen.warnings:
        return Finding(
            "ledger", "warn", "; ".join((*seen.warnings, state)), "see the README's limits of a ledger for one host"
        )
    return Finding("ledger", "ok", state)


def _door(seen: Seen, config: Config) -> Finding:
    callers = config.webhook.callers
    if not callers:
        return Finding("door", "ok", "closed: no caller is configured, every HTTP call is refused")
    without = [f"{caller.name} ({caller.secret_env})" for caller in callers if not seen.env.get(caller.secret_env)]
    if without:
        return Finding(
            "door",
            "warn",
            f"can never come in: {', '.join(without)}",
            "set the secret's variable, or take the caller out of steward.yml",
        )
    return Finding("door", "ok", f"{many(callers, 'caller')}, each with a secret")


def _alarms(seen: Seen, config: Config) -> Iterable[Finding]:
    alarms = seen.alarms
    say = "try it with --send-test-alarm"
    yield Finding(
        "alarms in the log",
        "not proved",
        "every alarm is an ERROR line steward.alarm; who is told of it cannot be seen from here",
        "an alarm policy of the log service on event:steward.alarm",
    )
    for variable, problem in alarms.chats.items():
        name = f"alarms by chat {variable}"
        if problem := problem or alarms.unsent.get(f"chat:{variable}", ""):
            yield Finding(name, "fail", problem, f"set {variable} to the chat's apprise URL")
        elif alarms.was_sent:
            yield Finding(name, "ok", "took a test alarm")
        else:
            yield Finding(name, "not proved", "its URL can be read; nothing was sent", say)
    if config.alarms.event_bus is not None:
        bus = config.alarms.event_bus
        name = f"alarms on event bus {bus.id}"
        if "event_bus" in alarms.unsent:
            fix = f'our policy needs "eb:PutEvents", and {bus.id} has to be in {bus.region}'
            yield Finding(name, "fail", alarms.unsent["event_bus"], fix)
        elif alarms.was_sent:
            yield Finding(name, "ok", "took a test alarm")
        else:
            yield Finding(name, "not proved", "an event that is put there is seen by its targets; none was put", say)


def many(things: Sequence[object] | Mapping[str, object], name: str) -> str:
    """How many there are, in words: ``1 cluster``, ``2 clusters``."""
    return f"{len(things)} {name}" + ("" if len(things) == 1 else "s")
