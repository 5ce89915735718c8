"""The outputs of a recording: its transcripts, or the error object that says why there are none. One outcome at a time.

Each outcome replaces every other: what was written for earlier content, in formats of earlier settings, or as an error
that is no longer true, goes. The new objects are written first, so something true is there at any moment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import NotFound, RequestRejected
from shared.messages import message
from shared.options.model import OPTIONS
from shared.recordings.changed_options import TEXT_OPTIONS
from shared.recordings.context import Context
from shared.recordings.failures import ERROR_CONTENT_TYPE, Failure, render_error_object
from shared.recordings.index import open_index
from shared.recordings.keys import (
    ERROR_EXTENSION,
    ERROR_MARK,
    FULL_NAME,
    OUTPUT_MARK,
    SHORT_NAME,
    TRANSCRIPT_EXTENSIONS,
    TRANSCRIPT_MARK,
    get_extension,
    get_stem,
    transcript_key,
)
from shared.recordings.models import Result, Status
from shared.recordings.receipt import FAILED, TRANSCRIBED, Receipt
from shared.tencent.client import TOO_LARGE
from shared.tencent.cos import PAGE_SIZE, ObjectMetadata

if TYPE_CHECKING:  # the function that submits jobs needs no transcript formats when it starts
    from shared.transcript import Format

# Options that change what is in the files, but neither the job nor which files there are.
_CONTENT_OPTIONS = frozenset(TEXT_OPTIONS) - {"formats"}
_EXTENSIONS = (*TRANSCRIPT_EXTENSIONS, ERROR_EXTENSION)


class _Outputs(NamedTuple):
    """The extensions of what is there, or may be: under the receipt's name, and under the short one if that is full."""

    own: list[str]
    short: list[str]


def formats_for(ctx: Context, receipt: Receipt) -> tuple[str, ...]:
    """Return the formats of a recording's transcripts: its own if it has any, else those of the settings now."""
    is_own = "formats" in receipt.sources
    return receipt.recording_options.formats if is_own else ctx.settings.formats


def _extensions_for(ctx: Context, receipt: Receipt) -> tuple[str, ...]:
    return tuple(map(get_extension, formats_for(ctx, receipt)))


def write_transcripts(ctx: Context, receipt: Receipt, rendered: Iterable[tuple[Format, bytes]]) -> None:
    """Write the transcripts of the receipt's job; then remove an error object, and transcripts in other formats.

    One request for each, and one to see what else is there.
    """
    bucket = ctx.settings.output_bucket_for(receipt.bucket)
    mark = {OUTPUT_MARK: _transcript_mark(receipt)}
    extensions = []
    for output_format, content in rendered:
        extension = output_format.extension.removeprefix(".")
        key = _output_key(ctx, receipt, extension)
        ctx.output_cos.put(bucket, key, content, content_type=output_format.content_type, metadata=mark)
        extensions.append(extension)
    _remove_others(ctx, receipt, _list_outputs(ctx, receipt), kept=extensions)


def write_error_object(ctx: Context, receipt: Receipt, failure: Failure) -> None:
    """Write the error object to the place of the transcripts; then remove transcripts of earlier content.

    One request, and one to see what else is there.
    """
    add_error_object(ctx, receipt, failure)
    _remove_others(ctx, receipt, _list_outputs(ctx, receipt), kept=(ERROR_EXTENSION,))


def report_wait(ctx: Context, receipt: Receipt, failure: Failure, *, keeps_transcripts: bool = False) -> None:
    """Write the error object of a recording that is submitted later without a new upload, and announce it."""
    write = add_error_object if keeps_transcripts else write_error_object
    write(ctx, receipt, failure)
    if ctx.announcer:
        ctx.announcer.announce_failed(ctx, receipt, failure)


def add_error_object(ctx: Context, receipt: Receipt, failure: Failure) -> None:
    """Write the error object beside whatever is there. One request."""
    ctx.output_cos.put(
        ctx.settings.output_bucket_for(receipt.bucket),
        _output_key(ctx, receipt, ERROR_EXTENSION),
        render_error_object(receipt, failure),
        content_type=ERROR_CONTENT_TYPE,
        metadata={OUTPUT_MARK: ERROR_MARK},
    )


