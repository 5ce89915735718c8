"""CI's notification -> the transcripts, written to the output bucket."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from typing import Any

from shared.errors import EventError, safe_error_message
from shared.events import FunctionUrlRequest, parse_http_event, parse_notification
from shared.invocation import desk_for, log_of
from shared.recordings.callback import finish_named


def main_handler(event: Any, context: Any) -> dict[str, Any]:
    """Answers 200 only after the last object is written.

    The token is checked before anything of the body is read, and no answer tells a stranger whether a job exists.
    """
    log = log_of("callback", context)
    desk = desk_for(context, log)
    try:
        posted = parse_http_event(event)
        if not _token_fits(posted, desk.settings.callback_tokens):
            log.warning("refused", why="no known token in the path")
            return _answer(403, "forbidden")
        if posted.method != "POST":
            return _answer(405, "only POST is answered here")
        finish_named(desk, parse_notification(posted.body))
    except EventError as error:
        log.warning("refused", why=str(error))
        return _answer(error.status, str(error))
    except Exception as error:  # noqa: BLE001 - a stranger must not be shown the platform's stack trace
        # Whoever posted may try again; if nobody does, the sweep finishes the job.
        log.error("not finished", error=safe_error_message(error))
        return _answer(503, "not finished, try again")
    return _answer(200, "ok")


def _token_fits(posted: FunctionUrlRequest, tokens: Iterable[str]) -> bool:
    """Compares with every token, in constant time, so that time tells neither which one nor how much was right."""
    offered = posted.path.rstrip("/").rpartition("/")[2].encode("utf-8", "replace")
    return any([hmac.compare_digest(offered, token.encode()) for token in tokens])  # noqa: C419 - a list: no early end


def _answer(status: int, message: str) -> dict[str, Any]:
    return {
        "isBase64Encoded": False,
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"message": message}),
    }
