"""The judge itself: what it must call wrong, and what it must not."""

from __future__ import annotations

import json

import pytest

from tests.chaos.cloud import Row
from tests.chaos.evidence import Evidence, Recorder
from tests.chaos.expected import Said
from tests.chaos.uploads import Recording, etag_of
from tests.chaos.verdict import Verdict, identity, judge, output_key

KEY, FIRST, OTHER = "calls/1.mp3", b"speech first", b"speech other"
SAID = Said(((0, 900, "hello"),))


def job(body: bytes, state: str) -> Row:
    fault = "job_failed" if state == "Failed" else ""
    return {"user_data": identity(KEY, body), "state": state, "fault": fault, "paid": True}


def judged(bodies: tuple[bytes, ...], *jobs: Row) -> Verdict:
    """Of a recording that ended with an error object."""
    told = json.dumps({"recording": {"etag": etag_of(bodies[-1])}}).encode()
    evidence = Evidence({output_key(KEY, "error.json"): told}, [KEY], [], jobs, Recorder())
    return judge([Recording(KEY, bodies)], dict.fromkeys(bodies, SAID), evidence)


def test_an_error_is_right_when_the_content_came_back_and_its_new_job_failed() -> None:
    told = judged((FIRST, OTHER, FIRST), job(FIRST, "Success"), job(OTHER, "Success"), job(FIRST, "Failed"))
    assert (told.violations, told.errors_expected) == ((), 1)


@pytest.mark.parametrize(
    ("bodies", "states"),
    [((FIRST, FIRST), ("Failed", "Success")), ((FIRST,), ("Success",)), ((FIRST,), ())],
)
def test_an_error_is_wrong_beside_a_job_that_succeeded(
    bodies: tuple[bytes, ...], states: tuple[str, ...]
) -> None:
    told = judged(bodies, *(job(FIRST, state) for state in states))
    assert [one.kind for one in told.violations] == ["wrong"]
