"""Words for people: times, durations, cut texts, and the word that was probably meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


def duration_text(seconds: float) -> str:
    """``42 s``, ``15 min``, ``3.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


#: The end of a text that was cut. What stands before it may be half a secret, which the log looks for.
CUT: Final = "…"


def cut(text: str, limit: int) -> str:
    """Cut ``text`` to ``limit`` characters, with an ellipsis for the rest.

    The log looks before an ellipsis for the first half of a secret.
    """
    return text if len(text) <= limit else text[: limit - 1] + CUT


def listed(texts: Sequence[str], limit: int) -> str:
    """``a, b, c and 3 more``: the first ``limit`` of these texts, and how many more there are."""
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more


def utc_text(at: float) -> str:
    """Seconds since the epoch as ``2026-01-31T12:00:00Z``.

    Where no calendar has the year, the seconds themselves.
    """
    from datetime import datetime, timezone  # only messages for people pay for it

    try:
        return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{at:.0f} s after 1970"


#: How many words are listed where none is near.
MAX_LISTED: Final = 20


def meant(word: str, words: Collection[str]) -> str:
    """A question for the word that was probably meant, else a list of ``words``.

    It is empty where there are none.
    """
    if asked := question(word, words):
        return asked
    return f"{'one of' if len(words) > 1 else 'there is'} {listed([*words], MAX_LISTED)}" if words else ""


def question(word: str, words: Iterable[str]) -> str:
    """``did you mean cluster?``, or nothing where no word is near."""
    near = nearest(word, words)
    return f"did you mean {near}?" if near else ""


def nearest(word: str, words: Iterable[str]) -> str:
    """The one of ``words`` that was probably meant by ``word``; empty where none is near.

    Case is ignored.

    Parts of a name (``per_hour`` for ``operations_per_hour``) and a short form (``Saturday`` for ``Sat``) are nearer than any
    likeness of letters.
    """
    by_case = {one.lower(): one for one in words}
    low = word.lower()
    if low in by_case:
        return by_case[low]
    parts = set(low.split("_"))
    for one, meant in by_case.items():
        if len(low) >= 3 and (low.startswith(one) or one.startswith(low)) and len(one) >= 3:
            return meant
        if len(parts) > 1 and parts < set(one.split("_")):
            return meant
    import difflib  # 3 ms, and only where something is wrong

    return by_case[near[0]] if (near := difflib.get_close_matches(low, by_case, 1, 0.6)) else ""
