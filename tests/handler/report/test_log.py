"""Log lines: small, valid, flat, and without a secret, whatever they are given."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.model.outcome import Outcome, Record
from handler.report.log import MAX_BYTES, MIN_SECRET_LENGTH, REDACTED, Log
from harness.clock import VirtualClock

HANDLER = Path(__file__).parents[3] / "handler"
PLAIN = "s3cr3t-token-of-tcop"
#: What JSON, and repr, write otherwise than it is.
QUOTED = 'pa"ss\\wörd\n-1234'
NUMBER = "7391264508"
SECRETS = (PLAIN, QUOTED, NUMBER)


def a_log(secrets: tuple[str, ...] = (), **more: Any) -> tuple[list[str], Log]:
    written: list[str] = []
    return written, Log(written.append, VirtualClock(), secrets=secrets, **more)


def parsed(text: str) -> dict[str, Any]:
    """The line, read as strictly as the log service may read it."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert text.endswith("\n")
    assert text.count("\n") == 1
    row = json.loads(text, parse_constant=refuse)
    assert isinstance(row, dict)
    return row


def texts_in(value: Any) -> list[str]:
    """Every string that a reader of the line can come by: keys, values, and those of JSON written as text."""
    if isinstance(value, dict):
        return [found for pair in value.items() for item in pair for found in texts_in(item)]
    if isinstance(value, list):
        return [found for item in value for found in texts_in(item)]
    if not isinstance(value, str):
        return [str(value)]
    try:
        inner = json.loads(value)
    except ValueError:
        return [value]
    return [value, *(texts_in(inner) if not isinstance(inner, str) else [inner])]


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=60), st.just("\ud800 lone")
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.one_of(st.text(max_size=8), st.integers(), st.tuples(st.integers())), inner, max_size=4)
        | inner.map(lambda value: (value,))
    ),
    max_leaves=8,
)
names = st.text("abcdefghij_", min_size=1, max_size=12).filter(lambda name: name not in ("self", "event", "level"))


@given(st.dictionaries(names, values, max_size=8), st.integers(0, 30_000), st.sampled_from('xé漢\0"\\😀'))
def test_a_line_is_small_valid_and_flat(fields: dict[str, Any], length: int, sign: str) -> None:
    """Whatever the fields: one line of valid JSON of at most 8 KB, with first-level scalars alone."""
    written, log = a_log()
    log.info("steward.test", **{**fields, "long": sign * length})
    (line,) = written
    row = parsed(line)
    assert len(line.encode("utf-8")) <= MAX_BYTES
    assert all(isinstance(value, (str, int, float, bool)) for value in row.values())
    assert (row["event"], row["level"]) == ("steward.test", "INFO")


@pytest.mark.parametrize(
    "fields",
    [
        {f"key{n:05}": 1 for n in range(3000)},
        {"k" * 20_000: 1},
        {f"key{n}": "x" * 500 for n in range(100)},
        {"deep": ["x" * 100] * 10_000},
        {"number": 10**5000},
        {"number": -(10**5000)},
        {"number": float("nan"), "other": float("-inf")},
        {"nested": {"number": float("nan")}},
        {"nested": {(1, 2): 3, None: 4, 5: 6}},
        {"nested": {1, 2, 3}},
        {"nested": b"\xff"},
    ],
    ids=range(11),
)
def test_no_field_is_too_much(fields: dict[str, Any]) -> None:
    """Too many, too long, too large, or nothing that JSON knows: the line is written all the same."""
    written, log = a_log()
    log.error("steward.test", **fields)
    assert parsed(written[0])["event"] == "steward.test"
    assert len(written[0].encode()) <= MAX_BYTES


def test_what_contains_itself_is_written_to_a_depth() -> None:
    """A ring, and an object that cannot be shown, spoil no line."""

    class Shy:
        def __str__(self) -> str:
            raise RuntimeError

    ring: list[Any] = []
    ring.append(ring)
    written, log = a_log()
    log.info("steward.test", ring=ring, shy=Shy(), shy_within=[Shy()])
    row = parsed(written[0])
    assert row["shy"] == "<Shy>"
    assert "…" in row["ring"]


