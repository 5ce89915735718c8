"""`scribe backfill`: transcribe recordings that were in the bucket before, or that no event reported.

plan    what would be taken, what it costs and how long it takes; changes nothing (backfill_plan.py)
run     with --yes: submits them, as many at once as the queue has room for (backfill_run.py)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from cli.config import CliContext
from cli.deploy.recordings import format_size
from cli.errors import OperatorError
from cli.language import N_, _, join_words, ngettext
from cli.operate.backfill_plan import ARCHIVED, LEFT_OUT, SPEED, Plan, Selection, choose_prefix, plan_bucket
from cli.operate.backfill_run import Backfill, ProgressView, format_counts
from cli.operate.prices import Price, load_price
from cli.operate.reasons import Stopped
from cli.operate.text import end_sentence, join_sentences
from cli.operate.times import format_duration
from cli.operate.workspace import Workspace, open_workspace
from cli.output import create_console, escape_line, print_json
from shared.errors import CloudError

INTERRUPTED = 130  # the exit status of shells after Ctrl-C
_HOUR_S = 3600
_REASONS = {
    "not_a_recording": N_("Left out: {number:,} not a recording by extension or Content-Type"),
    "too_large": N_("Left out: {number:,} larger than 512 MB, which the speech service does not take"),
    "empty": N_("Left out: {number:,} empty"),
    ARCHIVED: N_(
        "Left out: {number:,} in an archive: reported now, and submitted after you have restored them"
    ),
    "forgotten": N_("Left out: {number:,} forgotten by `scribe forget`"),
    "other_time": N_("Left out: {number:,} uploaded at another time"),
    "before_since": N_("Left out: {number:,} uploaded before SINCE"),
    "young": N_("Left out: {number:,} uploaded a moment ago: their events are awaited"),
}


@dataclass(frozen=True, slots=True)
class BackfillOptions:
    """The arguments. Times in Unix seconds, 0 for none; `yes` submits."""

    prefix: str = ""
    bucket: str = ""
    since_s: float = 0.0
    until_s: float = 0.0
    missed: bool = False
    yes: bool = False
    as_json: bool = False


def backfill(console: Console, context: CliContext, options: BackfillOptions) -> bool:
    """Count and, with `yes`, submit. True if each of them was submitted or counted."""
    return run_backfill(console, open_workspace(context), options)


def run_backfill(console: Console, workspace: Workspace, options: BackfillOptions) -> bool:
    """Count and submit with this workspace. Raises OperatorError; typer.Exit after Ctrl-C, when it has said so."""
    price = load_price(workspace.config)
    if 0 < options.until_s <= options.since_s:
        raise OperatorError(_("--until is not after --since: no recording can be in that time"))
    selection = Selection(options.prefix, options.since_s, options.until_s, options.missed)
    choose_prefix(workspace.settings, options.prefix)
    buckets = workspace.settings.input_buckets
    if options.bucket:
        buckets = (workspace.choose_bucket(options.bucket),)
    command = _Command(console, workspace, options, selection, price)
    return command.run(buckets)


class _Command:
    """One run of the command."""

    def __init__(
        self,
        console: Console,
        workspace: Workspace,
        options: BackfillOptions,
        selection: Selection,
        price: Price,
    ) -> None:
        self._console, self._workspace = console, workspace
        self._options, self._selection, self._price = options, selection, price
        self._plan = Plan()
        self._problems: list[CloudError] = []
        self._backfill: Backfill | None = None

    def run(self, buckets: tuple[str, ...]) -> bool:
        """Plan all buckets, then submit. True if nothing failed."""
        readable = self._make_plan(buckets)
        if not self._plan.objects and not self._problems:
            text = _("nothing is below {place}", place=self._describe_place(buckets))
            raise OperatorError(escape_line(text))
        if not self._options.as_json:
            self._print_plan(buckets)
        stopped = ""
        try:
            if self._options.yes and self._plan.to_process:
                self._submit(readable)
        except Stopped as error:
            stopped = str(error)
        except KeyboardInterrupt:
            self._finish("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        self._finish(stopped)
        for problem in self._problems:
            self._print_problem(problem)
        if stopped:
            raise OperatorError(join_sentences(end_sentence(stopped), self._say_done()))
        return not self._problems and self._has_taken_all()

    def _make_plan(self, buckets: tuple[str, ...]) -> list[str]:
        """Plan each bucket, and return those that can be read. One that cannot be read is noted."""
        readable = []
        for bucket in buckets:
            try:
                plan_bucket(self._workspace.ctx, bucket, self._selection, self._plan)
                readable.append(bucket)
            except CloudError as error:
                if len(buckets) == 1:
                    raise self._workspace.advise(error) from None
                self._problems.append(error)
        return readable

    def _submit(self, buckets: list[str]) -> None:
        view = ProgressView(
            self._console,
            self._plan.to_process,
            self._workspace.ctx.now,
            is_silent=self._options.as_json,
        )
        self._backfill = Backfill(self._workspace, self._selection, view)
        view.start()
        try:
            for bucket in buckets:
                self._submit_bucket(self._backfill, bucket)
            self._backfill.check_budget()
        finally:
            view.stop()

    def _submit_bucket(self, backfill: Backfill, bucket: str) -> None:
        try:
            backfill.run(bucket)
        except CloudError as error:
            self._problems.append(error)  # the other buckets go on

    def _has_taken_all(self) -> bool:
        backfill = self._backfill
        return backfill is None or not (
            backfill.errors or backfill.counts["failed"] or backfill.counts["refused"]
        )

    def _finish(self, stopped: str) -> None:
        """Print the answer for programs, or what was done."""
        if self._options.as_json:
            print_json(self._console, self._as_json(stopped))
        elif self._backfill:
            counts = format_counts(self._backfill.counts, len(self._backfill.errors))
            text = _("Done: {counts}.", counts=counts)
            if stopped == "interrupted":
                text = _("Stopped: {counts}. The same command goes on.", counts=counts)
            if not stopped or stopped == "interrupted":
                self._console.print(Text(text), soft_wrap=True)
        elif stopped == "interrupted":
            self._console.print(_("Stopped: nothing was submitted. The same command begins again."))

    def _say_done(self) -> str:
        counts = format_counts(self._backfill.counts) if self._backfill else _("nothing")
        return _("So far: {counts}. The same command goes on when the cause is removed", counts=counts)

    def _print_problem(self, problem: CloudError) -> None:
        message = str(self._workspace.advise(problem))
        create_console(stderr=True).print(Text(escape_line(message)), style="red", soft_wrap=True)

    def _describe_place(self, buckets: tuple[str, ...]) -> str:
        prefix = choose_prefix(self._workspace.settings, self._options.prefix)
        return join_words([f"{bucket}/{prefix}" for bucket in buckets])

    def _print_plan(self, buckets: tuple[str, ...]) -> None:
        plan, lines = self._plan, []
        place = self._describe_place(buckets)
        if plan.found:
            lines.append(self._describe_found(place))
            cost = _("Cost: about {cost}.", cost=self._price.format(self._price.cost(plan.seconds)))
            lines.append(join_sentences(cost, self._price.note))
            lines.append(self._describe_time())
        else:
            lines.append(_("Nothing to transcribe in {place}", place=place))
        if plan.known:
            lines.append(
                _("{number:,} are known already: transcribed, failed, or in progress", number=plan.known)
            )
        lines += [_(_REASONS[name], number=plan.left_out[name]) for name in LEFT_OUT if plan.left_out[name]]
        if plan.is_paused:
            lines.append(
                _(
                    "The speech queue is paused, so nothing is recognised: `{command}` starts it",
                    command=self._workspace.commands.resume_queue,
                )
            )
        if plan.to_process and not self._options.yes:
            lines.append(_("Nothing was changed. The same command with --yes submits them"))
        for line in lines:
            self._console.print(Text(escape_line(line)), soft_wrap=True)

    def _describe_found(self, place: str) -> str:
        plan = self._plan
        size, duration = format_size(plan.size_bytes), format_duration(plan.seconds)
        if self._options.missed:
            return ngettext(
                "{count} recording that no event reported in {place}: {size}, about {duration} of speech, estimated",
                "{count} recordings that no event reported in {place}: {size}, about {duration} of speech, estimated",
                plan.found,
                place=place,
                size=size,
                duration=duration,
            )
        return ngettext(
            "{count} recording without a transcript in {place}: {size}, about {duration} of speech, estimated",
            "{count} recordings without a transcript in {place}: {size}, about {duration} of speech, estimated",
            plan.found,
            place=place,
            size=size,
            duration=duration,
        )

    def _describe_time(self) -> str:
        if self._plan.queue_s is None:
            return _("Time: not known, because the speech queue cannot be looked at")
        return _(
            "Time: about {duration} at the pace of the queue, if it recognises {speed:.0f} times as fast as speech",
            duration=format_duration(max(self._plan.queue_s, 1)),
            speed=SPEED,
        )

    def _as_json(self, stopped: str) -> dict[str, Any]:
        plan = self._plan
        backfill = self._backfill or Backfill(
            self._workspace,
            self._selection,
            ProgressView(self._console, 0, self._workspace.ctx.now, is_silent=True),
        )
        return {
            "dry_run": not self._options.yes,
            "found": plan.found,
            "bytes": plan.size_bytes,
            "hours": round(plan.seconds / _HOUR_S, 2),
            "cost": float(self._price.cost(plan.seconds)),
            "currency": self._price.currency,
            "price_per_hour": float(self._price.per_hour),
            "queue_hours": None if plan.queue_s is None else round(plan.queue_s / _HOUR_S, 2),
            "known": plan.known,
            "left_out": {name: plan.left_out[name] for name in LEFT_OUT},
            **backfill.as_json(),
            "problems": [str(self._workspace.advise(problem)) for problem in self._problems],
            "stopped": stopped,
        }
