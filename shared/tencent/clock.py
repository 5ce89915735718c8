"""The time of COS and CI, which may differ from that of the machine by minutes.

Leases and the validity of signatures compare times that different machines wrote, so everything uses one clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

_CI_OFFSET = re.compile(r"([+-][0-9]{2})([0-9]{2})$")
DATE_TOLERANCE_S = 1.0  # a Date header has whole seconds
MAX_CORRECTION_S = 86_400.0  # a date further away is a mistake of the sender


class ServerClock:
    """How far the clock of COS and CI is ahead of this machine's, in seconds. It belongs to the process.

    0 as long as the Date header of a response agrees with the times when the request was sent and answered.
    """

    def __init__(self) -> None:
        self.offset_s = 0.0
        self._date = ""

    def read_date(self, date: str, sent_s: float, get_now_s: Callable[[], float]) -> None:
        """Compare the Date header of a response that was just received with this machine's clock.

        Called for each response: a text that was compared already, less than a second ago, is not parsed again.
        """
        if date == self._date:
            return
        self._date = date
        received_s = get_now_s()
        date_s = parse_http_date(date)
        if sent_s - DATE_TOLERANCE_S <= date_s <= received_s + DATE_TOLERANCE_S:
            self.offset_s = 0.0
        elif abs(date_s - received_s) <= MAX_CORRECTION_S:
            self.offset_s = date_s - received_s


PROCESS_CLOCK = ServerClock()


def parse_http_date(text: str) -> float:
    """Parse the date of an HTTP header as Unix seconds; 0 for one that cannot be read."""
    try:
        date = parsedate_to_datetime(text)
        return date.replace(tzinfo=date.tzinfo or timezone.utc).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0


def parse_timestamp(text: str) -> float:
    """Parse the ISO 8601 time of a listing or a job as Unix seconds; an unreadable one counts as 0, long ago.

    COS writes `Z`, CI `+0800`; Python 3.10 reads neither.
    """
    try:
        parsed = datetime.fromisoformat(_CI_OFFSET.sub(r"\1:\2", text.replace("Z", "+00:00")))
    except ValueError:
        return 0.0
    return parsed.replace(tzinfo=parsed.tzinfo or timezone.utc).timestamp()
