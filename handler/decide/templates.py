"""Templates: texts with names of Event fields in braces.

Examples are ``{cluster}`` and ``{labels.instance|host|lower}``.

A name is a field of the Event, or ``labels.`` and a label's whole name, whatever its characters: in
``{labels.app.kubernetes.io/name}`` the label is ``app.kubernetes.io/name``. There are no attributes, indexes,
conversions or format specifications. ``{{`` and ``}}`` are literal braces. A filter's result goes into the next filter:

- ``host``: the host of an address with a port or a scheme; ``172.16.0.5:9100``, ``[::1]:9100``, ``http://h:80/x``
- ``lower``, ``upper``: the text in lower or upper case
- ``trim``: the text without white space at its ends

There is no default for a missing name: a scope that was guessed would act on what no event named. A name that is
missing or empty is a TemplateError. What a name stands for is put in as it is, and never read as a template again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from handler.errors import StewardError
from handler.lib.wording import cut, listed, question
from handler.model.event import FIELDS

#: What a label's name cannot hold here, because it is how other template languages index, convert and format.
_RESERVED: Final = "[]()!:"
_MAX_LISTED: Final = 40


class TemplateError(StewardError):
    """A template that cannot be read, or not be filled from an event.

    ``template`` is its text, ``name`` the field, label or filter in question (empty where it is about the braces),
    ``available`` the names that could stand there: an Event's fields or the filters when the template is read, and what
    the event has when it is filled. ``path`` is the template's place in the file, ``hint`` may be empty. Field values
    are never part of it.
    """

    def __init__(
        self,
        template: str,
        name: str,
        problem: str,
        available: Iterable[str] = (),
        *,
        path: str = "",
        hint: str = "",
    ) -> None:
        self.template, self.name, self.problem, self.available = template, name, problem, tuple(available)
        self.path, self.hint = path, hint
        there_is = listed([cut(item, 80) for item in self.available], _MAX_LISTED)
        help_ = hint or (f"there is {there_is}" if there_is else "")
        subject = f"{cut(name, 80)} {problem}" if name else problem
        text = (f"{path}: " if path else "") + f'"{template[:200]}": {subject}' + (f" ({help_})" if help_ else "")
        super().__init__(text.encode("utf-8", "backslashreplace").decode())


def _host(text: str) -> str:
    """The host of ``host:port``, ``[v6]:port`` or a URL; anything else, an IPv6 address without brackets too, as it is."""
    _, mark, rest = text.partition("://")
    if mark:
        text = rest
    for end in "/?#":
        text = text.partition(end)[0]
    if mark:
        text = text.rpartition("@")[2]
    if text.startswith("["):
        inside, bracket, after = text[1:].partition("]")
        return inside if bracket and (not after or _is_port(after)) else text
    host, colon, _ = text.partition(":")
    return host if colon and _is_port(text[len(host) :]) else text


def _is_port(text: str) -> bool:
    return text[:1] == ":" and (text == ":" or (text[1:].isascii() and text[1:].isdigit()))


FILTERS: Final[Mapping[str, Callable[[str], str]]] = {
    "host": _host,
    "lower": str.lower,
    "upper": str.upper,
    "trim": str.strip,
}


class _Name(NamedTuple):
    """One pair of braces: ``label`` is empty for a field itself."""

    written: str
    field: str
    label: str
    filters: tuple[str, ...]


class Template:
    """A compiled template."""

    __slots__ = ("_alone", "_parts", "constant", "path", "text")

    def __init__(self, text: str, path: str, parts: list[str | _Name]) -> None:
        self.text, self.path, self._parts = text, path, parts
        #: What the template gives whatever the event, or None where it depends on the event.
        self.constant: str | None = None if self.names else "".join(part for part in parts if isinstance(part, str))
        only = parts[0] if len(parts) == 1 else None
        #: The field of a template that is nothing but it, which most are.
        self._alone = only.field if isinstance(only, _Name) and not only.label and not only.filters else ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names in it, in their order: ``("cluster", "labels.instance")``."""
        return tuple(part.written for part in self._parts if isinstance(part, _Name))

    def render(self, event: Mapping[str, Any]) -> str:
        """The text for the event, as ``Event.view()`` shows it.

        Raises TemplateError where a name is missing, empty or no text, or where a filter leaves nothing of it.
        """
        if self.constant is not None:
            return self.constant
        if self._alone:
            value = event.get(self._alone)
            if isinstance(value, str) and value:
                return value
        return "".join([part if isinstance(part, str) else self._fill(part, event) for part in self._parts])

    def _fill(self, name: _Name, event: Mapping[str, Any]) -> str:
        value = event.get(name.field)
        if name.label:
            value = value.get(name.label) if isinstance(value, Mapping) else None
        if value is None or value == "":
            raise self._error(name, "is not in the event", event)
        text = _as_text(value)
        if text is None:
            raise self._error(name, "is neither text nor a number in the event", event)
        for word in name.filters:
            text = FILTERS[word](text)
            if not text:
                raise self._error(name, f"is empty after the filter {word}", event)
        return text

    def _error(self, name: _Name, problem: str, event: Mapping[str, Any]) -> TemplateError:
        return TemplateError(self.text, name.written, problem, _available(event), path=self.path)


