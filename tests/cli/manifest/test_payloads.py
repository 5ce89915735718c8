"""`scribe deploy` sends what Tencent's own tool sends for the same serverless.yml (golden/README.md)."""

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

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = Path(__file__).with_name("golden")
# Fields that Tencent's tool sends and Scribe does not, with the reason.
LEFT_OUT = {
    "DeployMode": "no field of the published API; the cloud's default",
    "DiskSize": "no field of the published API; the cloud's default",
    "L5Enable": "no field of the published CreateFunction; the cloud's default",
    "InstallDependency": "for Node.js alone",
    "Description": "names the package; `scribe deploy` adds it when it knows the package",
}


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return load_manifest(ROOT, load_config(GOLDEN / "choices.env", {}))


def load_golden(name: str) -> list[dict[str, Any]]:
    payloads: list[dict[str, Any]] = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
    return payloads


def drop_left_out(payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in payload.items() if key not in LEFT_OUT} for payload in payloads]


def test_create_function_is_what_tencents_tool_sends(manifest: Manifest) -> None:
    created = [create_function_payload(function) for function in manifest.functions.values()]
    # Their tool attaches the tags afterwards, by a service that needs one more permission.
    tags = [payload.pop("Tags") for payload in created]
    assert created == drop_left_out(load_golden("create_function"))
    attached = [
        [{"Key": payload["TagKey"], "Value": payload["TagValue"]}] for payload in load_golden("attach_tag")
    ]
    assert tags == attached


def test_update_configuration_is_what_tencents_tool_sends(manifest: Manifest) -> None:
    updated = [update_configuration_payload(function) for function in manifest.functions.values()]
    assert updated == drop_left_out(load_golden("update_configuration"))


def test_create_trigger_is_what_tencents_tool_sends(manifest: Manifest) -> None:
    created = []
    for trigger in manifest.triggers:
        function = manifest.functions[trigger.function]
        created.append(create_trigger_payload(function.name, function.namespace, trigger))
    assert created == load_golden("create_trigger")


def test_left_out_fields_are_still_sent_by_tencents_tool() -> None:
    sent = {
        key
        for name in ("create_function", "update_configuration")
        for payload in load_golden(name)
        for key in payload
    }
    assert set(LEFT_OUT) <= sent


def test_api_knows_every_field_that_is_sent(manifest: Manifest) -> None:
    function, trigger = manifest.functions["upload"], manifest.triggers_for("sweep")[0]
    for request, payload in (
        (models.CreateFunctionRequest(), create_function_payload(function)),
        (models.UpdateFunctionConfigurationRequest(), update_configuration_payload(function)),
        (models.CreateTriggerRequest(), create_trigger_payload(function.name, "default", trigger)),
    ):
        request._deserialize(payload)  # warns of fields that it does not have, and a warning fails here
        assert {name.removeprefix("_") for name, value in vars(request).items() if value is not None} == set(
            payload
        )


def test_unset_variable_is_not_sent_to_the_function(manifest: Manifest) -> None:
    config = load_config(GOLDEN / "choices.env", {})
    fewer = load_manifest(ROOT, {**config, "ENGINE": "", "FORMATS": ""}).functions["upload"]
    names = {payload["Key"] for payload in update_configuration_payload(fewer)["Environment"]["Variables"]}
    assert names == set(manifest.functions["upload"].variables) - {"ENGINE", "FORMATS"}
