"""Deployed functions run: on uploads, by URL, by timer, with their current code and settings."""

from __future__ import annotations

import json
import os
import signal
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.localcloud.clients import CosSdk, MakeSdk
from tests.localcloud.functions import returning
from tests.localcloud.scf.client import ZIP_TIME, MakeScf, Scf, build_code, build_policy_document
from tests.localcloud.stand_in import StartCloud, eventually

pytestmark = pytest.mark.process

YEARLY = "0 0 0 1 1 * *"
FAILS = "def main_handler(event, context):\n    raise ValueError('no')\n"
CREATED = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": "in/", "Suffix": ".mp3"}}


def test_upload_starts_deployed_function(scf: Scf, bucket: str, sdk: CosSdk) -> None:
    name, host = scf.create(), scf.cloud.bucket_host(bucket)
    created = scf.create_trigger(name, "cos", host, CREATED)
    for key in ("in/call.mp3", "in/notes.txt", "out/call.mp3"):
        sdk.put_object(bucket, b"speech", key)
    (invocation,) = scf.invocations(name)
    assert invocation["result"]["Records"][0]["cos"]["cosObject"]["key"].endswith("/in/call.mp3")
    assert name in invocation["result"]["Records"][0]["event"]["eventQueue"]

    target = {"FunctionName": name, "TriggerName": host, "Type": "cos", "Qualifier": "$DEFAULT"}
    scf.call("UpdateTriggerStatus", **target, TriggerDesc=created["TriggerDesc"], Enable="CLOSE")
    sdk.put_object(bucket, b"speech", "in/while-closed.mp3")
    assert len(scf.invocations(name)) == 1
    scf.call("UpdateTriggerStatus", **target, TriggerDesc=created["TriggerDesc"], Enable="OPEN")
    sdk.put_object(bucket, b"speech", "in/open-again.mp3")
    assert len(scf.invocations(name)) == 2
    scf.call("DeleteTrigger", **target, TriggerDesc=created["TriggerDesc"])
    sdk.put_object(bucket, b"speech", "in/without-trigger.mp3")
    assert len(scf.invocations(name)) == 2


def test_deployed_function_has_its_own_folder_and_settings(scf: Scf) -> None:
    source = (
        "import os, sys\n"
        "import own.words\n"
        "def main_handler(event, context):\n"
        "    return [os.listdir(), sys.path[0], os.getcwd(), own.words.HELLO, os.environ.get('ENGINE'),\n"
        "            os.environ.get('SCF_FUNCTIONNAME'), 'TENCENTCLOUD_SECRETID' in os.environ,\n"
        "            os.stat('index.py').st_mtime]\n"
    )
    package = build_code({"index.py": source, "own/__init__.py": "", "own/words.py": "HELLO = 'hello'\n"})
    variables = {"Variables": [{"Key": "ENGINE", "Value": "8k_zh"}]}
    name = scf.create(Code=package, Environment=variables)
    files, path, folder, word, engine, own_name, has_key, packed_s = json.loads(scf.invoke(name)["RetMsg"])
    assert sorted(files) == ["index.py", "own"]
    assert (path, word, engine, own_name, has_key) == (folder, "hello", "8k_zh", name, False)
    assert packed_s == datetime(*ZIP_TIME, tzinfo=timezone.utc).timestamp()


def test_new_code_and_settings_run_once_active(scf: Scf) -> None:
    name = scf.create(returning("'old'"))
    url = scf.create_url(name)
    assert scf.get(url).json() == "old"
    scf.update_code(name, {"index.py": returning("'new'")})
    scf.wait_settled(name)
    assert scf.get(url).json() == "new"
    code = "import os\ndef main_handler(event, context):\n    return os.environ.get('WORD', 'none')\n"
    scf.call("UpdateFunctionCode", FunctionName=name, ZipFile=build_code({"index.py": code})["ZipFile"])
    scf.wait_settled(name)
    assert scf.get(url).json() == "none"
    variables = {"Variables": [{"Key": "WORD", "Value": "changed"}]}
    scf.call("UpdateFunctionConfiguration", FunctionName=name, Environment=variables)
    scf.wait_settled(name)
    assert scf.get(url).json() == "changed"
    assert len(set(scf.cloud.admin("GET", "deployed")) & {name}) == 1
    assert scf.cloud.admin("GET", "deployed")[name] == {"url": url}


