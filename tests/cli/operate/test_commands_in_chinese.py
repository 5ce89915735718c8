"""The operator's commands in Chinese: no English sentence is left, and names for programs stay."""

from __future__ import annotations

import json

import pytest

from cli.operate.list_command import ListCommand, ListOptions
from cli.operate.story_reader import find_similar
from cli.operate.times import parse_since_s
from tests.helpers.chinese import list_english, list_translations, speak_chinese
from tests.helpers.command_examples import read_examples, run_example
from tests.helpers.operate import Terminal
from tests.helpers.recording_states import KEY, ask, submit

TEXT_EXAMPLES = [line for line, _ in read_examples() if not {"--json", "--csv"} & {*line.split()}]
LIST = """\
状态    开始时间（UTC）     分钟  对象键
处理中  2026-11-10 08:43          calls/open.mp3    任务 s3 已提交
等待中  2026-11-10 08:42          archive/old.mp3   该录音为归档存储，恢复之前无法读取
失败    2026-11-10 08:41          calls/broken.mp3  语音服务无法识别该录音（FailedOperation.Unlisted）
已完成  2026-11-10 08:40     1.5  calls/完成.mp3
处理中 1 条、等待中 1 条、失败 1 条、已完成 1 条。某一条录音的详情可用 `scribe why KEY` 查看。
"""
EVENTS = ["uploaded", "accepted", "submitted", "ended", "error", "closed"]


@pytest.mark.parametrize("line", TEXT_EXAMPLES)
def test_no_english_sentence_is_left(line: str) -> None:
    with speak_chinese():
        assert list_english(run_example(line)) == []


def test_no_translation_has_an_english_sentence() -> None:
    assert list_english(list_translations("operate")) == []


def test_columns_are_aligned() -> None:
    with speak_chinese():
        assert run_example("list") == LIST


def test_json_keeps_the_names_of_states_and_events() -> None:
    with speak_chinese():
        story = json.loads(run_example("why calls/broken.mp3 --json"))
        rows = json.loads(run_example("list --json"))
        table = run_example("cost --csv")
    assert story["state"] == "failed"
    assert [event["event"] for event in story["story"]] == EVENTS
    assert story["story"][0]["detail"] == "9 字节"
    assert story["story"][-1]["detail"] == "failed"
    assert [row["state"] for row in rows] == ["open", "waiting", "failed", "done"]
    assert table == run_example("cost --csv")


def test_summary_has_what_the_cloud_itself_says() -> None:
    pipeline = submit()
    pipeline.cloud.end_job("s1", "Failed", "FailedOperation.Unlisted", "no speech in it.")
    assert "ended with Failed (FailedOperation.Unlisted: no speech in it)," in " ".join(
        ask(pipeline).output.split()
    )
    pipeline.notify("s1")
    cause = "recognise this recording (FailedOperation.Unlisted: no speech in it)"
    assert f"{cause}." in " ".join(ask(pipeline).output.split())
    terminal = Terminal()
    consoles = terminal.create_console(), terminal.create_console(stderr=True)
    ListCommand(*consoles, pipeline.open_workspace(), ListOptions()).run()
    assert cause in terminal.output
    with speak_chinese():
        summary = ask(pipeline, KEY, as_json=True).document["summary"]
    assert summary == "语音服务无法识别该录音（FailedOperation.Unlisted：no speech in it）。"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("CALLS/a.MP3", ["calls/A.mp3"]),
        ("calls/2026", ["calls/weekly-of-2026-11-01.mp3"]),
        ("calls/Of-2026-11", ["calls/weekly-of-2026-11-01.mp3"]),
        ("zzz", []),
    ],
)
def test_unknown_key_suggests_other_spellings_and_parts(key: str, expected: list[str]) -> None:
    assert find_similar(key, ["calls/A.mp3", "calls/weekly-of-2026-11-01.mp3"])[:1] == expected


def test_since_in_the_future_is_wrong_use() -> None:
    now_s = 1_794_300_000.0
    assert parse_since_s("2d", now_s) == now_s - 172_800
    assert parse_since_s("", now_s) == 0
    with pytest.raises(ValueError, match=r"^'2027-01-01' is in the future: nothing is from after it yet$"):
        parse_since_s("2027-01-01", now_s)
