"""COS, CI and functions together: object events, temporary credentials, notifications to function URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.loopback import open_client
from tests.localcloud.clients import MakeRaw
from tests.localcloud.functions import build_trigger, returning, write_functions
from tests.localcloud.speech_queue import SpeechQueue
from tests.localcloud.stand_in import StandIn, StartCloud, get_start_error

pytestmark = pytest.mark.process


# A function that submits a job for an uploaded object.
UPLOAD = """
from signed_requests import send


def main_handler(event, context):
    key = event["Records"][0]["cos"]["cosObject"]["key"].split("/", 3)[3]
    bucket, region = "audio-1250000000", "ap-guangzhou"
    body = (
        f"<Request><Tag>SpeechRecognition</Tag><Input><Object>{key}</Object></Input><Operation><SpeechRecognition>"
        "<EngineModelType>16k_en</EngineModelType></SpeechRecognition><Output>"
        f"<Region>{region}</Region><Bucket>{bucket}</Bucket><Object>raw/{key}.txt</Object></Output></Operation></Request>"
    )
    return send("POST", f"{bucket}.ci.{region}.myqcloud.com", "/asr_jobs", body.encode())
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


@pytest.fixture
def cloud_with_functions(tmp_path: Path, start_cloud: StartCloud) -> StandIn:
    folder = tmp_path / "functions"
    host = "audio-1250000000.cos.ap-guangzhou.myqcloud.com"
    public = {"enableExtranet": True, "enableIntranet": False}
    triggers = [
        build_trigger(
            "cos", "upload", bucket=host, events="cos:ObjectCreated:*", filter={"prefix": "in/"}, enable=True
        ),
        build_trigger("http", "callback", authType="NONE", netConfig=public, enable=True),
        build_trigger("timer", "sweep", name="reconcile", cronExpression="0 0 0 1 1 * *", enable=True),
    ]
    code = {"upload": UPLOAD, "callback": CALLBACK, "sweep": returning("event['TriggerName']")}
    write_functions(folder, code, triggers)
    return start_cloud("--functions", str(folder))


def test_upload_runs_function_job_and_callback(cloud_with_functions: StandIn, make_raw: MakeRaw) -> None:
    cloud, raw = cloud_with_functions, make_raw(cloud_with_functions)
    queue = SpeechQueue(raw, "audio")
    cos, ci = cloud.bucket_host(queue.bucket), queue.host
    url = cloud.ready()["functions"]["callback"]["url"]
    queue.update(url=f"{url}/secret-token", form="JSON")
    raw.send("PUT", cos, "/in/call.mp3", body=b"some seconds of speech")
    cloud.wait_idle()

    job = cloud.admin("GET", "jobs")[0]
    assert job["state"] == "Success"
    assert raw.send("GET", cos, "/raw/in/call.mp3.txt").status_code == 200
    invocations = cloud.admin("GET", "invocations")
    assert len(invocations) == 2
    # In the order of their ends: the callback may end before the upload.
    by_function = {row["function"].rpartition("-")[2]: row for row in invocations}
    upload, callback = by_function["upload"], by_function["callback"]
    assert (upload["trigger"], upload["outcome"], upload["result"]) == ("cos", "ok", 200)
    assert upload["requests"] == [f"POST {ci} /asr_jobs -> 200"]
    assert callback["trigger"] == "http"
    assert any(f"notified of {job['job_id']}" in line for line in callback["log"])
    rows = [row for row in cloud.admin("GET", "requests") if row["request_id"] == upload["request_id"]]
    assert [(row["path"], row["function"]) for row in rows] == [("/asr_jobs", upload["function"])]


def test_function_url_is_served_to_outside_clients(cloud_with_functions: StandIn) -> None:
    cloud = cloud_with_functions
    url = cloud.ready()["functions"]["callback"]["url"].replace("https", "http")
    with open_client(proxy=cloud.endpoint) as client:
        assert client.post(f"{url}/wrong", content=b"{}").status_code == 403
        notification = b'{"JobsDetail": [{"JobId": "s0"}]}'
        response = client.post(f"{url}/secret-token", params={"a": "b c"}, content=notification)
        assert (response.status_code, response.json(), response.headers["x-own"]) == (
            200,
            {"query": {"a": "b c"}},
            "1",
        )
        assert client.get(url.replace("1250000000-", "1250000001-")).status_code == 404


def test_admin_pages_invoke_functions_and_timers(cloud_with_functions: StandIn) -> None:
    cloud = cloud_with_functions
    assert cloud.admin("POST", "timer/reconcile") == {"fired": True}
    cloud.wait_idle()
    assert cloud.admin("GET", "invocations")[-1]["result"] == "reconcile"
    event = {"path": "/x", "body": ""}
    response = cloud.send_admin("POST", "functions/callback/invoke", json=event)
    assert response.json()["result"]["statusCode"] == 403


def test_invalid_manifest_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "serverless.yml").write_text("inputs: {functions: {a: {handler: nothing}}}")
    error = get_start_error(tmp_path / "data", "--functions", str(tmp_path))
    assert error.startswith("localcloud cannot start: ")
