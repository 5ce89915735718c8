"""`scribe retry`: try failed recordings again, without paying twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from cli.config import CliContext
from cli.errors import OperatorError
from cli.operate.prices import load_price
from cli.operate.reasons import RefusalWatch, Stopped
from cli.operate.retry_core import Outcome, Retrier
from cli.operate.rows import Row, read_failed
from cli.operate.workspace import Workspace, open_workspace
from cli.output import create_console, escape_line, print_json
from cli.redaction import is_target_variable
from shared.errors import CloudError, safe_error_message
from shared.recordings.usage import estimate_seconds

MAX_LISTED = 20  # failed recordings that are named before the question
_MINUTE_S = 60.0

Confirm = Callable[[str], bool]
Name = tuple[str, str]  # bucket and key


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """The arguments. With `failed`, `keys` are prefixes, and none of them means all."""

    keys: tuple[str, ...] = ()
    bucket: str = ""
    failed: bool = False
    as_json: bool = False


def retry(console: Console, context: CliContext, options: RetryOptions, confirm: Confirm | None) -> bool:
    """Try again. True if each of them goes on. `confirm` asks; None does not ask."""
    return run_retry(console, open_workspace(context), options, confirm)


def run_retry(console: Console, workspace: Workspace, options: RetryOptions, confirm: Confirm | None) -> bool:
    """Try again with this workspace. Raises OperatorError if nothing can be tried, or what refuses one refuses all."""
    if not all(options.keys):
        raise OperatorError("KEY is empty: name a recording, such as calls/a.mp3")
    if options.failed:
        if options.as_json and confirm:
            raise OperatorError("nothing was changed: --failed with --json does not ask. Use --yes")
        names = _choose_failed(console, workspace, options, confirm)
    else:
        bucket = workspace.choose_bucket(options.bucket)
        names = [(bucket, key) for key in dict.fromkeys(options.keys)]
    batch = _Batch(console, workspace, is_silent=options.as_json)
    stopped = batch.run(names)
    if options.as_json:
        print_json(console, batch.as_json(stopped))
    elif len(names) > 1:
        console.print(Text(batch.summarize()), soft_wrap=True)
    if stopped:
        raise stopped
    if not options.as_json and len(names) == 1 and batch.outcomes[0].outcome == "unknown":
        raise OperatorError(_describe(workspace, batch.outcomes[0]))
    return all(outcome.goes_on for outcome in batch.outcomes)


class _Batch:
    """Tries recordings one after the other; an error of one does not stop the others."""

    def __init__(self, console: Console, workspace: Workspace, *, is_silent: bool) -> None:
        self._console = console
        self._workspace = workspace
        self._is_silent = is_silent
        self._watch = RefusalWatch(workspace)
        # A command sends no notices: with targets, the sweep writes what is done, and announces it.
        has_targets = any(map(is_target_variable, workspace.config))
        self._retrier = Retrier(workspace.ctx, self._watch, writes_results=not has_targets)
        self.outcomes: list[Outcome] = []

    def run(self, names: Sequence[Name]) -> Stopped | None:
        """Try each; return why it stopped before the end."""
        for number, (bucket, key) in enumerate(names):
            try:
                self._add(self._try(bucket, key), is_only=len(names) == 1)
            except Stopped as stopped:
                self._add(Outcome(bucket, key, "refused", str(stopped)), is_shown=False)
                self.outcomes += [Outcome(*name, "skipped") for name in names[number + 1 :]]
                left = len(names) - number - 1
                rest = f" {left} more were not tried." if left else ""
                return Stopped(f"{stopped}.{rest} What was deferred is submitted by the sweep")
        return None

    def _try(self, bucket: str, key: str) -> Outcome:
        try:
            return self._retrier.retry(bucket, key)
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001 - errors of one recording do not stop the others
            self._watch.check_error(error)
            return Outcome(bucket, key, "error", _format_error(self._workspace, error))

    def _add(self, outcome: Outcome, *, is_only: bool = False, is_shown: bool = True) -> None:
        self.outcomes.append(outcome)
        is_error_line = is_only and outcome.outcome == "unknown"
        if is_shown and not self._is_silent and not is_error_line:
            self._console.print(Text(_describe(self._workspace, outcome)), soft_wrap=True)

    def count(self) -> dict[str, int]:
        """Count the outcomes by name."""
        return dict(Counter(outcome.outcome for outcome in self.outcomes))

    def summarize(self) -> str:
        """Return the last line."""
        counts = ", ".join(f"{number} {_WORDS.get(name, name)}" for name, number in self.count().items())
        return f"{len(self.outcomes)} recordings: {counts}"

    def as_json(self, stopped: Stopped | None) -> dict[str, object]:
        """Return the object for programs."""
        return {
            "results": [outcome.as_json() for outcome in self.outcomes],
            "counts": self.count(),
            "stopped": str(stopped or ""),
        }


_WORDS = {
    "in_progress": "in progress",
    "error": "with an error",
    "skipped": "not tried",
    "missing": "without a receipt",
}


def _describe(workspace: Workspace, outcome: Outcome) -> str:
    """Return one line about a recording."""
    words = _WORDS.get(outcome.outcome, outcome.outcome)
    detail = outcome.detail
    if outcome.outcome == "missing" and detail == "it has no receipt":
        detail = f"`{workspace.commands.line('backfill', outcome.key)}` takes it"
    job = f", job {outcome.job_id}" if outcome.outcome == "submitted" and outcome.job_id else ""
    return escape_line(f"{outcome.key}: {words}{job}{f': {detail}' if detail else ''}")


def _format_error(workspace: Workspace, error: Exception) -> str:
    return str(workspace.advise(error)) if isinstance(error, CloudError) else safe_error_message(error)


def _choose_failed(
    console: Console, workspace: Workspace, options: RetryOptions, confirm: Confirm | None
) -> list[Name]:
    """Return what failed, after the operator has confirmed. Raises OperatorError if nothing did, or it is declined."""
    if options.bucket:
        workspace.choose_bucket(options.bucket)
    rows: dict[Name, Row] = {}
    for prefix in options.keys or ("",):
        rows |= {row.name: row for row in read_failed(workspace, options.bucket, prefix)}
    if not rows:
        below = f" below {' or '.join(options.keys)}" if options.keys else ""
        if options.keys:
            raise OperatorError(escape_line(f"no recording{below} has failed: nothing was changed"))
        if not options.as_json:
            console.print("No recording has failed.")
        return []
    if not options.as_json:
        _print_failed(console, workspace, list(rows.values()))
    if confirm and not confirm("Try them again?"):
        raise OperatorError("nothing was changed")
    return list(rows)


def _print_failed(console: Console, workspace: Workspace, rows: Sequence[Row]) -> None:
    for row in rows[:MAX_LISTED]:
        console.print(Text(escape_line(f"{row.key}: {row.note}")), soft_wrap=True)
    if len(rows) > MAX_LISTED:
        console.print(f"and {len(rows) - MAX_LISTED} more")
    seconds = sum(estimate_seconds(row.key, row.receipt.size) for row in rows if row.receipt)
    price = load_price(workspace.config)
    noun = "1 recording" if len(rows) == 1 else f"{len(rows)} recordings"
    console.print(
        f"{noun}, about {seconds / _MINUTE_S:,.1f} minutes: at most about {price.format(price.cost(seconds))}. "
        f"{price.note}",
        soft_wrap=True,
    )


def retry_one(workspace: Workspace, bucket: str, key: str) -> tuple[bool, str]:
    """Try one recording again, without output. Return whether it goes on, and one line about it."""
    batch = _Batch(create_console(), workspace, is_silent=True)
    stopped = batch.run([(bucket, key)])
    outcome = batch.outcomes[0]
    return outcome.goes_on, str(stopped) if stopped else _describe(workspace, outcome)
