"""What `scribe local` makes of the logs of the local cloud."""

from __future__ import annotations

from typing import Any

import pytest

from cli.local.activity import (
    Activity,
    ActivityLog,
    Failed,
    Transcribed,
    UnseenEntries,
    Uploaded,
)
from cli.local.serve import format_activity
from shared.settings import DEFAULT_FORMATS

INPUT, OUTPUT = "recordings-1250000000", "transcripts-1250000000"
PLACE = "transcripts-1250000000/transcripts/a.mp3.error.json"
WORDS = [{"text": "大家"}, {"text": "好"}, {"text": "。"}]
TRANSCRIPT = {"job_id": "j1", "duration_ms": 1_065_000, "sentences": [{"words": WORDS}, {"words": []}]}
ERROR = {"job_id": "j2", "message": "Not readable.", "cloud_message": "no audio\x1b"}


def put(bucket: str, key: str, time_s: float = 0.0, **changes: Any) -> dict[str, Any]:
    """An entry of the access log."""
    return {
        "number": 1,
        "time_s": time_s,
        "status": 200,
        "action": "cos:PutObject",
        "resource": f"qcs::cos:ap-guangzhou:uid/1250000000:{bucket}/{key}",
        "function": "scribe-callback" if bucket == OUTPUT else "",
        **changes,
    }


def put_transcripts(key: str, time_s: float) -> list[dict[str, Any]]:
    return [put(OUTPUT, f"transcripts/{key}.{name}", time_s) for name in DEFAULT_FORMATS]


def create_log(**documents: Any) -> ActivityLog:
    return ActivityLog(lambda key: documents.get(key.removeprefix("transcripts/").replace(".", "_")))


def test_upload_and_result_are_reported_in_their_order() -> None:
    log = create_log(a_mp3_json=TRANSCRIPT)
    first = log.process([put(INPUT, "a.mp3", 10.0), *put_transcripts("a.mp3", 12.0)[:3]], [])
    second = log.process(put_transcripts("a.mp3", 12.5)[3:], [])
    assert first == [Uploaded("a.mp3")]
    assert second == [Transcribed("a.mp3", 2.5, 3, 1_065_000)]
    assert log.open_keys == set()


@pytest.mark.parametrize("action", ["cos:PostObject", "cos:CompleteMultipartUpload"])
def test_every_kind_of_upload_is_reported(action: str) -> None:
    log = create_log()
    assert log.process([put(INPUT, "名 字/a.mp3", action=action)], []) == [Uploaded("名 字/a.mp3")]
    assert log.open_keys == {"名 字/a.mp3"}


@pytest.mark.parametrize(
    "entry",
    [
        put(INPUT, "a.mp3", status=403),
        put(INPUT, "a.mp3", action="cos:GetObject"),
        put("other-1250000000", "a.mp3"),
        put(OUTPUT, ".scribe/open/x"),
        put(OUTPUT, "transcripts/a.mp3.error.json", function=""),
    ],
)
def test_other_requests_are_not_reported(entry: dict[str, Any]) -> None:
    assert create_log(a_mp3_error_json=ERROR).process([entry], []) == []


def test_error_object_is_reported_with_its_content() -> None:
    log = create_log(a_mp3_error_json=ERROR)
    activities = log.process([put(INPUT, "a.mp3", 1.0), put(OUTPUT, "transcripts/a.mp3.error.json", 4.0)], [])
    assert activities == [Uploaded("a.mp3"), Failed("a.mp3", 3.0, ERROR)]


def test_result_that_is_written_twice_is_reported_once() -> None:
    log = create_log(a_mp3_json=TRANSCRIPT)
    assert len(log.process(put_transcripts("a.mp3", 1.0), [])) == 1
    assert log.process(put_transcripts("a.mp3", 1.1), []) == []


