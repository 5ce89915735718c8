"""What COS says about a recording's current content, also where HEAD says less than usual."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from shared.errors import CloudError, OutcomeUnknown, RequestRejected
from shared.recordings.context import Context
from shared.recordings.filters import check_skipped
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import ObjectMetadata, ObjectSummary

UNREADABLE_STATUSES = frozenset({400, 403})
_FORBIDDEN = 403
_MAX_NEIGHBOURS, _NEIGHBOURS_PER_PAGE, _NEIGHBOURS_PER_MARKER = 8, 50, 2


def head_content(ctx: Context, bucket: str, key: str) -> ObjectMetadata:
    """Return a recording's metadata, with what a HEAD without ETag or Last-Modified leaves out from the listing.

    Raises CloudError: NotFound, or OutcomeUnknown if nothing says which content it is.
    """
    head = ctx.input_cos.head(bucket, key)
    if head.etag and head.modified_s:
        return head
    listed = find_in_listing(ctx, bucket, key)
    if listed:
        head = head._replace(
            etag=head.etag or listed.etag, modified_s=head.modified_s or parse_timestamp(listed.modified)
        )
    if not head.etag:
        raise OutcomeUnknown(
            resource=f"{bucket}/{key}", code="NoETag", message="COS does not identify its content"
        )
    return head


def find_in_listing(ctx: Context, bucket: str, key: str) -> ObjectSummary | None:
    """Return what the listing says about an object; None if it does not exist. One request."""
    page = ctx.input_cos.list_objects(bucket, prefix=key, limit=1)
    return next((item for item in page.objects if item.key == key), None)


def raise_unless_about_object(ctx: Context, bucket: str, key: str, error: RequestRejected) -> None:
    """Raise an error of HEAD after which the object is in the listing, unless its cause is the object itself.

    After a 400, the listing itself shows that the credentials are right. After a 403, one other recording must be
    readable: if none is, the role is the cause. A role that was changed a moment ago may be known by now, so the object
    is asked for once more after its neighbour.
    """
    if error.status != _FORBIDDEN:
        return
    if not _can_read_neighbour(ctx, bucket, key):
        raise error
    try:
        ctx.input_cos.head(bucket, key)
    except RequestRejected:
        return
    raise error


def _can_read_neighbour(ctx: Context, bucket: str, key: str) -> bool:
    for neighbour in islice(_iter_neighbours(ctx, bucket, key), _MAX_NEIGHBOURS):
        try:
            ctx.input_cos.head(bucket, neighbour)
        except CloudError:
            continue
        return True
    return False


def _iter_neighbours(ctx: Context, bucket: str, key: str) -> Iterator[str]:
    """Yield the keys of other recordings: after this one, and after the start of the bucket and of each own folder.

    The role may read Scribe's own objects although it may not read recordings, and there can be thousands of them.
    """
    settings = ctx.settings
    ends_of_folders = (
        folder.removesuffix("/") + "0" for folder in (settings.state_prefix, settings.output_prefix)
    )  # "0" follows "/" in the order of keys
    keys_before = dict.fromkeys((key, "", *ends_of_folders))
    for marker in keys_before:
        page = ctx.input_cos.list_objects(
            bucket, prefix=settings.input_prefix, marker=marker, limit=_NEIGHBOURS_PER_PAGE
        )
        recordings = (
            item.key
            for item in page.objects
            if item.key != key and check_skipped(settings, bucket, item.key) is None
        )
        yield from islice(recordings, _NEIGHBOURS_PER_MARKER)  # the next ones may be denied as well
