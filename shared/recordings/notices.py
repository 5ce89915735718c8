"""Builds the notices of a recording: from its transcript, or from the reason why there is none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType

from shared.notices.models import Notice, NoticeType, select_error_members
from shared.recordings.changed_options import TEXT_OPTIONS
from shared.recordings.context import Context
from shared.recordings.failures import Failure, render_error_object
from shared.recordings.keys import ERROR_EXTENSION, get_extension, transcript_key
from shared.recordings.outputs import formats_for, read_own_transcript
from shared.recordings.receipt import Receipt
from shared.transcript import Transcript, parse_json

_VARIANT_DIGITS = 16


def build_done_notice(ctx: Context, receipt: Receipt, transcript: Transcript | None) -> Notice:
    """Build the notice that the transcripts of a recording are written. It has no word of them.

    Without a transcript it has no counts.
    """
    extensions = tuple(map(get_extension, formats_for(ctx, receipt)))
    notice = _build_notice(ctx, receipt, NoticeType.DONE, extensions)
    notice = notice._replace(variant=_digest_text_options(receipt))
    if transcript is None:
        return notice
    return notice._replace(
        duration_ms=transcript.duration_ms,
        words=count_words(transcript),
        speakers=count_speakers(transcript),
    )


def _digest_text_options(receipt: Receipt) -> str:
    """Return a digest of the title, names and layout of the transcripts, "" if they are the default ones."""
    options = {name: receipt.options[name] for name in TEXT_OPTIONS if name in receipt.options}
    if not options:
        return ""
    return hashlib.sha256(json.dumps(options).encode()).hexdigest()[:_VARIANT_DIGITS]


def read_transcript(ctx: Context, receipt: Receipt) -> Transcript | None:
    """Read the transcript of the receipt's job in JSON; None if there is none. One request. Raises CloudError."""
    body = read_own_transcript(ctx, receipt, "json")
    try:
        return parse_json(body) if body else None
    except ValueError:
        return None


def build_failed_notice(ctx: Context, receipt: Receipt, failure: Failure) -> Notice:
    """Build the notice that a recording has no transcript, with what the error object says."""
    error_object = json.loads(render_error_object(receipt, failure))
    notice = _build_notice(ctx, receipt, NoticeType.FAILED, (ERROR_EXTENSION,))
    return notice._replace(error=select_error_members(error_object))


def build_budget_notice(ctx: Context, receipt: Receipt, members: Mapping[str, str | int]) -> Notice:
    """Build the warning about a budget. It is about no recording; `bucket` and `region` say where it was noticed."""
    return Notice(
        type=NoticeType.BUDGET,
        time_s=ctx.now(),
        receipt_id="",
        bucket=receipt.bucket,
        region=receipt.region,
        key="",
        etag="",
        size=0,
        budget=MappingProxyType(dict(members)),
    )


def _build_notice(ctx: Context, receipt: Receipt, kind: NoticeType, extensions: tuple[str, ...]) -> Notice:
    settings, name = ctx.settings, receipt.output_name
    keys = (transcript_key(settings, receipt.bucket, receipt.key, each, name) for each in extensions)
    return Notice(
        type=kind,
        time_s=_get_time_s(ctx, receipt),
        receipt_id=receipt.id,
        bucket=receipt.bucket,
        region=receipt.region,
        key=receipt.key,
        etag=receipt.etag,
        size=receipt.size,
        job_id=receipt.job_id,
        output_bucket=settings.output_bucket_for(receipt.bucket),
        output_keys=tuple(keys),
    )


def _get_time_s(ctx: Context, receipt: Receipt) -> float:
    """Return when the attempt began whose outcome this is, or when a recording without one was uploaded.

    It is what the receipt and the recording say, so a notice that is made twice has the same body.
    """
    if receipt.attempt == 1 and not receipt.job_id:
        return receipt.modified_s or receipt.created_s
    return max(receipt.created_s, receipt.lease_expires_s - ctx.settings.lease_s)


def count_words(transcript: Transcript) -> int | None:
    """Count the words of a transcript as the engine split it, without punctuation; None if it sent none."""
    if not any(sentence.words for sentence in transcript.sentences):
        return None if transcript.sentences else 0
    return sum(
        any(map(str.isalnum, word.text)) for sentence in transcript.sentences for word in sentence.words
    )


def count_speakers(transcript: Transcript) -> int | None:
    """Count the speakers or channels who say something; None if they were not separated."""
    numbers = {sentence.channel or sentence.speaker for sentence in transcript.sentences} - {None}
    return len(numbers) or None
