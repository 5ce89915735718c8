"""CI's notification -> the transcripts, written to the output bucket."""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from shared.errors import EventError, SettingsError, safe_error_message
from shared.events import parse_http_event, parse_notification
from shared.logger import Logger
from shared.recordings.complete import process_notification
from shared.recordings.context import create_context, create_logger
from shared.settings import load_callback_tokens


def main_handler(event: Any, context: Any) -> dict[str, Any]:
    """Process the notification; respond 200 only after the last object is written.

    The URL is public. The token is checked before anything else is read, settings included, so a request without a
    valid token gets the same 403 whatever is wrong in the deployment. No exception leaves this function: the platform
    would show its text to the sender.
    """
    response = _response(403, "forbidden")
    with suppress(Exception):  # what `_process` could not log either
        log = create_logger("callback", context)
        tokens = load_callback_tokens(os.environ)
        if _has_valid_token(event, tokens):
            response = _response(503, "not finished, try again")
            response = _process(event, context, log)
        else:
            reason = "no valid token in the path" if tokens else "CALLBACK_TOKEN has no valid token"
            log.warning("callback_rejected", reason=reason)
    return response


def _process(event: Any, context: Any, log: Logger) -> dict[str, Any]:
    """Process a request that has a valid token. Responses do not reveal whether a job exists."""
    try:
        ctx = create_context(context, log)
        request = parse_http_event(event)
        if request.method != "POST":
            return _response(405, "only POST is supported")
        process_notification(ctx, parse_notification(request.body))
    except EventError as error:
        log.warning("callback_rejected", reason=str(error))
        return _response(error.status, str(error))
    except SettingsError:
        return _response(503, "not finished, try again")  # `create_context` has logged the reason
    except Exception as error:  # noqa: BLE001 - the sender must not see the platform's stack trace
        # The sender may retry; otherwise the sweep completes the job.
        log.error("callback_failed", error=safe_error_message(error))
        return _response(503, "not finished, try again")
    return _response(200, "ok")


def _has_valid_token(event: Any, tokens: Iterable[str]) -> bool:
    """Compare with every token in constant time, so that timing reveals nothing about them."""
    path = event.get("path") if isinstance(event, Mapping) else None
    if not isinstance(path, str):
        path = ""
    received = path.rstrip("/").rpartition("/")[2].encode("utf-8", "replace")
    return any([hmac.compare_digest(received, token.encode()) for token in tokens])  # noqa: C419 - a list, so that every token is compared


def _response(status: int, message: str) -> dict[str, Any]:
    return {
        "isBase64Encoded": False,
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"message": message}),
    }
