"""The budget: MONTHLY_MINUTES of speech are recognised in a month, and what comes then waits.

    reserve      just before a job is submitted: writes how long it may be, then adds up what is finished and reserved
    hold         there is no room: the error object says so, and the receipt goes from `open/` to `waiting/`
    release      the receipt is closed or deferred: no job is in flight for it
    BudgetRoom   what an audit tries again of what waits

A job that is submitted has a reservation until its entry below `finished/` is written. Each attempt writes its own
before it lists all others, so of two at once at least one sees the other: what is finished and the estimates of what is
in flight never pass the budget together. The real lengths can: by what the jobs in flight are longer than estimated.

The index has no deployment in it: deployments with one output bucket and one STATE_PREFIX have one budget.
A bucket of another region counts for its own recordings only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import NamedTuple, TypeVar

from shared.errors import AlreadyExists, CloudError, NotFound
from shared.messages import message
from shared.recordings.context import Context
from shared.recordings.failures import Failure, FailureKind, FailureReason
from shared.recordings.index import (
    FinishedEntry,
    RecordingIndex,
    get_month,
    get_month_start_s,
    index_prefix,
    parse_reserved_key,
    reserved_key,
    reserved_prefix,
    select_longest,
)
from shared.recordings.models import Result, Status
from shared.recordings.outputs import has_any_own_transcript, report_wait
from shared.recordings.receipt import BUDGET_CODE, TRANSCRIBED, WAITING, Receipt, Recording
from shared.recordings.receipt_store import STATE_METADATA
from shared.recordings.submit import has_lease
from shared.recordings.usage import estimate_seconds
from shared.settings import Settings
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import CosClient

HELD_REASON = message("the budget of this month is reached")
WARNING_PERCENT = 80
MAX_LOOKS, LOOK_PAUSE_S = 4, 0.5
STALE_AFTER_S = 86_400.0  # after GIVE_UP_AFTER
NEVER_GIVES_UP_S = 30 * 86_400.0  # in place of GIVE_UP_AFTER, if that is 0
WARNING_LEASE_S = 60.0  # an invocation that notes a warning stores its notices within this time
_S_PER_MINUTE = 60
_NEXT_STEP = (
    (
        "Nothing has to be uploaded again: it is submitted automatically in a later month, as soon as the budget has "
        "room, or within six hours after MONTHLY_MINUTES was raised and `scribe deploy` has run."
    ),
    (
        "无需重新上传：以后的月份预算有余量时会自动提交；"
        "也可调大 MONTHLY_MINUTES 并运行 scribe deploy，六小时内会自动提交。"
    ),
)
_NEXT_STEP_TOO_LONG = (
    (
        "It is longer than the budget of a whole month. Raise MONTHLY_MINUTES and run `scribe deploy`: it is then "
        "submitted automatically, within six hours."
    ),
    "该录音超过整月的预算。请调大 MONTHLY_MINUTES 并运行 scribe deploy，六小时内会自动提交。",
)
_EntryT = TypeVar("_EntryT")
_PENDING, _STORED = b"pending", b"stored"


class Usage(NamedTuple):
    """Seconds of speech in a month: of jobs that are finished, those that jobs in flight may have, and the budget."""

    month: str
    finished_s: int
    reserved_s: int
    budget_s: int

    @property
    def total_s(self) -> int:
        """Return what is finished or in flight."""
        return self.finished_s + self.reserved_s

    @property
    def left_s(self) -> int:
        """Return what is left; 0 if the budget is reached or passed."""
        return max(self.budget_s - self.total_s, 0)


class _Reservation(NamedTuple):
    """What a job in flight may cost. In the order of its place: bucket and key."""

    bucket: str
    key: str
    receipt_id: str
    seconds: int
    written_s: float


class _Look(NamedTuple):
    """What a look at the index showed: the usage, and the reservations that count, in their order."""

    usage: Usage
    reservations: tuple[_Reservation, ...]


def read_usage(ctx: Context) -> Usage:
    """Add up this month. Two requests for each output bucket, and one more for each 1,000 finished jobs."""
    return _look(ctx).usage


def reserve(ctx: Context, receipt: Receipt) -> Usage | None:
    """Reserve the estimated length of the recording for an attempt; return the usage without it if there is no room.

    One request, and those of `read_usage`. Of several at once that have no room together, the last ones in the order of
    their names give up at once, the others wait a moment for that. Raises CloudError and DeadlineExceeded; what is left
    then is replaced by the next attempt at this recording.
    """
    cos, bucket = ctx.output_cos, ctx.settings.output_bucket_for(receipt.bucket)
    seconds = estimate_seconds(receipt.key, receipt.size)
    own_key = reserved_key(ctx.settings, receipt.id, receipt.nonce, seconds)
    cos.put(bucket, own_key, b"", metadata=STATE_METADATA)
    for look_number in range(MAX_LOOKS):
        look = _look(ctx, receipt.id, own_key)
        usage = look.usage
        if usage.total_s <= usage.budget_s:
            _warn(ctx, receipt, usage)
            return None
        earlier_s = sum(
            each.seconds for each in look.reservations if (each.bucket, each.key) <= (bucket, own_key)
        )
        if usage.finished_s + earlier_s > usage.budget_s:
            break
        if look_number < MAX_LOOKS - 1:
            cos.client.sleep(LOOK_PAUSE_S)
    cos.delete(bucket, own_key)
    usage = usage._replace(reserved_s=usage.reserved_s - seconds)
    _warn(ctx, receipt, usage)
    return usage


def hold(ctx: Context, receipt: Receipt, usage: Usage) -> Result:
    """Report once for each upload that the recording waits for a budget, and close its open receipt as WAITING.

    Transcripts of the same content stay: they are paid for. It is reported again if the recording has failed since.
    An attempt that is paused past its lease gives way (IN_PROGRESS): another may have a job by then.
    """
    store = ctx.receipts(receipt.bucket)
    waiting = store.get_waiting(receipt.id)
    done = store.get_done(receipt.id)
    if not has_lease(ctx, receipt):
        return _give_way(ctx, receipt)
    if not _is_reported(receipt, waiting, done):
        failure = Failure(build_reason(usage, receipt), BUDGET_CODE)
        keeps_transcripts = (
            done is not None and done.state is TRANSCRIBED and has_any_own_transcript(ctx, done)
        )
        report_wait(ctx, receipt, failure, keeps_transcripts=keeps_transcripts)
        if not has_lease(ctx, receipt):
            return _give_way(ctx, receipt)
    # Also what is reported: a later failure must not look as if the recording did not wait any more.
    store.wait(receipt._replace(refusal_code=BUDGET_CODE).close(WAITING, ctx.now()))
    if not store.is_unchanged(receipt) or not has_lease(ctx, receipt):
        return _give_way(ctx, receipt)
    store.delete_open(receipt)
    return Result.of(receipt, Status.WAITING, job_id="", reason=HELD_REASON)


def _is_reported(receipt: Receipt, waiting: Receipt | None, done: Receipt | None) -> bool:
    """Check whether the error object says already that this upload waits for a budget."""
    if waiting is None or waiting.refusal_code != BUDGET_CODE or waiting.modified_s != receipt.modified_s:
        return False
    return done is None or done.finished_s <= waiting.finished_s


def _give_way(ctx: Context, receipt: Receipt) -> Result:
    ctx.log.warning("attempt_too_slow", key=receipt.key, receipt_id=receipt.id)
    return Result.of(receipt, Status.IN_PROGRESS, reason=message("its lease expires soon"))


def build_reason(usage: Usage, receipt: Receipt) -> FailureReason:
    """Build the reason in words: the month, the budget, what is used of it, and how long the recording may be."""
    budget, used = usage.budget_s // _S_PER_MINUTE, usage.total_s // _S_PER_MINUTE
    seconds = estimate_seconds(receipt.key, receipt.size)
    length = math.ceil(seconds / _S_PER_MINUTE)
    year, month = usage.month.split("-")
    next_step, next_step_zh = _NEXT_STEP if seconds <= usage.budget_s else _NEXT_STEP_TOO_LONG
    return FailureReason(
        FailureKind.ACCOUNT,
        f"The budget of {usage.month} has no room for this recording: MONTHLY_MINUTES is {budget}, of which {used} "
        f"are used or in progress, and the recording has about {length}.",
        f"{year} 年 {int(month)} 月的转写预算不足：MONTHLY_MINUTES 为 {budget} 分钟，已识别和正在识别的共 {used} 分钟，"
        f"该录音约 {length} 分钟。",
        next_step,
        next_step_zh,
        retryable=True,
        retried_automatically=True,
    )


def release(cos: CosClient, settings: Settings, bucket: str, receipt_id: str) -> None:
    """Delete the reservations of all attempts at a recording. One request, and one for each.

    Call it while no later attempt can begin: before the receipt is deferred, or is deleted from open/.
    """
    for item in cos.iter_objects(bucket, prefix=reserved_prefix(settings, receipt_id)):
        cos.delete(bucket, item.key)


class BudgetRoom:
    """What is left of the budget for an audit, which tries again what waits.

    What certainly has no room is not tried: that would be ten requests for each.
    """

    def __init__(self, ctx: Context) -> None:
        """Look at the index, and remove reservations that are too old. Raises CloudError and DeadlineExceeded."""
        self._left_s = _look(ctx, removes_stale=True).usage.left_s

    @property
    def is_empty(self) -> bool:
        """Check whether nothing is left."""
        return self._left_s <= 0

    def has_room(self, recording: Recording) -> bool:
        """Check whether a recording may have room."""
        return estimate_seconds(recording.key, recording.size) <= self._left_s

    def note_submitted(self, recording: Recording) -> None:
        """Count a recording that was submitted."""
        self._left_s -= estimate_seconds(recording.key, recording.size)


def _look(ctx: Context, own_id: str = "", own_key: str = "", *, removes_stale: bool = False) -> _Look:
    """Add up what is reserved, then what is finished: a job that ends in between is seen in one of the two.

    A job that is seen in both counts once. Reservations of earlier attempts at the recording `own_id` are deleted.
    """
    settings = ctx.settings
    month = get_month(ctx.now())
    reserved: list[_Reservation] = []
    for cos, each in _read_each(ctx, partial(_iter_reservations, settings)):
        is_stale = ctx.now() - each.written_s > _get_max_age_s(settings)
        is_replaced = each.receipt_id == own_id and each.key != own_key
        if is_replaced or (is_stale and removes_stale):
            cos.delete(each.bucket, each.key)
        elif not is_stale:
            reserved.append(each)
    written_s = {each.receipt_id: each.written_s for each in reserved}
    finished_s, ended_ids = 0, set()
    for _, entry in _read_each(ctx, partial(_iter_finished, settings, get_month_start_s(month))):
        finished_s += entry.seconds
        if entry.ended_s > written_s.get(entry.receipt_id, entry.ended_s):
            ended_ids.add(entry.receipt_id)
    in_flight = tuple(each for each in reserved if each.receipt_id not in ended_ids)
    reserved_s = sum(each.seconds for each in in_flight)
    return _Look(Usage(month, finished_s, reserved_s, settings.monthly_minutes * _S_PER_MINUTE), in_flight)


def _iter_state_buckets(ctx: Context) -> Iterator[tuple[str, CosClient]]:
    """Yield every output bucket of the deployment, in the region that its events come from."""
    settings = ctx.settings
    cos = ctx.output_cos.for_region(settings.output_region or settings.region)
    for bucket in dict.fromkeys(map(settings.output_bucket_for, settings.input_buckets)):
        yield bucket, cos


def _read_each(
    ctx: Context, read: Callable[[CosClient, str], Iterator[_EntryT]]
) -> Iterator[tuple[CosClient, _EntryT]]:
    """Yield what `read` finds in every output bucket, and the client for it. One that is not there counts as empty.

    A bucket that is not in the region of the others is looked for in that of the event, where its own recordings are.
    """
    for bucket, cos in _iter_state_buckets(ctx):
        for region in dict.fromkeys((cos.region, ctx.output_cos.region)):
            regional = cos.for_region(region)
            with suppress(NotFound):
                for entry in read(regional, bucket):
                    yield regional, entry
                break


def _iter_finished(settings: Settings, from_s: int, cos: CosClient, bucket: str) -> Iterator[FinishedEntry]:
    return select_longest(RecordingIndex(cos, settings, bucket).iter_finished(from_s=from_s))


def _iter_reservations(settings: Settings, cos: CosClient, bucket: str) -> Iterator[_Reservation]:
    for item in cos.iter_objects(bucket, prefix=index_prefix(settings, "reserved/")):
        entry = parse_reserved_key(settings, item.key)
        if entry:
            yield _Reservation(bucket, item.key, *entry, parse_timestamp(item.modified))


def _get_max_age_s(settings: Settings) -> float:
    return STALE_AFTER_S + (settings.give_up_after_s if settings.gives_up else NEVER_GIVES_UP_S)


def _warn(ctx: Context, receipt: Receipt, usage: Usage) -> None:
    """Say once for each month and budget that WARNING_PERCENT of it are used: in the log, and to the default targets.

    One request from then on. An object notes it: `pending` before the notices are stored, `stored` after it, so that
    neither two invocations at once nor one that is killed in between change how many there are. Raises
    DeadlineExceeded; another error stops no recording.
    """
    if usage.total_s * 100 < usage.budget_s * WARNING_PERCENT:
        return
    try:
        _give_warning(ctx, receipt, usage)
    except CloudError as error:
        ctx.log.error("budget_warning_failed", month=usage.month, error=str(error))


def _give_warning(ctx: Context, receipt: Receipt, usage: Usage) -> None:
    if ctx.announcer is None and ctx.settings.targets:
        return  # a command of the operator: the next function does it
    for bucket, cos in _iter_state_buckets(ctx):
        with suppress(NotFound):  # the bucket is not there: the next one has the note
            _note_warning(ctx, receipt, usage, cos, bucket)
            return


def _note_warning(ctx: Context, receipt: Receipt, usage: Usage, cos: CosClient, bucket: str) -> None:
    minutes = usage.budget_s // _S_PER_MINUTE
    key = f"{index_prefix(ctx.settings, 'budget/')}{usage.month}.{minutes}.{WARNING_PERCENT}"
    try:
        noted = cos.get(bucket, key)
        if noted.body == _STORED or ctx.now() - noted.head.modified_s < WARNING_LEASE_S:
            return
    except NotFound:
        try:
            cos.put(bucket, key, _PENDING, metadata=STATE_METADATA, create_only=True)
        except AlreadyExists as error:
            if not error.possibly_own_write:
                return
    members: dict[str, str | int] = {
        "month": usage.month,
        "percent": WARNING_PERCENT,
        "budget_minutes": minutes,
        "finished_minutes": usage.finished_s // _S_PER_MINUTE,
        "in_flight_minutes": usage.reserved_s // _S_PER_MINUTE,
    }
    ctx.log.warning("budget_warning", **members)
    if ctx.announcer:
        ctx.announcer.announce_budget(ctx, receipt, members)
    cos.put(bucket, key, _STORED, metadata=STATE_METADATA)