def fail_recording(
    ctx: Context, receipt: Receipt, failure: Failure, *, checked_s: float | None = None
) -> Result:
    """Write the error object, then close the open receipt as FAILED.

    `checked_s` is when this invocation looked at the recording's content (Unix seconds); by default, when its attempt
    began. Transcripts that were written since are of another invocation: all of the receipt's own job close it as
    TRANSCRIBED, those of newer content leave it to the sweep. In both cases the error object goes again. Each of two
    invocations writes before it looks, so at least one sees the other.
    """
    store = ctx.receipts(receipt.bucket)
    add_error_object(ctx, receipt, failure)
    outputs = _list_outputs(ctx, receipt)
    if receipt.job_id and _are_all_own(ctx, receipt, outputs.own):
        return _close_transcribed(ctx, receipt, is_announced=False)
    if checked_s is None:
        checked_s = receipt.lease_expires_s - ctx.settings.lease_s
    if _has_later_words(ctx, receipt, outputs.own, checked_s):
        delete_error_object(ctx, receipt)
        return Result.of(receipt, Status.IN_PROGRESS, reason=message("newer content was transcribed"))
    _remove_others(ctx, receipt, outputs, kept=(ERROR_EXTENSION,))
    if ctx.announcer:
        ctx.announcer.announce_failed(ctx, receipt, failure)
    open_index(ctx, receipt.bucket).add_failed(receipt.id)
    was_open = store.close_if_same(receipt.close(FAILED, ctx.now()))
    if not was_open and receipt.job_id and has_own_transcripts(ctx, receipt):
        return _close_transcribed(ctx, receipt, is_announced=True)
    return Result.of(receipt, Status.FAILED, reason=failure.reason.text)


def _close_transcribed(ctx: Context, receipt: Receipt, *, is_announced: bool) -> Result:
    """Close a receipt whose transcripts are there. Who wrote them may have been killed before their notice."""
    delete_error_object(ctx, receipt)
    if ctx.announcer:
        ctx.announcer.withdraw_failed(receipt)
        if not is_announced:
            ctx.announcer.announce_written(ctx, receipt)
    ctx.receipts(receipt.bucket).close_if_same(receipt.close(TRANSCRIBED, ctx.now()))
    open_index(ctx, receipt.bucket).remove_failed(receipt.id)
    return Result.of(receipt, Status.ALREADY_DONE, reason=message("its transcripts are there"))


def fail_unsubmitted(ctx: Context, receipt: Receipt, failure: Failure) -> Result | None:
    """Fail a recording that never had an open receipt; None, with nothing changed, if a later upload was transcribed.

    A later upload of the same content may have an open receipt: it stays.
    """
    add_error_object(ctx, receipt, failure)
    outputs = _list_outputs(ctx, receipt)
    if _has_later_words(ctx, receipt, outputs.own, receipt.created_s):
        delete_error_object(ctx, receipt)
        return None
    _remove_others(ctx, receipt, outputs, kept=(ERROR_EXTENSION,))
    if ctx.announcer:
        ctx.announcer.announce_failed(ctx, receipt, failure)
    open_index(ctx, receipt.bucket).add_failed(receipt.id)
    ctx.receipts(receipt.bucket).update_done(receipt.close(FAILED, ctx.now()))
    return Result.of(receipt, Status.FAILED, reason=failure.reason.text)


def _are_all_own(ctx: Context, receipt: Receipt, outputs: Collection[str]) -> bool:
    """Check that every transcript is of the receipt's job; no request if one is not there at all."""
    return set(_extensions_for(ctx, receipt)) <= set(outputs) and has_own_transcripts(ctx, receipt)


def _has_later_words(ctx: Context, receipt: Receipt, outputs: Collection[str], checked_s: float) -> bool:
    """Check whether a transcript of another job was written after this time. One request for each that is there."""
    for extension in outputs:
        head = _head(ctx, receipt, extension) if extension != ERROR_EXTENSION else None
        mark = head.metadata.get(OUTPUT_MARK, "") if head else ""
        is_other = mark.startswith(TRANSCRIPT_MARK) and (
            not receipt.job_id or mark != _transcript_mark(receipt)
        )
        # COS has whole seconds: words of the content before can be of the second in which this invocation looked.
        if head and is_other and head.modified_s > checked_s:
            return True
    return False