def test_what_every_line_bears_is_flat_too() -> None:
    """A nested value among the base fields is text, as any other."""
    written, log = a_log(base={"about": {"a": 1}})
    log.info("steward.test")
    assert parsed(written[0])["about"] == '{"a":1}'


def test_a_shortened_line_says_so() -> None:
    """A reader knows that there was more, and of what."""
    written, log = a_log()
    log.info("steward.test", reason="r" * 20_000, cluster="emr-4zvc5mul")
    row = parsed(written[0])
    assert (row["shortened"], row["cluster"]) == ("reason", "emr-4zvc5mul")
    assert row["reason"].endswith("…")


# -- secrets


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "around",
    [
        lambda secret: secret,
        lambda secret: f"before {secret} after",
        lambda secret: {"key": secret},
        lambda secret: {secret: "value"},
        lambda secret: {"a": [{"b": (secret, 1)}]},
        lambda secret: json.dumps({"body": secret}),
        lambda secret: json.dumps({"body": secret}, ensure_ascii=False),
        lambda secret: {"sent": json.dumps({"body": secret})},
        ValueError,
        lambda secret: repr(ValueError(secret)),
        lambda secret: [KeyError(secret)],
        lambda secret: {1: float("nan"), "x": secret},
        lambda secret: int(secret) if secret.isdigit() else secret,
        lambda secret: {"n": [int(secret) if secret.isdigit() else secret]},
    ],
    ids=range(14),
)
@pytest.mark.parametrize("place", ["field", "base", "outcome"])
def test_a_secret_never_gets_past(secret: str, around: Any, place: str) -> None:
    """In a field, in what every line bears, in an outcome; whole, within a text, nested, as a key, in an exception, in JSON."""
    value = around(secret)
    if place == "base":
        written, log = a_log(SECRETS, base={"about": value})
        log.info("steward.test")
    elif place == "field":
        written, log = a_log(SECRETS)
        log.with_fields(more=1).warning("steward.test", about=value)
    else:
        written, log = a_log(SECRETS)
        log.outcomes(
            [Record(0, str(value), "tcop", "n", "c", Outcome.refused("x", f"{value}", fix="Do it.", about=value))]
        )
    row = parsed("".join(written))
    assert REDACTED in written[0]
    for form in {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]}:
        assert not any(form in text for text in texts_in(row))
        assert form not in written[0]


@given(st.integers(0, 14_000), st.integers(0, 14_000))
def test_no_part_of_a_secret_survives_the_cut(before: int, after: int) -> None:
    """A line that is shortened in the middle of a secret does not show its beginning."""
    secret = "".join(f"<{n:03}>" for n in range(200))
    written, log = a_log((secret,))
    log.info("steward.test", reason="x" * before + secret + "y" * after)
    assert "<000>" not in written[0]


def test_what_becomes_known_later_is_hidden_from_then_on() -> None:
    """Secrets may be added, none is forgotten, and a longer one is not spoilt by a shorter within it."""
    written, log = a_log((PLAIN,))
    log.also_hide([f"{PLAIN}-and-more", ""])
    log.info("steward.test", a=f"{PLAIN}-and-more", b=PLAIN)
    row = parsed(written[0])
    assert (row["a"], row["b"]) == (REDACTED, REDACTED)
    assert log.hide(f"x {PLAIN}") == f"x {REDACTED}"


def test_a_short_word_is_no_secret() -> None:
    """Blanking out ordinary words would make lines unreadable."""
    word = "x" * (MIN_SECRET_LENGTH - 1)
    written, log = a_log((word,))
    log.info("steward.test", a=word)
    assert parsed(written[0])["a"] == word


