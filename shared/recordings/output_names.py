"""Which recording may name its outputs without its extension, with OUTPUT_NAMES=short: `talk.mp3` -> `talk.srt`.

The stem `talk` may be wanted by `talk.mp3`, `talk.m4a` and a recording `talk`. At most one of them ever gets it:

    list the claims on the stem ──▶ it owns it ──────────────────────────────▶ short
                 │            └───▶ another has a claim ─────────────────────▶ its full name
                 ▼
    write the claim "wants" ──▶ list again ──▶ another has a claim ──────────▶ its full name
                                     │
                                     ▼
    write the claim "owns" ◀── nothing was transcribed for the key `talk`
                 └──▶ short

Of two that each write before they list, at least one sees the other, on any kind of bucket; perhaps both do, and the
stem has no owner. Claims are never deleted, so each answer is for ever: an attempt that is killed is continued by the
next one, and a recording that is uploaded again has its name again. The owner is written before a receipt has the name.

A recording without an extension has its key as its stem and as its full name. If another recording has a claim on that,
its name gets a digest, and its claim "distinct" says so: it is written before a receipt, and decides before "owns".
If it was transcribed before, with full names, it owns the stem already, and that claim is written for it. It needs an
answer of its own with the setting `full` too, because that may have been `short` before.
"""

from __future__ import annotations

from shared.recordings.context import Context
from shared.recordings.keys import (
    DISTINCT_NAME,
    FULL_NAME,
    SHORT_NAME,
    done_prefix,
    get_stem,
    name_claim_key,
    name_claim_prefix,
    open_prefix,
)
from shared.recordings.receipt import sortable_key
from shared.recordings.receipt_store import CONTENT_TYPE, STATE_METADATA
from shared.settings import OUTPUT_NAMES, Settings
from shared.tencent.cos import CosClient

_WANTS, _OWNS, _DISTINCT = "wants", "owns", "distinct"


def choose_output_name(ctx: Context, bucket: str, key: str) -> str:
    """Return how the outputs of a recording are named; the same answer each time.

    One request, two for a key without an extension, at most six for the first upload of a recording; none for a key
    that cannot have a short name. With OUTPUT_NAMES=full one for a key without an extension, and none for others.
    Raises CloudError or DeadlineExceeded.
    """
    stem = get_stem(key)
    if not stem:
        return FULL_NAME
    if ctx.settings.output_names == OUTPUT_NAMES[0]:
        return find_output_name(ctx.output_cos, ctx.settings, bucket, key)
    if _acquire(ctx, bucket, key, stem):
        return SHORT_NAME
    if stem != key:
        return FULL_NAME
    _put_claim(ctx, bucket, key, stem, _DISTINCT)
    return DISTINCT_NAME


def find_output_name(cos: CosClient, settings: Settings, bucket: str, key: str) -> str:
    """Return how the outputs of a recording would be named if it was uploaded now. At most one request, no claim."""
    stem = get_stem(key)
    is_full = settings.output_names == OUTPUT_NAMES[0]
    if not stem or (is_full and stem != key):
        return FULL_NAME
    own_key = name_claim_key(settings, bucket, key, stem, "")
    claims = _list_claims(cos, settings, bucket, stem)
    is_own = own_key + _OWNS in claims or all(claim.startswith(own_key) for claim in claims)
    if is_own and own_key + _DISTINCT not in claims:
        return FULL_NAME if is_full else SHORT_NAME
    return DISTINCT_NAME if stem == key else FULL_NAME


def owns_short_name(ctx: Context, bucket: str, key: str) -> bool:
    """Return whether the short name belongs to this recording, whatever the setting is now. One request."""
    stem = get_stem(key)
    own_key = name_claim_key(ctx.settings, bucket, key, stem, "")
    claims = _list_claims(ctx.output_cos, ctx.settings, bucket, stem)
    return own_key + _OWNS in claims and own_key + _DISTINCT not in claims


def _acquire(ctx: Context, bucket: str, key: str, stem: str) -> bool:
    """Return whether the recording owns the stem."""
    own_key = name_claim_key(ctx.settings, bucket, key, stem, "")
    claims = _list_claims(ctx.output_cos, ctx.settings, bucket, stem)
    if own_key + _DISTINCT in claims:
        return False
    if not claims:
        _put_claim(ctx, bucket, key, stem, _WANTS)
        claims = _list_claims(ctx.output_cos, ctx.settings, bucket, stem)
    if own_key + _OWNS in claims:
        return True
    if not all(claim.startswith(own_key) for claim in claims):
        return False
    owner = stem if stem != key and _has_receipt(ctx, bucket, stem) else key
    _put_claim(ctx, bucket, owner, stem, _OWNS)
    return owner == key


def _list_claims(cos: CosClient, settings: Settings, bucket: str, stem: str) -> set[str]:
    prefix = name_claim_prefix(settings, bucket, stem)
    return {item.key for item in cos.iter_objects(settings.output_bucket_for(bucket), prefix=prefix)}


def _put_claim(ctx: Context, bucket: str, key: str, stem: str, state: str) -> None:
    ctx.output_cos.put(
        ctx.settings.output_bucket_for(bucket),
        name_claim_key(ctx.settings, bucket, key, stem, state),
        b"{}",
        content_type=CONTENT_TYPE,
        metadata=STATE_METADATA,
    )


def _has_receipt(ctx: Context, bucket: str, key: str) -> bool:
    """Check whether this key is or was a recording. Two requests."""
    state_bucket = ctx.settings.output_bucket_for(bucket)
    prefixes = (open_prefix(ctx.settings), done_prefix(ctx.settings))
    receipt_name = f"{bucket}/{sortable_key(key)}!"
    return any(
        ctx.output_cos.list_objects(state_bucket, prefix=prefix + receipt_name, limit=1).objects
        for prefix in prefixes
    )
