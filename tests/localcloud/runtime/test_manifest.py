"""Loading serverless.yml: its meaning, and all of its errors at once."""

from pathlib import Path

import pytest

from localcloud.runtime.manifest import load_manifest
from localcloud.runtime.models import (
    CosTrigger,
    DeploymentError,
    DeploymentSpec,
    HttpTrigger,
    TimerTrigger,
)

YML = """\
app: scribe
stage: ${env:STAGE}
component: multi-scf
name: project
inputs:
  region: ${env:REGION}
  runtime: Python3.10
  memorySize: 128
  timeout: 30
  role: ${env:ROLE}
  environments:
    - { key: INPUT_BUCKETS, value: '${env:INPUT_BUCKET}' }
    - { key: SWEEP_AFTER, value: 300 }
  functions:
    upload: { handler: upload.main_handler, timeout: 60 }
    callback: { handler: callback.main_handler, memorySize: 256, name: '${stage}-callback' }
    sweep:
      handler: sweep.main_handler
      environments:
        - { key: ONLY, value: mine }
  triggers:
    - type: cos
      function: upload
      parameters:
        qualifier: $DEFAULT
        bucket: ${env:INPUT_BUCKET}.cos.ap-guangzhou.myqcloud.com
        events: cos:ObjectCreated:*
        filter: { prefix: calls/ }
        enable: true
    - type: http
      function: callback
      parameters:
        authType: NONE
        netConfig: { enableExtranet: true, enableIntranet: false }
        enable: true
    - type: timer
      function: sweep
      parameters: { name: sweep-15min, cronExpression: '0 */15 * * * * *', argument: reconcile, enable: true }
"""
ENVIRON = {"INPUT_BUCKET": "audio-1250000000", "STAGE": "release"}


def load_project(folder: Path, yml: str = YML, environ: dict[str, str] = ENVIRON) -> DeploymentSpec:
    (folder / "serverless.yml").write_text(yml, "utf-8")
    for name in ("upload", "callback", "sweep"):
        (folder / f"{name}.py").touch()
    return load_manifest(folder, environ=environ, region="ap-guangzhou", appid="1250000000")


def load_errors(folder: Path, yml: str, environ: dict[str, str] = ENVIRON) -> tuple[str, ...]:
    with pytest.raises(DeploymentError) as caught:
        load_project(folder, yml, environ)
    for error in caught.value.errors:
        assert error in str(caught.value)
    return caught.value.errors


def test_function_settings_override_shared_settings(tmp_path: Path) -> None:
    functions = load_project(tmp_path).functions
    assert {key: function.timeout_s for key, function in functions.items()} == {
        "upload": 60,
        "callback": 30,
        "sweep": 30,
    }
    assert functions["callback"].memory_mib == 256
    assert functions["upload"].name == "project-release-scribe-upload"
    assert functions["callback"].name == "release-callback"
    assert functions["upload"].variables == {"INPUT_BUCKETS": "audio-1250000000", "SWEEP_AFTER": "300"}
    # A function's own list replaces the shared one.
    assert functions["sweep"].variables == {"ONLY": "mine"}


def test_target_of_notices_with_a_name_of_its_own_is_passed(tmp_path: Path) -> None:
    named = {"NOTIFY_FEISHU_SALES": "https://open.feishu.cn/x", "NOTIFY_FEISHU_SALES_ON": "done"}
    others = {"NOTIFY_SOCKET": "/run/notify", "NOTIFY_WECOM_NIGHT": ""}
    functions = load_project(tmp_path, YML, {**ENVIRON, **named, **others}).functions
    assert functions["upload"].variables == {
        "INPUT_BUCKETS": "audio-1250000000",
        "SWEEP_AFTER": "300",
        **named,
    }
    # A function's own list replaces the shared one.
    assert functions["sweep"].variables == {"ONLY": "mine"}


def test_triggers_are_loaded(tmp_path: Path) -> None:
    cos, http, timer = load_project(tmp_path).triggers
    assert isinstance(cos, CosTrigger)
    assert isinstance(http, HttpTrigger)
    assert isinstance(timer, TimerTrigger)
    assert (cos.bucket, cos.prefix, cos.suffix, cos.enabled) == ("audio-1250000000", "calls/", "", True)
    assert (http.function, http.auth) == ("callback", "NONE")
    assert (timer.name, timer.argument) == ("sweep-15min", "reconcile")


