"""The cluster record as bytes: JSON rows, compressed where they are many.

Rows instead of objects, and each action once: a cluster of a thousand processes in trouble takes some 60 KB.
"""

from __future__ import annotations

import json
from typing import Any, Final

from handler.errors import LedgerUnavailable
from handler.ledger.cluster_record import ClusterRecord, Pause, Saying
from handler.model.intent import Ended, Intent, Statement
from handler.model.operation import OPEN, Operation, Part, State, Verdict
from handler.model.request import Action, OpType, StopParams, StrategyConfig
from handler.model.scope import ALL, OpScope, Target

#: How records are written. One of another format is refused: what it says was sent must not be overlooked.
FORMAT: Final = 1
#: Bytes above which a record is compressed.
COMPRESS_ABOVE: Final = 8192
_COMPRESSED: Final = b"\x78"  # zlib's first byte; JSON begins with a brace

#: Writes an object without spaces, and a value that JSON does not know as its ``str``.
to_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


def to_bytes(record: ClusterRecord) -> bytes:
    """The record, to be stored."""
    actions: dict[Action, int] = {}

    def place(action: Action) -> int:
        return actions.setdefault(action, len(actions))

    intents = [_from_intent(one, place(one.action)) for one in record.intents.values()]
    operations = [_operation_text(one) for one in record.operations.values()]
    row = {
        "format": FORMAT,
        "cluster": record.cluster,
        "began": record.began,
        "seq": record.seq,
        "actions": [_from_action(one) for one in actions],
        "intents": intents,
        "commands": {key: [*one._replace(scope=_from_scope(one.scope))] for key, one in record.commands.items()},  # type: ignore[arg-type]
        "released": record.released,
        "resolved": record.resolved,
        "pause": record.pause,
        "hint": record.hint,
        "outbox": [*record.outbox.values()],
        "told": record.told,
    }
    text = f'{to_json(row)[:-1]},"operations":[{",".join(operations)}]}}'
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= COMPRESS_ABOVE:
        return data
    import zlib

    return zlib.compress(data, 1)


def from_bytes(data: bytes, cluster: str) -> ClusterRecord:
    """What :func:`to_bytes` wrote.

    Raises LedgerUnavailable for anything else: nothing is decided upon a record that is not understood.
    """
    try:
        if data[:1] == _COMPRESSED:
            import zlib

            data = zlib.decompress(data)
        row = _checked(json.loads(data), cluster)
        actions = [_to_action(one) for one in row["actions"]]
        intents = [_to_intent(one, actions) for one in row["intents"]]
        operations = [_to_operation(one, cluster) for one in row["operations"]]
        return ClusterRecord(
            cluster,
            float(row["began"]),
            int(row["seq"]),
            {one.key: one for one in intents},
            {one.id: one for one in operations},
            {key: _to_ended(one) for key, one in row["commands"].items()},
            {key: float(at) for key, at in row["released"].items()},
            Pause(*row["pause"]) if row["pause"] else None,
            (str(row["hint"][0]), float(row["hint"][1])) if row["hint"] else None,
            {one[0]: Saying(*one) for one in row["outbox"]},
            {key: float(at) for key, at in row["told"].items()},
            {sender: float(start) for sender, start in row["resolved"].items()},
        )
    except LedgerUnavailable:
        raise
    except Exception as error:
        raise LedgerUnavailable(f"the record of {cluster} cannot be read ({type(error).__name__})") from None


def _checked(row: dict[str, Any], cluster: str) -> dict[str, Any]:
    if row["format"] != FORMAT:
        raise LedgerUnavailable(
            f"the record of {cluster} has format {row['format']}, this program reads {FORMAT}; use another ledger"
        )
    if row["cluster"] != cluster:
        raise LedgerUnavailable(f"the record of {cluster} is that of another cluster")
    return row