def test_result_of_an_upload_before_the_start_has_no_seconds() -> None:
    (activity,) = create_log(a_mp3_json=TRANSCRIPT).process(put_transcripts("a.mp3", 1.0), [])
    assert activity == Transcribed("a.mp3", None, 3, 1_065_000)


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        ({"formats": ["txt"]}, Transcribed("a.mp3", 2.5, None, None)),
        ({"formats": ["json", "vtt"]}, Transcribed("a.mp3", 2.5, 3, 1_065_000)),
        ({}, Transcribed("a.mp3", 2.5, 3, 1_065_000)),
    ],
)
def test_recording_with_formats_of_its_own_is_reported_once(
    formats: dict[str, list[str]], expected: Transcribed
) -> None:
    receipt = {"key": "a.mp3", "outcome": "transcribed", "job_id": "j1", "options": formats}
    documents = {"a_mp3_json": TRANSCRIPT, "_scribe/done/b/a!1": {**receipt, "sources": {"formats": "x"}}}
    log = create_log(**documents)
    assert log.process([put(INPUT, "a.mp3", 10.0)], []) == [Uploaded("a.mp3")]
    written = [
        put(OUTPUT, f"transcripts/a.mp3.{name}", 12.0)
        for name in formats.get("formats", ("json", "txt", "srt"))
    ]
    assert log.process(written, []) == []
    closed = put(OUTPUT, ".scribe/done/b/a!1", 12.5)
    assert log.process([closed, closed], []) == [expected]
    assert log.open_keys == set()


@pytest.mark.parametrize(
    "receipt",
    [{"outcome": "failed", "sources": {"formats": "x"}}, {"outcome": "transcribed", "sources": {}}, {}],
)
def test_other_receipts_are_not_reported(receipt: dict[str, Any]) -> None:
    log = create_log(**{"_scribe/done/b/a!1": {"key": "a.mp3", "job_id": "j1", **receipt}})
    assert log.process([put(INPUT, "a.mp3"), put(OUTPUT, ".scribe/done/b/a!1")], []) == [Uploaded("a.mp3")]
    assert log.open_keys == {"a.mp3"}


def test_file_of_an_extension_of_two_parts_is_of_its_recording() -> None:
    log = create_log()
    assert log.process([put(OUTPUT, "transcripts/a.mp3.podcast.json", 1.0)], []) == []
    log.process([put(INPUT, "a.mp3", 2.0)], [])
    written = [put(OUTPUT, f"transcripts/a.mp3.{name}", 3.0) for name in ("docx", "podcast.json", "json")]
    assert log.process(written, []) == []
    assert log.open_keys == {"a.mp3"}


def test_recording_whose_name_ends_like_an_error_object() -> None:
    log = create_log(a_error_json=TRANSCRIPT)
    activities = log.process([put(INPUT, "a.error", 1.0), *put_transcripts("a.error", 2.0)], [])
    assert activities[1:] == [Transcribed("a.error", 1.0, 3, 1_065_000)]


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("skipped", "- a.jpg: not a recording, its extension"),
        ("already_done", "- a.jpg: transcribed before, nothing to do"),
        ("submitted", ""),
    ],
)
def test_file_that_gets_no_job_is_reported(status: str, line: str) -> None:
    log = create_log()
    recording = {"status": status, "bucket": INPUT, "key": "a.jpg", "reason": "its extension"}
    invocations: list[dict[str, Any]] = [
        {"number": 1, "result": {"recordings": [recording]}},
        {"number": 2, "result": None},
    ]
    activities = log.process([put(INPUT, "a.jpg")], invocations)
    assert [format_activity(activity) for activity in activities[1:]] == ([line] if line else [])
    assert log.open_keys == (set() if line else {"a.jpg"})


def test_entry_that_ends_after_a_later_one_is_not_missed() -> None:
    entries = UnseenEntries()
    assert [entry["number"] for entry in entries.filter([{"number": 1}, {"number": 3}])] == [1, 3]
    assert entries.since == 1
    assert [entry["number"] for entry in entries.filter([{"number": 3}, {"number": 2}])] == [2]
    assert entries.since == 3


def test_entry_that_never_comes_does_not_stop_the_log() -> None:
    entries = UnseenEntries()
    for number in range(2, 6_000):
        entries.filter([{"number": number}])
    assert entries.since == 5_999


@pytest.mark.parametrize(
    ("activity", "line"),
    [
        (Uploaded("[a].mp3"), "↑ \\[a].mp3 uploaded"),
        (
            Transcribed("a.mp3", 98.7, 1, 1_065_000),
            "[green]✓[/] a.mp3 (1:39): 1 word in 17:45 of audio",
        ),
        (Transcribed("a.mp3", None, None, None), "[green]✓[/] a.mp3: transcribed"),
        (Transcribed("a.mp3", None, 0, 2_000), "[green]✓[/] a.mp3: no speech in 2.0 s of audio"),
        (
            Failed("a.mp3", 2.0, ERROR),
            "[red]✗[/] a.mp3 (2.0 s): Not readable (no audio\\x1b); see " + PLACE,
        ),
    ],
)
def test_activities_are_one_line_each(activity: Activity, line: str) -> None:
    assert format_activity(activity) == line
