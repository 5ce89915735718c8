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


def written(said: Said, body: bytes) -> dict[str, bytes]:
    """The results of this content of the recording, saying this."""
    sentences = [{"start_ms": start, "end_ms": end, "text": text} for start, end, text in said.sentences]
    texts = {
        "json": json.dumps({"recording": {"etag": etag_of(body)}, "sentences": sentences}),
        "txt": " ".join(said.words),
        "srt": "1\n00:00:00,000 --> 00:00:00,900\n" + " ".join(said.words),
        "vtt": "WEBVTT\n\n00:00.000 --> 00:00.900\n" + " ".join(said.words),
    }
    return {output_key(KEY, ending): text.encode() for ending, text in texts.items()}


def judged(bodies: tuple[bytes, ...], *jobs: Row) -> Verdict:
    """Of a recording that ended with an error object."""
    told = json.dumps({"recording": {"etag": etag_of(bodies[-1])}}).encode()
    evidence = Evidence({output_key(KEY, "error.json"): told}, [KEY], [], jobs, Recorder())
    return judge([Recording(KEY, bodies)], dict.fromkeys(bodies, SAID), evidence)


def test_error_is_correct_for_restored_content_with_failed_job() -> None:
    told = judged((FIRST, OTHER, FIRST), job(FIRST, "Success"), job(OTHER, "Success"), job(FIRST, "Failed"))
    assert (told.violations, told.errors_expected) == ((), 1)


@pytest.mark.parametrize(
    ("bodies", "states"),
    [((FIRST, FIRST), ("Failed", "Success")), ((FIRST,), ("Success",)), ((FIRST,), ())],
)
def test_error_is_wrong_if_a_job_succeeded(bodies: tuple[bytes, ...], states: tuple[str, ...]) -> None:
    told = judged(bodies, *(job(FIRST, state) for state in states))
    assert [one.kind for one in told.violations] == ["wrong"]


@pytest.mark.parametrize(
    ("bodies", "seen", "kinds"),
    [
        ((FIRST, OTHER, FIRST), (FIRST,), []),
        ((FIRST, OTHER, FIRST), (FIRST, OTHER), ["wrong"]),
        ((OTHER, FIRST), (FIRST,), ["wrong"]),
    ],
)
def test_transcript_of_other_content_is_wrong_unless_unseen(
    bodies: tuple[bytes, ...], seen: tuple[bytes, ...], kinds: list[str]
) -> None:
    elsewhere = Said(((0, 900, "something else"),))
    receipts = {f".scribe/done/{identity(KEY, body)}": b"{}" for body in seen}
    evidence = Evidence(written(elsewhere, FIRST) | receipts, [KEY], [], [job(FIRST, "Success")], Recorder())
    told = judge([Recording(KEY, bodies)], {FIRST: SAID, OTHER: elsewhere}, evidence)
    assert [one.kind for one in told.violations] == kinds
    assert told.of_unseen_content == (not kinds)