def keep_names(ctx: Context, receipt: Receipt, done: Receipt) -> Receipt:
    """Return the receipt with the title, names and layout of `done`, which its transcripts have: CI forgot its job."""
    options, written = receipt.recording_options, done.recording_options
    fields = [OPTIONS[name].field for name in _CONTENT_OPTIONS]
    kept = options._replace(**{field: getattr(written, field) for field in fields})
    if kept == options:
        return receipt
    ctx.log.warning("names_not_written", key=receipt.key, job_id=receipt.job_id)
    sources = {name: place for name, place in receipt.sources.items() if name not in _CONTENT_OPTIONS}
    sources |= {name: place for name, place in done.sources.items() if name in _CONTENT_OPTIONS}
    return receipt.with_options(kept, sources)


def delete_error_object(ctx: Context, receipt: Receipt) -> None:
    """Delete the error object of a recording whose transcripts are there."""
    bucket = ctx.settings.output_bucket_for(receipt.bucket)
    ctx.output_cos.delete(bucket, _output_key(ctx, receipt, ERROR_EXTENSION))


def remove_other_outputs(ctx: Context, receipt: Receipt) -> None:
    """Remove what belongs to another outcome than the receipt's transcripts, which are there: also other formats."""
    _remove_others(ctx, receipt, _list_outputs(ctx, receipt), kept=_extensions_for(ctx, receipt))


def has_same_names(ctx: Context, receipt: Receipt, other: Receipt) -> bool:
    """Check whether the outputs of two receipts of one recording are the same objects."""
    return _output_key(ctx, receipt, "") == _output_key(ctx, other, "")


def copy_transcripts(ctx: Context, receipt: Receipt, source: Receipt) -> None:
    """Copy the transcripts of the receipt's job from the names that `source`, a receipt of the same job, has."""
    bucket = ctx.settings.output_bucket_for(receipt.bucket)
    mark = {OUTPUT_MARK: _transcript_mark(receipt)}
    for output_format in formats_for(ctx, source):
        extension = get_extension(output_format)
        head = _head(ctx, source, extension)
        body = read_own_transcript(ctx, source, output_format) if head else None
        if head and body is not None:
            key = _output_key(ctx, receipt, extension)
            ctx.output_cos.put(bucket, key, body, content_type=head.content_type, metadata=mark)


def has_own_transcripts(ctx: Context, receipt: Receipt) -> bool:
    """Check that every transcript is there and is of the receipt's job."""
    for extension in _extensions_for(ctx, receipt):
        head = _head(ctx, receipt, extension)
        if head is None or head.metadata.get(OUTPUT_MARK) != _transcript_mark(receipt):
            return False
    return True


def read_own_transcript(ctx: Context, receipt: Receipt, output_format: str) -> bytes | None:
    """Read the transcript in this format; None if it is not there, not of the receipt's job, or too large."""
    bucket = ctx.settings.output_bucket_for(receipt.bucket)
    try:
        content = ctx.output_cos.get(bucket, _output_key(ctx, receipt, get_extension(output_format)))
    except NotFound:
        return None
    except RequestRejected as error:
        if error.code != TOO_LARGE:
            raise
        return None
    is_own = content.head.metadata.get(OUTPUT_MARK) == _transcript_mark(receipt)
    return content.body if is_own else None


def has_any_own_transcript(ctx: Context, receipt: Receipt) -> bool:
    """Check that a transcript of the receipt's job is there, in whatever format."""
    heads = (_head(ctx, receipt, extension) for extension in _list_outputs(ctx, receipt).own)
    return any(head and head.metadata.get(OUTPUT_MARK) == _transcript_mark(receipt) for head in heads)


def has_error_object(ctx: Context, receipt: Receipt) -> bool:
    """Check whether an error object is there."""
    return _head(ctx, receipt, ERROR_EXTENSION) is not None


def _transcript_mark(receipt: Receipt) -> str:
    return f"{TRANSCRIPT_MARK} {receipt.job_id}"


