"""Requests for one recording, counted on the wire."""

from __future__ import annotations

from pathlib import Path

from tests.bench.figures import CannotMeasure, Section, at_most
from tests.chaos.cloud import running_cloud
from tests.chaos.expected import FORMATS

_MOST_UPLOAD, _MOST_CALLBACK = 7, 6 + len(FORMATS)
_LONGEST_SECONDS = 30.0


def measure(data: Path) -> Section:
    """Raises CannotMeasure."""
    with running_cloud(data) as cloud:
        cloud.upload("one.wav", b"speech " * 300)
        if not cloud.rests(_LONGEST_SECONDS):
            raise CannotMeasure("the pipeline did not come to rest")
        asked = {call["function"]: len(call["requests"]) for call in cloud.invocations()}
    return Section(
        "Requests for one recording",
        f"One upload through the whole pipeline, {len(FORMATS)} formats; the stand-in counts.",
        [
            at_most("upload", asked["upload"], _MOST_UPLOAD),
            at_most("callback", asked["callback"], _MOST_CALLBACK),
        ],
    )
