"""COS event -> a SpeechRecognition job for each new recording."""

from __future__ import annotations

from typing import Any

from shared.errors import safe_error_message
from shared.events import (
    RESTORE_COMPLETED,
    RESTORE_EVENTS,
    InvalidRecord,
    ObjectEvent,
    parse_cos_event,
)
from shared.recordings.context import Context, create_context, create_logger
from shared.recordings.ingest import ingest
from shared.recordings.models import Result, Status


def main_handler(event: Any, context: Any) -> dict[str, Any]:
    """Ingest every record of the event and return what was done with each.

    An error of one record does not stop the others. It is raised afterwards, so that the platform delivers the event
    again; recordings that were submitted are then skipped.
    """
    log = create_logger("upload", context)
    ctx = create_context(context, log)
    results: list[dict[str, str]] = []
    failure: Exception | None = None
    for record in parse_cos_event(event):
        if isinstance(record, InvalidRecord):
            log.error("invalid_event_record", reason=record.reason)
            results.append({"status": "invalid_record", "reason": record.reason})
            continue
        try:
            result = _ingest(ctx.for_region(record.region), record)
        except Exception as error:  # noqa: BLE001 - raised below, after the other records
            failure = error
            log.error("ingest_failed", bucket=record.bucket, key=record.key, error=safe_error_message(error))
            continue
        # OBJECT_NOT_FOUND can also mean a key or a region that was parsed wrongly.
        write = log.warning if result.status is Status.OBJECT_NOT_FOUND else log.info
        write("upload_processed", **result.as_log_fields())
        results.append(result.as_log_fields())
    ctx.send_notices()
    if failure:
        raise failure
    return {"recordings": results}


def _ingest(ctx: Context, record: ObjectEvent) -> Result:
    """Ingest the object of a record. If its URL's key does not exist, try the event's other key once."""
    if record.event_name.startswith(RESTORE_EVENTS) and record.event_name != RESTORE_COMPLETED:
        return Result(Status.SKIPPED, record.bucket, record.key, reason="the restore has only begun")
    is_restore = record.event_name == RESTORE_COMPLETED
    result = ingest(ctx, record.bucket, record.key, is_restore=is_restore, is_upload=record.is_upload)
    if result.status is Status.OBJECT_NOT_FOUND and record.raw_key:
        result = ingest(ctx, record.bucket, record.raw_key, is_restore=is_restore, is_upload=record.is_upload)
    return result
