"""``steward policy``: the CAM policy that a configuration needs."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from steward.cli.context import ConfigArgument, configuration_of
from steward.config.compile import load_yaml
from steward.deploy.cam_policy import policy_for, trust_policy


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(short_help="Print the CAM policy that the function's role needs.")(policy)


def policy(
    file: ConfigArgument = None,
    uin: Annotated[
        str, typer.Option("--uin", metavar="DIGITS", help="The clusters' account; default: the policy's own account.")
    ] = "",
    role: Annotated[
        str, typer.Option("--role", metavar="ARN", help="The policy of this role_arn, for its account.")
    ] = "",
    trust: Annotated[
        bool, typer.Option("--trust", help="Print the trust policy instead: who may assume the role.")
    ] = False,
) -> None:
    """Print the CAM policy that the function's role needs for this configuration, and no more.

    Example: steward policy > deploy/cam-policy.json; steward policy --trust > deploy/trust-policy.json
    """
    if uin and not (uin.isascii() and uin.isdigit()):
        raise typer.BadParameter(f"{uin!r} is not an account id: digits such as 100000000001", param_hint="--uin")
    config = load_yaml(str(configuration_of(file)))
    if role and role not in {one.role_arn for one in config.clusters.values()}:
        raise typer.BadParameter("no cluster of the configuration has this role_arn", param_hint="--role")
    document = trust_policy(account=uin if role else "") if trust else policy_for(config, uin=uin, role_arn=role)
    typer.echo(json.dumps(document, indent=2))