def _output_key(ctx: Context, receipt: Receipt, extension: str) -> str:
    return transcript_key(ctx.settings, receipt.bucket, receipt.key, extension, receipt.output_name)


def _head(ctx: Context, receipt: Receipt, extension: str) -> ObjectMetadata | None:
    bucket = ctx.settings.output_bucket_for(receipt.bucket)
    try:
        return ctx.output_cos.head(bucket, _output_key(ctx, receipt, extension))
    except NotFound:
        return None


def _remove_others(ctx: Context, receipt: Receipt, outputs: _Outputs, *, kept: Collection[str]) -> None:
    """Remove every output of this recording that belongs to another outcome, or has the other kind of name.

    A transcript is removed only if it has Scribe's mark, so that a file which a user put there stays; and not if it is
    of the receipt's own job, which another invocation may be writing at this moment.
    """
    bucket = ctx.settings.output_bucket_for(receipt.bucket)
    for extension in outputs.own:
        if extension in kept:
            continue
        if extension != ERROR_EXTENSION and not _is_of_other_outcome(ctx, receipt, extension, kept):
            continue
        ctx.output_cos.delete(bucket, _output_key(ctx, receipt, extension))
    other = receipt._replace(output_name=FULL_NAME if receipt.output_name == SHORT_NAME else SHORT_NAME)
    if receipt.output_name == SHORT_NAME and not has_same_names(ctx, receipt, other):
        _remove_marked(ctx, other, _list_outputs(ctx, other).own)
    elif outputs.short and _owns_short_name(ctx, receipt):
        _remove_marked(ctx, other, outputs.short)


def _owns_short_name(ctx: Context, receipt: Receipt) -> bool:
    # A cold start should not load what few deployments need.
    from shared.recordings.output_names import owns_short_name  # noqa: PLC0415

    return owns_short_name(ctx, receipt.bucket, receipt.key)


def _remove_marked(ctx: Context, receipt: Receipt, extensions: Iterable[str]) -> None:
    """Remove what Scribe wrote under this receipt's name."""
    bucket = ctx.settings.output_bucket_for(receipt.bucket)
    for extension in extensions:
        head = _head(ctx, receipt, extension)
        if head and head.metadata.get(OUTPUT_MARK, "").startswith((TRANSCRIPT_MARK, ERROR_MARK)):
            ctx.output_cos.delete(bucket, _output_key(ctx, receipt, extension))


def _is_of_other_outcome(ctx: Context, receipt: Receipt, extension: str, kept: Collection[str]) -> bool:
    head = _head(ctx, receipt, extension)
    mark = head.metadata.get(OUTPUT_MARK, "") if head else ""
    if not mark.startswith(TRANSCRIPT_MARK):
        return False
    return ERROR_EXTENSION not in kept or not receipt.job_id or mark != _transcript_mark(receipt)


def _list_outputs(ctx: Context, receipt: Receipt) -> _Outputs:
    """Return the outputs that are there, or may be if the listing is too long. One request, two if it is.

    The full name of a recording begins with its short one, so a listing has both.
    """
    bucket = ctx.settings.output_bucket_for(receipt.bucket)
    prefix = short = _output_key(ctx, receipt, "")
    if receipt.output_name == FULL_NAME and get_stem(receipt.key):
        short = _output_key(ctx, receipt._replace(output_name=SHORT_NAME), "")
    own_keys = keys = _list_keys(ctx, bucket, short if prefix.startswith(short) else prefix)
    if keys is None and short != prefix:
        own_keys = _list_keys(ctx, bucket, prefix)
    return _Outputs(
        [extension for extension in _EXTENSIONS if own_keys is None or prefix + extension in own_keys],
        [
            extension
            for extension in _EXTENSIONS
            if short != prefix and (keys is None or short + extension in keys)
        ],
    )


def _list_keys(ctx: Context, bucket: str, prefix: str) -> set[str] | None:
    """Return the keys with this prefix; None if they are more than one response has."""
    page = ctx.output_cos.list_objects(bucket, prefix=prefix, limit=PAGE_SIZE)
    return None if page.next_marker else {item.key for item in page.objects}
