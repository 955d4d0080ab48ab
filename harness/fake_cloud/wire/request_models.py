"""The model of each action's request, read from the official SDK's own models.

The SDK's models name every parameter and its type, and are generated from the API's definition. They do not have
which parameters are required, nor their ranges: those are in ``parameters.py``.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: The SDK's types without parts. (JSON has no other numbers than ``int`` and ``float``.)
SCALARS: Final[Mapping[str, tuple[type, ...]]] = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}

#: Models by service and name, in the SDK's notation, for services whose SDK packages are not among our dependencies.
#: Sources: AssumeRole (STS API 2018-08-13), PutEvents (EventBridge API 2021-04-16). What the fake would have to act
#: upon and does not (``Policy``, ``ExternalId``, …) is left out, and so refused.
OTHER_MODELS: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("sts", "AssumeRoleRequest"): {"RoleArn": "str", "RoleSessionName": "str", "DurationSeconds": "int"},
    ("eb", "PutEventsRequest"): {"EventList": "list of Event", "EventBusId": "str"},
    ("eb", "Event"): {"Source": "str", "Data": "str", "Type": "str", "Subject": "str", "Time": "int"},
}

_NOTATION: Final = re.compile(r"(?P<list>list of )?(:class:`[\w.]*\.(?P<model>\w+)`|(?P<name>\w+)( non-negative)?)")


class Model(NamedTuple):
    """A request, or an object inside one."""

    name: str
    parameters: Mapping[str, Parameter]


class Parameter(NamedTuple):
    """One parameter: a type of :data:`SCALARS` or a model, and whether it is a list of them."""

    type: str | Model
    is_list: bool


@cache
def request_model(service: str, action: str) -> Model:
    """The model of an action's request. Raises LookupError if there is none."""
    return _model(service, f"{action}Request")


def _model(service: str, name: str) -> Model:
    notations = dict(_sdk_notations(name)) if service == "emr" else OTHER_MODELS[service, name]
    return Model(name, {parameter: _parameter(service, notation) for parameter, notation in notations.items()})


def _parameter(service: str, notation: str) -> Parameter:
    found = _NOTATION.fullmatch(notation)
    if found is None:
        raise LookupError(f"the SDK's type {notation!r} is not understood")
    name = found["model"] or found["name"]
    return Parameter(name if name in SCALARS else _model(service, name), found["list"] is not None)


def _sdk_notations(name: str) -> Iterator[tuple[str, str]]:
    """Each parameter of an SDK model with its type, which only the docstrings have."""
    model = getattr(sdk_models(), name, None)
    if model is None:
        raise LookupError(f"the SDK has no model {name}")
    for parameter, value in vars(model).items():
        if isinstance(value, property):
            _, _, notation = (value.__doc__ or "").rpartition(":rtype:")
            yield parameter, notation.strip()


def sdk_models() -> Any:
    """The SDK's module of models. Imported when first needed: its 49,000 lines take 50 ms."""
    from tencentcloud.emr.v20190103 import models

    return models
