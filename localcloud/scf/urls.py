"""A function's URL: the request as the function sees it, and its result as the caller sees it."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_BODY_BYTES = 6 * 1024 * 1024  # request and response, each. SCF documents, 583/11637

_JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class UrlRequest:
    """A request to a function URL; header names in lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class UrlAnswer:
    """What the caller gets."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def url_host(function_name: str, *, appid: str, region: str, urlid: str | None) -> str:
    """Give the public host of a function's URL; without an id of old, one that is always the same for it."""
    made = hashlib.sha256(f"{appid}/{region}/{function_name}".encode()).hexdigest()[:10]
    return f"{appid}-{urlid or made}.{region}.tencentscf.com"


def url_event(request: UrlRequest) -> dict[str, Any]:
    """Build the event: these five members and no other (583/96099), so no word on base64 or raw queries.

    Of a repeated parameter the last value counts. A body that is not UTF-8 arrives as base64.
    """
    try:
        body = request.body.decode()
    except UnicodeDecodeError:
        body = base64.b64encode(request.body).decode()
    return {
        "body": body,
        "headers": {**request.headers, "x-scf-remote-addr": "127.0.0.1"},
        "httpMethod": request.method,
        "path": request.path,
        "queryString": dict(request.query),
    }


def url_answer(result: Any) -> UrlAnswer:
    """Turn a handler's result into an answer: as it says if it has a `statusCode`, else 200 and JSON."""
    if not isinstance(result, dict) or "statusCode" not in result:
        return UrlAnswer(200, _JSON, _json(result))
    status, body, headers = result["statusCode"], result.get("body") or "", result.get("headers") or {}
    # Not bool: True would be status 1.
    if type(status) is not int or not 100 <= status <= 599:  # noqa: PLR2004 -- what HTTP allows
        return failure(502, "statusCode of the function's result must be an integer from 100 to 599")
    if not isinstance(body, str) or not isinstance(headers, dict):
        return failure(502, "body of the function's result must be a string, and headers a map")
    content = body.encode()
    if result.get("isBase64Encoded") is True:
        try:
            content = base64.b64decode(body, validate=True)
        except binascii.Error:
            return failure(502, "body of the function's result is not base64, although it says so")
    return UrlAnswer(status, {str(name).lower(): _header(value) for name, value in headers.items()}, content)


def failure(status: int, message: str, *, code: int = -1, request_id: str = "", stack: str = "") -> UrlAnswer:
    """Build the platform's own error answer; members as seen in results of failed invocations. scf.md 1.9"""
    body = {"errorCode": code, "errorMessage": message, "requestId": request_id, "stackTrace": stack}
    return UrlAnswer(status, _JSON, _json(body))


def _header(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
