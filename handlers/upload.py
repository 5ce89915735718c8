"""A COS event -> a SpeechRecognition job for each new recording."""

from __future__ import annotations

from typing import Any

from shared.errors import safe_error_message
from shared.events import InvalidRecord, parse_cos_event
from shared.invocation import desk_for, log_of
from shared.recordings.outcome import Step
from shared.recordings.take_in import take_in


def main_handler(event: Any, context: Any) -> dict[str, Any]:
    """Takes in every record of the event and tells what became of each.

    One record's trouble does not stop the others. Raises it afterwards, so that the platform delivers the event once
    more: what is already submitted is then left alone.
    """
    log = log_of("upload", context)
    desk = desk_for(context, log)
    told: list[dict[str, str]] = []
    trouble: Exception | None = None
    for record in parse_cos_event(event):
        if isinstance(record, InvalidRecord):
            log.error("a record cannot be read", why=record.reason)
            told.append({"outcome": "unreadable", "why": record.reason})
            continue
        try:
            outcome = take_in(desk.in_region(record.region), record.bucket, record.key)
        except Exception as error:  # noqa: BLE001 - raised below, once the other records had their turn
            trouble = error
            log.error(
                "a recording could not be taken in",
                bucket=record.bucket,
                key=record.key,
                error=safe_error_message(error),
            )
            continue
        # Gone may also mean a key or a region that was read wrongly: worth a second look.
        (log.warning if outcome.step is Step.GONE else log.info)("an upload", **outcome.summary())
        told.append(outcome.summary())
    if trouble:
        raise trouble
    return {"recordings": told}
