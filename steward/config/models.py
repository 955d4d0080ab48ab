"""The definition of steward.yml: its keys, their values, their defaults and what they mean.

The JSON Schema, docs/configuration.md and the error messages are derived from these models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from handler.model.policy import DAYS, QUORUM_ROLES
from handler.model.request import Action, OpType, StopParams, StrategyConfig
from handler.receive.payload import OVER_HTTP
from steward.config import rule_values, values
from steward.config.values import Marks, Seconds, Share

T = TypeVar("T")
if TYPE_CHECKING:
    Omittable = Annotated[T | None, ""]
else:
    #: A key that may be left out, and that cannot be null: the file may not contain its default None.
    Omittable = Annotated[T, Field(validate_default=False)]

OpName = Literal["StartService", "StopService", "RestartService", "StartMonitor", "StopMonitor"]
Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Region = Annotated[str, values.REGION]
ClusterId = Annotated[str, values.CLUSTER_ID]
#: A cluster that must also be listed under ``clusters``, where its spelling is checked.
ListedCluster = Annotated[str, Marks(pattern=f"^{values.names.CLUSTER_ID}$")]


def _written(default: str) -> Any:
    """A default as it would be written in the file. It is validated like a value of the file."""
    return Field(default=default)


class Part(BaseModel):
    """A mapping of the file. All its keys are known, and nothing is guessed at."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, validate_default=True, use_attribute_docstrings=True
    )


class Cluster(Part):
    """A cluster that may be touched."""

    name: Annotated[Omittable[str], Field(examples=["analytics"])] = None
    """The name that people use for it."""
    region: Region = Field(examples=["ap-guangzhou"])
    """Its region."""
    allow: list[OpName] = Field(min_length=1, examples=[["RestartService", "StartService"]])
    """The operations that may be done to it; anything else is refused."""
    operations_per_hour: int = Field(default=12, ge=1)
    """Operations of any kind an hour: this many for remediations, and as many again for commands. What exceeds it stays pending."""
    role_arn: Annotated[
        Omittable[Annotated[str, values.ROLE_ARN]],
        Field(examples=["qcs::cam::uin/200000000002:roleName/emr-steward"]),
    ] = None
    """The role that is assumed for it, where it belongs to another account: qcs::cam::uin/…:roleName/…."""


class Strategy(Part):
    """How a restart goes through the processes."""

    rolling: bool = True
    """Restart batch by batch. If false, the service may be unavailable meanwhile."""
    batch_size: int = Field(default=1, ge=1, le=99_999)
    """Processes in a batch."""
    wait_seconds: Annotated[int, Seconds(0, 300, is_whole=True)] = _written("30s")
    """The time between batches."""
    on_failure: Literal["block", "skip"] = "block"
    """Where a batch fails: block stops there, skip goes on."""
    args: dict[str, list[str]] = Field(default_factory=dict, examples=[{"key": ["value"]}])
    """Further arguments of the command."""


class Stop(Part):
    """How a stop is carried out."""

    policy: Annotated[Omittable[Literal["safe", "default"]], Field(examples=["safe"])] = None
    """safe moves work away first."""
    thread_count: Annotated[Omittable[Annotated[int, Field(ge=1)]], Field(examples=[4])] = None
    """Threads that move it."""
    grace_seconds: Annotated[Omittable[Annotated[int, Seconds(is_whole=True)]], Field(examples=["10m"])] = None
    """The time that a safe stop may take."""


def _keys_of_operations() -> list[Any]:
    """Which keys of ``do`` each operation requires, and which it refuses, as JSON Schema."""
    rules: list[Any] = []
    for operation in OpType:
        needed = [field for field, _ in Action(operation).problems()]
        whole = Action(operation, StrategyConfig(), StopParams(), keep_monitor=False)
        refused: dict[str, Any] = {field: False for field, _ in whole.problems()}
        if operation is not OpType.RESTART_SERVICE:
            refused["even_if_healthy"] = {"const": False}
        is_it = {"required": ["operation"], "properties": {"operation": {"const": operation.value}}}
        then: dict[str, Any] = {"properties": refused, **({"required": needed} if needed else {})}
        rules.append({"if": is_it, "then": then})
    return rules


