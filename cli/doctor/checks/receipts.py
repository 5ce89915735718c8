"""Checks of what the functions wrote: recordings that wait, receipts that cannot be read, names, other deployments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

from cli.deploy.outputs import find_output_place
from cli.deploy.receipts import MAX_READ_RECEIPTS
from cli.doctor.models import CheckContext, Finding, fail, ok, warn
from cli.language import _, ngettext
from shared.recordings.keys import uses_bucket_folders
from shared.recordings.receipt import Receipt
from shared.recordings.receipt_store import MAX_RECEIPT_BYTES

MAX_AGE_S = 24 * 3600  # of an open receipt; a job takes minutes


def check_waiting(context: CheckContext) -> Iterator[Finding]:
    """Look for recordings that are not transcribed a day after they were taken."""
    now_s = context.clients.now()
    for bucket, listing in context.state.open_receipts.items():
        waiting = sorted(
            (receipt for receipt in listing.receipts if now_s - receipt.waits_since_s > MAX_AGE_S),
            key=lambda receipt: receipt.waits_since_s,
        )
        if not waiting:
            yield ok(_("no recording waits for more than a day"), subject=bucket)
            continue
        oldest = waiting[0]
        reason, fix = _explain(oldest)
        message = ngettext(
            "{count} recording waits for more than a day, the oldest since {time}: {key}: {reason}",
            "{count} recordings wait for more than a day, the oldest since {time}: {key}: {reason}",
            len(waiting),
            count=len(waiting),
            time=_format_time(oldest.waits_since_s),
            key=oldest.key,
            reason=reason,
        )
        if not listing.is_complete:
            message = _(
                "of the first {limit} open receipts, {message}", limit=MAX_READ_RECEIPTS, message=message
            )
        yield fail(
            message,
            fix=fix,
            subject=bucket,
            blocks=False,
        )


def _explain(receipt: Receipt) -> tuple[str, str]:
    """Why a recording waits, and what to do."""
    if receipt.refusal_code:
        return (
            _(
                "the job was refused {number} times, at last with {code}",
                number=receipt.refusals,
                code=receipt.refusal_code,
            ),
            _("remove the cause that this code names, such as a missing role or an empty balance"),
        )
    if receipt.job_id:
        return (
            _("its job {job_id} has not ended", job_id=receipt.job_id),
            _(
                "look at the job and its queue in the Cloud Infinite console, and read the sweep's log in the SCF "
                "console"
            ),
        )
    return (
        _("no job was submitted for it"),
        _("check that the timer of the sweep runs, and read the sweep's log in the SCF console"),
    )


def _format_time(time_s: float) -> str:
    try:
        return datetime.fromtimestamp(time_s, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return _("an unknown time")


def check_unreadable_receipts(context: CheckContext) -> Iterator[Finding]:
    """Look for open receipts that no function can read, because of their size or their content."""
    for bucket, listing in context.state.open_receipts.items():
        if not listing.unreadable:
            yield ok(_("every open receipt can be read"), subject=bucket)
            continue
        count = len(listing.unreadable)
        yield fail(
            ngettext(
                "{count} object in the folder of open receipts is no receipt: larger than {limit} KiB, or not "
                "readable. Example: {key}",
                "{count} objects in the folder of open receipts are no receipt: larger than {limit} KiB, or not "
                "readable. Example: {key}",
                count,
                count=count,
                limit=MAX_RECEIPT_BYTES // 1024,
                key=listing.unreadable[0],
            ),
            fix=_(
                "look at it in the COS console, find out who wrote it, and delete it; the audit then takes a recording "
                "again that has no other receipt"
            ),
            subject=bucket,
            blocks=False,
        )


def check_names(context: CheckContext) -> Iterator[Finding]:
    """Look for older transcripts in other places than the settings define."""
    state, settings = context.state, context.state.settings
    bucket = state.state_buckets[0]
    if not settings.output_bucket:
        yield ok(_("the transcripts are beside the recordings"))
        return
    folders = state.output_folders
    prefix = f"{bucket.name}/{settings.output_prefix}"
    if uses_bucket_folders(settings) and folders.other:
        places = _(", ").join(str(find_output_place(settings, name)) for name in settings.input_buckets)
        message = _(
            "older transcripts are outside of the folders of the input buckets, for example {example}: they are from "
            "before each bucket had its folder. New ones are in {places}",
            example=folders.other,
            places=places,
        )
    elif not uses_bucket_folders(settings) and folders.buckets:
        message = _(
            "older transcripts are in folders of input buckets ({folders}) below {prefix}: they are from a time with "
            "several input buckets. New ones are directly below {prefix}",
            folders=_(", ").join(sorted(folders.buckets)),
            prefix=prefix,
        )
    else:
        message = _("all transcripts below {prefix} are where the settings define", prefix=prefix)
        yield ok(message, subject=bucket.name)
        return
    fix = _("not needed: they stay valid, and nothing is billed again. To have all in one place, move them")
    yield warn(message, fix=fix, subject=bucket.name)


def check_other_deployments(context: CheckContext) -> Iterator[Finding]:
    """Look for receipts of buckets that are not in INPUT_BUCKETS."""
    for bucket, counts in context.state.other_receipts.items():
        for name, count in counts.items():
            yield warn(
                _(
                    "it holds receipts of {bucket}, which is not in INPUT_BUCKETS: {receipts}. They belong to another "
                    "deployment, or to an earlier setting",
                    bucket=name,
                    receipts=count,
                ),
                fix=_(
                    "if another deployment uses this bucket, give one of the two another OUTPUT_PREFIX and "
                    "STATE_PREFIX, because names of transcripts may meet. If it is an earlier setting and receipts are "
                    "open, put the bucket back into INPUT_BUCKETS until they are closed"
                ),
                subject=bucket.name,
            )
        if not counts:
            yield ok(_("all receipts are of this deployment's buckets"), subject=bucket.name)
