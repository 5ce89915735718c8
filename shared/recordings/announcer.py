"""Announces the outcomes of an invocation: stores their notices, and sends them when the work is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from shared.errors import safe_error_message
from shared.notices.connection import FIRST_ATTEMPT_TIMEOUT_S
from shared.notices.delivery import Delivery, TargetState
from shared.notices.models import Notice, NoticeType, Target
from shared.recordings.context import Context
from shared.recordings.failures import Failure
from shared.recordings.notices import (
    build_budget_notice,
    build_done_notice,
    build_failed_notice,
    read_transcript,
)
from shared.recordings.outbox import FIRST_ATTEMPT_LEASE_S, Outbox
from shared.recordings.outbox_store import Send
from shared.recordings.outbox_sweep import NoticeCounts
from shared.recordings.outbox_time import rotate
from shared.recordings.receipt import Receipt
from shared.transcript import Transcript

RESERVED_S = 1.0  # to store what the first attempts showed
MAX_BUCKET_S, MIN_BUCKET_S = 60.0, 10.0  # of one sweep, for the notices of one bucket


class Announcer:
    """The notices of one invocation. `send` makes one attempt and raises nothing."""

    def __init__(self, targets: Sequence[Target], send: Send) -> None:
        self._targets = targets
        self._send = send
        self._known: dict[str, TargetState] = {}
        self._pending: list[tuple[Outbox, Delivery]] = []

    def announce_done(self, ctx: Context, receipt: Receipt, transcript: Transcript) -> None:
        """Store the notice that the transcripts are written. Call it before the receipt is closed. Raises CloudError.

        Then the receipt stays open, and a later attempt stores the same notice.
        """
        if self._wants(receipt, NoticeType.DONE):
            self._store(ctx, receipt, build_done_notice(ctx, receipt, transcript))

    def announce_written(self, ctx: Context, receipt: Receipt) -> None:
        """Announce transcripts that an earlier invocation wrote, as `announce_done`. One request more."""
        if self._wants(receipt, NoticeType.DONE):
            self._store(ctx, receipt, build_done_notice(ctx, receipt, read_transcript(ctx, receipt)))

    def announce_failed(self, ctx: Context, receipt: Receipt, failure: Failure) -> None:
        """Store the notice of an error object, as `announce_done`."""
        if self._wants(receipt, NoticeType.FAILED):
            self._store(ctx, receipt, build_failed_notice(ctx, receipt, failure))

    def announce_budget(self, ctx: Context, receipt: Receipt, members: Mapping[str, str | int]) -> None:
        """Store the warning that a part of the budget is used, for all default targets.

        `receipt` is of the recording whose submit showed it. Raises CloudError.
        """
        outbox = self._open(ctx, ctx.settings.output_bucket_for(receipt.bucket))
        notice = build_budget_notice(ctx, receipt, members)
        self._pending += [(outbox, delivery) for delivery in outbox.store(notice)]

    def _wants(self, receipt: Receipt, kind: NoticeType) -> bool:
        is_on = receipt.recording_options.notify is not False
        return is_on and any(kind in target.types for target in self._targets)

    def _store(self, ctx: Context, receipt: Receipt, notice: Notice) -> None:
        outbox = self._open(ctx, ctx.settings.output_bucket_for(receipt.bucket))
        notify = receipt.recording_options.notify
        names = notify if isinstance(notify, tuple) else None
        self._pending += [(outbox, delivery) for delivery in outbox.store(notice, names)]

    def _open(self, ctx: Context, state_bucket: str) -> Outbox:
        return Outbox(
            ctx.output_cos,
            state_bucket,
            ctx.settings.state_prefix,
            self._targets,
            self._send,
            ctx.log,
            now=ctx.now,
            deployment=ctx.deployment,
            first_attempt_lease_s=FIRST_ATTEMPT_LEASE_S if ctx.settings.sweep_after_s else 0.0,
            known=self._known,
        )

    def withdraw_failed(self, receipt: Receipt) -> None:
        """Delete the notice that a recording has failed, because another invocation had transcribed it."""
        for outbox, delivery in list(self._pending):
            if (delivery.notice.receipt_id, delivery.notice.type) == (receipt.id, NoticeType.FAILED):
                outbox.withdraw([delivery])
                self._pending.remove((outbox, delivery))

    def send_pending(self, ctx: Context) -> None:
        """Make the first attempts, within FIRST_ATTEMPT_TIMEOUT_S for the notices of all buckets.

        Raises nothing: the work is done, and the sweep sends what is left.
        """
        pending, self._pending = self._pending, []
        outboxes = {outbox.bucket: outbox for outbox, _ in pending}
        deadline_s = time.monotonic() + min(FIRST_ATTEMPT_TIMEOUT_S, ctx.remaining_s() - RESERVED_S)

        def send() -> None:
            for bucket, outbox in outboxes.items():
                members = [delivery for other, delivery in pending if other.bucket == bucket]
                outbox.send_now(members, deadline_s - time.monotonic())

        self._run(ctx, send)

    def send_due(self, ctx: Context, state_buckets: Sequence[str], reserved_s: float = 0.0) -> None:
        """Send what is due in these buckets, until so many seconds of the function's time are left. Raises nothing.

        The buckets share the time, and another one is the first each time: none waits for one with many notices.
        """
        for position, state_bucket in enumerate(rotate(state_buckets, ctx.output_cos.client.random())):
            left_s = ctx.remaining_s() - reserved_s
            if left_s < MIN_BUCKET_S and position:
                ctx.log.warning("notices_stopped_early", bucket=state_bucket)
                return
            share_s = max(left_s / (len(state_buckets) - position), MIN_BUCKET_S)
            limit_s = max(ctx.remaining_s() - min(share_s, MAX_BUCKET_S), reserved_s)
            self._run(ctx, partial(self._send_due_in, ctx, state_bucket, limit_s))

    def _send_due_in(self, ctx: Context, state_bucket: str, limit_s: float) -> None:
        """Send what is due in one bucket, until so many seconds of the function's time are left."""
        counts = self._open(ctx, state_bucket).send_due(lambda: ctx.remaining_s() - limit_s)
        if counts != NoticeCounts():
            ctx.log.info("notices_swept", bucket=state_bucket, **counts._asdict())

    def _run(self, ctx: Context, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a notice must not stop the work on recordings
            ctx.log.error("notices_failed", error=safe_error_message(error))
