"""`scribe why`: its text and its document, earlier work, notices, unknown keys, and problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.config import CliContext
from cli.errors import OperatorError
from cli.operate import story_reader
from cli.operate.why import WhyOptions, why
from shared.errors import OutcomeUnknown, RequestRejected
from shared.notices.delivery import Delivery, delivery_key
from shared.notices.models import Notice, NoticeType
from tests.helpers.explain import ExplainFolder, find_controls
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, FakeCloud, raise_error
from tests.helpers.operate import OperatedPipeline, Terminal
from tests.helpers.recording_states import (
    KEY,
    ask,
    create_with_one_place,
    delete_recording,
    replace_content,
    run_job,
    transcribe,
    upload_only,
)

QUOTED = f"'{KEY}'"
OTHER_BUCKET = "calls-1250000000"

FAILED_TEXT = f"""\
{KEY}
failed, in recordings-1250000000
  The speech service could not recognise this recording
  (FailedOperation.Unlisted).

What happened (UTC)
  2026-11-10 08:40:00  uploaded   9 bytes
  2026-11-10 08:40:00  accepted   engine 16k_zh, 1 channel
  2026-11-10 08:40:00  submitted  job s1
  2026-11-10 08:40:00  ended      job s1: Failed, FailedOperation.Unlisted
  2026-11-10 08:40:00  error      transcripts/{KEY}.error.json
  2026-11-10 08:40:00  closed     failed

The error object
  The speech service could not recognise this recording.
  语音服务无法识别该录音。
  Listen to it: is it audio in a common format, under 512 MB and 5 hours? If it
  plays, upload it again; if it fails again, show code and cloud_message to
  Tencent's support.
  请试听：是否为常见格式的音频，且不超过 512 MB、5
  小时？若能播放，请重新上传；若再次失败，请将 code 与 cloud_message
  提供给腾讯云支持。
  code      FailedOperation.Unlisted
  job_id    s1
  attempts  1

What is written, in transcripts-1250000000
  transcripts/{KEY}.error.json  954 bytes

What happens next
  Nothing by itself.

What you can do
  Listen to it: is it audio in a common format, under 512 MB and 5 hours? If it
  plays, upload it again; if it fails again, show code and cloud_message to
  Tencent's support. Or, without an upload: `scribe retry 'calls/会议.mp3'`.
"""

RUNNING_TEXT = f"""\
{KEY}
open, in recordings-1250000000
  Job s1 is running since 2026-11-10T08:40:00Z.

What happened (UTC)
  2026-11-10 08:40:00  uploaded   5 bytes
  2026-11-10 08:40:00  accepted   engine 16k_zh, 1 channel
  2026-11-10 08:40:00  submitted  job s1
  2026-11-10 08:40:00  running    job s1

What happens next
  When the job ends, its transcripts are written within a minute, or by the next
  sweep; without a result until 2026-11-11T08:40:00Z an error object says so.
"""

DELETED_TEXT = f"""\
{KEY}
done, in recordings-1250000000
  Transcribed at 2026-11-10T08:40:00Z: 5 files are there. The recording itself
  was deleted since.

What happened (UTC)
  2026-11-10 08:40:00  uploaded   5 bytes
  2026-11-10 08:40:00  accepted   engine 16k_zh, 1 channel
  2026-11-10 08:40:00  submitted  job s1
  2026-11-10 08:40:00  ended      job s1: Success
  2026-11-10 08:40:00  written    5 transcripts
  2026-11-10 08:40:00  closed     transcribed
  2026-11-10 09:40:00  deleted    the recording is not in the bucket any more

