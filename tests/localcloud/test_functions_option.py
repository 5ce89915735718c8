"""COS, CI and functions together: object events, temporary credentials, notifications to function URLs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]

# A function that submits a job for an uploaded object; it signs by itself because it has no library.
UPLOAD = """
import hashlib, hmac, http.client, os, time
from urllib.parse import quote


def signed(method, host, path, body=b""):
    token = os.environ["TENCENTCLOUD_SESSIONTOKEN"]
    kind = "ci" if ".ci." in host else "cos"
    headers = {"host": host, f"x-{kind}-security-token": token}
    times = f"{int(time.time()) - 60};{int(time.time()) + 600}"
    line = "&".join(f"{name}={quote(value, safe='-_~.')}" for name, value in sorted(headers.items()))
    text = hashlib.sha1(f"{method.lower()}\\n{path}\\n\\n{line}\\n".encode()).hexdigest()
    key = hmac.new(os.environ["TENCENTCLOUD_SECRETKEY"].encode(), times.encode(), "sha1").hexdigest()
    sign = hmac.new(key.encode(), f"sha1\\n{times}\\n{text}\\n".encode(), "sha1").hexdigest()
    headers["authorization"] = (
        f"q-sign-algorithm=sha1&q-ak={os.environ['TENCENTCLOUD_SECRETID']}&q-sign-time={times}&q-key-time={times}"
        f"&q-header-list={';'.join(sorted(headers))}&q-url-param-list=&q-signature={sign}"
    )
    connection = http.client.HTTPConnection(os.environ["CLOUD_ENDPOINT"].removeprefix("http://"), timeout=10)
    connection.request(method, quote(path), body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def main_handler(event, context):
    key = event["Records"][0]["cos"]["cosObject"]["key"].split("/", 3)[3]
    bucket, region = "audio-1250000000", "ap-guangzhou"
    body = (
        f"<Request><Tag>SpeechRecognition</Tag><Input><Object>{key}</Object></Input><Operation><SpeechRecognition>"
        "<EngineModelType>16k_en</EngineModelType></SpeechRecognition><Output>"
        f"<Region>{region}</Region><Bucket>{bucket}</Bucket><Object>raw/{key}.txt</Object></Output></Operation></Request>"
    )
    return signed("POST", f"{bucket}.ci.{region}.myqcloud.com", "/asr_jobs", body.encode())
"""
CALLBACK = """
import json
def main_handler(event, context):
    if not event["path"].endswith("/secret-token"):
        return {"statusCode": 403, "body": "no"}
    notification = json.loads(event["body"])
    print("notified of", notification["JobsDetail"][0]["JobId"])
    return {"statusCode": 200, "headers": {"x-own": "1"}, "body": json.dumps({"query": event["queryString"]})}
"""


def trigger(kind: str, function: str, **parameters: Any) -> dict[str, Any]:
    return {"type": kind, "function": function, "parameters": {"enable": True, **parameters}}


@pytest.fixture
def cloud_with_functions(tmp_path: Path, start_cloud: Callable[..., Any]) -> Any:
    folder = tmp_path / "functions"
    folder.mkdir()
    (folder / "upload.py").write_text(UPLOAD)
    (folder / "callback.py").write_text(CALLBACK)
    (folder / "sweep.py").write_text("def main_handler(event, context):\n    return event['TriggerName']\n")
    functions = {name: {"handler": f"{name}.main_handler"} for name in ("upload", "callback", "sweep")}
    host, open_net = (
        "audio-1250000000.cos.ap-guangzhou.myqcloud.com",
        {"enableExtranet": True, "enableIntranet": False},
    )
    triggers = [
        trigger("cos", "upload", bucket=host, events="cos:ObjectCreated:*", filter={"prefix": "in/"}),
        trigger("http", "callback", authType="NONE", netConfig=open_net),
        trigger("timer", "sweep", name="reconcile", cronExpression="0 0 0 1 1 * *"),
    ]
    inputs: dict[str, Any] = {
        "region": "ap-guangzhou",
        "runtime": "Python3.10",
        "role": "scribe",
    }  # no role, no temporary keys
    inputs |= {"functions": functions, "triggers": triggers}
    document = {"app": "t", "stage": "t", "component": "multi-scf", "name": "t", "inputs": inputs}
    (folder / "serverless.yml").write_text(json.dumps(document))
    return start_cloud("--functions", str(folder))


def test_upload_runs_function_job_and_callback(
    cloud_with_functions: Any, make_raw: Callable[..., Any]
) -> None:
    cloud, raw = cloud_with_functions, make_raw(cloud_with_functions)
    bucket = f"audio-{cloud.appid}"
    cos, ci = cloud.bucket_host(bucket), cloud.ci_host(bucket)
    ready = json.loads((cloud.folder / "ready.json").read_text())
    url = ready["functions"]["callback"]["url"]
    raw.send("PUT", cos)
    raw.send("POST", ci, "/asrbucket")
    queue_id = raw.send("GET", ci, "/asrqueue").text.split("<QueueId>")[1].split("</QueueId>")[0]
    notify = f"<State>On</State><Type>Url</Type><Url>{url}/secret-token</Url><Event>TaskFinish</Event>"
    notify = f"<NotifyConfig>{notify}<ResultFormat>JSON</ResultFormat></NotifyConfig>"
    settings = f"<Request><Name>q</Name><State>Active</State>{notify}</Request>".encode()
    assert raw.send("PUT", ci, f"/asrqueue/{queue_id}", body=settings).status_code == 200
    raw.send("PUT", cos, "/in/call.mp3", body=b"some seconds of speech")
    assert cloud.admin("GET", "idle?timeout=20") is True

    job = cloud.admin("GET", "jobs")[0]
    assert job["state"] == "Success"
    assert raw.send("GET", cos, "/raw/in/call.mp3.txt").status_code == 200
    first, second = cloud.admin("GET", "invocations")
    assert (first["function"].rpartition("-")[2], first["trigger"], first["outcome"], first["result"]) == (
        "upload",
        "cos",
        "ok",
        200,
    )
    assert first["requests"] == [f"POST {ci} /asr_jobs -> 200"]
    assert second["trigger"] == "http"
    assert any(f"notified of {job['job_id']}" in line for line in second["log"])
    rows = [row for row in cloud.admin("GET", "requests") if row["request_id"] == first["request_id"]]
    assert [(row["path"], row["function"]) for row in rows] == [("/asr_jobs", first["function"])]


def test_function_url_is_served_to_outside_clients(cloud_with_functions: Any) -> None:
    cloud = cloud_with_functions
    ready = json.loads((cloud.folder / "ready.json").read_text())
    url = ready["functions"]["callback"]["url"].replace("https", "http")
    with httpx.Client(proxy=cloud.endpoint, trust_env=False) as client:
        assert client.post(f"{url}/wrong", content=b"{}").status_code == 403
        notification = b'{"JobsDetail": [{"JobId": "s0"}]}'
        response = client.post(f"{url}/secret-token", params={"a": "b c"}, content=notification)
        assert (response.status_code, response.json(), response.headers["x-own"]) == (
            200,
            {"query": {"a": "b c"}},
            "1",
        )
        assert client.get(url.replace("1250000000-", "1250000001-")).status_code == 404


def test_admin_pages_invoke_functions_and_timers(cloud_with_functions: Any) -> None:
    cloud = cloud_with_functions
    assert cloud.admin("POST", "timer/reconcile") == {"fired": True}
    assert cloud.admin("GET", "idle?timeout=20") is True
    assert cloud.admin("GET", "invocations")[-1]["result"] == "reconcile"
    event = {"path": "/x", "body": ""}
    response = httpx.post(f"{cloud.endpoint}/-/functions/callback/invoke", json=event, trust_env=False)
    assert response.json()["result"]["statusCode"] == 403


def test_invalid_manifest_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "serverless.yml").write_text("inputs: {functions: {a: {handler: nothing}}}")
    command = [
        sys.executable,
        "-m",
        "localcloud",
        "--data",
        str(tmp_path / "data"),
        "--functions",
        str(tmp_path),
    ]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr.startswith("localcloud cannot start: ")
