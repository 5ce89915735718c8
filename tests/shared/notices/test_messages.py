"""What people read: one notice, and a digest of many, in Chinese and English."""

from __future__ import annotations

import pytest

from shared.notices.messages import MAX_DIGEST_NAME_BYTES, build_digest, build_message
from shared.notices.models import Notice, NoticeType
from shared.notices.text import clean, escape_markdown
from tests.helpers.notices import build_budget_notice, build_failed_notice, build_notice


def count_bytes(lines: tuple[str, ...]) -> int:
    return sum(len(line.encode()) + 3 for line in lines)


def test_failed_recording_says_what_happened_and_what_to_do() -> None:
    message = build_message(build_failed_notice(), "zh", clean)
    assert message.title == "Scribe：转写失败"
    assert message.is_failure
    assert message.lines == (
        "录音：calls/会议.mp3",
        "存储桶：media-1250000000",
        "原因：录音文件为空（0 字节）。",
        "处理办法：请检查上传过程并重新上传。",
        "错误码：Empty",
    )
    message = build_message(build_failed_notice(), "en", clean)
    assert message.title == "Scribe: no transcript"
    assert "What happened: The recording is empty (0 bytes)." in message.lines
    assert "What to do: Check the upload and send the recording again." in message.lines


def test_done_recording_says_how_long_it_is_and_what_was_written() -> None:
    message = build_message(build_notice(), "en", clean)
    assert message.lines == (
        "Recording: calls/会议.mp3",
        "Bucket: media-1250000000",
        "Duration: 1:02:03",
        "Words: 12,345",
        "Speakers: 2",
        "Files: json, txt",
    )
    assert not message.is_failure
    assert build_message(build_notice(), "zh", clean).lines[2:] == (
        "时长：1:02:03",
        "词数：12,345",
        "说话人数：2",
        "文件：json、txt",
    )


def test_what_is_not_known_is_left_out() -> None:
    notice = build_notice(duration_ms=None, words=None, speakers=None, output_keys=())
    assert build_message(notice, "en", clean).lines == (
        "Recording: calls/会议.mp3",
        "Bucket: media-1250000000",
    )


def test_format_with_two_extensions_is_named_as_a_whole() -> None:
    keys = ("t/calls/a.mp3.podcast.json", "t/calls/a.podcast.json", "t/cut~0123456789abcdef.txt")
    lines = build_message(build_notice(key="calls/a.mp3", output_keys=keys), "en", clean).lines
    assert "Files: podcast.json, podcast.json, txt" in lines
    lines = build_message(build_notice(key="call", output_keys=("t/call.txt",)), "en", clean).lines
    assert "Files: txt" in lines


@pytest.mark.parametrize(
    ("duration_ms", "expected"), [(0, "0:00"), (59_600, "1:00"), (600_000, "10:00"), (3_600_000, "1:00:00")]
)
def test_duration_is_in_minutes_or_hours(duration_ms: int, expected: str) -> None:
    lines = build_message(build_notice(duration_ms=duration_ms), "en", clean).lines
    assert f"Duration: {expected}" in lines


def test_error_in_one_language_is_better_than_none() -> None:
    english_only = build_failed_notice(error={"message": "It failed.", "next_step": "Try again."})
    assert "原因：It failed." in build_message(english_only, "zh", clean).lines
    unknown = build_message(build_failed_notice(error={}), "zh", clean).lines
    assert "原因：未知，请查看错误对象" in unknown


def test_test_message_says_that_notices_arrive() -> None:
    assert build_message(build_notice(type=NoticeType.TEST), "zh", clean).title == "Scribe：测试消息"
    assert "reach" in build_message(build_notice(type=NoticeType.TEST), "en", clean).lines[0]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_message_with_the_longest_texts_stays_small(language: str) -> None:
    long_text = "<会" * 400
    error = dict.fromkeys(("message", "message_zh", "next_step", "next_step_zh", "code"), long_text)
    notice = build_failed_notice(key=long_text, bucket=long_text, error=error)
    assert count_bytes(build_message(notice, language, escape_markdown).lines) < 3000


