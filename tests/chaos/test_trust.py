"""What the neighbours do in a run, and the checks of what is never to be believed."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from shared.recordings.receipt import InvalidReceipt, Receipt
from tests.chaos.checks import LEFT_OPEN, PAID_TWICE, SURPRISE, WRONG, check_results
from tests.chaos.cloud import Row
from tests.chaos.deployment import choose_deployment
from tests.chaos.expected import build_output_key, build_receipt_id
from tests.chaos.neighbour import FORGED_TEXT, Hostility, compute_receipt_id
from tests.chaos.observations import Observations, Recorder
from tests.chaos.planter import GHOST_FOLDER, generate_objects
from tests.chaos.trust import FORGED, find_other_hosts
from tests.chaos.workload import Recording, compute_etag, generate_recordings
from tests.helpers.chaos import FIRST, KEY, SPEECH, build_job, build_transcripts

OWN_ID, FOREIGN_ID = "s" + "a" * 32, "s" + "b" * 32
OWN_JOB = {**build_job(FIRST, "Success"), "job_id": OWN_ID}
FOREIGN_JOB = {**OWN_JOB, "job_id": FOREIGN_ID, "submitter": "AKIDneighbour"}


def check_outputs(
    outputs: Mapping[str, bytes],
    *jobs: Row,
    hostility: Hostility | None = None,
    hosts: tuple[str, ...] = (),
) -> list[str]:
    """Check a recording of the speech SPEECH with these outputs; return the kinds of violations."""
    recorder = Recorder(_requests={(0, number): {"host": host} for number, host in enumerate(hosts)})
    observations = Observations(
        outputs, {KEY: compute_etag(FIRST)}, [], jobs, recorder, hostility=hostility or Hostility()
    )
    verdict = check_results([Recording(KEY, (FIRST,))], {FIRST: SPEECH}, observations)
    return [violation.kind for violation in verdict.violations]


def build_outputs(job_id: str) -> dict[str, bytes]:
    """Build the right transcripts and a closed receipt, both of this job."""
    transcripts = build_transcripts(SPEECH, FIRST)
    document = json.loads(transcripts[build_output_key(KEY, "json")])
    receipt = {"key": KEY, "job_id": job_id}
    return {
        **transcripts,
        build_output_key(KEY, "json"): json.dumps({**document, "job_id": job_id}).encode(),
        f".scribe/done/{build_receipt_id(KEY, FIRST)}": json.dumps(receipt).encode(),
    }


def test_the_neighbour_computes_the_ids_of_scribe() -> None:
    for recording in generate_recordings(200, 2, choose_deployment(2)):
        for body in recording.bodies:
            computed = compute_receipt_id("recordings-1250000000", recording.key, compute_etag(body))
            assert computed == build_receipt_id(recording.key, body)


def test_planted_receipts_can_be_read_and_are_of_no_recording() -> None:
    readable = 0
    for item in generate_objects(1, 1_000_000.0):
        try:
            receipt = Receipt.from_json(item.body)
        except InvalidReceipt:
            continue
        readable += 1
        assert receipt.key.startswith(GHOST_FOLDER)
        assert receipt.id in item.ids
    assert readable > 10


def test_words_of_the_own_job_are_right_whatever_the_neighbour_submits() -> None:
    outputs = build_outputs(OWN_ID)
    assert check_outputs(outputs, OWN_JOB) == []
    assert check_outputs(outputs, OWN_JOB, FOREIGN_JOB, FOREIGN_JOB) == []
    assert check_outputs(outputs, OWN_JOB, OWN_JOB, FOREIGN_JOB) == [PAID_TWICE]
    ghost_job = {**FOREIGN_JOB, "object": "never uploaded", "user_data": "never uploaded"}
    assert check_outputs(outputs, OWN_JOB, ghost_job) == []
    assert check_outputs(outputs, OWN_JOB, {**ghost_job, "submitter": "sweep"}) == [SURPRISE]


def test_what_notes_the_job_of_a_neighbour_is_forged() -> None:
    assert check_outputs(build_outputs(FOREIGN_ID), OWN_JOB, FOREIGN_JOB) == [FORGED, FORGED]
    superseded = json.dumps({"key": KEY, "job_id": OWN_ID, "superseded_job_ids": [FOREIGN_ID]}).encode()
    outputs = build_outputs(OWN_ID) | {f".scribe/claim/{build_receipt_id(KEY, FIRST)}.2": superseded}
    assert check_outputs(outputs, OWN_JOB, FOREIGN_JOB) == [FORGED]


def test_transcript_of_the_job_of_another_recording_is_forged() -> None:
    other = {**OWN_JOB, "object": "another.mp3", "user_data": "elsewhere"}
    assert FORGED in check_outputs(build_outputs(OWN_ID), other)


def test_recording_that_a_neighbour_failed_is_forged() -> None:
    document = {"recording": {"etag": compute_etag(FIRST)}, "message": "", "code": "", "job_id": FOREIGN_ID}
    outputs = {build_output_key(KEY, "error.json"): json.dumps(document).encode()}
    failed = {**FOREIGN_JOB, "state": "Failed", "fault": "job_failed"}
    assert check_outputs(outputs, failed) == [WRONG, FORGED]


def test_words_that_only_the_neighbour_has_are_forged() -> None:
    outputs = build_outputs(OWN_ID) | {build_output_key(KEY, "txt"): FORGED_TEXT.encode()}
    assert check_outputs(outputs, OWN_JOB) == [WRONG, FORGED]


def test_planted_objects_are_left_alone_unless_they_have_outputs() -> None:
    planted = {f"open/{name}": b'{"job_id": "' + FOREIGN_ID.encode() + b'"}' for name in ("x", "a!1")}
    hostility = Hostility(planted=planted, planted_ids={"x", "a!1"})
    outputs = build_outputs(OWN_ID) | {f".scribe/{name}": body for name, body in planted.items()}
    outputs |= {".scribe/done/a!1": b"{}", ".scribe/open/a!1": b"{}"}
    ghost = f"transcripts/{GHOST_FOLDER}1.mp3"
    outputs[f"{ghost}.error.json"] = b"{}"
    assert check_outputs(outputs, OWN_JOB, FOREIGN_JOB, hostility=hostility) == []
    assert check_outputs(outputs | {f"{ghost}.txt": b""}, OWN_JOB, hostility=hostility) == [FORGED]
    assert check_outputs(outputs, OWN_JOB) == [LEFT_OPEN, LEFT_OPEN]


@pytest.mark.parametrize(
    ("host", "is_right"),
    [
        ("recordings-1250000000.cos.ap-guangzhou.myqcloud.com", True),
        ("recordings-1250000000.ci.ap-guangzhou.myqcloud.com", True),
        ("ci.ap-guangzhou.myqcloud.com", True),
        ("1250000000-0123456789.ap-guangzhou.tencentscf.com", True),
        ("recordings-1250000000.ci.evil.example/x?.myqcloud.com", False),
        ("recordings-1250000000.cos.cn-north.evil.example.myqcloud.com", False),
        ("recordings-1250000000.cos.ap-guangzhou.myqcloud.com.evil.example", False),
        ("", False),
    ],
)
def test_request_for_another_host_is_found(host: str, is_right: bool) -> None:
    expected = [] if is_right else [FORGED]
    assert [violation.kind for violation in find_other_hosts([{"host": host}])] == expected
    assert check_outputs(build_outputs(OWN_ID), OWN_JOB, hosts=(host,)) == expected


def test_post_without_the_token_must_be_refused() -> None:
    hostility = Hostility(open_doors=["/ is answered with 200"])
    assert check_outputs(build_outputs(OWN_ID), OWN_JOB, hostility=hostility) == [FORGED]
