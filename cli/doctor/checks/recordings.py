"""Checks of the recordings that are there: which the audit will submit, which it leaves alone, which are hidden."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cli.deploy.planner import advise_old_recordings, describe_old_recordings
from cli.deploy.recordings import is_recording
from cli.deploy.state import BucketRef
from cli.doctor.models import CheckContext, Finding, ok, warn
from cli.language import _, ngettext
from shared.recordings.index import forgotten_key, index_prefix
from shared.recordings.keys import TRANSCRIPT_EXTENSIONS, done_prefix, open_prefix, waiting_prefix
from shared.recordings.receipt import Recording
from shared.settings import ALL_EXTENSIONS, DEFAULT_EXTENSIONS
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import ListPage

MAX_HIDDEN_PAGES = 10  # of 1,000 objects: outputs are many
_OUTPUT_EXTENSIONS = frozenset({*(name.rpartition(".")[2] for name in TRANSCRIPT_EXTENSIONS), "detail"})


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


@dataclass(frozen=True, slots=True)
class HiddenRecordings:
    """The recordings below a prefix of outputs, and the key of one; `is_complete` if the listing ended in time."""

    count: int
    example: str
    is_complete: bool


def check_missing_receipts(context: CheckContext) -> Iterator[Finding]:
    """Compare the first 1,000 objects of each input bucket with as many receipts: five requests for a bucket."""
    state = context.state
    for bucket in state.input_buckets:
        state_bucket = state.state_buckets[0] if state.settings.output_bucket else bucket
        if not {bucket, state_bucket} <= state.existing_buckets:
            continue
        missing = _find_missing_receipts(context, bucket, state_bucket)
        if not missing.count:
            yield ok(_("every checked recording has a receipt"), subject=bucket.name)
        elif not state.has_audit:
            yield ok(
                _("there are recordings without a receipt, but no audit that submits them"),
                subject=bucket.name,
            )
        else:
            yield warn(
                ngettext(
                    "{count} recording has no receipt: the next audit submits what has none, which costs money",
                    "{count} recordings have no receipt: the next audit submits what has none, which costs money",
                    missing.count if missing.is_complete else missing.count + 1,
                    count=_format_number(f"{missing.count}", is_complete=missing.is_complete),
                ),
                fix=_(
                    "to prevent that, set SINCE to a later time, or set INPUT_PREFIX to a folder for new recordings, "
                    "and run `{deploy}`",
                    deploy=context.commands.deploy,
                ),
                subject=bucket.name,
            )


def check_old_recordings(context: CheckContext) -> Iterator[Finding]:
    """Report what the audit leaves alone because of SINCE."""
    state = context.state
    for bucket, count in state.old_recordings.items():
        if count.number or not count.is_complete:
            message = describe_old_recordings(state, count)
            fix = _("not needed. {advice}", advice=advise_old_recordings(context.commands))
            yield warn(message, fix=fix, subject=bucket)
        elif state.settings.since_s:
            yield ok(_("no recording is from before SINCE"), subject=bucket)
        else:
            yield ok(_("SINCE excludes no recording"), subject=bucket)


def check_hidden_recordings(context: CheckContext) -> Iterator[Finding]:
    """Look for recordings below OUTPUT_PREFIX and STATE_PREFIX of a bucket that is input and output.

    What is there counts as written by Scribe, so that it never transcribes its own outputs.
    """
    state, settings = context.state, context.state.settings
    for bucket in state.input_buckets:
        if bucket not in state.existing_buckets:
            continue
        if settings.output_bucket_for(bucket.name) != bucket.name:
            yield ok(_("the outputs are in another bucket"), subject=bucket.name)
            continue
        findings = [
            _describe_hidden_recordings(bucket, name, prefix, hidden)
            for name, prefix in (
                ("OUTPUT_PREFIX", settings.output_prefix),
                ("STATE_PREFIX", settings.state_prefix),
            )
            if (hidden := _find_hidden_recordings(context, bucket, prefix)).count
        ]
        yield from findings or [ok(_("no recording is in the folders of the outputs"), subject=bucket.name)]


def _describe_hidden_recordings(
    bucket: BucketRef, name: str, prefix: str, hidden: HiddenRecordings
) -> Finding:
    return warn(
        ngettext(
            "{count} recording below {prefix} ({setting}) is never transcribed, because Scribe takes what is there for "
            "its own outputs. Example: {key}",
            "{count} recordings below {prefix} ({setting}) are never transcribed, because Scribe takes what is there "
            "for its own outputs. Example: {key}",
            hidden.count,
            count=_format_number(f"{hidden.count:,}", is_complete=hidden.is_complete),
            prefix=prefix,
            setting=name,
            key=hidden.example,
        ),
        fix=_(
            "move recordings out of {prefix}, or set another {setting} that no recording is below",
            prefix=prefix,
            setting=name,
        ),
        subject=bucket.name,
    )


def _format_number(number: str, *, is_complete: bool) -> str:
    return number if is_complete else _("at least {number}", number=number)


def _find_hidden_recordings(context: CheckContext, bucket: BucketRef, prefix: str) -> HiddenRecordings:
    settings = context.state.settings
    extensions = settings.input_extensions
    if ALL_EXTENSIONS in extensions:
        extensions = DEFAULT_EXTENSIONS
    by_name = replace(settings, input_extensions=tuple(sorted({*extensions} - _OUTPUT_EXTENSIONS)))
    cos = context.clients.cos(bucket.region)
    count, example, marker = 0, "", ""
    for _page in range(MAX_HIDDEN_PAGES):
        page = cos.list_objects(bucket.name, prefix=prefix, marker=marker)
        for item in page.objects:
            if item.key.startswith(settings.input_prefix) and by_name.has_recording_extension(item.key):
                count, example = count + 1, example or item.key
        marker = page.next_marker
        if not marker:
            break
    return HiddenRecordings(count, example, is_complete=not marker)


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
        for prefix in (open_prefix(settings), done_prefix(settings), waiting_prefix(settings))
    ]
    listings = [
        ReceiptListing(
            [item.key.removeprefix(prefix) for item in page.objects], is_complete=not page.next_marker
        )
        for prefix, page in pages
    ]
    marks = state_cos.list_objects(state_bucket.name, prefix=index_prefix(settings, "forgotten/"))
    forgotten = {mark.key: parse_timestamp(mark.modified) for mark in marks.objects}
    missing = count_missing_receipts(_list_due_ids(context, bucket, objects, forgotten), listings)
    return MissingReceipts(missing.count, missing.is_complete and not objects.next_marker)


def _list_due_ids(
    context: CheckContext, bucket: BucketRef, objects: ListPage, forgotten: Mapping[str, float]
) -> Iterator[str]:
    """The ids of what the audit would submit if it has no receipt. `forgotten`: marks with their times."""
    settings, now_s = context.state.settings, context.clients.now()
    for item in objects.objects:
        modified_s = parse_timestamp(item.modified)
        is_due = now_s - modified_s >= settings.sweep_after_s and modified_s >= settings.since_s
        if not (is_due and is_recording(settings, bucket.name, item.key)):
            continue
        recording = Recording(bucket.name, item.key, item.etag, item.size)
        if forgotten.get(forgotten_key(settings, recording), -1.0) < modified_s:
            yield recording.id
