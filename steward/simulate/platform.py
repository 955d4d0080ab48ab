"""The function platform on a laptop: events as SCF passes them, and its retries.

Facts are those of the platform's documentation (583/9708 timers, 583/96099 function URLs, 583/41138 retries).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from handler.errors import ConfigurationError, InvalidInput
from handler.lib.strict_json import parse
from handler.lib.wording import utc_text
from handler.receive.timestamps import CHINA, parse_epoch, parse_time

if TYPE_CHECKING:
    from handler.app import Function
    from handler.lib.clock import Clock

#: An asynchronous invocation that raises is repeated this often, a minute apart.
RETRIES: Final = 2
RETRY_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Invocation:
    """The result of a delivery: the answer, or the exception after the platform's retries."""

    answer: Any
    error: str = ""


def context(*, time_limit_ms: int, request_id: str) -> dict[str, Any]:
    """The context that the platform passes to a Python function."""
    return {
        "memory_limit_in_mb": 128,
        "time_limit_in_ms": time_limit_ms,
        "request_id": request_id,
        "environment": "{}",
        "environ": "",
        "function_version": "$LATEST",
        "function_name": "emr-steward",
        "namespace": "default",
        "tencentcloud_region": "ap-guangzhou",
        "tencentcloud_appid": "1250000000",
        "tencentcloud_uin": "100000000001",
    }


def invoke(
    function: Function,
    event: Any,
    clock: Clock,
    *,
    time_limit_ms: int = 30_000,
    request_id: str = "local-1",
    retries: int = RETRIES,
) -> Invocation:
    """Deliver one event, and again if the function raises, as the platform does.

    Event and answer pass through JSON, as there.
    """
    text = json.dumps(event)
    error = ""
    for attempt in range(1 + retries):
        if attempt:
            clock.sleep(RETRY_SECONDS)
        try:
            answer = function.handle(json.loads(text), context(time_limit_ms=time_limit_ms, request_id=request_id))
        except ConfigurationError:
            raise
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
            continue
        return Invocation(json.loads(json.dumps(answer)))
    return Invocation(None, error)


def function_url_event(
    method: str, path: str, headers: Mapping[str, str], body: bytes, *, remote: str = "127.0.0.1"
) -> dict[str, Any]:
    """An HTTP call as a function URL passes it.

    Header names are in lower case, and a body that is not UTF-8 is in base64.
    """
    path, _, query = path.partition("?")
    event: dict[str, Any] = {
        "httpMethod": method,
        "path": path,
        "headers": {**{name.lower(): value for name, value in headers.items()}, "x-scf-remote-addr": remote},
        "queryString": dict(part.partition("=")[::2] for part in query.split("&") if part),
    }
    try:
        event["body"] = body.decode()
    except UnicodeDecodeError:
        event["body"] = base64.b64encode(body).decode()
        event["isBase64Encoded"] = True
    return event


def timer_event(name: str, message: str, now: float) -> dict[str, Any]:
    """The event of a timer trigger."""
    return {"Type": "Timer", "TriggerName": name, "Time": utc_text(now), "Message": message}


def restamp(event: Any, now: float) -> Any:
    """The event as if it had just happened.

    Samples have old times, and the function ignores old events. Only the times that its
    sender's reader uses are replaced. A malformed event stays malformed, and is refused as in production.
    """
    if isinstance(event, list):
        return [restamp(item, now) for item in event]
    if not isinstance(event, dict):
        return event
    stamped = {key: _stamped(key, value, now) for key, value in event.items()}
    if isinstance(stamped.get("body"), str):
        is_base64 = event.get("isBase64Encoded") in (True, "true")
        stamped["body"] = _restamp_text(stamped["body"], now, is_base64=is_base64)
    return stamped


def _stamped(key: str, value: Any, now: float) -> Any:
    if key in ("Time", "startsAt") and isinstance(value, str) and parse_time(value) is not None:
        return utc_text(now)
    if key == "firstOccurTime" and isinstance(value, str) and parse_time(value, CHINA) is not None:
        return datetime.fromtimestamp(now, CHINA).strftime("%Y-%m-%d %H:%M:%S")
    if key == "time" and parse_epoch(value) is not None:
        return type(value)(int(now * 1000))
    if key == "time" and isinstance(value, str) and parse_time(value) is not None:
        return utc_text(now)
    if key == "msgBody" and isinstance(value, str):
        return _restamp_text(value, now, is_base64=False)
    return restamp(value, now)


def _restamp_text(text: str, now: float, *, is_base64: bool) -> str:
    try:
        value = parse(base64.b64decode("".join(text.split()), validate=True) if is_base64 else text, "")
    except (ValueError, InvalidInput):
        return text  # not strict JSON: writing it again would repair it
    stamped = restamp(value, now)
    if stamped == value:
        return text
    written = json.dumps(stamped)
    return base64.b64encode(written.encode()).decode() if is_base64 else written
