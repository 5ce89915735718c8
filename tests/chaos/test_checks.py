"""The checks themselves: which results they call wrong, and which not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from shared.recordings.failures import ARCHIVED
from tests.chaos.checks import (
    ERROR_BESIDE,
    KINDS,
    LEFT_OPEN,
    LOST,
    PAID_TWICE,
    SURPRISE,
    WRONG,
    Verdict,
    check_results,
)
from tests.chaos.cloud import Row
from tests.chaos.deployment import FIRST_PLACE, SECOND_PLACE, Deployment, Place, choose_deployment
from tests.chaos.expected import Speech, build_output_key, build_receipt_id
from tests.chaos.observations import Observations, Recorder
from tests.chaos.report import format_verdict
from tests.chaos.workload import (
    Action,
    Kind,
    Recording,
    Restore,
    compute_etag,
    generate_recordings,
    schedule_steps,
)

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
        "submitter": "upload",
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


def check_one(recording: Recording, outputs: dict[str, bytes], *jobs: Row, **changes: Any) -> list[str]:
    """Check one recording of the speech SPEECH; return the kinds of violations."""
    etags = {recording.key: compute_etag(recording.current)}
    observations = replace(Observations(outputs, etags, [], jobs, Recorder()), **changes)
    verdict = check_results([recording], {recording.current: SPEECH}, observations)
    return [violation.kind for violation in verdict.violations]


def build_error_object(message: str = "", place: Place = FIRST_PLACE) -> dict[str, bytes]:
    document = {"recording": {"etag": compute_etag(FIRST)}, "message": message, "code": ""}
    return {build_output_key(KEY, "error.json", place): json.dumps(document).encode()}


def build_receipt_object(state: str) -> dict[str, bytes]:
    return {f".scribe/{state}/{build_receipt_id(KEY, FIRST)}": b"{}"}


@pytest.mark.parametrize("kind", [Kind.OTHER, Kind.OLD, Kind.OLD_ARCHIVED])
def test_what_is_not_transcribed_must_leave_no_trace(kind: Kind) -> None:
    recording = Recording(KEY, (FIRST,), kind)
    assert check_one(recording, {}) == []
    assert check_one(recording, {}, build_job(FIRST, "Success")) == [SURPRISE]
    assert check_one(recording, build_error_object()) == [WRONG]
    assert check_one(recording, build_receipt_object("done")) == [WRONG]


def test_job_for_an_own_output_is_paid_by_surprise() -> None:
    job = {**build_job(FIRST, "Success"), "object": f"transcripts/{KEY}.json", "user_data": "elsewhere"}
    assert check_one(Recording(KEY, (FIRST,)), build_transcripts(SPEECH, FIRST), job) == [SURPRISE]


def test_archived_recording_must_wait_until_it_is_restored() -> None:
    archived = Recording(KEY, (FIRST,), Kind.ARCHIVED)
    waiting = build_error_object(ARCHIVED.message) | build_receipt_object("waiting")
    assert check_one(archived, waiting) == []
    assert check_one(archived, {}) == [LOST]
    assert check_one(archived, waiting, build_job(FIRST, "Failed")) == [SURPRISE]
    assert check_one(archived, build_error_object("another") | build_receipt_object("waiting")) == [WRONG]
    assert check_one(archived, build_error_object(ARCHIVED.message)) == [LOST]


def test_restored_recording_must_have_its_transcripts_and_one_job() -> None:
    restored = replace(Recording(KEY, (FIRST,), Kind.ARCHIVED), restore=Restore.LATE)
    transcripts, job = build_transcripts(SPEECH, FIRST), build_job(FIRST, "Success")
    assert check_one(restored, transcripts, job) == []
    assert check_one(restored, transcripts, job, job) == [PAID_TWICE]
    assert check_one(restored, transcripts | build_receipt_object("waiting"), job) == [LEFT_OPEN]
    too_early = {**build_job(FIRST, "Failed"), "code": "FailedOperation.ErrorDownFile"}
    assert check_one(restored, transcripts, too_early, job) == [PAID_TWICE, SURPRISE]


@pytest.mark.parametrize("kind", [Kind.ENCRYPTED, Kind.DENIED])
def test_unreadable_recording_must_have_an_error_object_only(kind: Kind) -> None:
    recording = Recording(KEY, (FIRST,), kind)
    failed = build_error_object("cannot be read") | build_receipt_object("done")
    assert check_one(recording, failed) == []
    assert check_one(recording, {}) == [LOST]
    assert check_one(recording, failed, build_job(FIRST, "Failed")) == [SURPRISE]


def test_job_without_money_may_be_done_again_and_a_touch_is_no_upload() -> None:
    no_money = {**build_job(FIRST, "Failed"), "code": "FailedOperation.UserHasNoAmount", "fault": ""}
    transcripts, job = build_transcripts(SPEECH, FIRST), build_job(FIRST, "Success")
    assert check_one(Recording(KEY, (FIRST,)), transcripts, no_money, no_money, job) == []
    assert check_one(Recording(KEY, (FIRST,), touches=1), transcripts, job, job) == [PAID_TWICE]
    assert check_one(Recording(KEY, (FIRST,), touches=1), transcripts, build_job(FIRST, "Failed"), job) == []


def test_error_object_beside_transcripts_of_the_same_content_is_wrong() -> None:
    outputs = build_transcripts(SPEECH, FIRST) | build_error_object()
    assert check_one(Recording(KEY, (FIRST,)), outputs, build_job(FIRST, "Failed")) == [ERROR_BESIDE]


def test_results_are_read_at_the_new_prefix_and_then_at_the_old_one() -> None:
    moved = Deployment(moves=True)
    recording, job = Recording(KEY, (FIRST,)), build_job(FIRST, "Success")
    assert check_one(recording, build_transcripts(SPEECH, FIRST), job, deployment=moved) == []
    outputs = build_transcripts(SPEECH, FIRST) | build_error_object(place=SECOND_PLACE)
    assert check_one(recording, outputs, job, deployment=moved) == [WRONG]


@pytest.mark.parametrize("seed", range(6))
def test_same_seed_gives_the_same_storm_with_every_kind(seed: int) -> None:
    deployment = choose_deployment(seed)
    recordings = generate_recordings(60, seed, deployment)
    assert recordings == generate_recordings(60, seed, deployment)
    assert sum(len(recording.bodies) for recording in recordings) == 60
    assert {recording.kind for recording in recordings} == set(Kind)
    schedule = schedule_steps(recordings, seed, has_refusals=True)
    assert schedule == schedule_steps(recordings, seed, has_refusals=True)
    actions = {step.action for stage in schedule.stages for steps in stage for step in steps}
    assert actions == set(Action)
    assert schedule.late


def test_deployments_of_six_seeds_are_all_different() -> None:
    assert len({choose_deployment(seed) for seed in range(6)}) == 6
