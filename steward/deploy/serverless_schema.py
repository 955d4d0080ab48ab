"""The shape of serverless.yml: what the component ``scf`` reads for an event function, and of that only what this function can use.

The vendor drops a key that it does not know without a word, and replaces a missing value by a default of its own. Here
unknown keys are refused, and what has a default that would harm has to be written. A test shows for each key of
``inputs`` that the vendor's code sends it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from steward.deploy import cron

#: Bytes that all environment variables together, and one timer's argument, may have (SCF, "Environment variables",
#: "Timer trigger").
MAX_BYTES: Final = 4096
MAX_TIMERS: Final = 10
#: A value that the vendor's command puts in: ``${env:NAME}``, ``${stage}``.
VARIABLE: Final = re.compile(r"\$\{[^}]+\}")


def fault(problem: str, hint: str = "") -> PydanticCustomError:
    """What a validator raises: what is wrong, and how to mend it. Neither may hold a value."""
    return PydanticCustomError("steward", "{problem}", {"problem": problem, "hint": hint})


def _text(value: str) -> str:
    if not value.strip():
        raise fault("is empty", "give it a value or leave it out")
    if re.fullmatch(r"<.*>", value.strip()):
        raise fault("is still the placeholder", "replace what stands in angle brackets")
    return value


def _spelled(pattern: str, problem: str, hint: str) -> AfterValidator:
    def validate(value: str) -> str:
        if not VARIABLE.search(value) and not re.fullmatch(pattern, value, re.ASCII):
            raise fault(problem, hint)
        return value

    return AfterValidator(validate)


def _variable_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{1,63}", name):
        raise fault("is not a name that the platform takes", "a letter, then letters, digits and _: 2 to 64 characters")
    if name.upper().startswith(("SCF_", "QCLOUD_", "TENCENTCLOUD_")):
        raise fault("is reserved by the platform", "credentials come from `role`; other names are free")
    return name


def _variable_value(value: Any) -> str:
    """As the vendor makes a text of it."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise fault("is empty", "the platform takes no empty value: give it one or leave the variable out")
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, (str, int, float)):
        raise fault("must be one value", "a text, in quotes where it is none by itself")
    return _text(str(value))


def _variables(variables: dict[str, str]) -> dict[str, str]:
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > MAX_BYTES:
        raise fault(f"has {size} bytes", f"the platform takes {MAX_BYTES} for all variables together")
    return variables


def _memory(megabytes: int) -> int:
    if megabytes != 64 and (megabytes % 128 or not 128 <= megabytes <= 3072):
        raise fault("is not a size that the platform has", "64, or 128 to 3072 in steps of 128")
    return megabytes


def _cron(expression: str) -> str:
    if problem := cron.problem_of(expression):
        raise fault(problem, '"0 0 22 * * * *" is each day at 22:00')
    return expression


def _argument(argument: str) -> str:
    if len(argument.encode()) > MAX_BYTES:
        raise fault(f"has {len(argument.encode())} bytes", f"the platform takes {MAX_BYTES}")
    return argument


def _as_mapping(src: Any) -> Any:
    return {"src": src} if isinstance(src, str) else src


class Part(BaseModel):
    """A mapping of the file, whose keys are all known."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


Text = Annotated[str, AfterValidator(_text)]
TriggerName = Annotated[
    Text,
    _spelled(
        r"[A-Za-z][A-Za-z0-9_-]{0,59}",
        "is not the name of a trigger",
        "a letter, then letters, digits, _ and -: up to 60",
    ),
]


class TimerParameters(Part):
    """A timer. ``argument`` becomes the event's ``Message``."""

    name: TriggerName = Field(description="without it two timers get the same name")
    qualifier: Text = "$DEFAULT"
    cron_expression: Annotated[str, AfterValidator(_cron)]
    enable: bool = Field(description="without it the timer is made, and stays switched off")
    argument: Annotated[Text, AfterValidator(_argument)] = Field(
        description="a text, which a rule of steward.yml has as its `message`"
    )


class NetConfig(Part):
    """From where the URL can be called."""

    enable_intranet: bool
    enable_extranet: bool

    @model_validator(mode="after")
    def _reachable(self) -> NetConfig:
        if not (self.enable_intranet or self.enable_extranet):
            raise fault("switches both networks off", "nobody could call the URL: enableExtranet: true")
        return self


class HttpParameters(Part):
    """The function's URL."""

    name: TriggerName | None = None
    qualifier: Text = Field(description="$DEFAULT; without it the vendor does not find the URL again")
    auth_type: Literal["NONE", "CAM"] = Field(description="NONE; the door of the function is its own")
    net_config: NetConfig = Field(description="without it nobody can call the URL: {enableExtranet: true, …}")
    enable: bool = True


class CkafkaParameters(Part):
    """A queue whose messages are events."""

    name: Text
    instance_id: Text | None = None
    topic: Text
    qualifier: Text = Field(description="$DEFAULT; without it the vendor does not find the trigger again")
    max_msg_num: Annotated[int, Field(ge=1, le=10000)] = 100
    offset: Text = "latest"
    retry: Annotated[int, Field(ge=1, le=10000)] = 10000
    timeout: Annotated[int, Field(ge=1, le=60)] = 60
    consumer_group_name: Text | None = None
    enable: bool = Field(description="without it the trigger is made, and stays switched off")


class CmqParameters(Part):
    """A topic whose messages are events."""

    name: Text
    qualifier: Text = "$DEFAULT"
    filter_key: list[Text] | None = None
    enable: bool = Field(description="without it the trigger is made, and stays switched off")


