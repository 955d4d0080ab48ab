"""The shape of steward.yml: what editors complete from (``steward schema``), and what pydantic holds a file against."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Union

from typing_extensions import NotRequired, TypedDict

from handler.lib.validation import Bound, Schema

Duration = Union[str, int, float]  # noqa: UP007 - evaluated on Python 3.10, where the shapes are read
OpName = Literal["StartService", "StopService", "RestartService", "StartMonitor", "StopMonitor"]
_STRICT: Final = {"extra": "forbid", "use_attribute_docstrings": True}


class ClusterShape(TypedDict):
    """A cluster that may be touched."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    name: NotRequired[str]
    """What people call it."""
    region: str
    """Where it is."""
    allow: Annotated[list[OpName], Bound(min_length=1)]
    """The operations that may be done to it; anything else is refused."""
    operations_per_hour: NotRequired[Annotated[int, Bound(ge=1)]]
    """Operations an hour, whatever they are; what is over waits for a later event."""
    role_arn: NotRequired[str]
    """The role that is assumed for it, where it belongs to another account: qcs::cam::uin/…:roleName/…."""


class StrategyShape(TypedDict):
    """How a restart goes through the processes."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    rolling: NotRequired[bool]
    """Batch by batch. Without it the service may be unavailable meanwhile."""
    batch_size: NotRequired[Annotated[int, Bound(ge=1, le=99_999)]]
    """Processes in a batch."""
    wait_seconds: NotRequired[Annotated[int, Bound(ge=0, le=300)]]
    """Seconds between batches."""
    on_failure: NotRequired[Literal["block", "skip"]]
    """Where a batch fails: block stops there, skip goes on."""
    args: NotRequired[dict[str, list[str]]]
    """Further arguments of the command."""


class StopParamsShape(TypedDict):
    """How a stop is carried out."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    policy: NotRequired[Literal["safe", "default"]]
    """safe moves work away first."""
    thread_count: NotRequired[Annotated[int, Bound(ge=1)]]
    """Threads that move it."""
    grace_seconds: NotRequired[Annotated[int, Bound(ge=0)]]
    """Seconds that a safe stop may take."""


class DoShape(TypedDict):
    """What a rule asks for."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    operation: OpName
    """StopMonitor enters maintenance, StartMonitor leaves it."""
    cluster: str
    """The cluster's id, or a template such as {cluster}."""
    scope: dict[str, Literal["all"] | dict[str, Literal["all"] | list[str]]]
    """Service → all, or component → all, or a list of addresses. Every name may be a template."""
    strategy: NotRequired[StrategyShape]
    """How to restart; RestartService needs it."""
    stop_params: NotRequired[StopParamsShape]
    """How to stop; for StopService."""
    keep_monitor: NotRequired[bool]
    """In maintenance, go on watching but pull nothing up; for StopMonitor."""
    even_if_healthy: NotRequired[bool]
    """Restart for an alert even where the process answers, such as a full heap; for RestartService."""


class LimitsShape(TypedDict):
    """How much may be done. Durations are seconds, or texts such as 90s, 15m, 2h, 7d."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    cooldown: NotRequired[Duration]
    """Between two operations on one process. Orders have none unless it is written."""
    max_nodes: NotRequired[Annotated[int, Bound(ge=1)]]
    """Processes of a component under operation at a time. For orders any number unless it is written."""
    max_share: NotRequired[str | float]
    """Share of a component that may be away at a time, such as 25% or 0.25. For orders all unless it is written."""
    max_event_age: NotRequired[Duration]
    """How old an event may be to be acted upon."""


class RuleShape(TypedDict):
    """One rule: an event pattern, and what it asks for."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    name: Annotated[str, Bound(min_length=1, max_length=100)]
    """Unique; logs and outcomes name the rule by it."""
    when: dict[str, Any]
    """An EventBridge event pattern over the event's fields."""
    do: DoShape
    """What to do when it matches."""
    limits: NotRequired[LimitsShape]
    """How much this rule may do."""


