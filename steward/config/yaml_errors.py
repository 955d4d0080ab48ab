"""Why a text is not valid YAML, and how to fix it, in plain words.

A mistake that is not listed here is explained in the parser's own words. Only the first character of a value is
repeated, since the value may be a secret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The characters that a value cannot begin with unless it is quoted. (``*name`` is an alias if there is an anchor of
#: that name.)
_SIGNS: Final = "*&@`%|>"
_CLOSED_BY: Final = {"[": "]", "{": "}"}
_INDENT: Final = "the keys of a mapping, and the items of a list, are indented alike"


class YamlError(NamedTuple):
    """What is wrong in which line, and how to fix it (may be empty).

    Lines count from 1; the line is None if the parser names none.
    """

    line: int | None
    problem: str
    hint: str = ""


def explained(text: str, error: Exception) -> YamlError:
    """The error that ruamel.yaml found in ``text``."""
    problem = str(getattr(error, "problem", None) or str(error).splitlines()[0])
    mark, begin = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    if mark is None:
        position = getattr(error, "position", None)
        return YamlError(text[:position].count("\n") + 1 if isinstance(position, int) else None, problem)
    found = _Found(_lines(text), problem, getattr(error, "context", None) or "", mark, begin or mark)
    return next((one for one in found.explanations() if one), YamlError(mark.line + 1, problem))


class _Found:
    """An error of the parser at ``mark``, in what began at ``begin``; both count from 0."""

    def __init__(self, lines: list[str], problem: str, context: str, mark: Any, begin: Any) -> None:
        self.lines, self.problem, self.context, self.mark, self.begin = lines, problem, context, mark, begin
        self.text = lines[mark.line] if mark.line < len(lines) else ""
        self.before = self.text[: mark.column]
        self.sign = self.text[mark.column : mark.column + 1]

    def explanations(self) -> Iterator[YamlError | None]:
        yield self._tab()
        yield self._quote()
        yield self._bracket()
        yield self._sign()
        yield self._after_a_value()
        yield self._colon()
        yield self._no_key()
        yield self._indent()

    def _here(self, problem: str, hint: str) -> YamlError:
        return YamlError(self.mark.line + 1, problem, hint)

    def _tab(self) -> YamlError | None:
        if self.sign == "\t" and "cannot start any token" in self.problem:
            return self._here("a tab stands where only spaces may", "indent with spaces")
        return None

    def _quote(self) -> YamlError | None:
        if "quoted scalar" not in self.context:
            return None
        if "escape" in self.problem:
            fix = r"write \\ for a backslash, or use single quotes, in which it is nothing special"
            return self._here("a backslash within double quotes begins no escape that there is", fix)
        return YamlError(self.begin.line + 1, "the quote that is opened here is not closed", "close it in this line")

    def _bracket(self) -> YamlError | None:
        if self.problem.startswith("expected <block end>") and self.sign in "]}" and self.sign:
            return self._here(f"`{self.sign}` closes nothing", "take it out, or open it")
        if "flow" not in self.context:
            return None
        line, opening = self._opened()
        closing = _CLOSED_BY.get(opening, "")
        if not closing:
            return None
        if self.sign and self.sign in "]}":
            return YamlError(
                line + 1, f"`{opening}` is opened here and closed by `{self.sign}`", f"close it with {closing}"
            )
        if self.mark.line == line and self.sign:
            return self._here(
                f"between `{opening}` and `{closing}` a comma is missing, or a value that holds a colon is not quoted",
                'such as {a: 1, b: 2}, or "a: b"',
            )
        until = f", or a comma is missing before line {self.mark.line + 1}" if self.sign else ""
        return YamlError(line + 1, f"`{opening}` is opened here and not closed{until}", f"close it with {closing}")

    def _opened(self) -> tuple[int, str]:
        """The line of the bracket within which the parser was, and the bracket."""
        if "flow node" not in self.context:
            return self.begin.line, self.lines[self.begin.line][self.begin.column : self.begin.column + 1]
        before = "\n".join([*self.lines[: self.mark.line], self.before])
        opened = list(re.finditer(r"[\[{]", before))
        return (before[: opened[-1].start()].count("\n"), opened[-1][0]) if opened else (0, "")

    def _sign(self) -> YamlError | None:
        """A character with a meaning in YAML at the beginning of a value."""
        sign = self.lines[self.begin.line][self.begin.column : self.begin.column + 1] if self.context else self.sign
        of_its_own = ("cannot start any token", "undefined alias", "expected alphabetic", "expected chomping")
        if sign and sign in _SIGNS and any(word in self.problem for word in of_its_own):
            return self._here(f"a value that begins with {sign} must be quoted", f'such as "{sign}…"')
        return None

    def _after_a_value(self) -> YamlError | None:
        """Something that follows a closing quote or bracket."""
        if self.problem != "expected <block end>, but found '<scalar>'":
            return None
        for quote in "\"'":
            if self.before.rstrip().endswith(quote) and self.before.count(quote) % 2:
                odd = [line for line in range(self.mark.line) if self.lines[line].count(quote) % 2]
                if odd:
                    return YamlError(
                        odd[-1] + 1, "the quote that is opened here is not closed", "close it in this line"
                    )
        if self.before.rstrip().endswith("}"):
            return self._here("something follows a closing bracket", 'quote a template: "{ip}:9100"')
        return self._here(
            "something follows a closing quote", "quote the whole value; within '…' a single quote is written twice"
        )

    def _colon(self) -> YamlError | None:
        if "mapping values are not allowed" in self.problem and re.search(r":\s", self.before):
            return self._here("an unquoted value holds a colon and a space, as if it were a key", 'quote it: "a: b"')
        return None

    def _no_key(self) -> YamlError | None:
        """A line without ``key: value``. The parser reports it in the next line that has one."""
        if "mapping values are not allowed" in self.problem:
            line = next((at for at in range(self.mark.line - 1, -1, -1) if _is_content(self.lines[at])), -1)
        elif "could not find expected ':'" in self.problem:
            line = self.begin.line
        else:
            return None
        text = self.lines[line].strip() if line >= 0 else ""
        if re.match(r"-[^\s-]", text):
            return YamlError(line + 1, "no space follows the dash of a list", "such as `- name: restart`")
        if not text or re.search(r":(\s|$)|^- |^#", text):
            return None
        hint = "a space follows the colon" if ":" in text else "such as `name: restart`"
        return YamlError(line + 1, "neither `key: value` nor an item of a list", hint)

    def _indent(self) -> YamlError | None:
        if not self.problem.startswith(("expected <block end>", "mapping values are not allowed")):
            return None
        own = _indent_of(self.text)
        is_item = self.text.lstrip().startswith("- ")
        nearest: tuple[int, int, int] | None = None
        smallest = len(self.text) + 1000
        for line in range(self.mark.line - 1, -1, -1):
            if not _is_content(self.lines[line]) or _indent_of(self.lines[line]) >= smallest:
                continue
            smallest = _indent_of(self.lines[line])
            begins = (
                [smallest] if is_item or not self.lines[line].lstrip().startswith("- ") else [smallest + 2, smallest]
            )
            for column in begins:
                if column != own and (nearest is None or abs(column - own) < nearest[0]):
                    nearest = (abs(column - own), line, column)
        if nearest is None:
            return None
        _, line, column = nearest
        return self._here(
            f"is indented by {own} space{'' if own == 1 else 's'}, and line {line + 1} by {column}", _INDENT
        )


def _lines(text: str) -> list[str]:
    """The lines of a text as the parser counts them."""
    return re.split(r"\r\n|[\r\n\x85\u2028\u2029]", text.removesuffix("\n"))


def _is_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
