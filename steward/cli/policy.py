"""``steward policy``: the rights that a configuration needs."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from steward.cli.context import ConfigArgument, load_config
from steward.deploy.cam_policy import policy_for, trust_policy


def add_to(app: typer.Typer) -> None:
    """The command of this file."""
    app.command(short_help="The rights that the function's role needs, as a CAM policy.")(policy)


def policy(
    file: ConfigArgument = None,
    uin: Annotated[
        str, typer.Option("--uin", help="The account of the clusters; else that in which the policy is made.")
    ] = "",
    role: Annotated[
        str, typer.Option("--role", metavar="ARN", help="The policy of this role_arn, for its account.")
    ] = "",
    trust: Annotated[bool, typer.Option("--trust", help="The trust policy instead: who may take the role.")] = False,
) -> None:
    """The CAM policy that the function's role needs, as JSON: least privilege for this configuration.

    Example: steward policy > deploy/cam-policy.json; steward policy --trust > deploy/trust-policy.json
    """
    config = load_config(file)
    if role and role not in {one.role_arn for one in config.clusters.values()}:
        raise typer.BadParameter("no cluster of the configuration has this role_arn", param_hint="--role")
    shown = trust_policy(account=uin if role else "") if trust else policy_for(config, uin=uin, role_arn=role)
    typer.echo(json.dumps(shown, indent=2))