def test_running_event_keeps_old_code_waiting_ones_get_new(scf: Scf, tmp_path: Path) -> None:
    started, may_end = tmp_path / "started", tmp_path / "may-end"
    waiting = (
        "import os, pathlib, time\n"
        "def main_handler(event, context):\n"
        f"    with open({str(started)!r}, 'a') as file:\n"
        "        file.write('x')\n"
        f"    while not pathlib.Path({str(may_end)!r}).exists():\n"
        "        time.sleep(0.01)\n"
        "    return os.getpid()\n"
    )
    name = scf.create(waiting, Timeout=20)
    for _ in range(5):  # one more than may run at once
        scf.call("Invoke", FunctionName=name, InvocationType="Event")
    eventually(lambda: started.exists() and len(started.read_text()) == 4)
    scf.update_code(name, {"index.py": returning("'new'")})
    scf.wait_settled(name)
    assert scf.invoke(name)["RetMsg"] == '"new"', "new code does not wait for the old"
    may_end.touch()
    results = [row["result"] for row in scf.invocations(name)]
    assert results.count("new") == 2
    old_pids = {result for result in results if result != "new"}
    assert len(old_pids) == 4
    for pid in old_pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_disabled_or_deleted_url_is_not_found(scf: Scf) -> None:
    name = scf.create()
    url = scf.create_url(name)
    assert scf.get(url).json()["httpMethod"] == "GET"
    trigger_name = scf.list_triggers(name)[0]["TriggerName"]
    target = {"FunctionName": name, "TriggerName": trigger_name, "Type": "http", "Qualifier": "$DEFAULT"}
    scf.call("UpdateTrigger", **target, Enable="CLOSE")
    assert scf.get(url).status_code == 404
    scf.call("UpdateTrigger", **target, Enable="OPEN")
    assert scf.get(url).status_code == 200
    scf.call("DeleteFunction", FunctionName=name)
    assert scf.get(url).status_code == 404
    assert name not in scf.cloud.admin("GET", "deployed")


def test_timer_of_deployed_function_is_fired(scf: Scf) -> None:
    name = scf.create()
    scf.create_trigger(name, "timer", f"audit-{name}", YEARLY, CustomArgument="audit")
    assert scf.cloud.admin("POST", f"timer/audit-{name}") == {"fired": True}
    (invocation,) = scf.invocations(name)
    assert (invocation["result"]["TriggerName"], invocation["result"]["Message"]) == (
        f"audit-{name}",
        "audit",
    )


def test_invoke_returns_result_error_and_log(scf: Scf, echo: str) -> None:
    assert scf.invoke(echo, {"a": [1, "ü"]})["RetMsg"] == '{"a": [1, "ü"]}'
    failing = scf.create("def main_handler(event, context):\n    print('here')\n    return 1 / 0\n")
    result = scf.invoke(failing, LogType="Tail")
    assert (result["InvokeResult"], result["Log"]) == (-1, "here")
    assert json.loads(result["RetMsg"])["statusCode"] == 430
    assert "ZeroDivisionError" in result["ErrMsg"]
    assert (
        scf.error_code("Invoke", FunctionName=echo, ClientContext="{no json") == "InvalidParameterValue.Param"
    )
    long = json.dumps("x" * (128 * 1024))
    params = {"FunctionName": echo, "InvocationType": "Event", "ClientContext": long}
    assert scf.error_code("Invoke", **params) == "InvalidParameter.RequestTooLarge"


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_retry_config_limits_attempts(scf: Scf, retries: int) -> None:
    name = scf.create(FAILS)
    config = {"RetryConfig": [{"RetryNum": retries}]}
    scf.call("UpdateFunctionEventInvokeConfig", FunctionName=name, AsyncTriggerConfig=config)
    result = scf.invoke(name, InvocationType="Event")
    attempts = scf.invocations(name)
    assert {row["request_id"] for row in attempts} == {result["FunctionRequestId"]}
    assert [row["dropped"] for row in attempts] == [False] * retries + [True]


