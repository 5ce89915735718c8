"""Submits what a backfill takes, never more at once than the queue has room for, and shows how far it is.

Receipts are the only memory: a backfill that was stopped at any moment goes on with the same command, and takes each
recording once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from cli.language import N_, _, translate
from cli.operate.backfill_plan import ARCHIVED, Candidate, Selection, iter_candidates
from cli.operate.reasons import RefusalWatch, Stopped
from cli.operate.workspace import Workspace
from cli.output import escape_line
from shared.errors import CloudError, RequestRejected, SettingsError, safe_error_message
from shared.recordings.budget import BudgetRoom
from shared.recordings.context import Context
from shared.recordings.failures import ARCHIVED as ARCHIVED_REASON
from shared.recordings.index import FORGOTTEN_REASON
from shared.recordings.limiter import InFlightLimiter
from shared.recordings.missing import MissingRecording, ingest_missing
from shared.recordings.models import Result, Status

POLL_S = 5.0  # between two looks at a full queue
LINE_INTERVAL_S = 10.0
MAX_FAILED_LOOKS = 5  # at the queue, one after the other

# What became of a recording: these names are in the answer for programs.
COUNTED = (
    "submitted",
    "deferred",
    "in_progress",
    "reopened",
    "done",
    "waiting",
    "failed",
    "refused",
    "skipped",
    "forgotten",
    "no_room",
)
_SHOWN = {
    "submitted": N_("{number} submitted"),
    "deferred": N_("{number} deferred"),
    "in_progress": N_("{number} in progress"),
    "reopened": N_("{number} reopened"),
    "done": N_("{number} done"),
    "waiting": N_("{number} waiting"),
    "failed": N_("{number} failed"),
    "refused": N_("{number} refused"),
    "skipped": N_("{number} skipped"),
    "forgotten": N_("{number} forgotten"),
    "no_room": N_("{number} no room"),
}
_MAX_NAMED = 3
_NAMES = {
    Status.SUBMITTED: "submitted",
    Status.DEFERRED: "deferred",
    Status.IN_PROGRESS: "in_progress",
    Status.REOPENED: "reopened",
    Status.WAITING: "waiting",
    Status.FAILED: "failed",
    Status.SKIPPED: "skipped",
    Status.OBJECT_NOT_FOUND: "skipped",
}
_MAY_HAVE_JOB = frozenset({Status.SUBMITTED, Status.IN_PROGRESS})


class Slots:
    """Free places of the speech queues. Waits while there is none; `on_wait` is called before each pause."""

    def __init__(self, ctx: Context, on_wait: Callable[[], None]) -> None:
        self._ctx = ctx
        self._on_wait = on_wait
        self._limiter = InFlightLimiter(ctx)
        self._unused: set[str] = set()

    def take(self, bucket: str) -> None:
        """Take a place. Raises CloudError if the queue cannot be looked at."""
        failed_looks = 0
        while bucket not in self._unused:
            try:
                if self._limiter.acquire(bucket):
                    return
                failed_looks = 0
            except RequestRejected:
                raise
            except CloudError:
                failed_looks += 1
                if failed_looks >= MAX_FAILED_LOOKS:
                    raise
            self._on_wait()
            self._ctx.speech.client.sleep(POLL_S)
            self._limiter = InFlightLimiter(self._ctx)
        self._unused.discard(bucket)

    def give_back(self, bucket: str) -> None:
        """Keep a place that no job took for the next recording."""
        self._unused.add(bucket)

    def block(self, bucket: str) -> None:
        """Look at the queue again before the next recording: it took no job although it had room."""
        self._limiter.block(bucket)


class Backfill:
    """Submits recordings one after the other, and counts what became of them; an error of one stops no other."""

    def __init__(self, workspace: Workspace, selection: Selection, view: ProgressView) -> None:
        self._workspace = workspace
        self._ctx = workspace.ctx
        self._selection = selection
        self._view = view
        self._watch = RefusalWatch(workspace)
        self._slots = Slots(workspace.ctx, lambda: view.show(self.counts, is_waiting=True))
        self.counts: Counter[str] = Counter()
        self.errors: list[dict[str, str]] = []
        self._room: BudgetRoom | None = None  # read when the first recording has none
        self._unfit: list[str] = []

    def run(self, bucket: str) -> None:
        """Take everything of a bucket. Raises Stopped, and CloudError if the bucket cannot be listed."""
        for candidate in iter_candidates(self._ctx, bucket, self._selection):
            if candidate.missing and candidate.reason in {"", ARCHIVED}:
                self._take(candidate, candidate.missing)
                self._view.show(self.counts)

    def check_budget(self) -> None:
        """Raise Stopped if the budget of this month had no room for some recordings."""
        if self._unfit:
            others = len(self._unfit) - _MAX_NAMED
            names = escape_line(_(", ").join(self._unfit[:_MAX_NAMED]))
            if others > 0:
                names = _("{names} and {number:,} others", names=names, number=others)
            raise Stopped(_("the budget of this month has no room for {names}", names=names))

    def _take(self, candidate: Candidate, missing: MissingRecording) -> None:
        ctx, recording = self._ctx, missing.recording
        needs_slot = not candidate.reason
        if needs_slot and self._room and not self._room.has_room(recording):
            self.counts["no_room"] += 1
            self._unfit.append(f"{recording.bucket}/{recording.key}")
            return
        if needs_slot:
            self._take_slot(recording.bucket)
        try:
            result = ingest_missing(ctx, missing)
            self._count(result)
            if self._room and result.status is Status.SUBMITTED:
                self._room.note_submitted(recording)
        except (Stopped, SettingsError):
            raise
        except Exception as error:  # noqa: BLE001 - errors of one recording do not stop the others
            self._add_error(missing, error)
            return
        if not needs_slot:
            return
        if result.status not in _MAY_HAVE_JOB | {Status.DEFERRED}:
            self._slots.give_back(recording.bucket)
        elif result.status is Status.DEFERRED:
            self._slots.block(recording.bucket)

    def _take_slot(self, bucket: str) -> None:
        try:
            self._slots.take(bucket)
        except CloudError as error:
            raise Stopped(str(self._workspace.advise(error))) from None

    def _count(self, result: Result) -> None:
        name = "forgotten" if result.reason == FORGOTTEN_REASON else _NAMES.get(result.status, "done")
        if result.status is Status.WAITING and result.reason != ARCHIVED_REASON.message:
            self.counts[name] += 1
            self._go_on_with_what_fits(result)
            return
        try:
            refusal = self._watch.check_result(self._ctx, result)
        except Stopped:
            self.counts["refused"] += 1
            raise
        self.counts["refused" if refusal else name] += 1

    def _go_on_with_what_fits(self, held: Result) -> None:
        """Look at what is left of the budget. Raises Stopped if that is nothing, or cannot be read."""
        name = f"{held.bucket}/{held.key}"
        self._unfit.append(name)
        try:
            self._room = BudgetRoom(self._ctx)
        except CloudError as error:
            raise Stopped(str(self._workspace.advise(error))) from None
        if self._room.is_empty:
            reason = translate(held.reason)
            raise Stopped(escape_line(_("{name} waits: {reason}", name=name, reason=reason)))

    def _add_error(self, missing: MissingRecording, error: Exception) -> None:
        """Note an error of one recording. Raises Stopped if it is one of every other recording as well."""
        bucket, key = missing.recording.bucket, missing.recording.key
        is_cloud = isinstance(error, CloudError)
        text = str(self._workspace.advise(error)) if is_cloud else safe_error_message(error)  # type: ignore[arg-type]
        self.errors.append({"bucket": bucket, "key": key, "error": text})
        self._view.print_error(f"{bucket}/{key}: {text}" if not is_cloud else text)
        self._watch.check_error(error)

    def as_json(self) -> dict[str, Any]:
        """Return the counts for programs, also those that are 0."""
        return {**{name: self.counts[name] for name in COUNTED}, "errors": self.errors}


class ProgressView:
    """Shows how far a backfill is: a bar on a terminal, else at most one line every ten seconds; nothing if silent."""

    def __init__(self, console: Console, total: int, now: Callable[[], float], *, is_silent: bool) -> None:
        self._console, self._total, self._now, self._is_silent = console, total, now, is_silent
        self._last_line_s = now()
        self._bar: Progress | None = None
        if console.is_terminal and not is_silent:
            columns = (
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.description}"),
            )
            self._bar = Progress(*columns, console=console)
            self._task = self._bar.add_task("", total=total)

    def start(self) -> None:
        """Begin to show a bar on a terminal."""
        if self._bar:
            self._bar.start()

    def stop(self) -> None:
        """Leave the bar as it is."""
        if self._bar:
            self._bar.stop()

    def show(self, counts: Counter[str], *, is_waiting: bool = False) -> None:
        """Show what is done so far. `is_waiting`: the queue is full."""
        number = sum(counts.values())
        text = _("the queue is full: waits for a free place") if is_waiting else format_counts(counts)
        if self._bar:
            self._bar.update(self._task, completed=number, description=text)
        elif not self._is_silent and self._now() - self._last_line_s >= LINE_INTERVAL_S:
            self._last_line_s = self._now()
            line = _("{number:,} of {total:,}: {text}", number=number, total=self._total, text=text)
            self._console.print(line, soft_wrap=True)

    def print_error(self, text: str) -> None:
        """Print an error of one recording."""
        if not self._is_silent:
            self._console.print(Text(escape_line(text)), soft_wrap=True)


def format_counts(counts: Counter[str], errors: int = 0) -> str:
    """Format what became of the recordings: `120 submitted, 3 deferred`."""
    parts = [_(_SHOWN[name], number=format(counts[name], ",")) for name in COUNTED if counts[name]]
    parts = parts or [_("nothing yet")]
    if errors:
        parts.append(_("{number} with an error", number=errors))
    return _(", ").join(parts)