class BasicShape(TypedDict):
    """Basic credentials."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    user: Annotated[str, Bound(min_length=1, max_length=100)]
    """The user name."""
    password_env: str
    """The environment variable that holds the password."""


class CallerShape(TypedDict):
    """Who may call: either basic or bearer_env."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    name: Annotated[str, Bound(min_length=1, max_length=100)]
    """Unique; the log names the caller by it."""
    basic: NotRequired[BasicShape]
    """Basic credentials, as Cloud Monitor sends them in the callback URL."""
    bearer_env: NotRequired[str]
    """The environment variable that holds a bearer token."""


class WebhookShape(TypedDict):
    """The door for HTTP calls."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    callers: NotRequired[list[CallerShape]]
    """Who may call; without any, every call is refused."""
    patience: NotRequired[Duration]
    """The time within which a sender is answered; Cloud Monitor waits 5 s."""


class BreakerShape(TypedDict):
    """The storm breaker, for each cluster."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    intents: NotRequired[Annotated[int, Bound(ge=1)]]
    """More intents than this within the window open the breaker."""
    window: NotRequired[Duration]
    """The time in which intents are counted."""
    close_after: NotRequired[Duration]
    """How long the breaker stays open at least; after that it closes once at most half as many intents are in the window."""


class QuarantineShape(TypedDict):
    """When restarts do not help."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    restarts: NotRequired[Annotated[int, Bound(ge=1)]]
    """After this many restarts that did not help, a process is put into quarantine."""
    within: NotRequired[Duration]
    """The time in which these restarts are counted."""
    release_after: NotRequired[Duration]
    """How long a process stays in quarantine, unless `steward release` lets it out before."""


#: A time in which nothing is done: ISO 8601 date-times. ``from`` is a keyword of Python, hence this form.
FreezeShape = TypedDict(
    "FreezeShape",
    {"from": str, "to": str, "time_zone": NotRequired[str], "reason": str, "clusters": NotRequired[list[str]]},
)
FreezeShape.__pydantic_config__ = _STRICT  # type: ignore[attr-defined]


class MaintenanceWindowShape(TypedDict):
    """A time of the week in which alerts are left to people."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    days: NotRequired[list[Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]]]
    """On which days it begins."""
    start: str
    """The time of day at which it begins, HH:MM."""
    end: str
    """The time of day at which it ends; past midnight it still belongs to the day on which it began."""
    time_zone: str
    """By whose clock: an IANA name."""
    reason: str
    """Said in every outcome that it holds back."""
    clusters: NotRequired[list[str]]
    """Which clusters (all)."""


class SafetyShape(TypedDict):
    """What holds for all rules."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    quorum_roles: NotRequired[list[str]]
    """Components that never lose their quorum to us."""
    breaker: NotRequired[BreakerShape]
    quarantine: NotRequired[QuarantineShape]
    freezes: NotRequired[list[FreezeShape]]
    maintenance_windows: NotRequired[list[MaintenanceWindowShape]]
    keep_records: NotRequired[Duration]
    """How long the ledger remembers what is finished; longer than any cooldown."""


class ChatShape(TypedDict):
    """A chat or pager."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    url_env: str
    """The environment variable that holds its apprise URL."""


class EventBusShape(TypedDict):
    """An EventBridge bus."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    id: str
    """Its id."""
    region: str
    """Where it is."""


class AlarmsShape(TypedDict):
    """Where alarms go besides the log."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    chat: NotRequired[list[ChatShape]]
    event_bus: NotRequired[EventBusShape]
    group_within: NotRequired[Duration]
    """The same alarm is said once in this time."""


class ConfigShape(TypedDict):
    """The configuration of EMR Steward."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    clusters: dict[str, ClusterShape]
    """By cluster id; a cluster that is not listed is never touched."""
    rules: NotRequired[list[RuleShape]]
    limits: NotRequired[LimitsShape]
    """What rules do not say themselves."""
    webhook: NotRequired[WebhookShape]
    safety: NotRequired[SafetyShape]
    alarms: NotRequired[AlarmsShape]


#: Strict, as the JSON Schema is: what an editor marks red is refused, and nothing else is guessed at.
CONFIG: Final = Schema(ConfigShape, is_strict=True)
