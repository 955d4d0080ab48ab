"""One id is one request, for one cluster."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import LedgerUnavailable
from handler.ledger.request_ids import KEEP_SECONDS, MAX_IDS, RequestIds, from_bytes, to_bytes
from tests.intents import NOW


@pytest.mark.parametrize(
    ("name", "after", "cluster"),
    [
        ("a", 0.0, "emr-1"),
        ("a", KEEP_SECONDS, "emr-1"),
        ("a", KEEP_SECONDS + 1, "emr-2"),  # as long as the records remember commands
        ("a", -KEEP_SECONDS - 1, "emr-2"),  # a clock that was set back makes nothing remembered for ever
        ("b", 0.0, "emr-2"),
    ],
)
def test_an_id_stands_for_the_cluster_it_first_came_with(name: str, after: float, cluster: str) -> None:
    """For a day; another id is another's."""
    ids = RequestIds()
    assert ids.claim("a", "emr-1", NOW) == "emr-1"
    assert ids.claim(name, "emr-2", NOW + after) == cluster


def test_the_newest_are_remembered() -> None:
    """However many come."""
    ids = RequestIds()
    for n in range(MAX_IDS * 2):
        ids.claim(str(n), f"emr-{n}", NOW + n)
    assert len(ids.ids) <= MAX_IDS
    last = MAX_IDS * 2 - 1
    assert ids.claim(str(last), "other", NOW + last) == f"emr-{last}"


texts = st.text(st.characters(), max_size=6)


@given(st.builds(RequestIds, st.dictionaries(texts, st.tuples(texts, st.floats(0, 4e9)))))
def test_what_is_written_is_read(ids: RequestIds) -> None:
    """Lone surrogates too."""
    assert from_bytes(to_bytes(ids)) == ids


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b'{"a": 1}', b'{"a": ["c"]}', b'{"a": ["c", "x"]}', b"\xff"])
def test_what_cannot_be_read_is_refused(data: bytes) -> None:
    """By LedgerUnavailable."""
    with pytest.raises(LedgerUnavailable):
        from_bytes(data)