def test_missing_variable_is_reported_at_its_place(tmp_path: Path) -> None:
    (error,) = load_errors(tmp_path, YML, {})
    assert error.startswith(
        "triggers[0].parameters.bucket: 'undefined.cos.ap-guangzhou.myqcloud.com' must be"
    )
    assert "an environment variable is not set" in error


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("component: multi-scf", "component: scf", "component: must be multi-scf"),
        ("${env:REGION}", "ap-shanghai", "inputs.region: is 'ap-shanghai'"),
        (
            "  timeout: 30",
            "  timeout: 901",
            "functions.sweep.timeout: Input should be less than or equal to 900",
        ),
        ("timeout: 60", "timeOut: 60", "functions.upload.timeOut: there is no such setting"),
        ("Python3.10", "Nodejs18", "functions.upload.runtime: String should match pattern"),
        ("upload.main_handler", "up.load.main", "functions.upload.handler: 'up.load.main' must be module"),
        ("upload.main_handler", "handlers/upload.main", "functions.upload.handler: 'handlers/upload.main'"),
        ("upload.main_handler", "gone.main", "functions.upload.handler: there is no gone.py"),
        ("key: ONLY", "key: 1ST", "functions.sweep.environments[0].key: String should match pattern"),
        ("value: mine", "value: [1]", "functions.sweep.environments[0].value"),
        (
            "type: http",
            "type: apigw",
            "triggers[1].type: Input should be 'cos', 'http' or 'timer', not 'apigw'",
        ),
        ("function: sweep", "function: swep", "triggers[2].function: 'swep' is none of callback, sweep"),
        ("cos:ObjectCreated:*", "cos:ObjectMade:*", "triggers[0].parameters.events: 'cos:ObjectMade:*'"),
        (
            "authType: NONE",
            "authType: OPEN",
            "triggers[1].parameters.authType: Input should be 'NONE' or 'CAM', not 'OPEN'",
        ),
        ("enableExtranet: true", "enableExtranet: false", "triggers[1].parameters.netConfig: without"),
        ("0 */15 * * * * *", "*/15 * * * *", "triggers[2].parameters.cronExpression: '*/15 * * * *' has 5"),
        (".ap-guangzhou.", ".ap-beijing.", "triggers[0].parameters.bucket: is in ap-beijing"),
        ("${env:INPUT_BUCKET}.", "a-1.", "triggers[0].parameters.bucket: belongs to account 1"),
    ],
)
def test_error_is_reported_with_its_place(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    assert right in YML
    errors = load_errors(tmp_path, YML.replace(right, wrong, 1))
    assert any(error.startswith(message) for error in errors)


def test_all_errors_are_reported_together(tmp_path: Path) -> None:
    yml = (
        YML.replace("  timeout: 30", "  timeout: soon")
        .replace("type: cos", "type: cmq")
        .replace("app:", "apps:")
    )
    errors = "\n".join(load_errors(tmp_path, yml))
    assert "functions.callback.timeout" in errors
    assert "triggers[0].type" in errors
    assert "apps: there is no such setting" in errors
    assert "app: is missing" in errors


SECOND_RULE = """\
    - type: cos
      function: sweep
      parameters:
        bucket: audio-1250000000.cos.ap-guangzhou.myqcloud.com
        events: cos:ObjectCreated:Put
        filter: { prefix: calls/new/ }
        enable: true
"""


def test_overlapping_cos_rules_are_rejected(tmp_path: Path) -> None:
    assert load_errors(tmp_path, YML + SECOND_RULE) == (
        "triggers: two rules of bucket audio-1250000000 overlap (upload, sweep)",
    )


def test_cos_rules_of_different_prefixes_are_loaded(tmp_path: Path) -> None:
    yml = YML + SECOND_RULE.replace("calls/new/", "notes/")
    assert len(load_project(tmp_path, yml).triggers) == 4


@pytest.mark.parametrize(
    "text", ["", "- a list", "inputs: [", "inputs: {functions: [1], triggers: 3}", "inputs: 3"]
)
def test_wrong_shape_is_a_deployment_error(tmp_path: Path, text: str) -> None:
    assert load_errors(tmp_path, text)


def test_missing_manifest_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="there is no such file"):
        load_manifest(tmp_path, environ={}, region="ap-guangzhou", appid="1250000000")