class Do(Part):
    """The operation that a rule asks for."""

    model_config = ConfigDict(json_schema_extra={"allOf": _keys_of_operations()})

    operation: OpName = Field(examples=["RestartService"])
    """StopMonitor enters maintenance, StartMonitor leaves it."""
    cluster: Annotated[str, rule_values.CLUSTER] = Field(examples=["{cluster}"])
    """The cluster's id, or a template such as {cluster}."""
    scope: Annotated[dict[str, Any], rule_values.Scope()] = Field(examples=[{"{service}": {"{component}": ["{ip}"]}}])
    """Service → all, or component → all, or a list of addresses. Every name may be a template."""
    strategy: Omittable[Strategy] = None
    """How to restart; RestartService needs it."""
    stop_params: Omittable[Stop] = None
    """How to stop; for StopService."""
    keep_monitor: Annotated[Omittable[bool], Field(examples=[True])] = None
    """In maintenance, EMR goes on monitoring but restarts nothing; for StopMonitor."""
    even_if_healthy: bool = False
    """Restart even if the process answers, such as for a full heap; for RestartService."""


class Limits(Part):
    """How much may be done. Durations are seconds, or texts such as 90s, 15m, 2h, 7d."""

    cooldown: Annotated[float, Seconds()] = _written("15m")
    """Between two operations on one process. Commands have none unless it is written."""
    max_nodes: int = Field(default=1, ge=1)
    """Processes of a component under operation at a time. For commands any number unless it is written."""
    max_share: Annotated[float, Share()] = _written("25%")
    """Share of a component that may be away at a time, such as 25% or 0.25. For commands all unless it is written."""
    max_wait: Annotated[float, Seconds(1)] = _written("1h")
    """How long an intent may stay pending. After that it is reported, and a command is no longer carried out."""


class Rule(Part):
    """One rule: an event pattern, and what it asks for."""

    name: Name = Field(examples=["restart-dead-process"])
    """Unique; logs and outcomes name the rule by it."""
    when: Annotated[dict[str, Any], rule_values.When()] = Field(
        examples=[{"status": ["firing"], "component": ["DataNode"]}]
    )
    """An EventBridge event pattern over the event's fields."""
    do: Do
    """What to do when it matches."""
    limits: Limits = Field(default_factory=Limits)
    """How much this rule may do."""


class Basic(Part):
    """Basic credentials."""

    user: Annotated[Name, values.USER] = Field(examples=["tcop"])
    """The user name."""
    password_env: Annotated[str, values.SECRET_VARIABLE] = Field(examples=["STEWARD_SECRET_TCOP"])
    """The environment variable that holds the password."""


#: Of a caller: what it needs to send direct requests, and may not have otherwise.
GRANT_OF_REQUESTS: Final = ("operations", "clusters", "services")


class Caller(Part):
    """Who may call, by basic or bearer_env, and what it may do; anything else is refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["basic"]}, {"required": ["bearer_env"]}],
            "if": {"required": ["sources"], "properties": {"sources": {"contains": {"const": "request"}}}},
            "then": {"required": list(GRANT_OF_REQUESTS)},
            "else": {"properties": dict.fromkeys(GRANT_OF_REQUESTS, False)},
        }
    )

    name: Annotated[Name, values.CALLER] = Field(examples=["alertmanager"])
    """Unique; the log names the caller by it."""
    sources: list[Annotated[str, values.one_of(OVER_HTTP)]] = Field(
        min_length=1,
        examples=[["alertmanager"]],
        json_schema_extra={"why": "what it may send, such as sources: [alertmanager]; request for direct requests"},
    )
    """Whose events it may send: request for direct requests, else the sender's name."""
    operations: Annotated[
        Omittable[Annotated[list[OpName], Field(min_length=1)]], Field(examples=[["RestartService"]])
    ] = None
    """The operations that it may request."""
    clusters: Annotated[Omittable[Annotated[Any, values.CLUSTERS]], Field(examples=[["emr-4zvc5mul"]])] = None
    """The clusters of its requests: a list, or all that are listed under clusters."""
    services: Annotated[Omittable[Annotated[Any, values.SERVICES]], Field(examples=[["HDFS", "HIVE"]])] = None
    """The services that its requests may name: a list, or all."""
    basic: Omittable[Basic] = None
    """Basic credentials, as Cloud Monitor sends them in the callback URL."""
    bearer_env: Annotated[
        Omittable[Annotated[str, values.SECRET_VARIABLE]], Field(examples=["STEWARD_SECRET_ALERTMANAGER"])
    ] = None
    """The environment variable that holds a bearer token."""


class Webhook(Part):
    """Who may call the function over HTTP."""

    callers: list[Caller] = Field(default_factory=list)
    """Who may call; without any, every call is refused."""
    # In less than two seconds nothing could be looked at and sent for a call.
    patience: Annotated[float, Seconds(2, 25)] = _written("4s")
    """The time within which a sender is answered; Cloud Monitor waits 5 s."""


class Quarantine(Part):
    """When a process is left alone, since restarts do not last."""

    restarts: int = Field(default=3, ge=1)
    """After this many restarts that did not last, a process is in quarantine."""
    within: Annotated[float, Seconds(1)] = _written("24h")
    """The time in which these restarts are counted. The quarantine ends when they are older, or by `steward release`."""