def test_deployment_survives_restart_and_drops_expired_event(
    start_cloud: StartCloud, make_scf: MakeScf, make_sdk: MakeSdk
) -> None:
    options = ("--deploy-delay-ms", "150", "--retry-delay", "61")
    before = make_scf(start_cloud(*options))
    failing, name = before.create(FAILS), before.create()
    rule = {"FunctionName": failing, "AsyncTriggerConfig": {"MsgTTL": 60}}
    before.call("UpdateFunctionEventInvokeConfig", **rule)
    before.invoke(failing, InvocationType="Event")
    assert [row["dropped"] for row in before.invocations(failing)] == [True]

    bucket = f"kept-{before.cloud.appid}"
    make_sdk(before.cloud).create_bucket(bucket)
    before.create_trigger(name, "cos", before.cloud.bucket_host(bucket), CREATED)
    url = before.create_url(name)
    function = before.get_function(name)
    unfinished = before.create(wait=False)
    assert before.cloud.stop(signal.SIGKILL) == -signal.SIGKILL

    after = make_scf(start_cloud(*options))
    assert after.get_function(name) == function
    assert after.get_function(unfinished)["Status"] == "Active"
    assert after.get(url).json()["httpMethod"] == "GET"
    make_sdk(after.cloud).put_object(bucket, b"speech", "in/call.mp3")
    assert [row["trigger"] for row in after.invocations(name)] == ["http", "cos"]
    after.invoke(failing, InvocationType="Event")
    assert [row["dropped"] for row in after.invocations(failing)] == [True]


def test_role_limits_function_credentials(scf: Scf, bucket: str, sdk: CosSdk, make_sdk: MakeSdk) -> None:
    cam, role = scf.api_client, f"reader-{bucket}"
    trust = {"action": "name/sts:AssumeRole", "principal": {"service": ["scf.qcloud.com"]}}
    cam.call("cam", "CreateRole", {"RoleName": role, "PolicyDocument": build_policy_document(**trust)})
    source = (
        "import os\n"
        "def main_handler(event, context):\n"
        "    names = ('SECRETID', 'SECRETKEY', 'SESSIONTOKEN')\n"
        "    return [os.environ['TENCENTCLOUD_' + name] for name in names]\n"
    )
    name = scf.create(source, Role=role)
    sdk.put_object(bucket, b"speech", "call.mp3")

    def get_status() -> int:
        names = ("secret_id", "secret_key", "token")
        key = dict(zip(names, json.loads(scf.invoke(name)["RetMsg"]), strict=True))
        own = make_sdk(scf.cloud, SecretId=key["secret_id"], SecretKey=key["secret_key"], Token=key["token"])
        try:
            return 200 if own.get_object(bucket, "call.mp3") else 0
        except Exception as error:  # noqa: BLE001 - the SDK's own class is not imported here
            return int(error.get_status_code())  # type: ignore[attr-defined]

    assert get_status() == 403
    allowed = {"action": ["cos:GetObject"], "resource": ["*"]}
    created = cam.call(
        "cam", "CreatePolicy", {"PolicyName": role, "PolicyDocument": build_policy_document(**allowed)}
    )
    cam.call("cam", "AttachRolePolicy", {"PolicyId": created["PolicyId"], "AttachRoleName": role})
    assert get_status() == 200
    assert (
        scf.error_code("UpdateFunctionConfiguration", FunctionName=name, Role="gone")
        == "ResourceNotFound.Role"
    )
    cam.call("cam", "DetachRolePolicy", {"PolicyId": created["PolicyId"], "DetachRoleName": role})
    cam.call("cam", "DeleteRole", {"RoleName": role})
    assert get_status() == 403
