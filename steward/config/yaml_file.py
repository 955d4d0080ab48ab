"""Reading steward.yml, serverless.yml, and a compiled steward.json from disk."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, SequenceNode

from handler.errors import ConfigurationError, InvalidConfiguration, InvalidInput
from handler.lib.strict_json import parse
from steward.config.yaml_errors import explained

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 50


class Document(NamedTuple):
    """A file's content, and the line of each key by its path (none for JSON).

    ``errors`` are keys that appear twice, and other parts without a meaning.
    """

    path: str
    raw: Any
    lines: dict[str, int]
    errors: tuple[ConfigurationError, ...] = ()

    def locate(self, key: str) -> str:
        """``file:line`` of a key, or of the nearest key above it that exists."""
        return locate(self.path, key, self.lines)


def read_raw(path: str) -> tuple[Any, dict[str, int]]:
    """A file's content, and the line of each key by its path (none for JSON).

    Raises ConfigurationError.
    """
    document = parsed(path)
    if document.errors:
        raise InvalidConfiguration(document.errors)
    return document.raw, document.lines


def parsed(path: str) -> Document:
    """Read a file, whatever it means.

    Raises ConfigurationError if it cannot be read, or is neither YAML nor JSON.
    """
    return parsed_text(path, _bytes(path))


def parsed_text(path: str, data: bytes) -> Document:
    """Read the content of a file that is called ``path``. Raises as :func:`parsed`."""
    text = _text(path, data)
    if not text.strip():
        raise ConfigurationError(
            "is empty", where=path, hint="`clusters:` and `rules:` belong here; see the example steward.yml"
        )
    return _from_json(path, text) if path.endswith(".json") else _from_yaml(path, text)


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigurationError("no such file", where=path, hint="set STEWARD_CONFIG to its path") from None
    except IsADirectoryError:
        raise ConfigurationError("is a folder", where=path, hint="name a file") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot be read: {getattr(error, 'strerror', None) or error}", where=path) from None


def _text(path: str, data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise ConfigurationError("is larger than 1 MB", where=path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigurationError("is not UTF-8", where=f"{path}:{line}", hint="save it as UTF-8") from None


def _from_json(path: str, text: str) -> Document:
    try:
        return Document(path, parse(text, ""), {})
    except InvalidInput as error:
        raise ConfigurationError(str(error), where=path) from None


def _from_yaml(path: str, text: str) -> Document:
    try:
        nodes = list(YAML(typ="safe", pure=True).compose_all(text))
    except (YAMLError, ValueError, RecursionError) as error:
        line, problem, hint = explained(text, error)
        where = f"{path}:{line}" if line else path
        raise ConfigurationError(f"is not valid YAML: {problem}", where=where, hint=hint) from None
    if len(nodes) != 1:
        raise ConfigurationError(f"holds {len(nodes)} documents", where=path, hint="one is enough")
    values = _Values(path)
    return Document(path, values.value(nodes[0], "", 0), values.lines, tuple(values.errors))


class _Values:
    """Turns YAML nodes into plain values, and records each key's line and what has no meaning."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.lines: dict[str, int] = {}
        self.errors: list[ConfigurationError] = []

    def value(self, node: Any, at: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ConfigurationError("is nested too deeply", where=self._where(node))
        self.lines.setdefault(at, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            mapping: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = key_node.value
                if not isinstance(key, str) or key_node.tag.endswith((":merge", ":null")):
                    self._error(key_node, "a key must be a plain text", "merge keys (<<) are not used here")
                    continue
                path = f"{at}.{key}" if at else key
                if key in mapping:
                    self._error(key_node, "appears twice", f"first in line {self.lines[path]}", path=path)
                    continue
                self.lines[path] = key_node.start_mark.line + 1
                mapping[key] = self.value(value_node, path, depth + 1)
            return mapping
        if isinstance(node, SequenceNode):
            return [self.value(item, f"{at}[{index}]", depth + 1) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _scalar(self, node: Any) -> Any:
        kind, text = node.tag.rpartition(":")[2], node.value
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() in ("true", "yes", "on")
        try:
            if kind == "int":
                return int(text.replace("_", ""), 0 if text.lower().startswith(("0x", "0o")) else 10)
            if kind == "float":
                return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            return text
        if kind in ("str", "timestamp"):  # a date stays the text that was written
            return text
        self._error(node, f"the tag {node.tag} is not known here")
        return text

    def _error(self, node: Any, problem: str, hint: str = "", path: str = "") -> None:
        self.errors.append(ConfigurationError(problem, path=path, where=self._where(node), hint=hint))

    def _where(self, node: Any) -> str:
        return f"{self._path}:{node.start_mark.line + 1}"


def locate(path: str, key: str, lines: dict[str, int]) -> str:
    """``file:line`` of a key, or of the nearest key above it that exists."""
    at = key
    while at:
        if at in lines:
            return f"{path}:{lines[at]}"
        at = at[: max(at.rfind("."), at.rfind("["), 0)]
    return f"{path}:1" if lines else path
