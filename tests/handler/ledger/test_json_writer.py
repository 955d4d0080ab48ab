"""Few objects or many: the same JSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from handler.ledger.serialization import MANY, writer

texts = st.text()
scalars = texts | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
values = st.recursive(scalars | st.none(), lambda inner: st.lists(inner) | st.dictionaries(texts, inner))


@given(st.dictionaries(texts, values))
def test_few_and_many_are_written_alike(value: dict[str, Any]) -> None:
    """Which of the two writers it is cannot be read from what it wrote."""
    few, many = writer(MANY - 1), writer(MANY)
    assert few is not many
    assert json.loads(few(value)) == json.loads(many(value)) == value


def test_what_json_does_not_know_is_written_as_its_text() -> None:
    """By either of them, and a tuple as a list."""

    class Strange:
        def __str__(self) -> str:
            return "strange"

    for write in (writer(1), writer(MANY)):
        assert write({"what": Strange(), "many": (1, "ä")}) == '{"what":"strange","many":[1,"ä"]}'
