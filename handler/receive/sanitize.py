"""Text from outside, made fit to be an id, a label or a line of a log: bounded, and without control characters.

6 MB of somebody's label must not become 6 MB of log, nor may an escape sequence reach a terminal.
"""

from __future__ import annotations

import json
import re
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from handler.lib.wording import cut

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_IN_NAME = 256
MAX_IN_ID = 256
MAX_IN_LABEL = 1024
MAX_IN_MESSAGE = 4096  # a timer's argument is at most 4 KB (SCF, "Timer trigger")
MAX_LABELS = 128
#: Parts of a value that is no JSON by which it is told from another.
MAX_PARTS = 10_000
#: Events of one payload that are read. Each is a line of the log, of about 450 bytes, and the platform takes 5,000
#: lines and 1 MB of a request in 5 s: what is beyond would be lost without a word. A body of 6 MB can hold 10,000 real
#: alerts, or two million empty objects.
MAX_EVENTS = 2_000
#: How the id of an Unreadable begins that stands for what was left out.
LEFT_OUT_EVENTS = "left-out:"
#: The label that says how many were left out beyond MAX_LABELS.
LEFT_OUT = "labels_left_out"

# Controls but tab and newline, line and paragraph separators, marks that turn the direction of writing, lone
# surrogates.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_DIGEST_LENGTH = 32


def plain(text: str, limit: int) -> str:
    """``text`` with U+FFFD for what is unfit, cut to ``most`` characters, the last being an ellipsis then."""
    text = cut(text, limit)
    return text if text.isprintable() else _UNFIT.sub("\ufffd", text)


def identity(text: str) -> str:
    """``text`` as an id: unchanged where it is short and printable, otherwise its beginning and a hash of the whole."""
    if len(text) <= MAX_IN_ID and text.isprintable():
        return text
    return f"{plain(text, MAX_IN_ID - _DIGEST_LENGTH - 1)}#{digest(text)}"


def digest(value: object) -> str:
    """A hash of a JSON value that is equal for equal values, whatever the order of their keys.

    What JSON cannot write (nested too deeply, a number that is too long) is told apart by its first MAX_PARTS parts.
    """
    import hashlib

    try:
        written = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        written = "\n".join(islice(_parts(value), MAX_PARTS))
    return hashlib.sha256(written.encode()).hexdigest()[:_DIGEST_LENGTH]


def _parts(value: object) -> Iterator[str]:
    """What ``value`` is made of, from the outside to the inside and without recursion; it need not end."""
    waiting = deque([value])
    while waiting:
        part = waiting.popleft()
        if isinstance(part, dict):
            yield f"{{{len(part)}"
            for key in sorted(key for key in part if isinstance(key, str)):
                waiting += (key, part[key])
        elif isinstance(part, (list, tuple)):
            yield f"[{len(part)}"
            waiting += part[:MAX_PARTS]
        elif isinstance(part, int):
            yield f"{type(part).__name__} {part:x}"  # Python writes only so many decimal digits
        elif isinstance(part, (str, float, bytes)):
            yield repr(part)
        else:
            yield type(part).__name__


def as_text(value: object) -> str:
    """A JSON scalar as text: strings as they are, ``true``, ``1``, ``0.5``; empty for null and for what is no scalar."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int):
        try:
            return str(value)
        except ValueError:  # longer than Python is willing to write
            return ""
    return ""


def labels(pairs: dict[str, str]) -> dict[str, str]:
    """``pairs`` as an Event's labels: at most MAX_LABELS of them, keys and values plain and bounded."""
    # All at once, which is quickest: short together, they are short each.
    together = "".join([*pairs, *pairs.values()])
    is_short = len(together) <= MAX_IN_NAME or (
        max(map(len, pairs)) <= MAX_IN_NAME and max(map(len, pairs.values())) <= MAX_IN_LABEL
    )
    return pairs if is_short and len(pairs) <= MAX_LABELS and together.isprintable() else _bounded(pairs)


def _bounded(pairs: dict[str, str]) -> dict[str, str]:
    kept = {
        plain(key, MAX_IN_NAME): plain(value, MAX_IN_LABEL)
        for key, value in list(pairs.items())[: MAX_LABELS if len(pairs) <= MAX_LABELS else MAX_LABELS - 1]
    }
    if len(pairs) > MAX_LABELS:
        kept[LEFT_OUT] = str(len(pairs) - len(kept))
    return kept


def flattened(value: object, prefix: str) -> dict[str, str]:
    """The scalars within ``value``, by the underscore-joined names on the way to them: ``dimension_objDetail_ip``.

    Templates name labels without dots. At most four levels and MAX_LABELS scalars are read; empty ones are left out.
    """
    found: dict[str, str] = {}
    level: list[tuple[str, object]] = [(prefix, value)]
    for _ in range(5):
        inner: list[tuple[str, object]] = []
        for name, item in level:
            if len(found) + len(inner) >= MAX_LABELS:
                break
            if isinstance(item, dict):
                inner.extend(
                    (f"{name}_{cut(as_text(key), MAX_IN_NAME)}", part) for key, part in islice(item.items(), MAX_LABELS)
                )
            elif isinstance(item, (list, tuple)):
                inner.extend((f"{name}_{number}", part) for number, part in enumerate(islice(item, MAX_LABELS)))
            elif written := as_text(item):
                found.setdefault(name, written)
        level = inner
    return found
