"""Templates: what they give, and what they refuse, when they are read and when they are filled."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handler.decide.templates import FILTERS, TemplateError, compile_template
from handler.errors import StewardError
from handler.model.event import FIELDS, Event

EVENT = Event(
    id="a-1",
    source="alertmanager",
    name="DataNodeDown",
    cluster="emr-4zvc5mul",
    service="HDFS",
    ip="172.16.0.5",
    labels={
        "instance": "172.16.0.5:9100",
        "app": "wrong",
        "app.kubernetes.io/name": "hdfs",
        "node-role": " Core ",
        "Alert Name": "disk",
        "磁盘": "vdb",
        "empty": "",
        "blank": "  ",
        "port": ":9100",
        "trick": "{cluster} {{x}} {labels.app}",
    },
    occurred_at=1_700_000_000.0,
).view()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("", ""),
        ("HDFS", "HDFS"),
        ("{cluster}", "emr-4zvc5mul"),
        ("{ cluster }", "emr-4zvc5mul"),
        ("{service}/{name}: {ip}", "HDFS/DataNodeDown: 172.16.0.5"),
        ("{cluster}{cluster}", "emr-4zvc5mulemr-4zvc5mul"),
        ("{labels.instance}", "172.16.0.5:9100"),
        ("{labels.instance|host}", "172.16.0.5"),
        ("{ip|host}", "172.16.0.5"),
        ("{service|lower}", "hdfs"),
        ("{labels.app.kubernetes.io/name|upper}", "HDFS"),
        ("{labels.node-role|trim}", "Core"),
        ("{labels.node-role | trim | lower}", "core"),
        ("{labels.Alert Name}", "disk"),
        ("{labels.磁盘}", "vdb"),
        ("{labels.blank}", "  "),
        ("{labels.trick}", "{cluster} {{x}} {labels.app}"),
        ("{occurred_at}", "1700000000"),
        ("{{cluster}}", "{cluster}"),
        ("{{{cluster}}}", "{emr-4zvc5mul}"),
        ("a{{b}}c", "a{b}c"),
        ("{{{{", "{{"),
        ("}}{{", "}{"),
    ],
)
def test_a_template_gives_its_text_with_the_events_values(raw: str, expected: str) -> None:
    """Names are replaced by the event's values, once; all else stays, doubled braces being single ones."""
    assert compile_template(raw, "do.cluster").render(EVENT) == expected


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("172.16.0.5:9100", "172.16.0.5"),
        ("172.16.0.5", "172.16.0.5"),
        ("[::1]:9100", "::1"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("2001:db8::5", "2001:db8::5"),
        ("http://h:80/x", "h"),
        ("https://h/x?y=1:2#z", "h"),
        ("http://[fd00::1]:80/x", "fd00::1"),
        ("http://user:secret@h:80/", "h"),
        ("http://h?to=a@b", "h"),
        ("h:80/metrics", "h"),
        ("node-1.emr:9100", "node-1.emr"),
        ("node-1:", "node-1"),
        ("node-1:http", "node-1:http"),
        ("node-1:٩", "node-1:٩"),
        ("[::1", "[::1"),
        ("[::1]x", "[::1]x"),
        ("a@b", "a@b"),
    ],
)
def test_host_is_the_address_without_port_and_scheme(text: str, host: str) -> None:
    """The filter host gives the host of an address in any of the senders' spellings, and leaves what is none as it is."""
    assert compile_template("{ip|host}", "do.scope").render({"ip": text}) == host


