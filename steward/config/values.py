"""The kinds of values in steward.yml: how each is validated, and its JSON Schema.

Each class is used in ``Annotated``. pydantic takes the validation and the JSON Schema from it, so that both agree.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final

from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, ValidationError, core_schema

from handler.lib.wording import question
from handler.model import names
from steward.config.durations import duration, span

#: The keys and indexes that lead from a file to one of its values.
Steps = tuple[int | str, ...]

FOREVER: Final = 3660 * 86400.0
_DURATION: Final = r"^\s*([0-9]{1,9}(\.[0-9]{1,6})?|([0-9]{1,9}(\.[0-9]{1,6})?\s*[smhdSMHD]\s*)+)\s*$"
_DURATION_HINT: Final = "90s, 15m, 2h, 7d, or a number of seconds"
_SHARE: Final = r"^\s*[0-9]*\.?[0-9]+\s*%?\s*$"
_SHARE_HINT: Final = "a percentage such as 25%, or a number up to 1"


def wrong(problem: str, hint: str = "", **more: Any) -> PydanticCustomError:
    """What a validator raises: what is wrong, and how to fix it.

    ``more`` is for :mod:`steward.config.messages`.
    """
    return PydanticCustomError("steward", "{problem}", {"problem": problem, "hint": hint, **more})


def all_wrong(errors: list[tuple[Steps, PydanticCustomError]]) -> ValidationError:
    """Several errors of one value, each with the steps from the value to its place."""
    details: list[InitErrorDetails] = [{"type": error, "loc": steps, "input": None} for steps, error in errors]
    return ValidationError.from_exception_data("value", details)


class Parsed(ABC):
    """A value that one function reads."""

    @abstractmethod
    def read(self, raw: Any) -> Any:
        """The value that ``raw`` means. Raises PydanticCustomError."""

    @abstractmethod
    def marks(self) -> dict[str, Any]:
        """Its JSON Schema."""

    def __get_pydantic_core_schema__(self, kind: Any, derive: Any) -> CoreSchema:
        """pydantic's protocol for annotations."""
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, derive: Any) -> dict[str, Any]:
        """pydantic's protocol for annotations."""
        return self.marks()


class Seconds(Parsed):
    """A duration from ``minimum`` to ``maximum`` seconds: a number, or a text such as ``15m``."""

    def __init__(self, minimum: float = 0, maximum: float = FOREVER, *, is_whole: bool = False) -> None:
        self._minimum, self._maximum, self._is_whole = minimum, maximum, is_whole

    def read(self, raw: Any) -> float:
        if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
            raise wrong("must be a duration", _DURATION_HINT)
        seconds = duration(raw)
        if seconds is None:
            raise wrong(f"{raw!r} is not a duration", _DURATION_HINT)
        if not self._minimum <= seconds <= self._maximum:
            raise wrong(f"{raw!r} is out of bounds", f"from {span(self._minimum)} to {span(self._maximum)}")
        if self._is_whole and seconds != int(seconds):
            raise wrong(f"{raw!r} is not a whole number of seconds", f"such as {span(int(seconds) + 1)}")
        return int(seconds) if self._is_whole else seconds

    def marks(self) -> dict[str, Any]:
        number = {"type": "number", "minimum": self._minimum, "maximum": self._maximum}
        if self._is_whole:
            number["multipleOf"] = 1
        return {"anyOf": [{"type": "string", "pattern": _DURATION}, number]}


class Share(Parsed):
    """A part of a whole: ``25%``, or a number above 0 and up to 1."""

    def read(self, raw: Any) -> float:
        if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
            raise wrong("must be a share", _SHARE_HINT)
        share = -1.0
        if not isinstance(raw, str):
            share = float(raw) if abs(raw) < 1e12 else -1.0  # an integer may be too large for a float
        elif re.fullmatch(r"([0-9]*\.)?[0-9]+\s*%?", text := raw.strip()):
            share = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
        if not 0 < share <= 1:
            is_percent = 1 < share <= 100 and not str(raw).endswith("%")
            raise wrong(f"{raw!r} is not a share", f"did you mean {share:g}%?" if is_percent else _SHARE_HINT)
        return share

    def marks(self) -> dict[str, Any]:
        number = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
        return {"anyOf": [{"type": "string", "pattern": _SHARE}, number]}


class Checked:
    """A text that ``check`` accepts. ``marks`` are further keywords of its JSON Schema."""

    def __init__(self, check: Callable[[str], str], **marks: Any) -> None:
        self._check, self._marks = check, marks

    def __get_pydantic_core_schema__(self, kind: Any, derive: Any) -> CoreSchema:
        """pydantic's protocol for annotations."""
        return core_schema.no_info_after_validator_function(self._check, derive(kind))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, derive: Any) -> dict[str, Any]:
        """pydantic's protocol for annotations."""
        found: dict[str, Any] = derive(schema)
        return {**found, **self._marks}


class Marks:
    """Keywords of the JSON Schema for what is checked elsewhere."""

    def __init__(self, **marks: Any) -> None:
        self._marks = marks

    def __get_pydantic_json_schema__(self, schema: CoreSchema, derive: Any) -> dict[str, Any]:
        """pydantic's protocol for annotations."""
        found: dict[str, Any] = derive(schema)
        return {**found, **self._marks}


def spelled(pattern: str, problem: str, hint: str, *, is_shown: bool = False) -> Checked:
    """A text that matches ``pattern``.

    Errors repeat the text only if it ``is_shown``: somebody may write a secret where a name belongs.
    """

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise wrong(f"{text!r} {problem}" if is_shown else problem, hint)
        return text

    return Checked(check, pattern=f"^(?:{pattern})$")


