"""Function URLs: the event that a function gets for a request, and the response that the caller gets for its result."""

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
class UrlResponse:
    """The response of a function URL."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def build_url_host(function_name: str, *, appid: str, region: str, url_id: str | None) -> str:
    """Build the public host of a function's URL; without an id, the host is always the same for the name."""
    default_id = hashlib.sha256(f"{appid}/{region}/{function_name}".encode()).hexdigest()[:10]
    return f"{appid}-{url_id or default_id}.{region}.tencentscf.com"


def build_url_event(request: UrlRequest) -> dict[str, Any]:
    """Build the event. It has only these five members (583/96099), so neither isBase64Encoded nor a raw query.

    A repeated parameter has its last value. A body that is not UTF-8 becomes base64.
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


def build_url_response(result: Any) -> UrlResponse:
    """Build the response for a handler's result: with `statusCode` as the result says, otherwise 200 and JSON."""
    if not isinstance(result, dict) or "statusCode" not in result:
        return UrlResponse(200, _JSON, _to_json(result))
    status, body, headers = result["statusCode"], result.get("body") or "", result.get("headers") or {}
    # Excludes bool: True would be status 1.
    if type(status) is not int or not 100 <= status <= 599:  # noqa: PLR2004 -- what HTTP allows
        return error_response(502, "statusCode of the function's result must be an integer from 100 to 599")
    if not isinstance(body, str) or not isinstance(headers, dict):
        return error_response(502, "body of the function's result must be a string, and headers a map")
    content = body.encode()
    if result.get("isBase64Encoded") is True:
        try:
            content = base64.b64decode(body, validate=True)
        except binascii.Error:
            return error_response(
                502, "body of the function's result is not base64, although isBase64Encoded is true"
            )
    return UrlResponse(
        status, {str(name).lower(): _format_header(value) for name, value in headers.items()}, content
    )


def error_response(
    status: int, message: str, *, code: int = -1, request_id: str = "", stack: str = ""
) -> UrlResponse:
    """Build the platform's own error response; members as in results of failed invocations."""
    body = {"errorCode": code, "errorMessage": message, "requestId": request_id, "stackTrace": stack}
    return UrlResponse(status, _JSON, _to_json(body))


def _format_header(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _to_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
