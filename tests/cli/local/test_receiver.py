"""The receiver of `scribe demo --notify` takes what is signed, and nothing else."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from datetime import datetime, timezone

import httpx
import pytest
from standardwebhooks import Webhook

from cli.local.notices import print_notices
from cli.local.receiver import NoticeReceiver, run_notice_receiver
from cli.output import SafeConsole
from shared.notices.connection import create_notice_client
from shared.notices.models import DELIVERED, OutcomeKind
from shared.notices.sender import send_notices
from shared.notices.targets import load_targets
from tests.helpers.notices import OTHER_SECRET, build_failed_notice, build_notice


@pytest.fixture
def receiver() -> Iterator[NoticeReceiver]:
    with run_notice_receiver() as running:
        yield running


def print_all(receiver: NoticeReceiver, *keys: str) -> tuple[bool, str]:
    stream = io.StringIO()
    console = SafeConsole(file=stream, width=80, highlight=False)
    passed = print_notices(console, receiver, receiver.wait_for(0, 0), keys)
    return passed, stream.getvalue()


def test_notices_are_verified_and_shown_in_a_table(receiver: NoticeReceiver) -> None:
    [target] = load_targets({**receiver.settings, "CLOUD_ENDPOINT": "http://127.0.0.1:9"})
    client = create_notice_client(allows_loopback=True)
    notices = [build_notice(), build_failed_notice(key="calls/b.mp3", receipt_id="b"), build_notice()]
    for notice in notices:
        assert send_notices(client, target, [notice], time.time()) == DELIVERED
    passed, text = print_all(receiver, "calls/会议.mp3", "calls/b.mp3")
    assert passed
    assert f"{notices[0].build_id('webhook')[:12]}...  transcript.done    calls/会议.mp3  12,345" in text
    assert f"{notices[1].build_id('webhook')[:12]}...  transcript.failed  calls/b.mp3          -" in text
    assert "1 came again with the same id, and were dropped." in text


def test_notice_of_the_official_library_is_taken(receiver: NoticeReceiver) -> None:
    now = datetime.now(timezone.utc)
    body = '{"type": "transcript.done", "data": {"recording": {"key": "a.mp3"}, "words": 3}}'
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": f"v1,AAAA {Webhook(receiver.secret).sign('msg_1', now, body)}",
    }
    with httpx.Client(trust_env=False) as client:
        assert client.post(receiver.url, headers=headers, content=body).status_code == 204
        for changed in (
            {"webhook-id": "msg_2"},
            {"webhook-id": ""},
            {"webhook-timestamp": str(int(now.timestamp()) - 301)},
            {"webhook-signature": Webhook(OTHER_SECRET).sign("msg_1", now, body)},
        ):
            assert client.post(receiver.url, headers={**headers, **changed}, content=body).status_code == 401
        assert client.post(receiver.url, headers=headers, content=body + " ").status_code == 401
    [notice] = receiver.wait_for(1, 5)
    assert (notice.key, notice.words) == ("a.mp3", 3)
    passed, text = print_all(receiver, "a.mp3")
    assert not passed
    assert "5 requests without a valid signature were refused." in text


def test_target_with_another_secret_is_refused(receiver: NoticeReceiver) -> None:
    settings = {
        **receiver.settings,
        "NOTIFY_WEBHOOK_SECRET": OTHER_SECRET,
        "CLOUD_ENDPOINT": "http://127.0.0.1:9",
    }
    [target] = load_targets(settings)
    outcome = send_notices(create_notice_client(allows_loopback=True), target, [build_notice()], time.time())
    assert (outcome.kind, outcome.reason) == (OutcomeKind.FAILED, "status 401")


def test_recording_without_a_notice_is_named(receiver: NoticeReceiver) -> None:
    passed, text = print_all(receiver, "a.mp3")
    assert not passed
    assert "✗ a.mp3: no notice came" in text
