"""What a backfill would take: recordings without a receipt, their length and cost, and what is left out and why.

Listings say nearly all of it, by the comparison that the audit makes (shared/recordings/missing.py). One request each
is for what a listing does not say: the type of an object without an extension, whether an archived one was restored,
and whether one that was written in the second of its receipt is the one that the receipt is of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from cli.deploy.notifications import is_paused
from cli.errors import OperatorError
from cli.language import _
from cli.operate.workspace import run_in_parallel
from cli.output import escape_line
from shared.errors import CloudError, NotFound
from shared.options.sidecar import is_sidecar_key
from shared.recordings.context import Context
from shared.recordings.failures import EMPTY
from shared.recordings.filters import check_skipped, check_skipped_by_metadata
from shared.recordings.index import forgotten_key, index_prefix
from shared.recordings.ingest import is_same_upload
from shared.recordings.keys import is_output_key
from shared.recordings.missing import MissingFinder, MissingRecording
from shared.recordings.options import check_size
from shared.recordings.receipt import InvalidReceipt
from shared.recordings.usage import estimate_seconds
from shared.settings import Settings
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import ObjectSummary

KNOWN = "known"  # it has a receipt
ARCHIVED = "archived"
# Why an object is left out: these names are in the answer for programs.
LEFT_OUT = (
    "not_a_recording",
    "too_large",
    "empty",
    ARCHIVED,
    "forgotten",
    "other_time",
    "before_since",
    "young",
)
# The speed of recognition, from docs/scale.md; not measured on the live service.
SPEED = 20.0  # times as fast as speech
JOB_START_S = 5.0
SUBMIT_S = 0.8  # eight requests


@dataclass(frozen=True, slots=True)
class Selection:
    """Which recordings to take. Times in Unix seconds, 0 for none; `missed`: only what the audit takes."""

    prefix: str = ""
    since_s: float = 0.0
    until_s: float = 0.0
    missed: bool = False


class Candidate(NamedTuple):
    """An object of an input bucket. `reason` is "" if it is to be submitted, else KNOWN or one of LEFT_OUT."""

    key: str
    size: int
    reason: str = ""
    missing: MissingRecording | None = None


@dataclass(slots=True)
class Plan:
    """The sums of what a backfill takes. `queue_s` is how long the queues need for it; None if they cannot be read."""

    objects: int = 0
    known: int = 0
    found: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    queue_s: float | None = 0.0
    left_out: Counter[str] = field(default_factory=Counter)
    is_paused: bool = False

    def add(self, candidate: Candidate) -> None:
        """Count an object."""
        if candidate.reason == KNOWN:
            self.known += 1
        elif candidate.reason:
            self.left_out[candidate.reason] += 1
        else:
            self.found += 1
            self.size_bytes += candidate.size
            self.seconds += _estimate_seconds(candidate)

    @property
    def to_process(self) -> int:
        """The number of recordings that are submitted, or reported as archived."""
        return self.found + self.left_out[ARCHIVED]


def plan_bucket(ctx: Context, bucket: str, selection: Selection, plan: Plan) -> None:
    """Add what a backfill of a bucket takes to the plan. Changes nothing. Raises CloudError."""
    forgotten = _list_forgotten(ctx, bucket)
    number, seconds = plan.found, plan.seconds
    candidates = _iter_objects(ctx, bucket, selection, plan)
    for _item, candidate in run_in_parallel(
        lambda each: _classify(ctx, each, selection, forgotten), candidates
    ):
        plan.add(candidate)
    _add_queue_time(ctx, bucket, plan, plan.found - number, plan.seconds - seconds)


def iter_candidates(ctx: Context, bucket: str, selection: Selection) -> Iterator[Candidate]:
    """Yield the objects of a bucket one by one; those that the operator had forgotten as well. Raises CloudError."""
    for candidate in _iter_objects(ctx, bucket, selection, Plan()):
        yield _classify(ctx, candidate, selection, {})


def choose_prefix(settings: Settings, prefix: str) -> str:
    """Return the start of all keys of recordings with this prefix. Raises OperatorError if none can have it."""
    if prefix.startswith(settings.input_prefix):
        return prefix
    if settings.input_prefix.startswith(prefix):
        return settings.input_prefix
    raise OperatorError(
        escape_line(
            _(
                "{prefix} is outside INPUT_PREFIX ({input_prefix}): no recording can be there",
                prefix=prefix,
                input_prefix=settings.input_prefix,
            )
        )
    )


def _iter_objects(ctx: Context, bucket: str, selection: Selection, plan: Plan) -> Iterator[Candidate]:
    """Yield what the listings say about each object. Scribe's own objects, folders and sidecars are passed over."""
    prefix = choose_prefix(ctx.settings, selection.prefix)
    finder = MissingFinder(ctx, bucket, prefix=prefix)
    for item in ctx.input_cos.iter_objects(bucket, prefix=prefix):
        plan.objects += 1
        if check_skipped(ctx.settings, bucket, item.key) is None:
            yield _compare(ctx, item, finder, selection)
        elif not _is_own(ctx.settings, bucket, item.key):
            yield Candidate(item.key, item.size, "not_a_recording")


