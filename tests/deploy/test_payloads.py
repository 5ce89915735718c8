"""What `scribe deploy` sends is what Tencent's own tool sends for the same serverless.yml (golden/README.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tencentcloud.scf.v20180416 import models

from cli.config import load_config
from cli.manifest.loader import load_manifest
from cli.manifest.models import (
    Manifest,
    create_function_payload,
    create_trigger_payload,
    update_configuration_payload,
)

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).with_name("golden")
# What Tencent's tool sends and Scribe does not, each with its reason.
LEFT_OUT = {
    "DeployMode": "no field of the published API; the cloud's default",
    "DiskSize": "no field of the published API; the cloud's default",
    "L5Enable": "no field of the published CreateFunction; the cloud's default",
    "InstallDependency": "for Node.js alone",
    "Description": "says which package runs; `scribe deploy` adds it where it knows the package",
}


@pytest.fixture(scope="module")
def wanted() -> Manifest:
    return load_manifest(ROOT, load_config(GOLDEN / "choices.env", {}))


def golden(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
    return found


def without(payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in each.items() if key not in LEFT_OUT} for each in payloads]


def test_functions_are_created_as_tencents_tool_does(wanted: Manifest) -> None:
    created = [create_function_payload(function) for function in wanted.functions.values()]
    # Their tool attaches the tags afterwards, by a service that needs one more permission.
    tags = [each.pop("Tags") for each in created]
    assert created == without(golden("create_function"))
    attached = [[{"Key": each["TagKey"], "Value": each["TagValue"]}] for each in golden("attach_tag")]
    assert tags == attached


def test_functions_are_configured_as_tencents_tool_does(wanted: Manifest) -> None:
    updated = [update_configuration_payload(function) for function in wanted.functions.values()]
    assert updated == without(golden("update_configuration"))


def test_triggers_are_created_as_tencents_tool_does(wanted: Manifest) -> None:
    created = []
    for trigger in wanted.triggers:
        function = wanted.functions[trigger.function]
        created.append(create_trigger_payload(function.name, function.namespace, trigger))
    assert created == golden("create_trigger")


def test_each_difference_from_tencents_tool_is_still_one() -> None:
    sent = {
        key for name in ("create_function", "update_configuration") for each in golden(name) for key in each
    }
    assert set(LEFT_OUT) <= sent


def test_the_api_has_every_field_that_is_sent(wanted: Manifest) -> None:
    function, trigger = wanted.functions["upload"], wanted.triggers_of("sweep")[0]
    for request, payload in (
        (models.CreateFunctionRequest(), create_function_payload(function)),
        (models.UpdateFunctionConfigurationRequest(), update_configuration_payload(function)),
        (models.CreateTriggerRequest(), create_trigger_payload(function.name, "default", trigger)),
    ):
        request._deserialize(payload)  # warns of fields that it does not have, and a warning fails here
        assert {name.removeprefix("_") for name, value in vars(request).items() if value is not None} == set(
            payload
        )


def test_a_choice_that_nobody_made_is_no_variable_of_the_function(wanted: Manifest) -> None:
    chosen = load_config(GOLDEN / "choices.env", {})
    fewer = load_manifest(ROOT, {**chosen, "ENGINE": "", "FORMATS": ""}).functions["upload"]
    names = {each["Key"] for each in update_configuration_payload(fewer)["Environment"]["Variables"]}
    assert names == set(wanted.functions["upload"].variables) - {"ENGINE", "FORMATS"}
