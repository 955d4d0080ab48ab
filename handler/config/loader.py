"""From steward.yml's content to the values that the function works with, part by part: every fault of it, with its key's path and its mend.

Where the shape of the file is wrong, the rest of it is read all the same, so that all faults are told at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from handler.config.config import Config
from handler.config.load_rules import read_rules
from handler.config.load_sections import read_safety
from handler.config.load_webhook import read_alarms, read_webhook
from handler.config.problems import Notes
from handler.config.schema import CONFIG
from handler.errors import InvalidConfiguration
from handler.lib.validation import dotted
from handler.model import names
from handler.model.policy import Cluster
from handler.model.request import OpType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handler.config.shape_errors import ShapeError
    from handler.errors import ConfigurationError

#: A role by its name or its number (STS, AssumeRole). The console's own characters, none that could be taken for
#: another part.
_ROLE_ARN: Final = re.compile(r"qcs::cam::uin/[0-9]{5,20}:role(Name)?/[\w+=,.@-]{1,128}", re.ASCII)


def read_config(
    raw: object, locate: Callable[[str], str] = lambda path: "", known: Iterable[ConfigurationError] = ()
) -> Config:
    """The configuration that ``raw`` (the file's mapping) means. ``locate`` gives ``file:line`` for a key's path.

    ``known`` are problems that were found before.

    Raises InvalidConfiguration with every problem, in the order of their lines.
    """
    schema: Any = raw
    errors: list[ShapeError] = []
    moved: list[tuple[str, str]] = []
    if CONFIG.errors(raw):
        from handler.config.shape_errors import readable

        schema, errors, moved = readable(raw)
    notes = Notes(locate, schema and schema["clusters"], moved)
    for problem in known:
        notes.add(problem)
    for fault in errors:
        notes.problem(dotted("", fault.steps), fault.problem, fault.hint)
    config = Config() if schema is None else _config(notes, schema)
    if notes.problems:
        raise InvalidConfiguration(notes.problems)
    return config


def _config(notes: Notes, schema: Any) -> Config:
    clusters = {key: _cluster(notes, key, cluster) for key, cluster in (schema["clusters"] or {}).items()}
    config = Config(
        clusters=clusters,
        rules=read_rules(notes, schema.get("rules"), schema.get("limits"), clusters),
        webhook=read_webhook(notes, schema.get("webhook")),
        safety=read_safety(notes, schema.get("safety", {})),
        alarms=read_alarms(notes, schema.get("alarms")),
    )
    notes.remembered("safety.keep_records", config.safety.keep_records)
    return config


def _cluster(notes: Notes, key: str, schema: Any) -> Cluster:
    path = f"clusters.{key}"
    if not names.is_cluster_id(key):
        notes.problem(path, "is not a cluster id", f"{names.CLUSTER_ID_FORMAT}, as the console shows it")
    schema = schema or {"region": None, "allow": None}
    region, allow, role_arn = schema["region"], schema["allow"], schema.get("role_arn")
    if region is not None and not re.fullmatch(r"[a-z]{2,}-[a-z0-9-]+", region):
        notes.problem(f"{path}.region", "is not a region", "such as ap-guangzhou")
    if role_arn is not None and not _ROLE_ARN.fullmatch(role_arn):
        notes.problem(
            f"{path}.role_arn",
            "is not a role",
            "qcs::cam::uin/100000000001:roleName/steward, as the CAM console shows it",
        )
    # What could not be read may be any: no rule is refused for it.
    operations = list(OpType) if allow is None or None in allow else allow
    return Cluster(
        id=key,
        name=schema.get("name", key),
        region=region,
        allow=frozenset(OpType(name) for name in operations),
        operations_per_hour=schema.get("operations_per_hour", 12),
        role_arn=role_arn or "",
    )
