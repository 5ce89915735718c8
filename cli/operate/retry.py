"""`scribe retry`: try failed recordings again, without paying twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from cli.config import CliContext
from cli.errors import OperatorError
from cli.language import N_, _, ngettext
from cli.operate.names import show_name
from cli.operate.prices import load_price
from cli.operate.reasons import RefusalWatch, Stopped
from cli.operate.retry_core import NO_RECEIPT, Outcome, Retrier
from cli.operate.rows import Row, read_failed
from cli.operate.text import end_sentence, join_sentences
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
        raise OperatorError(_("KEY is empty: name a recording, such as calls/a.mp3"))
    if options.failed:
        if options.as_json and confirm:
            raise OperatorError(_("nothing was changed: --failed with --json does not ask. Use --yes"))
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
                rest = _("{number} more were not tried.", number=left) if left else ""
                deferred = _("What was deferred is submitted by the sweep")
                return Stopped(join_sentences(end_sentence(str(stopped)), rest, deferred))
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
        counts = _(", ").join(
            _(_COUNTS.get(name, f"{{number}} {name}"), number=number) for name, number in self.count().items()
        )
        return _("{number} recordings: {counts}", number=len(self.outcomes), counts=counts)

    def as_json(self, stopped: Stopped | None) -> dict[str, object]:
        """Return the object for programs."""
        return {
            "results": [outcome.as_json() for outcome in self.outcomes],
            "counts": self.count(),
            "stopped": str(stopped or ""),
        }


# Outcomes that are called something else on the screen.
_WORDS = {
    "missing": N_("without a receipt"),
    "error": N_("with an error"),
    "skipped": N_("not tried"),
}
_COUNTS = {
    "submitted": N_("{number} submitted"),
    "deferred": N_("{number} deferred"),
    "transcribed": N_("{number} transcribed"),
    "reopened": N_("{number} reopened"),
    "running": N_("{number} running"),
    "in_progress": N_("{number} in progress"),
    "done": N_("{number} done"),
    "waiting": N_("{number} waiting"),
    "failed": N_("{number} failed"),
    "refused": N_("{number} refused"),
    "lost": N_("{number} lost"),
    "missing": N_("{number} without a receipt"),
    "unknown": N_("{number} unknown"),
    "error": N_("{number} with an error"),
    "skipped": N_("{number} not tried"),
}


def _describe(workspace: Workspace, outcome: Outcome) -> str:
    """Return one line about a recording."""
    name = outcome.outcome
    words = _(_WORDS[name]) if name in _WORDS else show_name(name)
    detail = outcome.detail
    if outcome.outcome == "missing" and detail == _(NO_RECEIPT):
        detail = _("`{command}` takes it", command=workspace.commands.line("backfill", outcome.key))
    if outcome.outcome == "submitted" and outcome.job_id:
        words = _("{state}, job {job_id}", state=words, job_id=outcome.job_id)
    text = _("{key}: {text}", key=outcome.key, text=words)
    return escape_line(_("{text}: {detail}", text=text, detail=detail) if detail else text)


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
        if options.keys:
            prefixes = _(" or ").join(options.keys)
            text = _("no recording below {prefixes} has failed: nothing was changed", prefixes=prefixes)
            raise OperatorError(escape_line(text))
        if not options.as_json:
            console.print(_("No recording has failed."))
        return []
    if not options.as_json:
        _print_failed(console, workspace, list(rows.values()))
    if confirm and not confirm(_("Try them again?")):
        raise OperatorError(_("nothing was changed"))
    return list(rows)


def _print_failed(console: Console, workspace: Workspace, rows: Sequence[Row]) -> None:
    for row in rows[:MAX_LISTED]:
        console.print(Text(escape_line(_("{key}: {text}", key=row.key, text=row.note))), soft_wrap=True)
    if len(rows) > MAX_LISTED:
        console.print(_("and {number} more", number=len(rows) - MAX_LISTED))
    seconds = sum(estimate_seconds(row.key, row.receipt.size) for row in rows if row.receipt)
    price = load_price(workspace.config)
    text = ngettext(
        "{count} recording, about {minutes:,.1f} minutes: at most about {cost}.",
        "{count} recordings, about {minutes:,.1f} minutes: at most about {cost}.",
        len(rows),
        minutes=seconds / _MINUTE_S,
        cost=price.format(price.cost(seconds)),
    )
    console.print(join_sentences(text, price.note), soft_wrap=True)


def retry_one(workspace: Workspace, bucket: str, key: str) -> tuple[bool, str]:
    """Try one recording again, without output. Return whether it goes on, and one line about it."""
    batch = _Batch(create_console(), workspace, is_silent=True)
    stopped = batch.run([(bucket, key)])
    outcome = batch.outcomes[0]
    return outcome.goes_on, str(stopped) if stopped else _describe(workspace, outcome)
