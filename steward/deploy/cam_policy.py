"""The CAM policies that a configuration requires, with no privilege beyond that.

The action on the named clusters only; the read actions on ``*``, since they are not resource-level; PutEvents and
AssumeRole only where the configuration uses them. Sources: "Access management" of EMR and of the function platform.
Assumed: an empty uin in a resource is the account in which the policy is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from handler.config.config import Config

ACT: Final = "emr:StartStopServiceOrMonitor"
#: They show every cluster of the account: CAM has no narrower permission for them.
LOOK: Final = ("emr:DescribeInstances", "emr:DescribeServiceNodeInfos")
PUT_EVENTS: Final = "eb:PutEvents"
ASSUME: Final = "sts:AssumeRole"


def policy_for(config: Config, *, uin: str = "", role_arn: str = "") -> dict[str, Any]:
    """The policy of the function's execution role, or of another role that it assumes.

    ``role_arn`` names that other role, which is in the account of the clusters that are reached by it. ``uin`` is the account of the clusters; empty for the account in which the policy is made.
    """
    clusters = sorted((one for one in config.clusters.values() if one.role_arn == role_arn), key=lambda one: one.id)
    statements: list[dict[str, Any]] = []
    if clusters:
        named = [f"qcs::emr:{one.region}:uin/{uin}:emr-instance/{one.id}" for one in clusters]
        statements += [_allow([ACT], named), _allow(list(LOOK), ["*"])]
    if not role_arn:
        if roles := sorted({one.role_arn for one in config.clusters.values() if one.role_arn}):
            statements.append(_allow([ASSUME], roles))
        if config.alarms.event_bus is not None:
            statements.append(_allow([PUT_EVENTS], ["*"]))
    return {"version": "2.0", "statement": statements}


def trust_policy(*, account: str = "") -> dict[str, Any]:
    """Who may assume the role: the function platform, or the function's ``account`` (uin).

    The account is given for a role in another account.
    """
    who = {"qcs": [f"qcs::cam::uin/{account}:root"]} if account else {"service": "scf.qcloud.com"}
    return {"version": "2.0", "statement": [{"effect": "allow", "action": "name/sts:AssumeRole", "principal": who}]}


def _allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"effect": "allow", "action": actions, "resource": resources}