def _from_action(action: Action) -> list[Any]:
    strategy, stop = action.strategy, action.stop_params
    return [
        action.op_type.value,
        strategy and [strategy.rolling, strategy.batch_size, strategy.time_wait, strategy.skip_failed, strategy.args],
        stop and [stop.policy, stop.thread_count, stop.grace_down_time],
        action.keep_monitor,
    ]


def _to_action(row: list[Any]) -> Action:
    op_type, strategy, stop, keep_monitor = row
    if strategy is not None:
        rolling, batch_size, time_wait, skip_failed, args = strategy
        args = tuple((key, tuple(values)) for key, values in args)
        strategy = StrategyConfig(rolling, batch_size, time_wait, skip_failed, args)
    return Action(OpType(op_type), strategy, StopParams(*stop) if stop else None, keep_monitor)


def _from_scope(scope: OpScope) -> list[Any]:
    return [*map(list, scope.targets or scope)]


def _to_scope(row: list[Any]) -> OpScope:
    if len(row) == 1 and row[0][2] is not None:
        return OpScope.of_target(Target(*row[0]))
    parts = []
    for service, component, ip in row:
        if component is None:
            parts.append(OpScope.of_service(service))
        else:
            parts.append(OpScope.of_component(service, component, ALL if ip is None else [ip]))
    return OpScope.union_of(parts)


def _from_intent(one: Intent, action: int) -> list[Any]:
    row = list(one)
    row[4], row[5] = action, _from_scope(one.scope)
    return row


def _to_intent(row: list[Any], actions: list[Action]) -> Intent:
    row[4], row[5] = actions[row[4]], _to_scope(row[5])
    row[11] = {sender: Statement(*one) for sender, one in row[11].items()}
    row[12], row[19] = tuple(row[12]), tuple(row[19])
    return Intent(*row)


_OPERATION: Final = (
    "id",
    "seq",
    "owner",
    "armed_at",
    "deadline",
    "is_command",
    "rules",
    "intents",
    "components",
    "ended_at",
    "code",
    "request_id",
    "problem",
)


#: Operations that have ended, by their ids, and as text: they no longer change.
_ended: dict[str, tuple[Operation, str]] = {}
MAX_ENDED: Final = 2000


def _operation_text(one: Operation) -> str:
    if one.is_open:
        return to_json(_from_operation(one))
    known = _ended.get(one.id)
    if known is None or known[0] != one:
        if len(_ended) >= MAX_ENDED:
            _ended.clear()
        known = _ended[one.id] = (one, to_json(_from_operation(one)))
    return known[1]


def _from_operation(one: Operation) -> list[Any]:
    return [
        _from_action(one.action),
        one.state.value,
        {key: [*part] for key, part in one.parts.items()} if one.is_open else _by_verdict(one),
        sorted(one.occurrences),
        *(getattr(one, name) for name in _OPERATION),
    ]


def _by_verdict(one: Operation) -> dict[str, list[str]]:
    """The processes of an operation that has ended: what they were before is no longer asked for."""
    found: dict[str, list[str]] = {}
    for key, part in one.parts.items():
        found.setdefault(part.verdict.value, []).append(key)
    return found


def _to_parts(row: dict[str, Any], ended_at: float, *, is_open: bool) -> dict[str, Part]:
    if is_open:
        return {key: Part(before, Verdict(found), at) for key, (before, found, at) in row.items()}
    return {key: part for found, keys in row.items() for part in [Part("", Verdict(found), ended_at)] for key in keys}


def _to_operation(row: list[Any], cluster: str) -> Operation:
    action, state, parts, occurrences, *values = row
    known = dict(zip(_OPERATION, values, strict=True))
    for name in ("rules", "intents", "components"):
        known[name] = tuple(known[name])
    return Operation(
        cluster=cluster,
        action=_to_action(action),
        state=State(state),
        parts=_to_parts(parts, known["ended_at"], is_open=State(state) in OPEN),
        occurrences=frozenset(occurrences),
        **known,
    )


def _to_ended(row: list[Any]) -> Ended:
    row[2] = _to_scope(row[2])
    return Ended(*row)
