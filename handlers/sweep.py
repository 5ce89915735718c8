"""A timer -> whatever the other two missed."""

from __future__ import annotations

from typing import Any

from shared.events import AUDIT, parse_timer_event
from shared.invocation import desk_for, log_of
from shared.recordings.sweep import sweep


def main_handler(event: Any, context: Any) -> dict[str, Any]:
    """Finishes or repairs open work; with the message `audit` also finds recordings that no event told of."""
    log = log_of("sweep", context)
    message = parse_timer_event(event)
    desk = desk_for(context, log)
    tally = sweep(desk)
    told: dict[str, Any] = {"swept": tally.outcomes, "troubles": tally.troubles}
    if message == AUDIT and not tally.stopped_early:
        # Imported here: most runs are sweeps, and a cold start pays for every module.
        from shared.recordings.audit import audit  # noqa: PLC0415

        found = audit(desk)
        told |= {"audited": found.outcomes, "audit_troubles": found.troubles}
    log.info("done", **{name: str(value) for name, value in told.items()})
    return told
