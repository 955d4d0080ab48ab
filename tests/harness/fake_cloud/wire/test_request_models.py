"""The shapes of requests are the SDK's."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tencentcloud.emr.v20190103 import models

from harness.fake_cloud.wire import request_models
from harness.fake_cloud.wire.request_models import Model, Parameter, request_model

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Every action that the SDK's version knows.
ACTIONS = sorted(name.removesuffix("Request") for name in vars(models) if name.endswith("Request"))


def walk(model: Model) -> Iterator[Model]:
    yield model
    for parameter in model.parameters.values():
        if isinstance(parameter.type, Model):
            yield from walk(parameter.type)


def test_a_model_has_the_sdks_parameters_and_types() -> None:
    """Texts, booleans, objects and lists are distinguished."""
    request = request_model("emr", "StartStopServiceOrMonitor").parameters
    assert request["InstanceId"] == Parameter("str", is_list=False)
    assert request["KeepMonitorButNotRecoverProcess"] == Parameter("bool", is_list=False)
    scope = request["OpScope"].type
    assert isinstance(scope, Model)
    services = scope.parameters["ServiceInfoList"]
    assert isinstance(services.type, Model)
    assert (scope.name, services.type.name, services.is_list) == ("OpScope", "ServiceBasicRestartInfo", True)
    components = services.type.parameters["ComponentInfoList"].type
    assert isinstance(components, Model)
    assert components.parameters["IpList"] == Parameter("str", is_list=True)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_request_of_the_sdk_is_understood(action: str) -> None:
    """Each parameter that the SDK serializes is in the model, whatever its type's notation."""
    for model in walk(request_model("emr", action)):
        serialized = {name.removeprefix("_") for name in vars(getattr(models, model.name)())}
        assert set(model.parameters) == serialized


def test_other_services_have_models_too() -> None:
    """Those of STS and EventBridge are written down, in the same notation."""
    (events, bus) = request_model("eb", "PutEvents").parameters.values()
    assert isinstance(events.type, Model)
    assert (events.is_list, events.type.name, bus) == (True, "Event", Parameter("str", is_list=False))
    assert request_model("sts", "AssumeRole").parameters["DurationSeconds"].type == "int"


@pytest.mark.parametrize(("service", "action"), [("emr", "StartStop"), ("sts", "StartStopServiceOrMonitor")])
def test_an_action_without_a_model_is_an_error_here(service: str, action: str) -> None:
    """An action that the fake serves must have one."""
    with pytest.raises(LookupError):
        request_model(service, action)


def test_a_type_that_is_not_understood_is_an_error_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer SDK may write types otherwise: that is noticed, and not guessed."""
    other = {("eb", "NewRequest"): {"Since": "date | time"}}
    monkeypatch.setattr(request_models, "OTHER_MODELS", other)
    with pytest.raises(LookupError, match=r"date \| time"):
        request_model("eb", "New")


def test_the_sdks_models_are_loaded_when_first_needed() -> None:
    """They are large: who only builds a cloud does not pay for them."""
    code = "import harness.fake_cloud.adapter, sys; print('tencentcloud.emr.v20190103.models' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.strip() == "False"
