"""Checks of the recordings that are there: which the audit will submit, which it leaves alone, which are hidden."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cli.deploy.planner import advise_old_recordings, describe_old_recordings
from cli.deploy.recordings import is_recording
from cli.deploy.state import BucketRef
from cli.doctor.models import CheckContext, Finding, ok, warn
from shared.recordings.context import parse_timestamp
from shared.recordings.keys import done_prefix, open_prefix
from shared.recordings.models import Recording
from shared.tencent.cos import ListPage


@dataclass(frozen=True, slots=True)
class ReceiptListing:
    """The ids of the first receipts of one kind, in order; `is_complete` if there are no more."""

    ids: Sequence[str]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class MissingReceipts:
    """The number of recordings without a receipt, as far as the listings go; `is_complete` if that is all."""

    count: int
    is_complete: bool


def check_missing_receipts(context: CheckContext) -> Iterator[Finding]:
    """Compare the first 1,000 objects of each input bucket with as many receipts: three requests for a bucket."""
    state = context.state
    for bucket in state.input_buckets:
        state_bucket = state.state_buckets[0] if state.settings.output_bucket else bucket
        if not {bucket, state_bucket} <= state.existing_buckets:
            continue
        missing = _find_missing_receipts(context, bucket, state_bucket)
        if not missing.count:
            yield ok("every checked recording has a receipt", subject=bucket.name)
        elif not state.has_audit:
            yield ok(
                "there are recordings without a receipt, but no audit that submits them", subject=bucket.name
            )
        else:
            number = f"{missing.count}" if missing.is_complete else f"at least {missing.count}"
            yield warn(
                f"{number} recordings have no receipt: the next audit submits them, which costs money",
                fix="to prevent that, set SINCE to a later time, or set INPUT_PREFIX to a folder for new recordings, "
                f"and run `{context.commands.deploy}`",
                subject=bucket.name,
            )


def check_old_recordings(context: CheckContext) -> Iterator[Finding]:
    """Report what the audit leaves alone because of SINCE."""
    state = context.state
    for bucket, count in state.old_recordings.items():
        if count.number or not count.is_complete:
            message = describe_old_recordings(state, count)
            yield warn(message, fix=f"not needed. {advise_old_recordings(context.commands)}", subject=bucket)
        elif state.settings.since_s:
            yield ok("no recording is from before SINCE", subject=bucket)
        else:
            yield ok("SINCE excludes no recording", subject=bucket)


def count_missing_receipts(ids: Iterable[str], listings: Sequence[ReceiptListing]) -> MissingReceipts:
    """Count the ids of recordings, in the order of their keys, without a receipt.

    Receipts sort as keys do: beyond the last one of an incomplete listing the count stops.
    """
    known = {receipt_id for listing in listings for receipt_id in listing.ids}
    ends = [_sort_part(listing.ids[-1]) for listing in listings if listing.ids and not listing.is_complete]
    count = 0
    for receipt_id in ids:
        if any(_sort_part(receipt_id) >= end for end in ends):
            return MissingReceipts(count, is_complete=False)
        count += receipt_id not in known
    return MissingReceipts(count, is_complete=True)


def _sort_part(receipt_id: str) -> str:
    """The part that sorts; it is followed by a digest."""
    return receipt_id.rpartition("!")[0]


def _find_missing_receipts(
    context: CheckContext, bucket: BucketRef, state_bucket: BucketRef
) -> MissingReceipts:
    settings = context.state.settings
    objects = context.clients.cos(bucket.region).list_objects(bucket.name, prefix=settings.input_prefix)
    state_cos = context.clients.cos(state_bucket.region)
    pages = [
        (prefix, state_cos.list_objects(state_bucket.name, prefix=f"{prefix}{bucket.name}/"))
        for prefix in (open_prefix(settings), done_prefix(settings))
    ]
    listings = [
        ReceiptListing(
            [item.key.removeprefix(prefix) for item in page.objects], is_complete=not page.next_marker
        )
        for prefix, page in pages
    ]
    missing = count_missing_receipts(_list_due_ids(context, bucket, objects), listings)
    return MissingReceipts(missing.count, missing.is_complete and not objects.next_marker)


def _list_due_ids(context: CheckContext, bucket: BucketRef, objects: ListPage) -> Iterator[str]:
    """The ids of what the audit would submit if it has no receipt."""
    settings, now_s = context.state.settings, context.clients.now()
    for item in objects.objects:
        modified_s = parse_timestamp(item.modified)
        is_due = now_s - modified_s >= settings.sweep_after_s and modified_s >= settings.since_s
        if is_due and is_recording(settings, bucket.name, item.key):
            yield Recording(bucket.name, item.key, item.etag, item.size).id