# -- levels, and the canonical line


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("DEBUG", ["DEBUG", "INFO", "WARNING", "ERROR"]),
        ("INFO", ["INFO", "WARNING", "ERROR"]),
        ("WARNING", ["WARNING", "ERROR"]),
        ("ERROR", ["ERROR"]),
    ],
)
def test_a_level_lets_through_what_is_as_grave(level: str, expected: list[str]) -> None:
    """A line is written at its level and above; outcomes always."""
    written, log = a_log(level=level)
    for write in (log.debug, log.info, log.warning, log.error):
        write("steward.test")
    assert [parsed(line)["level"] for line in written] == expected
    assert log.is_debug == (level == "DEBUG")
    log.outcomes([Record(0, "e", "timer", "n", "c", Outcome.done("worked"))])
    assert parsed(written[-1])["event"] == "steward.outcome"


def test_every_event_has_one_canonical_line() -> None:
    """What became of it, why, and by which rule and operation; alarming ones as warnings; nothing empty."""
    written, log = a_log(base={"request_id": "p-1"})
    records = [
        Record(0, "e1", "tcop", "down", "emr-4zvc5mul", Outcome.done("worked", attempts=1), ("r",), ("op-1",)),
        Record(0, "e2", "timer", "", "", Outcome.in_doubt("api.X", "lost", fix="Do it.", api_request_id=None)),
    ]
    log.outcomes(records, mode="act")
    first, second = (parsed(f"{line}\n") for line in "".join(written).splitlines())
    assert first == {
        "time": first["time"],
        "level": "INFO",
        "event": "steward.outcome",
        "request_id": "p-1",
        "outcome": "done",
        "code": "verified",
        "reason": "worked",
        "event_id": "e1",
        "source": "tcop",
        "name": "down",
        "cluster": "emr-4zvc5mul",
        "rules": "r",
        "operations": "op-1",
        "attempts": 1,
        "mode": "act",
    }
    assert (second["level"], second["outcome"]) == ("WARNING", "in_doubt")
    assert not {"name", "cluster", "rules", "operations", "api_request_id"} & set(second)


@given(st.floats(0, 4e9))
def test_times_are_utc_to_the_millisecond(at: float) -> None:
    """As CLS reads them: ISO 8601, Z, three places."""
    clock = VirtualClock(at)
    written: list[str] = []
    log = Log(written.append, clock)
    log.info("steward.test")
    import datetime

    time = datetime.datetime.strptime(parsed(written[0])["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs(time.timestamp() - at) < 0.002
    assert len(parsed(written[0])["time"]) == len("2026-01-31T12:00:00.123Z")


def test_no_key_of_ours_is_the_platforms() -> None:
    """CLS reserves what begins with SCF_: no call in handler/ names such a field, and event names are ours."""
    names: set[str] = set()
    events: set[str] = set()
    for path in HANDLER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                names |= {keyword.arg for keyword in node.keywords if keyword.arg}
                method = getattr(node.func, "attr", "")
                if method in ("debug", "info", "warning", "error") and node.args:
                    first = node.args[0]
                    assert isinstance(first, ast.Constant)
                    events.add(str(first.value))
            elif isinstance(node, ast.Dict):
                names |= {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}
    assert len(events) > 10
    assert all(event.startswith("steward.") for event in events)
    assert not [name for name in names if name.upper().startswith("SCF_")]


@pytest.mark.parametrize("kept", range(6, 24))
def test_half_a_secret_before_the_mark_of_a_cut_is_hidden(kept: int) -> None:
    """What a sender writes is cut before it comes here; what is cut of a word that is no secret stays."""
    secret = 'planted "secret" in full'
    written, log = a_log((secret,))
    text = f"an ordinary plan…, and x{secret[:kept]}… and {secret}"
    assert log.hide(text) == "an ordinary plan…, and x[redacted]… and [redacted]"
    log.info("e", a=text, nested={"a": [text]})
    log.outcomes([Record(0, text, "tcop", text, "", Outcome.done(text, fact=text))])
    assert secret[:6] not in "".join(written)
    assert "".join(written).count("[redacted]") == 2 * 6
