"""The word that was probably meant."""

from __future__ import annotations

import pytest

from handler.nearest import nearest

LIMITS = ("cooldown", "max_nodes", "max_share", "max_event_age")


@pytest.mark.parametrize(
    ("word", "words", "meant"),
    [
        ("max_node", LIMITS, "max_nodes"),
        ("max_age", LIMITS, "max_event_age"),
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
