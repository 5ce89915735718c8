"""CI's notification -> the transcripts, written to the output bucket."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from shared.errors import EventError, SettingsError, safe_error_message
from shared.events import build_http_response, has_valid_token, parse_http_event, parse_notification
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
    response = build_http_response(403, "forbidden")
    with suppress(Exception):  # what `_process` could not log either
        log = create_logger("callback", context)
        tokens = load_callback_tokens(os.environ)
        if has_valid_token(event, tokens):
            response = build_http_response(503, "not finished, try again")
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
            return build_http_response(405, "only POST is supported")
        process_notification(ctx, parse_notification(request.body))
    except EventError as error:
        log.warning("callback_rejected", reason=str(error))
        return build_http_response(error.status, str(error))
    except SettingsError:
        return build_http_response(503, "not finished, try again")  # `create_context` has logged the reason
    except Exception as error:  # noqa: BLE001 - the sender must not see the platform's stack trace
        # The sender may retry; otherwise the sweep completes the job.
        log.error("callback_failed", error=safe_error_message(error))
        return build_http_response(503, "not finished, try again")
    return build_http_response(200, "ok")