def compile_template(raw: str, path: str) -> Template:
    """The template that ``raw`` is; ``path`` is where it stands.

    Raises TemplateError for a name that is not a field of an Event, for an unknown filter, and for braces without their
    pair.
    """
    parts: list[str | _Name] = []
    literal = ""
    at = 0
    while at < len(raw):
        character = raw[at]
        if character in "{}" and raw[at : at + 2] == character * 2:
            literal += character
            at += 2
        elif character == "{":
            inside, brace, _ = raw[at + 1 :].partition("}")
            if not brace or "{" in inside:
                hint = _to_close(raw[at + 1 :])
                raise TemplateError(raw, "", f"has an opening brace at {at} without its pair", path=path, hint=hint)
            if literal:
                parts.append(literal)
                literal = ""
            parts.append(_name(inside, raw, path))
            at += len(inside) + 2
        elif character == "}":
            raise TemplateError(
                raw, "", f"has a closing brace at {at} without its pair", path=path, hint="write }} for a brace"
            )
        else:
            literal += character
            at += 1
    if literal:
        parts.append(literal)
    return Template(raw, path, parts)


def _to_close(begun: str) -> str:
    """The fix for braces that were opened, and not closed after a name: ``begun`` is what follows."""
    named = re.match(r"([a-z_]+)(\.[\w./-]+)?( *\| *[a-z]+)*", begun)
    return f"close it: {{{named[0]}}}" if named and named[1] in FIELDS else "write {{ for a brace"


def _name(inside: str, raw: str, path: str) -> _Name:
    written, *filters = (word.strip() for word in inside.split("|"))
    field, dot, label = written.partition(".")
    if not written:
        raise TemplateError(raw, "", "has braces without a name", FIELDS, path=path)
    if field not in FIELDS:
        raise TemplateError(
            raw, written, "is not a field of an Event", FIELDS, path=path, hint=question(written, FIELDS)
        )
    if field == "labels" and not label:
        raise TemplateError(raw, written, "needs a label's name", path=path, hint="such as {labels.instance}")
    if field != "labels" and dot:
        raise TemplateError(raw, written, "has a dot, but only labels have parts", path=path, hint=f"write {{{field}}}")
    if any(character in label for character in _RESERVED):
        hint = f"no indexes, conversions or formats; a label's name cannot hold {' '.join(_RESERVED)}"
        raise TemplateError(raw, written, "is not a name", path=path, hint=hint)
    for word in filters:
        if word not in FILTERS:
            problem = "is not a filter" if word else "has a bar without a filter"
            raise TemplateError(raw, word, problem, FILTERS, path=path, hint=question(word, FILTERS))
    return _Name(written, field, label, tuple(filters))


def _as_text(value: object) -> str | None:
    """A whole number is written without a fraction; what is too large to be exact, not finite, or no value is None."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and -1e15 < value < 1e15:
        return str(int(value) if value == int(value) else value)
    return None


def _available(event: Mapping[str, Any]) -> list[str]:
    """The names that a template could use with this event."""
    names = [name for name in FIELDS if name != "labels" and event.get(name) not in (None, "")]
    labels = event.get("labels")
    if isinstance(labels, Mapping):
        names += sorted(f"labels.{label}" for label, value in labels.items() if value not in (None, ""))
    return names