def one_of(words: Sequence[str]) -> Checked:
    """A text that is one of ``words``."""

    def check(text: str) -> str:
        if text not in words:
            raise wrong(f"must be one of {', '.join(words)}", question(text[:80], words))
        return text

    return Checked(check, enum=list(words))


class AllOr(Parsed):
    """Either ``all``, or a list of texts, of which ``check`` returns each as it is kept."""

    def __init__(self, check: Callable[[str], str], *examples: str, **marks: Any) -> None:
        self._check, self._examples, self._marks = check, examples, marks

    def read(self, raw: Any) -> Any:
        hint = f"all, or [{', '.join(self._examples)}]"
        if raw == "all":
            return raw
        if not isinstance(raw, list):
            raise wrong("must be `all` or a list", hint)
        if not raw:
            raise wrong("is empty", hint)
        found: list[str] = []
        errors: list[tuple[Steps, PydanticCustomError]] = []
        for index, item in enumerate(raw):
            try:
                if not isinstance(item, str):
                    raise wrong("must be a text", "quote it")
                found.append(self._check(item))
            except PydanticCustomError as error:
                errors.append(((index,), error))
        if errors:
            raise all_wrong(errors)
        return found

    def marks(self) -> dict[str, Any]:
        items = {"type": "string", **self._marks}
        return {"anyOf": [{"const": "all"}, {"type": "array", "minItems": 1, "items": items}]}


def _service(text: str) -> str:
    if not names.is_process_name(text):
        raise wrong("is not the name of a service", "such as HDFS")
    return text.upper()


#: Which clusters or services are meant. ``checks.py`` checks whether the clusters are listed.
CLUSTERS: Final = AllOr(str, "emr-4zvc5mul", pattern=f"^{names.CLUSTER_ID}$")
SERVICES: Final = AllOr(_service, "HDFS", "HIVE", minLength=1)
REGION: Final = spelled("[a-z]{2,}-[a-z0-9-]+", "is not a region", "such as ap-guangzhou")
ROLE_ARN: Final = spelled(
    # By its name or its number (STS, AssumeRole).
    "qcs::cam::uin/[0-9]{5,20}:role(?:Name)?/[A-Za-z0-9_+=,.@-]{1,128}",
    "is not a role",
    "qcs::cam::uin/100000000001:roleName/steward, as the CAM console shows it",
)


def _is_cluster_id(text: str) -> str:
    if not names.is_cluster_id(text):
        raise wrong("is not a cluster id", f"{names.CLUSTER_ID_FORMAT}, as the console shows it")
    return text


#: For keys. Their JSON Schema is beside the mapping, as ``propertyNames``.
CLUSTER_ID: Final = Checked(_is_cluster_id)
_VARIABLE: Final = "[A-Z_][A-Z0-9_]{0,127}"
_IS_NO_VARIABLE: Final = "is not the name of an environment variable"
SECRET_VARIABLE: Final = spelled(
    _VARIABLE, _IS_NO_VARIABLE, "secrets are set in the environment, and named here: STEWARD_SECRET_…"
)
CHAT_VARIABLE: Final = spelled(
    _VARIABLE,
    _IS_NO_VARIABLE,
    "the URL is a secret: set a variable to it, and name the variable here: STEWARD_CHAT_URL",
)
#: It divides what the ledger keeps for one caller from what it keeps for another.
CALLER: Final = spelled(
    "[A-Za-z0-9][A-Za-z0-9._-]*", "is not a caller's name", "letters, digits, dots, dashes and underscores"
)
USER: Final = spelled("[^:]*", "holds a colon", "basic credentials end the user name with one")
EVENT_BUS: Final = spelled("eb-.*", "is not an event bus", "eb- and its name, as the console shows it", is_shown=True)
TIME_OF_DAY: Final = spelled(
    "([01][0-9]|2[0-3]):[0-5][0-9]|24:00", "is not a time of day", "HH:MM, quoted", is_shown=True
)


def _is_moment(text: str) -> str:
    moment(text)
    return text


def _is_zone(text: str) -> str:
    zone(text)
    return text


def moment(text: str) -> datetime.datetime:
    """The date and time that ``text`` is. Raises PydanticCustomError."""
    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise wrong(f"{text!r} is not a date and time", "2026-12-24T18:00:00+08:00") from None


def zone(name: str) -> zoneinfo.ZoneInfo:
    """The time zone of an IANA name. Raises PydanticCustomError."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise wrong(f"{name!r} is not a time zone", "an IANA name such as Asia/Shanghai") from None


def epoch(text: str, time_zone: str | None, which: Callable[[float, float], float]) -> float | None:
    """Epoch seconds of a date and time; None if neither it nor ``time_zone`` names a zone.

    When clocks change, an hour exists twice or never: ``which`` (min or max) chooses between the two readings.
    """
    at = moment(text)
    if at.tzinfo is None:
        if time_zone is None:
            return None
        at = at.replace(tzinfo=zone(time_zone))
    return which(at.replace(fold=0).timestamp(), at.replace(fold=1).timestamp())


def minute_of_day(text: str) -> int:
    """The minutes from midnight to ``HH:MM``."""
    return int(text[:2]) * 60 + int(text[3:])


MOMENT: Final = Checked(_is_moment)
ZONE: Final = Checked(_is_zone)
