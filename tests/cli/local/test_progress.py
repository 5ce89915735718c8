"""Progress lines: live on a terminal, plain elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len

from cli.local.live import JobStatus
from cli.local.progress import DemoProgress, PlainProgress, format_live_lines, format_progress, shorten
from cli.output import SafeConsole
from tests.helpers.chinese import speak_chinese

LONG = JobStatus("Running", 201_000, 1_065_000)
WAITING = JobStatus("Submitted")
OPENED = JobStatus("Running", 0, 1_065_000)


class PlainOutput:
    """Plain progress with a clock of its own."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._output = io.StringIO()
        self.progress = PlainProgress(SafeConsole(file=self._output, width=40), lambda: self.now_s)

    def run(self, seconds: int, statuses: dict[str, JobStatus | None]) -> list[str]:
        """Let time pass with these statuses, four updates a second; return the new lines."""
        start = self._output.tell()
        for _ in range(seconds * 4):
            self.now_s += 0.25
            self.progress.update(statuses)
        return self._output.getvalue()[start:].splitlines()


def test_progress_is_in_minutes_and_seconds() -> None:
    assert format_progress(LONG) == "3:21 of 17:45"
    assert format_progress(JobStatus("Running", 3_723_000)) == "1:02:03"
    assert format_progress(JobStatus("Running")) == "started"


def test_pipe_gets_one_line_for_each_recording_every_ten_seconds() -> None:
    waiting = {"waits.mp3": WAITING, "started.mp3": JobStatus("Running"), "opened.mp3": OPENED}
    lines = PlainOutput().run(35, {"a.mp3": LONG, "名 字.mp3": LONG, **waiting})
    assert lines == ["… a.mp3: 3:21 of 17:45", "… 名 字.mp3: 3:21 of 17:45"] * 3


def test_pipe_gets_a_line_when_nothing_runs() -> None:
    assert (
        PlainOutput().run(21, {"a.mp3": None, "b.mp3": WAITING, "c.mp3": OPENED})
        == ["… 3 recordings without a result so far"] * 2
    )


def test_short_recordings_give_no_lines() -> None:
    output = PlainOutput()
    for number in range(10):
        assert output.run(8, {f"{number}.mp3": LONG}) == []
        assert output.run(1, {}) == []


@pytest.mark.parametrize("width", [30, 40, 60, 80])
def test_live_lines_fit_the_terminal(width: int) -> None:
    statuses = {"会议 录音 二〇二六年十一月 第三次.mp3": LONG, "a.mp3": LONG, "b.mp3": WAITING, "c.mp3": None}
    lines = [line.plain for line in format_live_lines(statuses, width)]
    assert max(map(cell_len, lines)) <= width
    assert all(line.endswith("3:21 of 17:45") for line in lines[:2])
    assert lines[0].split("  ")[1].endswith(".mp3")
    assert cell_len(lines[0]) == cell_len(lines[1])
    assert lines[2] == "  2 waiting"


def test_chinese_progress_fits_too() -> None:
    with speak_chinese():
        lines = [line.plain for line in format_live_lines({"a.mp3": JobStatus("Running"), "b.mp3": LONG}, 40)]
        (waiting,) = format_live_lines({"c.mp3": WAITING}, 40)
    assert lines == ["  a.mp3  已开始", "  b.mp3  3:21 / 17:45"]
    assert waiting.plain == "  等待中 1 条"


def test_many_running_recordings_take_few_lines() -> None:
    statuses = {f"{number}.mp3": LONG for number in range(20)}
    lines = [line.plain for line in format_live_lines(statuses, 80)]
    assert len(lines) == 9
    assert lines[-1] == "  12 more running"


def test_shortened_name_keeps_its_end() -> None:
    assert shorten("recording.mp3", 13) == "recording.mp3"
    assert shorten("long recording name.mp3", 13) == "long r…me.mp3"
    assert cell_len(shorten("会议录音会议录音会议录音.mp3", 13)) <= 13


@pytest.mark.parametrize("is_terminal", [True, False])
def test_terminal_shows_live_lines_and_a_pipe_does_not(is_terminal: bool) -> None:
    output = io.StringIO()
    console = SafeConsole(file=output, width=60, force_terminal=is_terminal)
    with DemoProgress(console, 3) as progress:
        progress.update({"a.mp3": LONG, "b.mp3": WAITING})
        console.print("✓ c.mp3")
    text = output.getvalue()
    assert "✓ c.mp3" in text
    assert ("a.mp3  3:21 of 17:45" in text) is is_terminal
    assert ("Transcribing: 1 of 3 done" in text) is is_terminal
    assert ("\x1b" in text) is is_terminal


def test_last_result_does_not_reset_the_count() -> None:
    output = io.StringIO()
    with DemoProgress(SafeConsole(file=output, width=60, force_terminal=True), 3) as progress:
        progress.update({"a.mp3": LONG})
        progress.update({})
    last = output.getvalue().rpartition("Transcribing: ")[2]
    assert last.startswith("3 of 3 done")
