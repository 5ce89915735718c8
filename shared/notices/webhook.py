"""Webhooks after the specification Standard Webhooks 1.0 (github.com/standard-webhooks/standard-webhooks).

Its official libraries verify them. A receiver that keeps the ids of notices processes each one once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from shared.notices.models import (
    DELIVERED,
    MAX_ERROR_TEXT_LENGTH,
    Notice,
    NoticeRequest,
    NoticeResponse,
    NoticeType,
    Outcome,
    Target,
)
from shared.notices.outcomes import is_success, read_failed_status

SECRET_PREFIX = "whsec_"  # noqa: S105 - the mark of a secret
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
MAX_BODY_BYTES = 20_000  # the specification recommends less than 20 KB


def parse_secret(text: str) -> bytes | None:
    """Parse `whsec_<base64>`; None if it is not one of 24 to 64 bytes."""
    if not text.startswith(SECRET_PREFIX):
        return None
    encoded = text.removeprefix(SECRET_PREFIX)
    try:
        secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return secret if MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES else None


def build_request(target: Target, notice: Notice, now_s: float) -> NoticeRequest:
    """Build the request of one attempt. Only the timestamp and the signature differ from one attempt to the next."""
    body = build_body(notice)
    notice_id, timestamp = notice.build_id(target.name), str(int(now_s))
    return NoticeRequest(
        target.url,
        {
            "Content-Type": "application/json",
            "webhook-id": notice_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": sign(target.secrets, notice_id, timestamp, body),
        },
        body,
    )


def sign(secrets: tuple[str, ...], notice_id: str, timestamp: str, body: bytes) -> str:
    """Return one signature for each secret: a receiver needs only one of them, so that secrets can be rotated."""
    content = f"{notice_id}.{timestamp}.".encode() + body
    signatures = []
    for secret in secrets:
        digest = hmac.new(parse_secret(secret) or b"", content, hashlib.sha256).digest()
        signatures.append("v1," + base64.b64encode(digest).decode())
    return " ".join(signatures)


def build_body(notice: Notice) -> bytes:
    """Build the body: the same bytes for the same notice.

    A body that would be too long has fewer keys, and says how many it leaves out. Without keys, the texts of the error
    are cut.
    """
    keys, length = notice.output_keys, MAX_ERROR_TEXT_LENGTH
    body = _encode(notice, keys)
    while len(body) > MAX_BODY_BYTES and keys:
        keys = keys[:-1]
        body = _encode(notice, keys)
    while len(body) > MAX_BODY_BYTES and length:
        length //= 2
        cut = {name: text[:length] if isinstance(text, str) else text for name, text in notice.error.items()}
        body = _encode(notice._replace(error=cut), keys)
    return body


def _encode(notice: Notice, keys: tuple[str, ...]) -> bytes:
    if notice.type is NoticeType.BUDGET:
        return _encode_document(notice, dict(notice.budget))
    data: dict[str, Any] = {
        "recording": {
            "bucket": notice.bucket,
            "region": notice.region,
            "key": notice.key,
            "etag": notice.etag,
            "size": notice.size,
        },
        "job_id": notice.job_id,
        "output_bucket": notice.output_bucket,
        "keys": list(keys),
    }
    if len(keys) < len(notice.output_keys):
        data["keys_left_out"] = len(notice.output_keys) - len(keys)
    if notice.type is NoticeType.DONE:
        data |= {
            "duration_ms": notice.duration_ms,
            "words": notice.words,
            "speakers": notice.speakers,
        }
    if notice.type is NoticeType.FAILED:
        data["error"] = dict(notice.error)
    return _encode_document(notice, data)


def _encode_document(notice: Notice, data: dict[str, Any]) -> bytes:
    document = {"type": notice.type.value, "timestamp": notice.time_text, "data": data}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def read_outcome(_: Target, response: NoticeResponse, now_s: float) -> Outcome:
    """Return the outcome: each 2xx status is a success, and no other."""
    return DELIVERED if is_success(response.status) else read_failed_status(response, now_s)