@pytest.mark.parametrize(
    ("raw", "name", "problem", "hint"),
    [
        ("{clutser}", "clutser", "is not a field of an Event", "did you mean cluster?"),
        ("{Cluster}", "Cluster", "is not a field of an Event", "did you mean cluster?"),
        ("{zzz}", "zzz", "is not a field of an Event", ""),
        ("{severity} {clutser}", "clutser", "is not a field of an Event", "did you mean cluster?"),
        ("{__class__}", "__class__", "is not a field of an Event", ""),
        ("{0}", "0", "is not a field of an Event", ""),
        ("{labels[instance]}", "labels[instance]", "is not a field of an Event", ""),
        ("{cluster!r}", "cluster!r", "is not a field of an Event", "did you mean cluster?"),
        ("{ip:>20}", "ip:>20", "is not a field of an Event", ""),
        ("{cluster.__class__}", "cluster.__class__", "only labels have parts", "write {cluster}"),
        ("{cluster.}", "cluster.", "only labels have parts", "write {cluster}"),
        ("{labels}", "labels", "needs a label's name", "{labels.instance}"),
        ("{labels.}", "labels.", "needs a label's name", "{labels.instance}"),
        ("{labels.x[0]}", "labels.x[0]", "is not a name", "no indexes"),
        ("{labels.x!r}", "labels.x!r", "is not a name", "conversions"),
        ("{labels.x:>5}", "labels.x:>5", "is not a name", "formats"),
        ("{labels.x.strip()}", "labels.x.strip()", "is not a name", ""),
        ("{}", "", "braces without a name", ""),
        ("{ }", "", "braces without a name", ""),
        ("{|host}", "", "braces without a name", ""),
        ("{ip|hots}", "hots", "is not a filter", "did you mean host?"),
        ("{ip|zzz}", "zzz", "is not a filter", ""),
        ("{ip|}", "", "a bar without a filter", ""),
        ("{ip|host|}", "", "a bar without a filter", ""),
        ("{ip", "", "opening brace at 0", "close it: {ip}"),
        ("{ip|host:9100", "", "opening brace at 0", "close it: {ip|host}"),
        ("{labels.app/name is down", "", "opening brace at 0", "close it: {labels.app/name}"),
        ("{nmae", "", "opening brace at 0", "write {{ for a brace"),
        ("a {", "", "opening brace at 2", "{{"),
        ("{ip{x}", "", "opening brace at 0", "close it: {ip}"),
        ("{{{ip", "", "opening brace at 2", "close it: {ip}"),
        ("ip}", "", "closing brace at 2", "}}"),
        ("{ip}}", "", "closing brace at 4", "}}"),
    ],
)
def test_a_template_without_meaning_is_refused_when_read(raw: str, name: str, problem: str, hint: str) -> None:
    """What cannot be filled from any event is refused before there is one, with its place and the nearest right word."""
    with pytest.raises(TemplateError) as caught:
        compile_template(raw, "rules[0].do.cluster")
    error = caught.value
    assert (error.template, error.name, error.path) == (raw, name, "rules[0].do.cluster")
    assert problem in error.problem
    assert hint in error.hint
    assert str(error).startswith(f'rules[0].do.cluster: "{raw}": ')
    assert isinstance(error, StewardError)


@pytest.mark.parametrize(("raw", "available"), [("{zzz}", FIELDS), ("{ip|zzz}", tuple(FILTERS))])
def test_a_refusal_without_a_near_word_lists_what_there_is(raw: str, available: tuple[str, ...]) -> None:
    """Where no right word is near, the message names all of them."""
    with pytest.raises(TemplateError) as caught:
        compile_template(raw, "do")
    assert caught.value.available == available
    assert f"there is {', '.join(available)}" in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "event", "name", "problem"),
    [
        ("{component}", EVENT, "component", "is not in the event"),
        ("{component|lower}", EVENT, "component", "is not in the event"),
        ("{cluster}/{component}", EVENT, "component", "is not in the event"),
        ("{message}", EVENT, "message", "is not in the event"),
        ("{cluster}", {"cluster": None}, "cluster", "is not in the event"),
        ("{labels.absent}", EVENT, "labels.absent", "is not in the event"),
        ("{labels.empty}", EVENT, "labels.empty", "is not in the event"),
        ("{labels.app.kubernetes}", EVENT, "labels.app.kubernetes", "is not in the event"),
        ("{labels.x}", {}, "labels.x", "is not in the event"),
        ("{labels.x}", {"labels": "x"}, "labels.x", "is not in the event"),
        ("{labels.blank|trim}", EVENT, "labels.blank", "is empty after the filter trim"),
        ("{labels.port|host}", EVENT, "labels.port", "is empty after the filter host"),
        ("{ip}", {"ip": ["172.16.0.5"]}, "ip", "is neither text nor a number"),
        ("{ip}", {"ip": True}, "ip", "is neither text nor a number"),
        ("{labels.x}", {"labels": {"x": {}}}, "labels.x", "is neither text nor a number"),
        ("{occurred_at}", {"occurred_at": float("nan")}, "occurred_at", "is neither text nor a number"),
        pytest.param("{occurred_at}", {"occurred_at": 10**5000}, "occurred_at", "is neither text", id="huge"),
    ],
)
def test_a_missing_value_is_a_clear_failure(raw: str, event: dict[str, Any], name: str, problem: str) -> None:
    """A name that is missing, empty or no text is never filled with nothing: the error says which, and what there is."""
    with pytest.raises(TemplateError) as caught:
        compile_template(raw, "do.scope").render(event)
    assert (caught.value.template, caught.value.name, caught.value.path) == (raw, name, "do.scope")
    assert problem in caught.value.problem


