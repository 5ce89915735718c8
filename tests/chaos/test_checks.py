"""The checks themselves: which results they call wrong, and which not."""

from __future__ import annotations

import json

import pytest

from tests.chaos.checks import KINDS, Verdict, check_results
from tests.chaos.cloud import Row
from tests.chaos.expected import Speech, build_output_key, build_receipt_id
from tests.chaos.observations import Observations, Recorder
from tests.chaos.report import format_verdict
from tests.chaos.workload import Recording, compute_etag

KEY, FIRST, OTHER = "calls/1.mp3", b"speech first", b"speech other"
SPEECH = Speech(((0, 900, "hello"),))


def build_job(body: bytes, state: str) -> Row:
    fault = "job_failed" if state == "Failed" else ""
    return {
        "user_data": build_receipt_id(KEY, body),
        "object": KEY,
        "job_id": "s1",
        "state": state,
        "code": "",
        "created": "2026-11-26T10:00:00+0800",
        "fault": fault,
        "paid": True,
    }


def build_transcripts(speech: Speech, body: bytes) -> dict[str, bytes]:
    """Build the transcripts of the recording for this content, with this speech."""
    sentences = [{"start_ms": start, "end_ms": end, "text": text} for start, end, text in speech.sentences]
    texts = {
        "json": json.dumps({"recording": {"etag": compute_etag(body)}, "sentences": sentences}),
        "txt": " ".join(speech.words),
        "srt": "1\n00:00:00,000 --> 00:00:00,900\n" + " ".join(speech.words),
        "vtt": "WEBVTT\n\n00:00.000 --> 00:00.900\n" + " ".join(speech.words),
    }
    return {build_output_key(KEY, extension): text.encode() for extension, text in texts.items()}


def check_error_object(bodies: tuple[bytes, ...], *jobs: Row) -> Verdict:
    """Check a recording that ended with an error object."""
    document = json.dumps({"recording": {"etag": compute_etag(bodies[-1])}}).encode()
    outputs = {build_output_key(KEY, "error.json"): document}
    observations = Observations(outputs, {KEY: compute_etag(bodies[-1])}, [], jobs, Recorder())
    return check_results([Recording(KEY, bodies)], dict.fromkeys(bodies, SPEECH), observations)


def format_counts(verdict: Verdict) -> str:
    counts = {kind: verdict.count(kind) for kind in KINDS}
    summary = {"uploads": 100, **counts, "of_unseen_content": verdict.of_unseen_content}
    return format_verdict({**summary, "faults_struck": {"late_event": 2, "job_failed": 1}})


def test_error_is_correct_for_restored_content_with_failed_job() -> None:
    jobs = [build_job(FIRST, "Success"), build_job(OTHER, "Success"), build_job(FIRST, "Failed")]
    verdict = check_error_object((FIRST, OTHER, FIRST), *jobs)
    assert (verdict.violations, verdict.errors_expected) == ((), 1)
    assert format_counts(verdict) == (
        "100 uploads, 3 faults: nothing lost, nothing paid twice or by surprise, nothing wrong or left open"
    )


@pytest.mark.parametrize(
    ("bodies", "states"),
    [((FIRST, FIRST), ("Failed", "Success")), ((FIRST,), ("Success",)), ((FIRST,), ())],
)
def test_error_is_wrong_if_a_job_succeeded(bodies: tuple[bytes, ...], states: tuple[str, ...]) -> None:
    verdict = check_error_object(bodies, *(build_job(FIRST, state) for state in states))
    assert [violation.kind for violation in verdict.violations] == ["wrong"]
    assert format_counts(verdict) == "100 uploads, 3 faults: 1 wrong"


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
    other_speech = Speech(((0, 900, "something else"),))
    receipts = {f".scribe/done/{build_receipt_id(KEY, body)}": b"{}" for body in seen}
    outputs = build_transcripts(other_speech, FIRST) | receipts
    observations = Observations(
        outputs, {KEY: compute_etag(bodies[-1])}, [], [build_job(FIRST, "Success")], Recorder()
    )
    verdict = check_results([Recording(KEY, bodies)], {FIRST: SPEECH, OTHER: other_speech}, observations)
    assert [violation.kind for violation in verdict.violations] == kinds
    assert verdict.of_unseen_content == (not kinds)