def _is_own(settings: Settings, bucket: str, key: str) -> bool:
    return key.endswith("/") or is_output_key(settings, bucket, key) or is_sidecar_key(key)


def _compare(ctx: Context, item: ObjectSummary, finder: MissingFinder, selection: Selection) -> Candidate:
    missing = finder.find(item, 0.0)
    if missing is None:
        return Candidate(item.key, item.size, KNOWN)
    reason = ""
    if not _is_in_time(selection, missing.modified_s):
        reason = "other_time"
    elif selection.missed and missing.receipt is None and missing.modified_s < ctx.settings.since_s:
        reason = "before_since"
    elif selection.missed and not ctx.is_due(item.modified):
        reason = "young"
    elif "ARCHIVE" in item.storage.upper():
        reason = ARCHIVED
    return Candidate(item.key, item.size, reason, missing)


def _is_in_time(selection: Selection, modified_s: float) -> bool:
    return modified_s >= selection.since_s and not 0 < selection.until_s <= modified_s


def _classify(
    ctx: Context, candidate: Candidate, selection: Selection, forgotten: Mapping[str, float]
) -> Candidate:
    """Complete what the listings say, with a request where they do not say it."""
    missing = candidate.missing
    if missing is None or candidate.reason not in {"", ARCHIVED}:
        return candidate
    recording = missing.recording
    forgotten_s = forgotten.get(forgotten_key(ctx.settings, recording), 0.0)
    if missing.receipt is None and forgotten_s >= missing.modified_s:
        return candidate._replace(reason="forgotten")
    wrong_size = check_size(recording.size)
    if wrong_size and not selection.missed:  # the audit reports them: an error object says why
        return candidate._replace(reason="empty" if wrong_size is EMPTY else "too_large")
    if missing.receipt and not missing.is_waiting and _is_known(ctx, missing):
        return candidate._replace(reason=KNOWN)
    has_extension = ctx.settings.has_recording_extension(recording.key) is not None
    if has_extension and not candidate.reason and not missing.is_waiting:
        return candidate
    try:
        head = ctx.input_cos.head(recording.bucket, recording.key)
    except CloudError:
        return candidate  # a backfill reports its error, as the audit does
    if check_skipped_by_metadata(ctx.settings, recording.bucket, recording.key, head):
        return candidate._replace(reason="not_a_recording")
    return candidate._replace(reason=ARCHIVED if head.is_archived else "")


def _is_known(ctx: Context, missing: MissingRecording) -> bool:
    """Check whether the receipt of a recording is of this upload: times in listings have whole seconds."""
    store = ctx.receipts(missing.recording.bucket)
    try:
        if store.get_open(missing.recording.id):
            return True
        done = store.get_done(missing.recording.id)
    except InvalidReceipt:
        return False
    return done is not None and is_same_upload(missing.modified_s, done)


def _list_forgotten(ctx: Context, bucket: str) -> dict[str, float]:
    """List what the operator had forgotten, with the times (Unix seconds). One request for each 1,000."""
    state_bucket = ctx.settings.output_bucket_for(bucket)
    prefix = index_prefix(ctx.settings, "forgotten/")
    try:
        marks = ctx.output_cos.iter_objects(state_bucket, prefix=prefix)
        return {mark.key: parse_timestamp(mark.modified) for mark in marks}
    except NotFound:
        return {}


def _estimate_seconds(candidate: Candidate) -> float:
    return 0.0 if check_size(candidate.size) else estimate_seconds(candidate.key, candidate.size)


def _add_queue_time(ctx: Context, bucket: str, plan: Plan, number: int, seconds: float) -> None:
    """Add how long the queue of a bucket needs for these recordings."""
    try:
        queues = ctx.speech.list_queues(bucket).queues
    except CloudError:
        plan.queue_s = None
        return
    queue = next((each for each in queues if each.queue_id == ctx.settings.queue_id), None)
    queue = queue or (queues[0] if queues else None)
    plan.is_paused |= queue is not None and is_paused(queue)
    at_once = max(queue.max_concurrent if queue else 1, 1)
    at_once = min(at_once, ctx.settings.max_in_flight or at_once)
    recognition_s = (seconds / SPEED + number * JOB_START_S) / at_once
    if plan.queue_s is not None:
        plan.queue_s += max(recognition_s, number * SUBMIT_S)
