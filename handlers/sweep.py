"""Timer -> repairs of everything that the other two functions missed."""

from __future__ import annotations

from typing import Any

from shared.events import AUDIT, parse_timer_event
from shared.recordings.context import create_context, create_logger
from shared.recordings.sweep import reconcile


def main_handler(event: Any, context: Any) -> dict[str, Any]:
    """Complete or repair open work; with the message `audit`, also ingest recordings without a receipt."""
    log = create_logger("sweep", context)
    message = parse_timer_event(event)
    ctx = create_context(context, log)
    summary = reconcile(ctx)
    response: dict[str, Any] = {"reconciled": summary.counts, "errors": summary.errors}
    if message == AUDIT and not summary.stopped_early:
        # Imported here because most runs are no audits, and a cold start pays for every module.
        from shared.recordings.audit import audit  # noqa: PLC0415

        audited = audit(ctx)
        response |= {"audited": audited.counts, "audit_errors": audited.errors}
        ctx.send_notices()
    log.info("sweep_finished", **response)
    return response
