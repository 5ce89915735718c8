"""CI's notification -> the transcripts, written to the output bucket."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from typing import Any

from shared.errors import EventError, safe_error_message
from shared.events import FunctionUrlRequest, parse_http_event, parse_notification
from shared.recordings.complete import process_notification
from shared.recordings.context import create_context, create_logger


def main_handler(event: Any, context: Any) -> dict[str, Any]:
    """Process the notification; respond 200 only after the last object is written.

    The token is checked before the body is read, and responses do not reveal whether a job exists.
    """
    log = create_logger("callback", context)
    ctx = create_context(context, log)
    try:
        request = parse_http_event(event)
        if not _has_valid_token(request, ctx.settings.callback_tokens):
            log.warning("callback_rejected", reason="no valid token in the path")
            return _response(403, "forbidden")
        if request.method != "POST":
            return _response(405, "only POST is supported")
        process_notification(ctx, parse_notification(request.body))
    except EventError as error:
        log.warning("callback_rejected", reason=str(error))
        return _response(error.status, str(error))
    except Exception as error:  # noqa: BLE001 - the sender must not see the platform's stack trace
        # The sender may retry; otherwise the sweep completes the job.
        log.error("callback_failed", error=safe_error_message(error))
        return _response(503, "not finished, try again")
    return _response(200, "ok")


def _has_valid_token(request: FunctionUrlRequest, tokens: Iterable[str]) -> bool:
    """Compare with every token in constant time, so that timing reveals nothing about them."""
    received = request.path.rstrip("/").rpartition("/")[2].encode("utf-8", "replace")
    return any([hmac.compare_digest(received, token.encode()) for token in tokens])  # noqa: C419 - a list, so that every token is compared


def _response(status: int, message: str) -> dict[str, Any]:
    return {
        "isBase64Encoded": False,
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"message": message}),
    }
