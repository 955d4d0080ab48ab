"""Standard output and error that take every character, in any terminal's encoding."""

from __future__ import annotations

import codecs
import io
import json
import sys
from typing import Final

#: Characters of our own messages, as ASCII. None is a double quote: the result may stand inside a JSON string.
_PLAIN: Final = {"→": "->", "—": "-", "–": "-", "…": "...", "“": "'", "”": "'"}
_HANDLER: Final = "steward-plain"


def accept_every_character() -> None:
    """Replace what the encoding cannot show, instead of raising UnicodeEncodeError."""
    codecs.register_error(_HANDLER, _replacement)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _replacement(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character) or json.dumps(character)[1:-1] for character in found), error.end