class TimerTrigger(Part):
    """``timer:``."""

    parameters: TimerParameters


class HttpTrigger(Part):
    """``http:``."""

    parameters: HttpParameters


class CkafkaTrigger(Part):
    """``ckafka:``."""

    parameters: CkafkaParameters


class CmqTrigger(Part):
    """``cmq:``."""

    parameters: CmqParameters


class Trigger(Part):
    """One of ``events``: the senders that the function can read. An alarm of Cloud Monitor and EventBridge are set up over there."""

    timer: TimerTrigger | None = None
    http: HttpTrigger | None = None
    ckafka: CkafkaTrigger | None = None
    cmq: CmqTrigger | None = None

    @model_validator(mode="after")
    def _one(self) -> Trigger:
        if len([one for one in (self.timer, self.http, self.ckafka, self.cmq) if one is not None]) != 1:
            raise fault("must be one trigger", "the vendor reads the first key of each entry, and drops the others")
        return self


class Source(Part):
    """Where the code is: a folder, or an object of a bucket."""

    src: Text | None = None
    exclude: list[Text] = []
    include: list[Text] = []
    bucket: Text | None = None
    object: Text | None = None

    @model_validator(mode="after")
    def _one(self) -> Source:
        if (self.src is None) == (self.object is None):
            raise fault("needs either src or object", "src: build/function, which `make package` fills")
        if self.object is not None and self.bucket is None:
            raise fault("names an object and no bucket", "bucket: …")
        return self


class Environment(Part):
    """The function's environment."""

    variables: Annotated[
        dict[Annotated[str, AfterValidator(_variable_name)], Annotated[Any, AfterValidator(_variable_value)]],
        AfterValidator(_variables),
    ]


class VpcConfig(Part):
    """The private network in which the function runs."""

    vpc_id: Text
    subnet_id: Text


class Layer(Part):
    """A layer."""

    name: Text
    version: int


class DeadLetter(Part):
    """Where asynchronous events end that the platform gives up."""

    type: Text
    name: Text
    filter_type: Text | None = None


class Cls(Part):
    """Where the log goes."""

    logset_id: Text
    topic_id: Text


class Cfs(Part):
    """A mounted file system."""

    cfs_id: Text
    mount_ins_id: Text | None = None
    local_mount_dir: Text
    remote_mount_dir: Text
    user_id: int | None = None
    user_group_id: int | None = None


class Inputs(Part):
    """``inputs``: the function and its triggers."""

    name: Annotated[
        Text,
        _spelled(
            r"[A-Za-z][A-Za-z0-9_-]{0,58}[A-Za-z0-9]",
            "is not the name of a function",
            "2 to 60 letters, digits, _ and -, from a letter to a letter or digit",
        ),
    ]
    namespace: Text | None = None
    type: Literal["event"] = Field("event", description="the function serves events, its URL's calls among them")
    src: Annotated[Source, BeforeValidator(_as_mapping)] = Field(description="the folder that `make package` fills")
    handler: Literal["index.main_handler"] = Field(description="what the package's index.py offers")
    runtime: Literal["Python3.10"] = Field(description="for which the package is built; it cannot be changed later")
    region: Annotated[Text, _spelled(r"[a-z]{2,}-[a-z0-9-]+", "is not a region", "such as ap-guangzhou")]
    description: Annotated[Text, Field(max_length=1000)] | None = None
    memory_size: Annotated[int, AfterValidator(_memory)] = 128
    timeout: Annotated[int, Field(ge=1, le=900)] = Field(description="in seconds; without it the platform gives 3")
    init_timeout: Annotated[int, Field(ge=3, le=300)] | None = None
    role: Annotated[Text, _spelled(r"[\w.-]+", "is not the name of a role", "its name, not its ARN")] = Field(
        description="without it the function has no credentials"
    )
    environment: Environment | None = None
    vpc_config: VpcConfig | None = None
    public_access: bool | None = None
    eip: bool | None = None
    layers: list[Layer] | None = None
    cfs: list[Cfs] | None = None
    disk_size: int | None = None
    dead_letter: DeadLetter | None = None
    cls: Cls | None = None
    tags: dict[str, str] | None = None
    install_dependency: bool | None = None
    async_run_enable: bool | None = None
    trace_enable: bool | None = None
    msg_ttl: int | None = Field(None, alias="msgTTL")
    retry_num: Annotated[int, Field(ge=0, le=2)] | None = None
    publish: bool | None = None
    publish_description: Text | None = None
    ignore_triggers: bool | None = None
    events: list[Trigger] = []

    @model_validator(mode="after")
    def _effective(self) -> Inputs:
        needs = {"msgTTL": self.msg_ttl, "retryNum": self.retry_num, "traceEnable": self.trace_enable}
        vain = [name for name, value in needs.items() if value is not None and not self.async_run_enable]
        if vain:
            raise fault(f"{' and '.join(vain)} without asyncRunEnable: true", "the vendor drops it: leave it out")
        if self.async_run_enable and self.namespace is None:
            raise fault("asyncRunEnable without namespace", "the vendor's code fails on it: namespace: default")
        return self


class ServerlessFile(Part):
    """serverless.yml."""

    component: Annotated[Text, _spelled(r"scf(@[\w.-]+)?", "is not a component for a function", "scf")]
    name: Text
    app: Text | None = None
    stage: Text | None = None
    inputs: Inputs
