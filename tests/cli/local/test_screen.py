"""What the demo prints at several widths of the terminal, and in pipes."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from cli.local.results import UploadResult
from cli.local.samples import ExpectedTranscript
from cli.local.screen import (
    describe_command,
    format_duration,
    format_line,
    format_names,
    print_captions,
    print_errors,
    print_next_steps,
    print_table,
    print_text,
)
from cli.output import SafeConsole
from tests.helpers.chinese import list_english, speak_chinese
from tests.helpers.demo_results import build_failure, build_result, build_transcript

FOLDER = Path("scribe-demo")
CHINESE_NAME = "会议 录音 二〇二六年十一月 第三次.mp3"
RESULTS = [
    build_transcript("welcome.wav", "welcome to the meeting"),
    build_transcript("会议 recording 01.mp3", "the weather", duration_ms=1_065_000, seconds=98.7),
    build_transcript("silence.wav", duration_ms=3_723_000),
    build_failure("not-audio.mp3", expected=ExpectedTranscript(fails=True)),
]


def render(print_to: Callable[[Console], object], width: int = 80) -> list[str]:
    """Print to a console of this width; return the lines."""
    output = io.StringIO()
    print_to(SafeConsole(file=output, width=width, highlight=False))
    return output.getvalue().splitlines()


def render_table(results: list[UploadResult], width: int) -> list[str]:
    return render(lambda console: print_table(console, results, FOLDER), width)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0.0 s"),
        (6_700, "6.7 s"),
        (59_940, "59.9 s"),
        (59_960, "1:00"),
        (60_400, "1:00"),
        (1_065_000, "17:45"),
        (3_599_600, "1:00:00"),
        (3_723_000, "1:02:03"),
    ],
)
def test_durations_are_written_as_people_do(milliseconds: int, text: str) -> None:
    assert format_duration(milliseconds) == text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_table_fits_with_whole_names(width: int) -> None:
    lines = render_table(RESULTS, width)
    assert max(map(cell_len, lines)) <= width
    assert lines[2].split() == ["Recording", "Length", "Took", "Outcome"]
    assert lines[3:] == [
        "welcome.wav              4.0 s  2.5 s  4 words",
        "会议 recording 01.mp3    17:45   1:39  2 words",
        "silence.wav            1:02:03  2.5 s  no speech",
        "not-audio.mp3                -  1.0 s  failed, as expected",
    ]


def test_narrow_terminal_gets_two_lines_for_each_recording() -> None:
    lines = render_table(RESULTS, 40)
    assert max(map(cell_len, lines)) <= 40
    assert lines[-8:-4] == [
        "welcome.wav",
        "  4.0 s, took 2.5 s: 4 words",
        "会议 recording 01.mp3",
        "  17:45, took 1:39: 2 words",
    ]


def test_long_name_is_never_cut() -> None:
    name = "很长的名字" * 15 + ".mp3"
    lines = render_table([build_transcript(name, "words"), *RESULTS], 80)
    assert max(map(cell_len, lines)) <= 80
    assert name in "".join(lines)
    assert "  4.0 s, took 2.5 s: 1 word" in lines


def test_control_characters_of_a_name_keep_the_columns() -> None:
    lines = render_table([build_transcript("a\x1b[2J[red]b\n.mp3", "words"), *RESULTS], 80)
    assert lines[3].startswith("a\\x1b[2J[red]b\\n.mp3")
    assert lines[3].index("4.0 s") == lines[4].index("4.0 s")


def test_difference_from_a_sample_is_below_the_table() -> None:
    wrong = build_transcript("welcome.wav", "well come", expected=ExpectedTranscript("welcome"))
    lines = render_table([wrong], 80)
    assert lines[3].endswith("2 words")
    assert lines[4] == "✗ welcome.wav: transcribed 'well come', expected 'welcome'"
    assert format_line(wrong) == "[red]✗[/] welcome.wav (2.5 s): 2 words"
    assert format_line(RESULTS[3]) == "[green]✓[/] not-audio.mp3 (1.0 s): failed, as expected"
    assert format_line(build_result("a.mp3", {})).endswith("no result in time")


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("words", ["word and another ", "今天我们请到的嘉宾是来自清华大学的王老师。"])
def test_only_the_start_of_a_long_transcript_is_printed(words: str, width: int) -> None:
    result = build_transcript("long.mp3", words * 500)
    lines = render(lambda console: print_text(console, result, FOLDER), width)
    assert lines[1] == "Text of long.mp3:"
    assert len(lines) == 2 + 8 + 1
    assert max(map(cell_len, lines[:-1])) <= width
    assert lines[-1].startswith("… ")
    assert lines[-1].endswith(" more lines in scribe-demo/transcripts/long.mp3.txt")


def test_short_transcript_is_printed_as_a_whole() -> None:
    lines = render(lambda console: print_text(console, RESULTS[0], FOLDER))
    assert lines == ["", "Text of welcome.wav:", "welcome to the meeting"]


def test_first_captions_of_the_chinese_sample_are_printed() -> None:
    expected = ExpectedTranscript("大家好", language="zh")
    chinese = build_transcript(CHINESE_NAME, "大家好", "欢迎", "第三", expected=expected)
    lines = render(lambda console: print_captions(console, [*RESULTS, chinese]))
    assert lines[1:] == [
        f"Captions of {CHINESE_NAME}:",
        "1",
        "00:00:01,000 --> 00:00:02,000",
        "大家好",
        "",
        "2",
        "00:00:01,000 --> 00:00:02,000",
        "欢迎",
    ]
    assert render(lambda console: print_captions(console, RESULTS)) == []


def test_advice_is_given_once_for_each_kind_of_error() -> None:
    failures = [build_failure(f"{number}.m4a", cloud_message="no decoder") for number in range(10)]
    other = build_failure("late.mp3", next_step="Wait.", code="Timeout", cloud_message="")
    lines = render(lambda console: print_errors(console, [*failures, other, *RESULTS[:2]], FOLDER))
    assert lines == [
        "",
        "Failed: 0.m4a, 1.m4a, 2.m4a, 3.m4a, 4.m4a and 5 more",
        "  The speech service could not recognise this recording.",
        "  (FailedOperation.ErrorRecognize)",
        "  Cause (cloud_message): no decoder",
        "  What to do: Listen to it.",
        "  Error object: scribe-demo/transcripts/0.m4a.error.json",
        "",
        "Failed: late.mp3",
        "  The speech service could not recognise this recording. (Timeout)",
        "  What to do: Wait.",
        "  Error object: scribe-demo/transcripts/late.mp3.error.json",
    ]


def test_few_names_are_listed_as_a_whole() -> None:
    assert format_names(["a", "b"]) == "a, b"
    assert format_names(list("abcdefg")) == "a, b, c, d, e and 2 more"


def test_next_steps_name_the_files_to_open() -> None:
    lines = render(lambda console: print_next_steps(console, RESULTS[0], FOLDER, is_whisper=False))
    assert "  Open scribe-demo/transcripts/welcome.wav.txt (the text)" in lines
    assert "  Open scribe-demo/transcripts/welcome.wav.srt (captions for a video player)" in lines
    assert "  Your own recordings, in English:" in lines
    assert "    scribe demo FILE_OR_FOLDER..." in lines
    assert lines[-3] == "  Deploy to Tencent Cloud: docs/deploy.md"
    assert lines[-1] == "Open scribe-demo/transcripts/welcome.wav.html in a browser to read and hear it."


def test_path_of_the_page_can_be_pasted() -> None:
    result = build_transcript("二 月/it's [a] 录音.wav", "words")
    lines = render(lambda console: print_next_steps(console, result, FOLDER, is_whisper=False))
    path = FOLDER / "transcripts/二 月/it's [a] 录音.wav.html"
    assert shlex.split(lines[-1].partition(" in a browser")[0]) == ["Open", str(path)]


def test_next_steps_with_whisper_do_not_speak_of_english() -> None:
    lines = render(lambda console: print_next_steps(console, None, FOLDER, is_whisper=True))
    assert not any("English" in line or "Open" in line for line in lines)
    assert "    scribe demo --speech whisper FILE_OR_FOLDER..." in lines


def test_command_is_named_as_the_shell_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "my env" / "scribe"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.argv", [str(script)])
    assert describe_command() == "'my env/scribe'"
    monkeypatch.setenv("PATH", str(script.parent))
    assert describe_command() == "scribe"
    monkeypatch.setattr("sys.argv", ["/some/pytest"])
    assert describe_command() == "scribe"


def test_chinese_table_has_straight_columns() -> None:
    with speak_chinese():
        lines = render_table(RESULTS, 80)
    assert lines[1] == "scribe-demo/transcripts 中的结果（json txt srt vtt html）"
    assert lines[2:] == [
        "录音                      时长    用时  结果",
        "welcome.wav             4.0 秒  2.5 秒  4 个词",
        "会议 recording 01.mp3    17:45    1:39  2 个词",
        "silence.wav            1:02:03  2.5 秒  没有语音",
        "not-audio.mp3                -  1.0 秒  失败（符合预期）",
    ]


def test_chinese_screen_has_no_english_sentence() -> None:
    failed = build_failure("late.mp3", message="X", next_step="Y", code="Timeout", cloud_message="Z")
    with speak_chinese():
        lines = render(lambda console: print_errors(console, [failed], FOLDER))
        lines += render(lambda console: print_next_steps(console, RESULTS[0], FOLDER, is_whisper=False))
        lines += render(lambda console: print_text(console, RESULTS[0], FOLDER))[:2]
    assert "失败：late.mp3" in lines
    assert "  部署到腾讯云：docs/deploy.zh.md" in lines
    assert list_english(lines, "scribe demo", "make demo") == []


def test_error_is_explained_in_the_language_of_the_command() -> None:
    error = {"message": "It is no audio.", "message_zh": "不是音频。", "next_step": "Listen.", "code": "X"}
    result = build_result("a.mp3", {"error.json": json.dumps(error)})
    with speak_chinese():
        lines = render(lambda console: print_errors(console, [result], FOLDER))
    assert lines[2:4] == ["  不是音频。（X）", "  处理办法：Listen."]
    assert render(lambda console: print_errors(console, [result], FOLDER))[2] == "  It is no audio. (X)"
