"""Is there a region of this name in which functions run?"""

from __future__ import annotations

from collections.abc import Iterator

from cli.cloud.control import ControlError
from cli.cloud.functions import Functions
from cli.doctor.case import Case
from cli.doctor.finding import Finding, fine


def region(case: Case) -> Iterator[Finding]:
    """Asks SCF for the namespaces. A key that may not list them was understood there all the same."""
    try:
        Functions(case.hands.control).namespaces()
    except ControlError as error:
        if not error.is_denied:
            raise
    yield fine(f"functions run in {case.wanted.region}")
