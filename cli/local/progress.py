"""The progress of running recordings on the screen: live lines on a terminal, else a plain line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import NamedTuple, final

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from cli.language import _, ngettext
from cli.local.live import JobStatus
from cli.local.screen import format_clock
from cli.output import escape_line

LINE_INTERVAL_S = 10.0  # between two plain lines about one recording
MAX_LIVE_LINES = 8
MIN_NAME_WIDTH = 8
_TAIL_WIDTH = 7  # of a shortened name, so that its extension stays


class RunningRecording(NamedTuple):
    """A recording that is being recognised, and how far: `3:21 of 17:45`."""

    key: str
    progress: str


def list_running(statuses: Mapping[str, JobStatus | None]) -> list[RunningRecording]:
    """List the recordings that are being recognised."""
    return [
        RunningRecording(key, format_progress(status))
        for key, status in statuses.items()
        if status and status.is_running
    ]


def format_progress(status: JobStatus) -> str:
    """Format how much of a recording is recognised."""
    if status.done_ms is None:
        return _("started")
    done = format_clock(status.done_ms)
    if not status.duration_ms:
        return done
    return _("{done} of {duration}", done=done, duration=format_clock(status.duration_ms))


def shorten(text: str, width: int) -> str:
    """Shorten a text to `width` columns in its middle; its end stays."""
    if cell_len(text) <= width:
        return text
    tail = text
    while cell_len(tail) > min(_TAIL_WIDTH, width // 2):
        tail = tail[1:]
    return set_cell_size(text, width - cell_len(tail) - 1).rstrip() + "…" + tail


class PlainProgress:
    """Prints at most one line for each recording every ten seconds, so that a long file never looks hung."""

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._console, self._now = console, now
        self._printed_s: dict[str, float] = {}  # by recording; first, when it was seen
        self._last_line_s = now()

    def update(self, statuses: Mapping[str, JobStatus | None]) -> None:
        """Print the lines that are due."""
        now_s = self._now()
        # Those of which nothing is recognised yet wait for the others.
        begun = {key: status for key, status in statuses.items() if status and status.done_ms}
        if begun or not statuses:
            self._last_line_s = now_s
        for key, progress in list_running(begun):
            if now_s - self._printed_s.setdefault(key, now_s) >= LINE_INTERVAL_S:
                self._printed_s[key] = now_s
                self._console.print(Text(f"… {escape_line(key)}: {progress}"), soft_wrap=True)
        if now_s - self._last_line_s >= LINE_INTERVAL_S:
            self._last_line_s = now_s
            self._console.print(
                ngettext(
                    "… {count} recording without a result so far",
                    "… {count} recordings without a result so far",
                    len(statuses),
                    count=len(statuses),
                )
            )


@final
class DemoProgress:
    """Shows the running recordings of the demo while the block runs."""

    def __init__(self, console: Console, total: int) -> None:
        self._total = total
        self._statuses: Mapping[str, JobStatus | None] = {}
        self._done = 0
        self._spinner = Spinner("dots")
        self._plain = None if console.is_terminal else PlainProgress(console)
        self._live = (
            None if self._plain else Live(self, console=console, refresh_per_second=4, transient=True)
        )

    def __enter__(self) -> DemoProgress:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def update(self, statuses: Mapping[str, JobStatus | None]) -> None:
        """Take the status of each recording without a result."""
        self._statuses = statuses
        self._done = self._total - len(statuses)
        if self._plain:
            self._plain.update(statuses)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the live lines."""
        yield self._build_lines(options.max_width)

    def _build_lines(self, width: int) -> RenderableType:
        text = _("Transcribing: {done} of {total} done", done=self._done, total=self._total)
        self._spinner.update(text=Text(text))
        return Group(self._spinner, *format_live_lines(self._statuses, width))


def format_live_lines(statuses: Mapping[str, JobStatus | None], width: int) -> list[Text]:
    """Format a line for each running recording, and one for the rest. No line is wider than `width` columns."""
    running = list_running(statuses)
    shown = running[:MAX_LIVE_LINES]
    progress_width = max((cell_len(recording.progress) for recording in shown), default=0)
    name_width = min(
        max((cell_len(escape_line(recording.key)) for recording in shown), default=0),
        max(MIN_NAME_WIDTH, width - progress_width - 4),
    )
    lines = [
        "  " + set_cell_size(shorten(escape_line(key), name_width), name_width) + f"  {progress}"
        for key, progress in shown
    ]
    more, waiting = len(running) - len(shown), len(statuses) - len(running)
    rest = [_("{number} more running", number=more)] * (more > 0)
    rest += [_("{number} waiting", number=waiting)] * (waiting > 0)
    if rest:
        lines.append("  " + _(", ").join(rest))
    return [Text(line, no_wrap=True, overflow="ellipsis") for line in lines]
