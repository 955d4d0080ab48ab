"""The word that was probably meant."""

from __future__ import annotations

import pytest

from handler.lib.wording import MAX_LISTED, meant, nearest, question

LIMITS = ("cooldown", "max_nodes", "max_share", "operations_per_hour")


@pytest.mark.parametrize(
    ("word", "words", "meant"),
    [
        ("max_node", LIMITS, "max_nodes"),
        ("per_hour", LIMITS, "operations_per_hour"),
        ("cool", LIMITS, "cooldown"),
        ("COOLDOWN", LIMITS, "cooldown"),
        ("Saturday", ("Mon", "Sat"), "Sat"),
        ("restartservic", ("StartService", "RestartService"), "RestartService"),
        ("zebra", LIMITS, ""),
        ("", LIMITS, ""),
        ("a", ("ab",), "ab"),
        ("x", (), ""),
    ],
)
def test_the_word_that_was_meant(word: str, words: tuple[str, ...], meant: str) -> None:
    """By its parts, its short form or its letters, whatever their case; none where none is near."""
    assert nearest(word, words) == meant


def test_what_is_said_of_it() -> None:
    """A question where a word is near, else what there is, the first of it where that is much."""
    assert question("max_node", LIMITS) == meant("max_node", LIMITS) == "did you mean max_nodes?"
    assert question("zebra", LIMITS) == ""
    assert meant("zebra", LIMITS) == "one of cooldown, max_nodes, max_share, operations_per_hour"
    assert meant("zebra", ["lion"]) == "there is lion"
    assert meant("zebra", []) == ""
    many = [f"word{number}" for number in range(MAX_LISTED + 1)]
    assert meant("zebra", many).endswith(f"word{MAX_LISTED - 1} and 1 more")