def test_a_failure_lists_the_names_of_the_event_but_no_values() -> None:
    """What could be named instead is told, labels included; the event's values, which may be secret, are not."""
    event = {"cluster": "emr-secret", "ip": "", "name": None, "labels": {"b": "hunter2", "a": "x", "empty": ""}}
    with pytest.raises(TemplateError) as caught:
        compile_template("{service}", "do.scope").render(event)
    assert caught.value.available == ("cluster", "labels.a", "labels.b")
    assert (
        str(caught.value) == 'do.scope: "{service}": service is not in the event (there is cluster, labels.a, labels.b)'
    )


def test_a_failure_can_be_written_whatever_the_names() -> None:
    """Half a character in a label's name, as JSON can hold it, does not stop the message from being written."""
    with pytest.raises(TemplateError) as caught:
        compile_template("{labels.x}", "do").render({"labels": {"\ud800": "y"}})
    assert str(caught.value).encode().endswith(rb"(there is labels.\ud800)")


def test_a_failure_is_fit_for_a_log_line() -> None:
    """However many labels an event has, and however long their names, the message stays below a log line's limit."""
    labels = {f"{index}{'x' * 1000}": "y" for index in range(1000)}
    with pytest.raises(TemplateError) as caught:
        compile_template("{service}" + "x" * 10_000, "do.scope").render({"labels": labels})
    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize(
    ("raw", "constant", "names"),
    [
        ("HDFS", "HDFS", ()),
        ("", "", ()),
        ("{{x}}", "{x}", ()),
        ("{cluster}", None, ("cluster",)),
        ("a {labels.x|host} {ip}", None, ("labels.x", "ip")),
    ],
)
def test_a_template_tells_what_it_depends_on(raw: str, constant: str | None, names: tuple[str, ...]) -> None:
    """Configuration can check a constant before any event, and see which fields a template needs."""
    template = compile_template(raw, "do")
    assert (template.constant, template.names) == (constant, names)


values = st.text("aB1.:/[]|{}@?# ß磁\x00\ud800", max_size=12)
plain = st.text("aB1.:/[]|@ 磁", max_size=5)
label = st.text("aB1.-_/ 磁\x00", min_size=1, max_size=8).filter(lambda name: name == name.strip())


@given(values)
def test_a_text_with_its_braces_doubled_is_itself(text: str) -> None:
    """Any text can be written as a template: doubling its braces is enough."""
    assert compile_template(text.replace("{", "{{").replace("}", "}}"), "do").render({}) == text


@given(plain, label, values.filter(bool), plain)
@example("", "app.kubernetes.io/name", "{cluster}", "")
def test_any_label_can_be_named(before: str, name: str, value: str, after: str) -> None:
    """A label's whole name is what stands after the first dot, and its value is put in unread."""
    template = compile_template(f"{before}{{labels.{name}}}{after}", "do")
    assert template.render({"labels": {name: value}}) == before + value + after


near = st.lists(
    st.sampled_from(
        [
            "{",
            "}",
            "{{",
            "}}",
            "|",
            ".",
            "ip",
            "labels",
            "labels.x",
            "{ip}",
            "{labels.x|host}",
            "host",
            " ",
            "x",
            ":",
            "[",
        ]
    ),
    max_size=8,
).map("".join)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2),
    max_leaves=6,
)


@given(values | near, st.dictionaries(st.sampled_from(FIELDS), anything))
def test_any_text_is_a_template_or_refused(raw: str, event: dict[str, Any]) -> None:
    """Whatever stands there, and whatever the event holds, the result is a text or a TemplateError; never another error."""
    try:
        template = compile_template(raw, "do")
        rendered = template.render(event)
    except TemplateError:
        return
    assert isinstance(rendered, str)
    assert template.constant in (None, rendered)
