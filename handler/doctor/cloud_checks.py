"""Judges the evidence from the cloud: access, clock, clusters and permissions. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handler.doctor.findings import Finding
from handler.errors import ApiError, NotAuthenticated, NotAuthorized, NotFound, ObservationIncomplete
from handler.model.observation import RUNNING
from handler.model.operation import UNTOUCHED, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handler.config.config import Config
    from handler.doctor.findings import Call, Evidence
    from handler.report.history import OperationRow

#: Seconds of clock skew above which there is a warning: more than a network's delay.
SKEW_WARNING: Final = 30.0
#: Seconds of clock skew from which the API refuses a signature.
MAX_SKEW: Final = 300.0
#: Read-only actions of the EMR API that an operation needs.
READ_ACTIONS: Final = ("DescribeInstances", "DescribeServiceNodeInfos")
#: The action of the EMR API that changes a cluster. It is never called here.
OPERATE_ACTION: Final = "StartStopServiceOrMonitor"
ASSUME_ROLE: Final = "AssumeRole"

_FIX_OTHERS: Final = "fix the failing checks first"
_FIX_CREDENTIALS: Final = "fix the credentials first"


def access(evidence: Evidence) -> list[Finding]:
    """Whether the API answers and accepts the credentials: keys, roles, endpoints, clock."""
    return [_credentials(evidence), *_roles(evidence), *_endpoints(evidence), _clock(evidence)]


def clusters_and_permissions(evidence: Evidence, config: Config) -> list[Finding]:
    """Whether the configured clusters exist, and the function may do what it needs to."""
    return [
        *_clusters(evidence, config),
        *_read_permissions(evidence, config),
        *_operate_permissions(evidence, config),
    ]


# -- credentials and endpoints


def _credentials(evidence: Evidence) -> Finding:
    name, found = "credentials", evidence.credentials
    if found is None:
        pairs = (
            ("TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY"),
            ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"),
        )
        incomplete = [
            f"{one} is set, but {other} is not"
            for pair in pairs
            for one, other in (pair, pair[::-1])
            if evidence.env.get(one) and not evidence.env.get(other)
        ]
        fix = (
            "give the function an execution role (`role` in serverless.yml), "
            "or set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY"
        )
        return Finding(name, "fail", "; ".join(incomplete) or "none are set", fix)
    kind = "temporary key of a role" if found.kind == "role" else "permanent key"
    own_calls = [call for call in evidence.calls if not call.role or call.action == ASSUME_ROLE]
    for call in own_calls:
        if isinstance(call.error, NotAuthenticated):
            return _refused_key(name, kind, call.error)
    if not any(_is_accepted(call) for call in own_calls):
        return Finding(name, "unknown", f"{kind}; the API was not called, or did not answer", _FIX_OTHERS)
    if evidence.time_limit is not None and found.kind == "key":
        fix = "give the function an execution role instead (`role` in serverless.yml)"
        return Finding(name, "warn", f"{kind} in the function, accepted by the API", fix)
    return Finding(name, "ok", f"{kind}, accepted by the API")


def _refused_key(name: str, kind: str, error: ApiError) -> Finding:
    code = error.code.rpartition(".")[2]
    if code == "SignatureExpire":
        return Finding(name, "unknown", f"{kind}; it cannot be checked while the clock is wrong", "set the clock first")
    fix = {
        "SecretIdNotFound": (
            "the key was deleted or disabled: create or enable one; "
            "a key of the international site needs STEWARD_EMR_ENDPOINT=international"
        ),
        "InvalidSecretId": "the id is not that of an API key of this cloud; create a key in the CAM console",
        "SignatureFailure": "the secret key does not belong to the secret id; set both from the same key",
        "TokenFailure": "the token has expired, or belongs to another key; set id, key and token from one source",
        "InvalidCredential": "the id or the key is empty or contains a blank; set it again",
    }.get(code, "create a new key, or give the function an execution role")
    return Finding(name, "fail", f"{kind}; {error}", fix)


def _roles(evidence: Evidence) -> Iterable[Finding]:
    arns = (cluster.role_arn for cluster in evidence.config.clusters.values()) if evidence.config else ()
    for arn in dict.fromkeys(filter(None, arns)):
        name = f"role {arn}"
        role_calls = [call for call in evidence.calls if call.role == arn]
        assumed = next((call for call in role_calls if call.action == ASSUME_ROLE), None)
        used = [call for call in role_calls if call.action != ASSUME_ROLE]
        refused = next((call for call in used if isinstance(call.error, NotAuthenticated)), None)
        if assumed is not None and isinstance(assumed.error, NotAuthenticated):
            yield Finding(name, "unknown", str(assumed.error), _FIX_CREDENTIALS)
        elif assumed is not None and assumed.error is not None:
            fix = (
                "add sts:AssumeRole on this role to the policy of the execution role, "
                "and the function's account to the trust policy of this role"
            )
            yield Finding(name, "fail", str(assumed.error), fix)
        elif refused is not None and isinstance(refused.error, ApiError):
            yield _refused_key(name, "temporary key of this role", refused.error)
        elif any(_is_accepted(call) for call in used):
            yield Finding(name, "ok", "assumed, and its key was accepted by the API")
        else:
            detail = "it was not assumed" if assumed is None else "assumed, but no call with its key was answered"
            yield Finding(name, "unknown", detail, _FIX_OTHERS)


def _endpoints(evidence: Evidence) -> Iterable[Finding]:
    hosts = dict.fromkeys(call.host for call in evidence.calls)
    if not hosts:
        yield Finding("endpoint", "unknown", "no call was made", _FIX_OTHERS)
    for host in hosts:
        name = f"endpoint {host}"
        calls = [call for call in evidence.calls if call.host == host]
        unanswered = next((call for call in calls if not _is_answered(call)), None)
        if unanswered is None or any(_is_answered(call) for call in calls):
            yield Finding(name, "ok", "it answers")
        elif isinstance(unanswered.error, NotAuthenticated):
            yield Finding(name, "unknown", "nothing was sent to it", _FIX_CREDENTIALS)
        else:
            fix = (
                "check STEWARD_EMR_ENDPOINT for a wrong host; give the function public access (`publicAccess`), "
                "or, in a VPC, a NAT gateway or STEWARD_EMR_ENDPOINT=internal"
            )
            yield Finding(name, "fail", f"it does not answer: {unanswered.error}", fix)


def _is_answered(call: Call) -> bool:
    """Whether the API itself answered. A refusal is an answer."""
    if call.error is None or isinstance(call.error, (NotFound, ObservationIncomplete)):
        return True
    return isinstance(call.error, ApiError) and bool(call.error.request_id)


def _is_accepted(call: Call) -> bool:
    """Whether the answer proves that the signature was accepted.

    Other refusals prove nothing: the API may have sent them before it checked the signature.
    """
    return call.error is None or isinstance(call.error, (NotFound, NotAuthorized, ObservationIncomplete))


def _clock(evidence: Evidence) -> Finding:
    name, skew = "clock", evidence.clock_skew
    fix = "synchronise the clock of this machine (NTP); the API refuses a signature that is 300 s off"
    is_refused = any(getattr(call.error, "code", "").endswith("SignatureExpire") for call in evidence.calls)
    if skew is None:
        if is_refused:
            return Finding(name, "fail", "more than 300 s off: for the API the signature has expired", fix)
        if any(call.error is None for call in evidence.calls):
            return Finding(name, "ok", "less than 300 s off, because a signature was accepted")
        return Finding(name, "unknown", "no answer had a Date header", _FIX_OTHERS)
    offset = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the API's clock"
    if is_refused or abs(skew) >= MAX_SKEW:
        return Finding(name, "fail", offset, fix)
    if abs(skew) > SKEW_WARNING:
        return Finding(name, "warn", offset, fix)
    return Finding(name, "ok", f"within {SKEW_WARNING:.0f} s of the API's clock")


# -- clusters and permissions


def _clusters(evidence: Evidence, config: Config) -> Iterable[Finding]:
    for cluster in config.clusters.values():
        name = f"cluster {cluster.id}"
        call = next(
            (one for one in evidence.calls if one.cluster == cluster.id and one.action == READ_ACTIONS[0]), None
        )
        if call is None:
            yield Finding(name, "unknown", "it was not looked up", _FIX_OTHERS)
        elif isinstance(call.error, NotFound):
            owner = (
                f"the account of {cluster.role_arn}"
                if cluster.role_arn
                else "the function's account; a cluster of another account needs role_arn"
            )
            fix = f"check its id and region; it has to belong to {owner}"
            yield Finding(name, "fail", f"it does not exist in {cluster.region}", fix)
        elif call.error is not None:
            yield Finding(name, "unknown", f"the lookup failed: {call.error}", f"{_FIX_OTHERS}, or try again")
        elif call.status != RUNNING:
            fix = f"wait until its status is {RUNNING} (running); what is asked of it waits until then"
            yield Finding(name, "warn", f"it exists, but its status is {call.status}", fix)
        else:
            yield Finding(name, "ok", f"running in {cluster.region}")


def _read_permissions(evidence: Evidence, config: Config) -> Iterable[Finding]:
    """The permissions to read, for each key. The calls are real ones, and change nothing."""
    for role in dict.fromkeys(cluster.role_arn for cluster in config.clusters.values()):
        for action in READ_ACTIONS:
            name = f"permission {_label(action)}" + (f" as {role}" if role else "")
            calls = [call for call in evidence.calls if call.role == role and call.action == action]
            refused = [call for call in calls if isinstance(call.error, NotAuthorized)]
            if refused:
                clusters = ", ".join(call.cluster for call in refused)
                fix = f'add "{_label(action)}" on "*" to {_policy(role)}'
                yield Finding(name, "fail", f"refused on {clusters}: {refused[0].error}", fix)
            elif any(_is_accepted(call) for call in calls):
                yield Finding(name, "ok", "a call was allowed")
            else:
                yield Finding(name, "unknown", "no call was answered", _FIX_OTHERS)


def _operate_permissions(evidence: Evidence, config: Config) -> Iterable[Finding]:
    """The permission to operate each cluster, of which only past operations are evidence.

    The action has no dry run, and the API's pages do not say whether it checks permissions or parameters first. A
    request that is meant to be refused could act on the cluster, or be refused before the permission is checked. The
    permission is for one cluster, so a request for another one proves nothing.
    """
    past = evidence.ledger.operations if evidence.ledger else ()
    for cluster in config.clusters.values():
        name = f"permission {_label(OPERATE_ACTION)} on {cluster.id}"
        policy, resource = _policy(cluster.role_arn), "the cluster's emr-instance resource"
        last = next(
            (one for one in past if one.cluster == cluster.id and (_was_accepted(one) or _was_forbidden(one))), None
        )
        if last is None:
            detail = "the action has no dry run, so only a real operation shows it"
            allow = f'check that {policy} allows "{_label(OPERATE_ACTION)}" on {resource}; a refusal raises an alarm'
            yield Finding(name, "unknown", detail, allow)
        elif _was_accepted(last):
            yield Finding(name, "ok", f"according to the ledger, the API accepted {last.id} on {_day(last.armed_at)}")
        else:
            fix = f'add "{_label(OPERATE_ACTION)}" on {resource} to {policy}'
            yield Finding(name, "fail", f"refused on {_day(last.armed_at)} ({last.id}: {last.code})", fix)


def _was_accepted(operation: OperationRow) -> bool:
    return operation.state in (State.ACCEPTED, State.VERIFIED, State.UNVERIFIED, State.FAILED)


def _was_forbidden(operation: OperationRow) -> bool:
    return operation.state in UNTOUCHED and operation.code.startswith("UnauthorizedOperation")


def _day(at: float) -> str:
    import datetime

    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%d")


def _label(action: str) -> str:
    return f"emr:{action}"


def _policy(role_arn: str) -> str:
    return f"the policy of {role_arn}" if role_arn else "the policy of the execution role"