What is written, in transcripts-1250000000
"""


def test_texts_are_these() -> None:
    assert ask(transcribe(NOT_AUDIO)).output == FAILED_TEXT
    assert ask(run_job()).output == RUNNING_TEXT
    pipeline = delete_recording()
    pipeline.cloud.clock.advance(3600)
    assert ask(pipeline).output.startswith(DELETED_TEXT)


def test_document_has_job_outputs_error_and_receipts() -> None:
    pipeline = transcribe(NOT_AUDIO)
    document = ask(pipeline, as_json=True).document
    (receipt,) = pipeline.list_done()
    assert document["job"] == {
        "job_id": "s1",
        "state": "Failed",
        "code": "FailedOperation.Unlisted",
        "message": "",
        "queue_id": "p1",
        "engine": "16k_zh",
        "created": "2026-11-10T08:40:00Z",
        "started": "",
        "ended": "2026-11-10T08:40:00Z",
    }
    assert document["outputs"] == [
        {"key": f"transcripts/{KEY}.error.json", "size": 954, "modified": "2026-11-10T08:40:00Z"}
    ]
    assert document["error"] == pipeline.get_error(KEY)
    assert document["receipts"] == [
        {
            "receipt_id": receipt.id,
            "folder": "done",
            "state": "failed",
            "etag": receipt.etag,
            "size": 9,
            "uploaded": "2026-11-10T08:40:00Z",
            "created": "2026-11-10T08:40:00Z",
            "finished": "2026-11-10T08:40:00Z",
            "attempt": 1,
            "job_id": "s1",
            "refusals": 0,
            "next_at": "",
        }
    ]
    assert document["story"][0] == {"at": "2026-11-10T08:40:00Z", "event": "uploaded", "detail": "9 bytes"}
    empty = ask(upload_only(), as_json=True).document
    assert [empty[name] for name in ("job", "outputs", "error", "notices", "receipts")] == [
        None,
        [],
        None,
        [],
        [],
    ]


def test_earlier_content_and_earlier_work_are_in_the_story() -> None:
    pipeline = replace_content(is_submitted=True)
    text = ask(pipeline).output
    assert "  2026-11-10 08:40:00  earlier    other content of this key: transcribed, job s1\n" in text
    names = [event["event"] for event in ask(pipeline, as_json=True).document["story"]]
    assert names == ["earlier", "written", "uploaded", "accepted", "submitted"]
    assert "What is there of an earlier upload, in transcripts-1250000000" in text
    pipeline = transcribe(NOT_AUDIO)
    pipeline.touch(KEY)
    pipeline.ingest(KEY)
    document = ask(pipeline, as_json=True).document
    assert (document["state"], document["job"]["job_id"]) == ("open", "s2")
    events = {event["event"]: event["detail"] for event in document["story"]}
    assert events["earlier"] == "this content: failed, job s1"
    assert events["earlier jobs"] == "1 job: s1"
    assert [receipt["folder"] for receipt in document["receipts"]] == ["open", "done"]


def test_open_receipt_is_found_however_many_contents_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story_reader, "MAX_RECEIPTS", 1)
    pipeline = transcribe()
    pipeline.upload_and_ingest(KEY, b"new words")
    pipeline.cloud.clock.advance(60)
    (done,) = pipeline.list_done()
    pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/done/{done.id}", done.to_json())
    assert ask(pipeline, as_json=True).document["state"] == "open"


def test_later_attempts_are_in_the_story() -> None:
    pipeline = create_with_one_place()
    pipeline.cloud.run_jobs()
    pipeline.sweep_when_due()
    events = [event["event"] for event in ask(pipeline, as_json=True).document["story"]]
    assert events == ["uploaded", "accepted", "attempt", "submitted"]


def put_notice(pipeline: OperatedPipeline, key: str, number: int = 0, **members: Any) -> None:
    notice = Notice(
        NoticeType.FAILED, 1.0, f"{INPUT_BUCKET}/a!{'0' * 32}", INPUT_BUCKET, "ap-guangzhou", key, "e", 1
    )
    delivery = Delivery(notice._replace(time_s=float(number)), "wecom", pipeline.cloud.clock.now(), **members)
    pipeline.cloud.put_object(OUTPUT_BUCKET, delivery_key(".scribe/", delivery), delivery.to_json())


def test_open_notices_of_the_recording_are_listed() -> None:
    pipeline = transcribe(NOT_AUDIO)
    put_notice(pipeline, KEY)
    put_notice(pipeline, KEY, 1, attempts=2, due_s=1_794_300_600.0, reason="HTTP 500")
    put_notice(pipeline, "other.mp3", 2)
    pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/notices/wecom/0000000000-msg_{'f' * 32}", b"{}")
    pipeline.cloud.put_object(OUTPUT_BUCKET, ".scribe/notices/wecom.json", b"{}")
    notices = ask(pipeline, as_json=True).document["notices"]
    assert {
        "target": "wecom",
        "type": "transcript.failed",
        "attempts": 0,
        "reason": "",
        "next_attempt": "",
    } in notices
    assert [notice["next_attempt"] for notice in notices if notice["attempts"]] == ["2026-11-10T08:50:00Z"]
    assert len(notices) == 2
    words = " ".join(ask(pipeline).output.split())
    assert "notice transcript.failed for wecom: not attempted yet" in words
    assert "notice transcript.failed for wecom: 2 attempts failed, HTTP 500" in words
    for number in range(3, 30):
        put_notice(pipeline, "other.mp3", number)
    assert "11 more open notices were not looked at." in ask(pipeline).output


def test_recording_that_cos_does_not_show_is_found_in_the_listing() -> None:
    pipeline = upload_only()
    pipeline.upload("neighbour.mp3", b"text")
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, refused=400)
    pipeline.ingest(KEY)
    document = ask(pipeline, as_json=True).document
    assert (document["state"], document["error"]["kind"]) == ("failed", "recording")
    assert "unreadable" in [event["event"] for event in document["story"]]


def test_unknown_key_names_those_that_are_like_it() -> None:
    pipeline = OperatedPipeline()
    for key in ("calls/会议1.mp3", "calls/other.mp3", "calls/会议.pdf", "archive/会议.mp3"):
        pipeline.upload(key, b"text")
    with pytest.raises(OperatorError) as raised:
        ask(pipeline)
    assert str(raised.value) == (
        f"{KEY} is not known: {INPUT_BUCKET} has no such object, and there is no receipt of it. "
        "Like it are: calls/会议1.mp3, calls/other.mp3"
    )
    with pytest.raises(OperatorError, match=r"Keys are exact, also in upper and lower case$"):
        ask(pipeline, "zzz")
    with pytest.raises(OperatorError) as hostile:
        ask(pipeline, "calls/\x1b[31m\u202e.mp3")
    assert find_controls(str(hostile.value)) == []


def test_hostile_texts_do_not_reach_the_terminal() -> None:
    key = "in/\u202eowned\u2028.mp3"
    pipeline = OperatedPipeline()
    pipeline.upload_and_ingest(key, b"words")
    pipeline.cloud.end_job("s1", "Failed", "A\x1b[31m", "text\n\u202e\x07")
    for state in ("open", "failed"):
        assert ask(pipeline, key, as_json=True).document["state"] == state
        for as_json in (False, True):
            output = ask(pipeline, key, as_json=as_json).output
            assert find_controls(output) == []
            assert "owned" in output
        pipeline.notify("s1")


def test_objects_that_are_no_receipts_do_no_harm() -> None:
    pipeline = transcribe()
    (receipt,) = pipeline.list_done()
    start = receipt.id.rpartition("!")[0]
    pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/done/{start}!{'0' * 32}", b"{}")
    pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/done/{start}!other", b"{}")
    pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/open/{start}!{'1' * 32}", b"{}", size=10**6)
    document = ask(pipeline, as_json=True).document
    assert (document["state"], len(document["receipts"])) == ("done", 1)


def test_long_key_is_distinguished_from_others_that_begin_like_it() -> None:
    pipeline = OperatedPipeline()
    keys = [f"{'长' * 70}/{number}.mp3" for number in range(2)]
    for key in keys:
        pipeline.transcribe(key, key.encode())
    assert [receipt["size"] for receipt in ask(pipeline, keys[0], as_json=True).document["receipts"]] == [216]
    with pytest.raises(OperatorError, match="is not known"):
        ask(pipeline, f"{'长' * 70}/2.mp3")


def test_one_of_several_buckets_has_to_be_named_and_is_in_the_commands() -> None:
    cloud = FakeCloud()
    cloud.buckets[OTHER_BUCKET] = {}
    pipeline = OperatedPipeline(cloud, input_buckets=(INPUT_BUCKET, OTHER_BUCKET))
    pipeline.upload_and_ingest(KEY, NOT_AUDIO)
    pipeline.cloud.end_job("s1", "Failed", "InternalError")
    pipeline.notify("s1")
    with pytest.raises(OperatorError, match=f"--bucket {INPUT_BUCKET} or {OTHER_BUCKET}"):
        ask(pipeline)
    document = ask(pipeline, bucket=INPUT_BUCKET, as_json=True).document
    assert f"`scribe retry {QUOTED} --bucket {INPUT_BUCKET}`" in document["next"]["do"]
    assert document["outputs"][0]["key"] == f"transcripts/{INPUT_BUCKET}/{KEY}.error.json"
    with pytest.raises(OperatorError, match="others-1 is not in INPUT_BUCKETS"):
        ask(pipeline, bucket="others-1")


def test_cloud_that_is_gone_is_one_line() -> None:
    pipeline = transcribe()
    gone = OutcomeUnknown(resource=OUTPUT_BUCKET, message="the connection was closed")
    pipeline.cloud.before("LIST", "", raise_error(gone), times=9)
    with pytest.raises(OperatorError, match=f"^{OUTPUT_BUCKET}: no response: the connection was closed$"):
        ask(pipeline)
    pipeline.cloud.clear_hooks()
    denied = RequestRejected(resource=OUTPUT_BUCKET, status=403, code="AccessDenied")
    pipeline.cloud.before("LIST", "", raise_error(denied), times=9)
    with pytest.raises(
        OperatorError, match=r"403 AccessDenied\. `scribe policy operator` prints what the key"
    ):
        ask(pipeline)
    pipeline.cloud.clear_hooks()
    pipeline.cloud.before("HEAD", "", raise_error(denied), times=9)
    pipeline.delete(KEY)
    with pytest.raises(OperatorError, match="403 AccessDenied"):
        ask(pipeline)


@pytest.mark.parametrize(("key", "message"), [("", "KEY is empty"), ("a\udcff.mp3", "KEY is not UTF-8")])
def test_what_cannot_be_a_key_is_refused(key: str, message: str, tmp_path: Path) -> None:
    folder = ExplainFolder(tmp_path)
    context = CliContext(tmp_path, tmp_path / "none.env", folder.config, tmp_path)
    with pytest.raises(OperatorError, match=message):
        why(Terminal().create_console(), context, WhyOptions(key))
