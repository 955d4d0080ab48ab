"""The word that was probably meant, and how it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

#: How many words are listed where none is near.
MOST_LISTED: Final = 20


def meant(word: str, words: Collection[str]) -> str:
    """A question for the word that was probably meant, else what there is; empty where there is nothing."""
    if asked := question(word, words):
        return asked
    listed = ", ".join([*words][:MOST_LISTED]) + (", …" if len(words) > MOST_LISTED else "")
    return f"{'one of' if len(words) > 1 else 'there is'} {listed}" if words else ""


def question(word: str, words: Iterable[str]) -> str:
    """``did you mean cluster?``, or nothing where no word is near."""
    near = nearest(word, words)
    return f"did you mean {near}?" if near else ""


def nearest(word: str, words: Iterable[str]) -> str:
    """The one of ``words`` that ``word`` was probably meant to be; empty where none is near. Case counts for nothing.

    Parts of a name (``max_age`` for ``max_event_age``) and a short form (``Saturday`` for ``Sat``) are nearer than any
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
