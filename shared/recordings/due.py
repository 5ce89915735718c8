"""What is old enough for the sweep and the audit: anything younger is still in good hands."""

from __future__ import annotations

from datetime import datetime, timezone

from shared.recordings.desk import Desk


def is_due(desk: Desk, modified: str) -> bool:
    """Whether something written at this time (ISO 8601, UTC) is at least SWEEP_AFTER seconds old."""
    return desk.now() - seconds_of(modified) >= desk.settings.sweep_after_s


def is_overdue(desk: Desk, created_s: float) -> bool:
    """Whether work that began then (Unix seconds) has had GIVE_UP_AFTER seconds."""
    return desk.now() - created_s > desk.settings.give_up_after_s


def seconds_of(modified: str) -> float:
    """Unix seconds of a listing's time; 0, long ago, when it cannot be read."""
    try:
        written = datetime.fromisoformat(modified.replace("Z", "+00:00"))
    except ValueError:
        return 0.0
    return written.replace(tzinfo=written.tzinfo or timezone.utc).timestamp()
