"""Makes text from senders safe for ids, labels and logs.

Texts are cut to a maximum length, so that a label of 6 MB does not become 6 MB of log. Control characters are
replaced, so that no escape sequence reaches a terminal.
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
#: Parts that a digest covers of a value that cannot be written as JSON.
MAX_PARTS = 10_000
#: Events that are read from one payload. Each takes a log line of about 450 bytes, and the platform accepts 5,000 lines
#: and 1 MB within 5 s of a request: it drops the rest silently. A body of 6 MB can hold 10,000 real alerts, or two
#: million empty objects.
MAX_EVENTS = 2_000
#: The prefix of the id of an Unreadable that stands for events that were left out.
LEFT_OUT_EVENTS = "left-out:"
#: The label that holds the number of labels that were left out.
LEFT_OUT = "labels_left_out"

# Control characters except tab and newline, line and paragraph separators, marks that change the direction of writing,
# and lone surrogates.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_DIGEST_LENGTH = 32


def plain(text: str, limit: int) -> str:
    """``text``, cut to ``limit`` characters, with U+FFFD in place of unsafe characters.

    A text that was cut ends with an ellipsis.
    """
    text = cut(text, limit)
    return text if text.isprintable() else _UNSAFE.sub("\ufffd", text)


def identity(text: str) -> str:
    """``text`` as an id: unchanged where it is short and printable.

    Any other text is replaced by its beginning and a hash of the whole.
    """
    if len(text) <= MAX_IN_ID and text.isprintable():
        return text
    return f"{plain(text, MAX_IN_ID - _DIGEST_LENGTH - 1)}#{digest(text)}"


def digest(value: object) -> str:
    """A hash of a JSON value, the same for equal values whatever the order of their keys.

    A value that cannot be written as JSON (it is nested too deeply, or holds too long a number) is hashed by its first
    MAX_PARTS parts.
    """
    import hashlib

    try:
        written = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        written = "\n".join(islice(_parts(value), MAX_PARTS))
    return hashlib.sha256(written.encode()).hexdigest()[:_DIGEST_LENGTH]


def _parts(value: object) -> Iterator[str]:
    """The parts of ``value``, breadth first and without recursion. Endless where ``value`` contains itself."""
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
            yield f"{type(part).__name__} {part:x}"  # hexadecimal: Python limits the number of decimal digits
        elif isinstance(part, (str, float, bytes)):
            yield repr(part)
        else:
            yield type(part).__name__


def as_text(value: object) -> str:
    """A JSON scalar as text: a string unchanged, ``true``, ``1`` or ``0.5``.

    The result is empty for null, objects and arrays.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int):
        try:
            return str(value)
        except ValueError:  # more digits than Python converts
            return ""
    return ""


def labels(pairs: dict[str, str]) -> dict[str, str]:
    """``pairs`` as the labels of an Event: at most MAX_LABELS, with safe keys and values."""
    # One check of all texts together is quickest, and nearly always enough.
    together = "".join([*pairs, *pairs.values()])
    is_short = len(together) <= MAX_IN_NAME or (
        max(map(len, pairs)) <= MAX_IN_NAME and max(map(len, pairs.values())) <= MAX_IN_LABEL
    )
    return pairs if is_short and len(pairs) <= MAX_LABELS and together.isprintable() else _sanitized(pairs)


def _sanitized(pairs: dict[str, str]) -> dict[str, str]:
    kept = {
        plain(key, MAX_IN_NAME): plain(value, MAX_IN_LABEL)
        for key, value in list(pairs.items())[: MAX_LABELS if len(pairs) <= MAX_LABELS else MAX_LABELS - 1]
    }
    if len(pairs) > MAX_LABELS:
        kept[LEFT_OUT] = str(len(pairs) - len(kept))
    return kept


def flattened(value: object, prefix: str) -> dict[str, str]:
    """The scalars in ``value``, by path: ``dimension_objDetail_ip``.

    Paths are joined with underscores because templates name labels without dots. At most four levels and about
    MAX_LABELS scalars are read. Empty scalars are left out.
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
