"""A failed and a done recording reach a webhook and robots on real sockets, sent by the functions' own processes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from standardwebhooks import Webhook

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET
from tests.helpers.flow import CONTENT_A, Flow, StartFlow
from tests.helpers.notices import ROBOT_SECRET, SECRET, ReceivedRequest, Receiver, run_receiver
from tests.helpers.permissions import build_scope, write_policies
from tests.helpers.receivers import answer

pytestmark = pytest.mark.process


def reply_as_robot(connection: socket.socket) -> None:
    """Answer as WeCom, DingTalk and Feishu do."""
    connection.sendall(answer("200 OK", b'{"errcode":0,"errmsg":"ok","code":0,"msg":"success"}'))


def reply_as_program(connection: socket.socket) -> None:
    connection.sendall(answer("204 No Content"))


def verify(request: ReceivedRequest) -> dict[str, Any]:
    """Verify a webhook with the official library, its time included, and return the body."""
    document: dict[str, Any] = Webhook(SECRET).verify(request.body, request.headers)
    return document


def verify_dingtalk(request: ReceivedRequest) -> str:
    """Verify the signature in the query as DingTalk's page says it, and return the text."""
    query = parse_qs(urlsplit(request.line.split(" ")[1]).query)
    (timestamp,), (signature,) = query["timestamp"], query["sign"]
    digest = hmac.new(ROBOT_SECRET.encode(), f"{timestamp}\n{ROBOT_SECRET}".encode(), hashlib.sha256).digest()
    assert signature == base64.b64encode(digest).decode()
    text: str = json.loads(request.body)["markdown"]["text"]
    return text


def get_card_title(request: ReceivedRequest) -> str:
    title: str = json.loads(request.body)["card"]["header"]["title"]["content"]
    return title


def build_settings(receivers: dict[str, Receiver]) -> dict[str, str]:
    urls = {name: f"http://127.0.0.1:{receiver.port}/hook?id=1" for name, receiver in receivers.items()}
    return {
        **urls,
        "NOTIFY_WEBHOOK_SECRET": SECRET,
        "NOTIFY_WEBHOOK_ON": "done,failed",
        "NOTIFY_DINGTALK_SECRET": ROBOT_SECRET,
        "NOTIFY_FEISHU_SALES_ON": "done",
    }


def test_done_and_failed_recordings_are_announced_by_the_functions(start_flow: StartFlow) -> None:
    replies = {
        "NOTIFY_WEBHOOK": reply_as_program,
        "NOTIFY_DINGTALK": reply_as_robot,
        "NOTIFY_FEISHU_SALES": reply_as_robot,
    }
    with ExitStack() as stack:
        receivers = {name: stack.enter_context(run_receiver(reply)) for name, reply in replies.items()}
        flow = start_flow(**build_settings(receivers))
        flow.upload("done.mp3", CONTENT_A)
        flow.upload("empty.mp3", b"")
        flow.upload("sales/done.mp3", CONTENT_A + b"of sales", **{"scribe-notify": "feishu-sales"})
        flow.upload("quiet.mp3", CONTENT_A + b"of others", **{"scribe-notify": "no"})
        flow.settle()
        webhook, dingtalk, sales = (receiver.requests for receiver in receivers.values())

        notices = {notice["data"]["recording"]["key"]: notice for notice in map(verify, webhook)}
        assert {key: notice["type"] for key, notice in notices.items()} == {
            "done.mp3": "transcript.done",
            "empty.mp3": "transcript.failed",
        }
        assert len(webhook) == 2
        done, failed = notices["done.mp3"]["data"], notices["empty.mp3"]["data"]
        assert (done["recording"]["bucket"], done["output_bucket"]) == (INPUT_BUCKET, OUTPUT_BUCKET)
        assert set(done["keys"]) == set(flow.outputs("transcripts/done.mp3."))
        assert done["duration_ms"] == round(flow.transcript("done.mp3")["duration_ms"])
        error = flow.error("empty.mp3")
        assert failed["error"]["next_step_zh"] == error["next_step_zh"]
        assert flow.transcript("done.mp3")["text"] not in "".join(each.body.decode() for each in webhook)

        (text,) = map(verify_dingtalk, dingtalk)  # only failures, by default
        assert text.startswith("**Scribe：转写失败**")
        assert "empty．mp3" in text or "empty.mp3" in text
        assert [get_card_title(request) for request in sales] == ["Scribe：转写完成"]
        assert flow.has("transcripts/quiet.mp3.json")
        assert flow.outputs(".scribe/notices/") == []


def read_log(flow: Flow, function: str) -> list[str]:
    return [line for invocation in flow.invocations(function) for line in invocation["log"]]


def test_roles_from_before_notices_cost_the_notices_only(start_flow: StartFlow, tmp_path: Path) -> None:
    policies = write_policies(tmp_path / "before", build_scope({}))
    with run_receiver(reply_as_program) as receiver:
        settings = {
            "NOTIFY_WEBHOOK": f"http://127.0.0.1:{receiver.port}/",
            "NOTIFY_WEBHOOK_SECRET": SECRET,
            "NOTIFY_WEBHOOK_ON": "done,failed",
        }
        flow = start_flow("--policies", str(policies), **settings)
        flow.upload("done.mp3", CONTENT_A)
        flow.upload("empty.mp3", b"")
        flow.settle()
        assert flow.transcript("done.mp3")["sentences"]
        assert flow.error("empty.mp3")
        assert flow.receipts("open") == []
        assert len(flow.receipts("done")) == 2
        lines = [json.loads(line) for name in ("upload", "callback") for line in read_log(flow, name)]
        lost = [line for line in lines if line["event"] == "notice_not_stored"]
        assert {(line["key"], line["target"], line["code"]) for line in lost} == {
            ("done.mp3", "webhook", "AccessDenied"),
            ("empty.mp3", "webhook", "AccessDenied"),
        }
        assert receiver.requests == []
