"""Parses everything that starts a function into typed values: COS events, function-URL requests, timers, notifications.

The only module that knows raw event shapes. COS events are read in the published shape and in the shape seen in real
logs; one parser serves function-URL events and those of API Gateway, which was discontinued.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from shared.errors import EventError
from shared.tencent import xml
from shared.tencent.hosts import is_region

# SCF document 583/9707.
RESTORE_EVENTS, RESTORE_COMPLETED = "cos:ObjectRestore:", "cos:ObjectRestore:Completed"
# What a user or a program sent. A copy, a replica and what COS fetched from an origin are none: no one chose them now.
UPLOAD_EVENTS = tuple(
    f"cos:ObjectCreated:{name}" for name in ("Put", "Post", "CompleteMultipartUpload", "Append")
)
RECONCILE, AUDIT = "reconcile", "audit"

MAX_NOTIFICATION_BYTES = 6 * 1024 * 1024  # SCF document 583/11637: the largest event of a function URL
MAX_NOTIFIED_JOBS = 20

# <bucket>-<appid>.cos.<region>.myqcloud.com, and the forms of newer and internal domains (SCF document 583/9707).
_COS_HOST = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9-]*-[0-9]+)\.cos(-internal)?\.(?P<region>[a-z0-9-]+)\.(myqcloud\.com|tencentcos\.cn)"
)
_FULL_BUCKET_NAME = re.compile(r".+-[0-9]+")
_JOB_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
# Only the ids of a notification are needed: a long transcript is dropped during parsing.
_WITHOUT_RESULTS = dict.fromkeys(("SpeechRecognitionResult", "ResultDetail", "FlashResult"), xml.drop_element)


class ObjectEvent(NamedTuple):
    """One record of a COS event: an object was written, or restored from an archive.

    `region` is "" if the event does not name it in full. `raw_key` is the key in the event's other field if that
    differs from the URL's: no source shows how each of the two encodes a blank.
    """

    bucket: str
    region: str
    key: str
    event_name: str  # cos:ObjectCreated:Put, cos:ObjectRestore:Completed and similar
    raw_key: str = ""

    @property
    def is_upload(self) -> bool:
        """Check whether someone uploaded the object, rather than copied or restored it."""
        return self.event_name.startswith(UPLOAD_EVENTS)


class InvalidRecord(NamedTuple):
    """A record without a published shape, and the reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class FunctionUrlRequest:
    """A request to the function's URL. The body is not read before `body` is used."""

    method: str
    path: str
    event: Mapping[str, Any] = field(repr=False)

    @property
    def body(self) -> bytes:
        """Return the body, decoded from base64 if necessary. Raises EventError if it is neither text nor base64."""
        return _decode_body(self.event)


class NotifiedJob(NamedTuple):
    """A job named by a notification. `bucket_hint` only decides which bucket is queried first."""

    job_id: str
    bucket_hint: str


def parse_cos_event(event: Any) -> tuple[ObjectEvent | InvalidRecord, ...]:
    """Parse every record of a COS event separately. Raises EventError if there is no list of records."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list) or not records:
        raise EventError("the event has no Records: this function is for COS upload events")
    return tuple(map(_parse_record, records))


def _parse_record(record: Any) -> ObjectEvent | InvalidRecord:
    cos = _get_mapping(record, "cos")
    cos_object, cos_bucket = _get_mapping(cos, "cosObject"), _get_mapping(cos, "cosBucket")
    event_name = _get_text(_get_mapping(record, "event"), "eventName")
    regions = [_get_text(cos_bucket, "cosRegion"), _get_text(cos_bucket, "s3Region")]
    name, appid = _get_text(cos_bucket, "name"), _get_text(cos_bucket, "appid")
    bucket = f"{name}-{appid}"
    raw_key = _strip_key_prefix(_get_text(cos_object, "key"), name, appid)

    # Prefer the URL: it has the full bucket name, and is always percent-encoded.
    host, url_key = _split_url(_get_text(cos_object, "url"))
    host_match = _COS_HOST.fullmatch(host)
    if host_match:
        bucket = host_match["bucket"]
        regions.append(host_match["region"])
    key = url_key or raw_key
    if not key or not _FULL_BUCKET_NAME.fullmatch(bucket) or not _is_unicode(key):
        return InvalidRecord("the record names no object: cosObject.url and cosObject.key are both unusable")
    region = next(filter(is_region, regions), "")
    other_key = raw_key if raw_key != key and _is_unicode(raw_key) else ""
    return ObjectEvent(bucket, region, key, event_name, other_key)


def _split_url(url: str) -> tuple[str, str]:
    """Split `http://<host>/<percent-encoded key>` into host and decoded key. A plus sign is a plus sign."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return "", ""
    # A key may contain a raw `?` or `#` if the writer of the URL did not encode it.
    encoded_key = url.split("://", 1)[-1].partition("/")[2]
    try:
        return host, unquote(encoded_key, errors="strict")
    except UnicodeDecodeError:
        return host, ""


