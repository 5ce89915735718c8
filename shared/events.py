"""What wakes the functions, as typed values: the only place that knows raw event shapes.

COS events come in the published shape and in that of real logs; function-URL events and those of the ended API
Gateway are alike enough for one reader.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from shared.errors import EventError

# <bucket>-<appid>.cos.<region>.myqcloud.com, and the forms of newer and inner domains (scf.md 2.3, peers of it).
_COS_HOST = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9-]*-[0-9]+)\.cos(-internal)?\.(?P<region>[a-z0-9-]+)\.(myqcloud\.com|tencentcos\.cn)"
)

RECONCILE, AUDIT = "reconcile", "audit"


class Uploaded(NamedTuple):
    """One record of a COS event: an object was written. `region` is "" when the event does not say it in full."""

    bucket: str
    region: str
    key: str
    name: str  # cos:ObjectCreated:Put and the like


class UnreadableRecord(NamedTuple):
    """A record that is not of a published shape, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Posted:
    """A request to the function's URL. Nothing of the body is looked at before it is asked for."""

    method: str
    path: str
    event: Mapping[str, Any] = field(repr=False)

    @property
    def body(self) -> bytes:
        """The body, decoded from base64 if it was. Raises EventError when it is neither text nor base64."""
        return _body(self.event)


def records_of(event: Any) -> tuple[Uploaded | UnreadableRecord, ...]:
    """Every record of a COS event, each on its own. Raises EventError when there is no list of records."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list) or not records:
        raise EventError("the event has no Records: this function is for COS upload events")
    return tuple(map(_record, records))


def _record(record: Any) -> Uploaded | UnreadableRecord:
    cos = _member(record, "cos")
    object_, bucket = _member(cos, "cosObject"), _member(cos, "cosBucket")
    name = _text(_member(record, "event"), "eventName")
    region = _text(bucket, "cosRegion") or _text(bucket, "s3Region")
    full_name = f"{_text(bucket, 'name')}-{_text(bucket, 'appid')}"
    key = _key_of(_text(object_, "key"), _text(bucket, "name"), _text(bucket, "appid"))

    # The URL is the better witness: it names the bucket in full, the region in full, and is always percent-encoded.
    host, path = _url(_text(object_, "url"))
    told = _COS_HOST.fullmatch(host)
    if told:
        full_name, region = told["bucket"], told["region"]
    if path:
        key = path
    if not key or not re.fullmatch(r".+-[0-9]+", full_name) or not _is_unicode(key):
        return UnreadableRecord(
            "the record names no object: cosObject.url and cosObject.key are both unusable"
        )
    return Uploaded(bucket=full_name, region=region, key=key, name=name)


def _url(url: str) -> tuple[str, str]:
    """Host and key of `http://<host>/<percent-encoded key>`; a plus sign is a plus sign."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "", ""
    # A key may hold a raw `?` or `#` when the writer of the URL did not encode it.
    tail = url.split("://", 1)[-1].partition("/")[2]
    try:
        return host, unquote(tail, errors="strict")
    except UnicodeDecodeError:
        return host, ""


def _is_unicode(key: str) -> bool:
    """COS keys are UTF-8; half a surrogate pair is not."""
    return not any("\ud800" <= character <= "\udfff" for character in key)


def _key_of(raw: str, bucket: str, appid: str) -> str:
    """`/<appid>/<bucket>/<key>` without its head; the key is raw, so it is never decoded. Old samples: `/<key>`."""
    head = f"/{appid}/{bucket}/"
    if appid and bucket and raw.startswith(head):
        return raw[len(head) :]
    return raw.removeprefix("/")


def posted_of(event: Any) -> Posted:
    """A request to the callback. Raises EventError when the event is not that of a function URL or API Gateway."""
    if not isinstance(event, Mapping) or not isinstance(event.get("path"), str):
        raise EventError("the event has no path: this function is for requests to its URL")
    method = _text(event, "httpMethod") or _text(_member(event, "requestContext"), "httpMethod")
    return Posted(method=method.upper(), path=event["path"], event=event)


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise EventError("the body is not a text")
    # API Gateway sends a boolean; a text was seen from other gateways.
    if str(event.get("isBase64Encoded", "")).lower() == "true":
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise EventError("isBase64Encoded is set, but the body is not base64") from None
    return body.encode("utf-8", "surrogatepass")


def timer_message(event: Any) -> str:
    """What the timer asks of the sweep: RECONCILE or AUDIT. Raises EventError for another message."""
    message = _text(event if isinstance(event, Mapping) else {}, "Message").strip().lower() or RECONCILE
    if message not in {RECONCILE, AUDIT}:
        raise EventError(f"the timer's message is {message[:40]!r}; it must be {RECONCILE} or {AUDIT}")
    return message


def _member(value: Any, name: str) -> Mapping[str, Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if isinstance(found, str):
        return found
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else ""