def test_hostile_error_text_is_escaped_too() -> None:
    hostile = "[link](https://evil.example)\n<@all>"
    error = {"message_zh": hostile, "next_step_zh": hostile, "code": hostile}
    notices = [build_failed_notice(error=error, key=hostile)] * 2
    texts = [
        *build_message(notices[0], "zh", escape_markdown).lines,
        *build_digest(notices, "zh", escape_markdown, 4096).lines,
    ]
    assert all(not {"[", "<", "@", "\n"} & set(line) for line in texts)


def build_many(done: int, failed: int, folder: str = "calls", failed_folder: str = "failed") -> list[Notice]:
    return [
        *(build_notice(key=f"{folder}/{number:04}.mp3") for number in range(done)),
        *(build_failed_notice(key=f"{failed_folder}/{number:04}.mp3") for number in range(failed)),
    ]


def test_digest_names_failures_first_with_reason_and_next_step() -> None:
    other = build_failed_notice(
        key="b.mp3", error={"message": "It is too large.", "next_step": "Cut it into parts."}
    )
    error = build_failed_notice().error
    digest = build_digest([*build_many(2, 2), other], "en", clean, 4000)
    assert digest.title == "Scribe: 5 recordings, 2 done, 3 failed"
    assert digest.is_failure
    assert digest.lines == (
        f"Failed (2): {error['message']} What to do: {error['next_step']}",
        "- failed/0000.mp3",
        "- failed/0001.mp3",
        "Failed (1): It is too large. What to do: Cut it into parts.",
        "- b.mp3",
        "Done:",
        "- calls/0000.mp3 (1:02:03)",
        "- calls/0001.mp3 (1:02:03)",
    )


def test_digest_in_chinese_reads_as_one_sentence_per_reason() -> None:
    digest = build_digest(build_many(1, 1), "zh", clean, 4000)
    assert digest.title == "Scribe：2 条录音，1 条转写完成，1 条失败"
    assert digest.lines[0] == "失败（1 条）：录音文件为空（0 字节）。处理办法：请检查上传过程并重新上传。"
    assert digest.lines[2] == "转写完成："


@pytest.mark.parametrize(("done", "failed"), [(1000, 0), (0, 1000), (990, 10), (6, 0)])
@pytest.mark.parametrize("max_bytes", [600, 3896, 8800])
def test_digest_counts_every_notice_and_fits(done: int, failed: int, max_bytes: int) -> None:
    notices = build_many(done, failed, "会议录音", "失败的录音")
    digest = build_digest(notices, "zh", escape_markdown, max_bytes)
    assert count_bytes(digest.lines) <= max_bytes
    names = sum(line.startswith("- ") for line in digest.lines)
    rest = [line for line in digest.lines if line.startswith("另有")]
    assert rest == ([f"另有 {done + failed - names:,} 条未在此列出，可执行 scribe list 查看"] if rest else [])
    assert bool(rest) == (names < done + failed)
    assert f"{done + failed:,} 条录音" in digest.title


def test_long_name_in_a_digest_keeps_its_end() -> None:
    name = "会" * 280 + ".mp3"
    digest = build_digest([build_notice(key=name)] * 2, "zh", clean, 4000)
    assert all(line.endswith(".mp3 (1:02:03)") for line in digest.lines[1:])
    assert all(len(line.encode()) < MAX_DIGEST_NAME_BYTES + 15 for line in digest.lines[1:])


def test_warning_about_a_budget_says_what_is_used_in_both_languages() -> None:
    english = build_message(build_budget_notice(), "en", escape_markdown)
    assert english.title == "Scribe: 80 % of this month's budget are used"
    assert english.lines[:4] == (
        "Month: 2026-11",
        "Budget: 6,000 minutes",
        "Recognised: 4,760 minutes",
        "In progress (estimated): 45 minutes",
    )
    assert "MONTHLY_MINUTES" in english.lines[4]
    chinese = build_message(build_budget_notice(), "zh", escape_markdown)
    assert chinese.title == "Scribe：本月转写预算已使用 80%"
    assert chinese.lines[1] == "预算：6,000 分钟"
    assert english.is_failure
    assert chinese.is_failure