def _is_unicode(key: str) -> bool:
    """Check that a key is valid Unicode: COS keys are UTF-8, which has no surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in key)


def _strip_key_prefix(raw_key: str, bucket: str, appid: str) -> str:
    """Remove `/<appid>/<bucket>/` from a raw key, which is not percent-encoded. Old samples have `/<key>`."""
    prefix = f"/{appid}/{bucket}/"
    if appid and bucket and raw_key.startswith(prefix):
        return raw_key[len(prefix) :]
    return raw_key.removeprefix("/")


def parse_http_event(event: Any) -> FunctionUrlRequest:
    """Parse a request to the function's URL. Raises EventError for an event of another kind."""
    if not isinstance(event, Mapping) or not isinstance(event.get("path"), str):
        raise EventError("the event has no path: this function is for requests to its URL")
    method = _get_text(event, "httpMethod") or _get_text(_get_mapping(event, "requestContext"), "httpMethod")
    return FunctionUrlRequest(method=method.upper(), path=event["path"], event=event)


def has_valid_token(event: Any, tokens: Iterable[str]) -> bool:
    """Check the end of the path of a request, of any form, against the tokens.

    Every token is compared in constant time, so that timing reveals nothing about them.
    """
    path = event.get("path") if isinstance(event, Mapping) else None
    if not isinstance(path, str):
        path = ""
    received = path.rstrip("/").rpartition("/")[2].encode("utf-8", "replace")
    return any([hmac.compare_digest(received, token.encode()) for token in tokens])  # noqa: C419 - a list, so that every token is compared


def build_http_response(status: int, message: str) -> dict[str, Any]:
    """Build the response to a request to the function's URL."""
    return {
        "isBase64Encoded": False,
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"message": message}),
    }


def _decode_body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise EventError("the body is not text")
    # API Gateway sends a boolean; other gateways were seen to send text.
    if str(event.get("isBase64Encoded", "")).lower() == "true":
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise EventError("isBase64Encoded is set, but the body is not base64") from None
    return body.encode("utf-8", "surrogatepass")


def parse_timer_event(event: Any) -> str:
    """Return the timer's message: RECONCILE (the default) or AUDIT. Raises EventError for any other message."""
    message = _get_text(event if isinstance(event, Mapping) else {}, "Message").strip().lower() or RECONCILE
    if message not in {RECONCILE, AUDIT}:
        raise EventError(f"the timer's message is {message[:40]!r}; it must be {RECONCILE} or {AUDIT}")
    return message


def parse_notification(body: bytes) -> tuple[NotifiedJob, ...]:
    """Return the jobs that a queue's notification names. Nothing else in it is trusted.

    The first character decides between XML and JSON, because the content type of the JSON form is not documented. With
    or without EventName; one job or several. Raises EventError with the status of the response.
    """
    if len(body) > MAX_NOTIFICATION_BYTES:
        raise EventError(
            f"the notification has {len(body)} bytes, more than {MAX_NOTIFICATION_BYTES}", status=413
        )
    notification = _parse_notification_body(body)
    details = [xml.as_mapping(detail) for detail in xml.as_list(notification.get("JobsDetail"))]
    if not details:
        raise EventError("the notification names no job")
    if len(details) > MAX_NOTIFIED_JOBS:
        raise EventError(f"the notification names {len(details)} jobs, more than {MAX_NOTIFIED_JOBS}")
    return tuple(dict.fromkeys(map(_parse_notified_job, details)))


def _parse_notification_body(body: bytes) -> Mapping[str, Any]:
    first = body.lstrip()[:1]
    if not first:
        raise EventError("the notification is empty")
    if first in b"{[":
        try:
            return xml.as_mapping(json.loads(body))
        except (ValueError, RecursionError):
            raise EventError("the notification is not JSON") from None
    try:
        return xml.get_root(xml.parse_stream([body], _WITHOUT_RESULTS), "Response")
    except xml.XmlError as error:
        raise EventError(f"the notification is not XML: {error}") from None


def _parse_notified_job(detail: Mapping[str, Any]) -> NotifiedJob:
    job_id = xml.as_text(detail.get("JobId"))
    if not _JOB_ID.fullmatch(job_id):
        raise EventError("the notification names a job without a usable id")
    bucket = xml.as_text(xml.as_mapping(detail.get("Input")).get("BucketId"))
    # The shape of 2020 has no BucketId; Scribe's own UserData begins with the bucket.
    user_data = xml.as_text(xml.as_mapping(detail.get("Operation")).get("UserData"))
    return NotifiedJob(job_id, bucket or user_data.partition("/")[0])


def _get_mapping(value: Any, name: str) -> Mapping[str, Any]:
    member = value.get(name) if isinstance(value, Mapping) else None
    return member if isinstance(member, Mapping) else {}


def _get_text(value: Mapping[str, Any], name: str) -> str:
    member = value.get(name)
    if isinstance(member, str):
        return member
    return str(member) if isinstance(member, int) and not isinstance(member, bool) else ""
