"""The callback's URL is open to the internet: what it does with requests that are not from CI."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from cli.local.emulator import CALLBACK_TOKEN, INPUT_BUCKET, OUTPUT_BUCKET
from shared.tencent.speech_models import JobRequest
from tests.helpers.flow import Flow, StartFlow, render_notification

pytestmark = pytest.mark.process

DEPTH = 5000


BAD_BODIES = {
    "empty": b"",
    "blank": b" \n ",
    "not XML": b"hello",
    "truncated XML": render_notification("s01").encode()[:60],
    "truncated JSON": b'{"EventName":"TaskFinish","JobsDetail":[{"JobId":',
    "JSON list": b"[1,2,3]",
    "JSON of the wrong shape": b'{"JobsDetail":{"JobId":{"a":1}}}',
    "JSON text": b'"TaskFinish"',
    "no job": b"<Response><EventName>TaskFinish</EventName></Response>",
    "no id": b"<Response><JobsDetail><State>Success</State></JobsDetail></Response>",
    "an id that is a path": render_notification("../../etc/passwd").encode(),
    "an id that is long": render_notification("s" * 500).encode(),
    "XML nested deep": b"<a>" * DEPTH + b"</a>" * DEPTH,
    "JSON nested deep": b'{"JobsDetail":' + b"[" * DEPTH + b"]" * DEPTH + b"}",
    "entity bomb": b'<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><Response>&b;</Response>',
    "outer entity": b'<!DOCTYPE r SYSTEM "file:///etc/passwd"><Response><JobsDetail/></Response>',
    "bytes": bytes(range(256)),
    "many jobs": json.dumps({"JobsDetail": [{"JobId": f"s{n}"} for n in range(500)]}).encode(),
    "huge": b"<Response>" + b"x" * (7 * 1024 * 1024),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_invalid_body_is_rejected_with_one_log_line(flow: Flow, name: str) -> None:
    flow.notify(render_notification("s00"))  # start the process, so that only the request is timed
    since = flow.last_number()
    started_s = time.monotonic()
    response = flow.notify(BAD_BODIES[name])
    assert time.monotonic() - started_s < 2
    assert 400 <= response.status_code < 500, response.text
    calls = flow.invocations("callback", since)
    if name != "huge":  # the platform's own limit stops that one
        assert [line["event"] for line in json_lines(calls[-1])] == ["callback_rejected"]
        assert json_lines(calls[-1])[0]["reason"]
        assert calls[-1]["requests"] == []


def json_lines(invocation: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in invocation["log"] if line.startswith("{")]


@pytest.mark.parametrize(
    "path", ["/", "/wrong-token-of-some-length", f"/{CALLBACK_TOKEN}x", f"/{CALLBACK_TOKEN[:-1]}", "/会议"]
)
def test_request_without_token_reads_and_reveals_nothing(flow: Flow, path: str) -> None:
    responses = [
        flow.notify(body, path=path)
        for body in (render_notification("s01"), b"not xml", b"<!DOCTYPE x [<!ENTITY a 'b'>]>")
    ]
    assert {response.status_code for response in responses} == {403}
    assert len({response.text for response in responses}) == 1
    assert all(call["requests"] == [] for call in flow.invocations("callback")[-3:])


def test_only_post_is_accepted(flow: Flow) -> None:
    assert flow.notify(b"", method="GET").status_code == 405
    assert flow.notify(b"", method="GET", path="/unknown").status_code == 403


def test_unknown_job_writes_nothing(own_flow: Flow) -> None:
    response = own_flow.notify(render_notification("s0000000000000000000000000000000f"))
    assert response.status_code == 200
    assert own_flow.outputs() == []


def test_response_does_not_reveal_whether_a_job_exists(own_flow: Flow) -> None:
    own_flow.upload("known.wav", b"speech " * 300)
    own_flow.settle()
    known = own_flow.notify(render_notification(own_flow.jobs()[0]["job_id"]))
    unknown = own_flow.notify(render_notification("s0000000000000000000000000000000f"))
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)


def test_forged_success_of_unfinished_job_writes_nothing(own_flow: Flow) -> None:
    own_flow.update_queue(state="Paused")
    own_flow.upload("waiting.wav", b"speech " * 300)
    wait_for_jobs(own_flow, 1)
    response = own_flow.notify(render_notification(own_flow.jobs()[0]["job_id"]))
    assert response.status_code == 200
    assert not own_flow.outputs("transcripts/")
    assert len(own_flow.receipts("open")) == 1


def test_bucket_named_in_body_is_not_written(own_flow: Flow) -> None:
    own_flow.upload("real.wav", b"speech " * 300)
    own_flow.settle()
    before = own_flow.output("transcripts/real.wav.json")
    since = own_flow.last_number()
    own_flow.notify(render_notification(own_flow.jobs()[0]["job_id"], bucket="strangers-1250000000"))
    assert own_flow.output("transcripts/real.wav.json") == before
    requests = [line for call in own_flow.invocations("callback", since) for line in call["requests"]]
    assert requests
    assert not [line for line in requests if "strangers" in line]


def test_job_without_receipt_is_skipped(own_flow: Flow) -> None:
    """A job in the same bucket that another program submitted, without a receipt of ours."""
    own_flow.upload("theirs.wav", b"speech " * 300)
    own_flow.settle()
    outputs = own_flow.outputs("transcripts/")
    for user_data in ("", "their own text", f"{INPUT_BUCKET}/theirs!" + "0" * 32):
        own_flow.pipeline.clients.speech.create_job(
            INPUT_BUCKET,
            JobRequest("theirs.wav", OUTPUT_BUCKET, "ap-guangzhou", "raw.txt", "16k_en", user_data=user_data),
        )
    own_flow.settle()
    assert own_flow.outputs("transcripts/") == outputs


def test_repeated_notification_changes_nothing(own_flow: Flow) -> None:
    own_flow.upload("replay.wav", b"speech " * 300)
    own_flow.settle()
    before = {key: own_flow.output(key) for key in own_flow.outputs()}
    for _ in range(3):
        assert own_flow.notify(render_notification(own_flow.jobs()[0]["job_id"])).status_code == 200
    assert {key: own_flow.output(key) for key in own_flow.outputs()} == before


def wait_for_jobs(flow: Flow, count: int) -> None:
    deadline_s = time.monotonic() + 20
    while len(flow.jobs()) < count or not flow.receipts("open"):
        assert time.monotonic() < deadline_s, "the job was not submitted in time"
        time.sleep(0.05)


def test_both_tokens_are_accepted_during_rotation(start_flow: StartFlow) -> None:
    flow = start_flow(CALLBACK_TOKEN=f"a-new-token-of-some-length,{CALLBACK_TOKEN}")
    for token in ("a-new-token-of-some-length", CALLBACK_TOKEN):
        assert flow.notify(render_notification("s01"), path=f"/{token}").status_code == 200
    both = flow.notify(render_notification("s01"), path=f"/a-new-token-of-some-length,{CALLBACK_TOKEN}")
    assert both.status_code == 403