class Freeze(Part):
    """A time in which nothing is done, whoever asks."""

    from_: Annotated[str, values.MOMENT] = Field(alias="from", examples=["2027-02-05T18:00:00"])
    """When it begins, in ISO 8601."""
    to: Annotated[str, values.MOMENT] = Field(examples=["2027-02-12T09:00:00+08:00"])
    """When it ends, in ISO 8601."""
    time_zone: Annotated[Omittable[Annotated[str, values.ZONE]], Field(examples=["Asia/Shanghai"])] = None
    """The time zone of moments that name none, such as Asia/Shanghai."""
    reason: str = Field(examples=["Spring Festival"])
    """Reported in every outcome that it holds back."""
    clusters: list[ListedCluster] = Field(default_factory=list, examples=[["emr-4zvc5mul"]])
    """The clusters that it applies to; all if left out."""


class MaintenanceWindow(Part):
    """A time of the week in which alerts are left to people."""

    days: list[Day] = Field(default=list(DAYS))
    """On which days it begins."""
    start: Annotated[str, values.TIME_OF_DAY] = Field(examples=["22:00"])
    """The time of day at which it begins, HH:MM."""
    end: Annotated[str, values.TIME_OF_DAY] = Field(examples=["02:00"])
    """The time of day at which it ends; past midnight it still belongs to the day on which it began."""
    time_zone: Annotated[str, values.ZONE] = Field(examples=["Asia/Shanghai"])
    """The time zone of start and end: an IANA name."""
    reason: str = Field(examples=["patch day"])
    """Reported in every outcome that it holds back."""
    clusters: list[ListedCluster] = Field(default_factory=list, examples=[["emr-4zvc5mul"]])
    """The clusters that it applies to; all if left out."""


class Safety(Part):
    """What holds for all rules."""

    quorum_roles: list[str] = Field(default=list(QUORUM_ROLES))
    """Components that never lose their quorum to us: a majority, or one of a pair, remains."""
    quarantine: Quarantine = Field(default_factory=Quarantine)
    """When a process is left to people, since restarts do not last."""
    freezes: list[Freeze] = Field(default_factory=list)
    """Times in which nothing is done at all."""
    maintenance_windows: list[MaintenanceWindow] = Field(default_factory=list)
    """Times of the week in which alerts are left to the people at work; commands are carried out."""
    keep_records: Annotated[float, Seconds(86400)] = _written("30d")
    """How long the ledger remembers what is finished; longer than any cooldown."""


class Chat(Part):
    """A chat or pager."""

    url_env: Annotated[str, values.CHAT_VARIABLE] = Field(examples=["STEWARD_CHAT_URL"])
    """The environment variable that holds its apprise URL."""


class EventBus(Part):
    """An EventBridge bus."""

    id: Annotated[str, values.EVENT_BUS] = Field(examples=["eb-xxxxxxxx"])
    """Its id."""
    region: Region = Field(examples=["ap-guangzhou"])
    """Its region."""


class Alarms(Part):
    """Where alarms go besides the log."""

    chat: list[Chat] = Field(default_factory=list)
    """Chats and pagers."""
    event_bus: Omittable[EventBus] = None
    """An EventBridge bus that gets alarms as events."""
    group_within: Annotated[float, Seconds()] = _written("10m")
    """The same alarm is sent once in this time."""


class Ledger(Part):
    """What the ledger may rely on."""

    single_instance: bool = False
    """The function is limited to one instance, so that an SQLite ledger in its temporary folder is all there is."""


class StewardFile(Part):
    """The configuration of EMR Steward."""

    clusters: Annotated[dict[ClusterId, Cluster], Marks(propertyNames={"pattern": f"^{values.names.CLUSTER_ID}$"})]
    """By cluster id; a cluster that is not listed is never touched."""
    rules: list[Rule] = Field(default_factory=list)
    """What is done for which event. Every rule that matches acts, in the order of the file."""
    limits: Limits = Field(default_factory=Limits)
    """Limits for rules that do not set their own."""
    webhook: Webhook = Field(default_factory=Webhook)
    """HTTP calls: who may make them, and how long they wait."""
    safety: Safety = Field(default_factory=Safety)
    """What holds for all rules: quorum, quarantine, freezes."""
    ledger: Ledger = Field(default_factory=Ledger)
    """What the ledger may rely on; STEWARD_LEDGER says where it is."""
    alarms: Alarms = Field(default_factory=Alarms)
    """Chats, pagers and an event bus that get alarms; the log has them in any case."""
