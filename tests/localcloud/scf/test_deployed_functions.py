"""Deployed functions run: on uploads, by URL, by timer, with their current code and settings."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.process

NEVER = "0 0 0 1 1 * *"
FAILS = "def main_handler(event, context):\n    raise ValueError('no')\n"
CREATED = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": "in/", "Suffix": ".mp3"}}


def returning(text: str) -> str:
    return f"def main_handler(event, context):\n    return {text!r}\n"


def test_upload_starts_deployed_function(scf: Any, bucket: str, sdk: Any) -> None:
    name, host = scf.create(), scf.cloud.bucket_host(bucket)
    created = scf.trigger(name, "cos", host, CREATED)
    for key in ("in/call.mp3", "in/notes.txt", "out/call.mp3"):
        sdk.put_object(bucket, b"speech", key)
    (only,) = scf.invocations(name)
    assert only["result"]["Records"][0]["cos"]["cosObject"]["key"].endswith("/in/call.mp3")
    assert name in only["result"]["Records"][0]["event"]["eventQueue"]

    named = {"FunctionName": name, "TriggerName": host, "Type": "cos", "Qualifier": "$DEFAULT"}
    scf.call("UpdateTriggerStatus", **named, TriggerDesc=created["TriggerDesc"], Enable="CLOSE")
    sdk.put_object(bucket, b"speech", "in/while-closed.mp3")
    assert len(scf.invocations(name)) == 1
    scf.call("UpdateTriggerStatus", **named, TriggerDesc=created["TriggerDesc"], Enable="OPEN")
    sdk.put_object(bucket, b"speech", "in/open-again.mp3")
    assert len(scf.invocations(name)) == 2
    scf.call("DeleteTrigger", **named, TriggerDesc=created["TriggerDesc"])
    sdk.put_object(bucket, b"speech", "in/without-trigger.mp3")
    assert len(scf.invocations(name)) == 2


def test_deployed_function_has_its_own_folder_and_settings(scf: Any) -> None:
    source = (
        "import os, sys\n"
        "import own.words\n"
        "def main_handler(event, context):\n"
        "    return [os.listdir(), sys.path[0], os.getcwd(), own.words.HELLO, os.environ.get('ENGINE'),\n"
        "            os.environ.get('SCF_FUNCTIONNAME'), 'TENCENTCLOUD_SECRETID' in os.environ,\n"
        "            os.stat('index.py').st_mtime]\n"
    )
    files = scf.code({"index.py": source, "own/__init__.py": "", "own/words.py": "HELLO = 'hello'\n"})
    variables = {"Variables": [{"Key": "ENGINE", "Value": "8k_zh"}]}
    name = scf.create(Code=files, Environment=variables)
    result, path, folder, word, engine, own_name, has_key, packed_s = json.loads(scf.invoke(name)["RetMsg"])
    assert sorted(result) == ["index.py", "own"]
    assert (path, word, engine, own_name, has_key) == (folder, "hello", "8k_zh", name, False)
    assert packed_s == datetime(2020, 1, 2, 3, 4, 6, tzinfo=timezone.utc).timestamp()


def test_new_code_and_settings_run_once_active(scf: Any) -> None:
    name = scf.create(returning("old"))
    url = scf.url(name)
    assert scf.get(url).json() == "old"
    scf.call("UpdateFunctionCode", FunctionName=name, Code=scf.code({"index.py": returning("new")}))
    scf.settled(name)
    assert scf.get(url).json() == "new"
    shown_now = "import os\ndef main_handler(event, context):\n    return os.environ.get('WORD', 'none')\n"
    scf.call("UpdateFunctionCode", FunctionName=name, ZipFile=scf.code({"index.py": shown_now})["ZipFile"])
    scf.settled(name)
    assert scf.get(url).json() == "none"
    variables = {"Variables": [{"Key": "WORD", "Value": "changed"}]}
    scf.call("UpdateFunctionConfiguration", FunctionName=name, Environment=variables)
    scf.settled(name)
    assert scf.get(url).json() == "changed"
    assert len(set(scf.cloud.admin("GET", "deployed")) & {name}) == 1
    assert scf.cloud.admin("GET", "deployed")[name] == {"url": url}


def test_running_event_keeps_old_code_waiting_ones_get_new(
    scf: Any, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go-on"
    waiting = (
        "import os, pathlib, time\n"
        "def main_handler(event, context):\n"
        f"    with open({str(begun)!r}, 'a') as file:\n"
        "        file.write('x')\n"
        f"    while not pathlib.Path({str(go_on)!r}).exists():\n"
        "        time.sleep(0.01)\n"
        "    return os.getpid()\n"
    )
    name = scf.create(waiting, Timeout=20)
    for _ in range(5):  # one more than may run at once
        scf.call("Invoke", FunctionName=name, InvocationType="Event")
    eventually(lambda: begun.exists() and len(begun.read_text()) == 4)
    scf.call("UpdateFunctionCode", FunctionName=name, Code=scf.code({"index.py": returning("new")}))
    scf.settled(name)
    assert scf.invoke(name)["RetMsg"] == '"new"', "new code does not wait for the old"
    go_on.touch()
    results = [each["result"] for each in scf.invocations(name)]
    assert results.count("new") == 2
    old = {each for each in results if each != "new"}
    assert len(old) == 4
    for process in old:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_disabled_or_deleted_url_is_not_found(scf: Any) -> None:
    name = scf.create()
    url = scf.url(name)
    assert scf.get(url).json()["httpMethod"] == "GET"
    shown = scf.call("ListTriggers", FunctionName=name)["Triggers"][0]["TriggerName"]
    named = {"FunctionName": name, "TriggerName": shown, "Type": "http", "Qualifier": "$DEFAULT"}
    scf.call("UpdateTrigger", **named, Enable="CLOSE")
    assert scf.get(url).status_code == 404
    scf.call("UpdateTrigger", **named, Enable="OPEN")
    assert scf.get(url).status_code == 200
    scf.call("DeleteFunction", FunctionName=name)
    assert scf.get(url).status_code == 404
    assert name not in scf.cloud.admin("GET", "deployed")


def test_timer_of_deployed_function_is_fired(scf: Any) -> None:
    name = scf.create()
    scf.trigger(name, "timer", f"audit-{name}", NEVER, CustomArgument="audit")
    assert scf.cloud.admin("POST", f"timer/audit-{name}") == {"fired": True}
    (only,) = scf.invocations(name)
    assert (only["result"]["TriggerName"], only["result"]["Message"]) == (f"audit-{name}", "audit")


def test_invoke_returns_result_error_and_log(scf: Any, echo: str) -> None:
    assert scf.invoke(echo, {"a": [1, "ü"]})["RetMsg"] == '{"a": [1, "ü"]}'
    failing = scf.create("def main_handler(event, context):\n    print('here')\n    return 1 / 0\n")
    result = scf.invoke(failing, LogType="Tail")
    assert (result["InvokeResult"], result["Log"]) == (-1, "here")
    assert json.loads(result["RetMsg"])["statusCode"] == 430
    assert "ZeroDivisionError" in result["ErrMsg"]
    assert scf.refused("Invoke", FunctionName=echo, ClientContext="{no json") == "InvalidParameterValue.Param"
    long = json.dumps("x" * (128 * 1024))
    params = {"FunctionName": echo, "InvocationType": "Event", "ClientContext": long}
    assert scf.refused("Invoke", **params) == "InvalidParameter.RequestTooLarge"


def test_retry_config_limits_attempts(scf: Any) -> None:
    attempts = {}
    for number in (0, 1, 2):
        name = scf.create(FAILS)
        rule = {"RetryConfig": [{"RetryNum": number}]}
        scf.call("UpdateFunctionEventInvokeConfig", FunctionName=name, AsyncTriggerConfig=rule)
        result = scf.invoke(name, InvocationType="Event")
        tries = scf.invocations(name)
        assert {each["request_id"] for each in tries} == {result["FunctionRequestId"]}
        assert [each["dropped"] for each in tries] == [False] * number + [True]
        attempts[number] = len(tries)
    assert attempts == {0: 1, 1: 2, 2: 3}


def test_expired_event_is_dropped_and_deployment_survives_restart(
    start_cloud: Callable[..., Any], make_scf: Callable[[Any], Any], make_sdk: Callable[..., Any]
) -> None:
    options = ("--deploy-delay-ms", "150", "--retry-delay", "61")
    before = make_scf(start_cloud(*options))
    failing, name = before.create(FAILS), before.create()
    rule = {"FunctionName": failing, "AsyncTriggerConfig": {"MsgTTL": 60}}
    before.call("UpdateFunctionEventInvokeConfig", **rule)
    before.invoke(failing, InvocationType="Event")
    assert [each["dropped"] for each in before.invocations(failing)] == [True]

    bucket = f"kept-{before.cloud.appid}"
    make_sdk(before.cloud).create_bucket(bucket)
    before.trigger(name, "cos", before.cloud.bucket_host(bucket), CREATED)
    url = before.url(name)
    shown = before.call("GetFunction", FunctionName=name)
    unfinished = before.create(wait=False)
    assert before.cloud.stop(signal.SIGKILL) == -signal.SIGKILL

    after = make_scf(start_cloud(*options))
    assert after.call("GetFunction", FunctionName=name) == shown
    assert after.call("GetFunction", FunctionName=unfinished)["Status"] == "Active"
    assert after.get(url).json()["httpMethod"] == "GET"
    make_sdk(after.cloud).put_object(bucket, b"speech", "in/call.mp3")
    assert [each["trigger"] for each in after.invocations(name)] == ["http", "cos"]
    after.invoke(failing, InvocationType="Event")
    assert [each["dropped"] for each in after.invocations(failing)] == [True]


def test_role_limits_function_credentials(
    scf: Any, bucket: str, sdk: Any, make_sdk: Callable[..., Any]
) -> None:
    cam, role = scf.api_client, f"reader-{bucket}"
    trust = {"action": "name/sts:AssumeRole", "effect": "allow", "principal": {"service": ["scf.qcloud.com"]}}
    cam.call("cam", "CreateRole", {"RoleName": role, "PolicyDocument": document(trust)})
    source = (
        "import os\n"
        "def main_handler(event, context):\n"
        "    names = ('SECRETID', 'SECRETKEY', 'SESSIONTOKEN')\n"
        "    return [os.environ['TENCENTCLOUD_' + name] for name in names]\n"
    )
    name = scf.create(source, Role=role)
    sdk.put_object(bucket, b"speech", "call.mp3")

    def reading() -> int:
        names = ("secret_id", "secret_key", "token")
        key = dict(zip(names, json.loads(scf.invoke(name)["RetMsg"]), strict=True))
        own = make_sdk(scf.cloud, SecretId=key["secret_id"], SecretKey=key["secret_key"], Token=key["token"])
        try:
            return 200 if own.get_object(bucket, "call.mp3") else 0
        except Exception as error:  # noqa: BLE001 - the SDK's own class is not imported here
            return int(error.get_status_code())  # type: ignore[attr-defined]

    assert reading() == 403
    allowed = {"effect": "allow", "action": ["cos:GetObject"], "resource": ["*"]}
    created = cam.call("cam", "CreatePolicy", {"PolicyName": role, "PolicyDocument": document(allowed)})
    cam.call("cam", "AttachRolePolicy", {"PolicyId": created["PolicyId"], "AttachRoleName": role})
    assert reading() == 200
    assert (
        scf.refused("UpdateFunctionConfiguration", FunctionName=name, Role="gone") == "ResourceNotFound.Role"
    )
    cam.call("cam", "DetachRolePolicy", {"PolicyId": created["PolicyId"], "DetachRoleName": role})
    cam.call("cam", "DeleteRole", {"RoleName": role})
    assert reading() == 403


def document(statement: dict[str, Any]) -> str:
    return json.dumps({"version": "2.0", "statement": [statement]})
