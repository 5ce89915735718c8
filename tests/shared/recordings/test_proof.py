"""What makes a job a recording's own, tried by a neighbour who may submit and list jobs in the same bucket."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import OutcomeUnknown, RequestRejected
from shared.recordings.models import Status
from shared.recordings.proof import (
    compute_nonce,
    create_secret,
    format_user_data,
    is_own_job,
    parse_user_data,
)
from shared.recordings.receipt import FAILED, TRANSCRIBED, Receipt
from shared.tencent.speech_models import CANCELLED, Job, JobRequest
from shared.tencent.speech_models import FAILED as JOB_FAILED
from tests.helpers.fake_cloud import CALLBACK_TOKEN, INPUT_BUCKET, OUTPUT_BUCKET, FakeCloud, raise_error
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.receipts import RECORDING, build_receipt

A, B = b"words of the recording", b"words of the neighbour"
KEY, OTHER_KEY = "calls/a.mp3", "neighbour.mp3"
LOST = OutcomeUnknown(resource="x", code="NoAnswer")

Change = Callable[[JobRequest], JobRequest]
# What a neighbour may change after copying a request from the list of jobs.
COPIES: dict[str, Change] = {
    "another object": lambda request: request._replace(input_key=OTHER_KEY),
    "another engine": lambda request: request._replace(engine="16k_en"),
    "two channels": lambda request: request._replace(channels=2),
    "another output": lambda request: request._replace(output_key="elsewhere.txt"),
}


@pytest.fixture
def pipeline() -> InMemoryPipeline:
    return InMemoryPipeline(formats=("txt",))


def lose_submit(pipeline: InMemoryPipeline) -> JobRequest:
    """Upload a recording; its job is created, but the answer is lost. Return what the list of jobs shows."""
    pipeline.cloud.after("POST", "", raise_error(LOST))
    assert pipeline.upload_and_ingest(KEY, A).status is Status.IN_PROGRESS
    return pipeline.cloud.job_requests[-1]


def add_forged_job(pipeline: InMemoryPipeline, request: JobRequest) -> str:
    pipeline.upload(OTHER_KEY, B)
    return pipeline.cloud.add_job(INPUT_BUCKET, request).job_id


def count_own_jobs(pipeline: InMemoryPipeline) -> int:
    """Count the jobs except the one forged job of the test."""
    return pipeline.count_jobs() - 1


def build_public_request(receipt: Receipt, key: str = OTHER_KEY, secret: str = "") -> JobRequest:
    """Build what anyone can: bucket, key and ETag are all that a receipt's id needs."""
    user_data = format_user_data(receipt.id, secret) if secret else receipt.id
    raw_key = f".scribe/raw/{receipt.id}.txt"
    return JobRequest(key, OUTPUT_BUCKET, receipt.region, raw_key, "16k_zh", user_data=user_data)


@pytest.mark.parametrize("secret", ["", "0" * 32, "secret-1x"])
@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
def test_receipt_id_alone_proves_nothing(pipeline: InMemoryPipeline, key: str, secret: str) -> None:
    receipt_id = pipeline.upload_and_ingest(KEY, A).receipt_id
    receipt = pipeline.get_open()
    assert receipt.id == receipt_id
    job_id = add_forged_job(pipeline, build_public_request(receipt, key, secret))
    pipeline.cloud.run_jobs(job_id)
    assert pipeline.notify_one(job_id).status is Status.UNKNOWN_JOB
    assert pipeline.get_open() == receipt
    assert pipeline.list_keys("transcripts/") == []
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
def test_forged_job_is_not_taken_for_a_lost_one(pipeline: InMemoryPipeline, key: str) -> None:
    """The submit never arrived, and the neighbour's job has the right id: it is not noted, and one job is paid."""
    pipeline.cloud.before("POST", "", raise_error(LOST))
    pipeline.upload_and_ingest(KEY, A)
    job_id = add_forged_job(pipeline, build_public_request(pipeline.get_open(), key))
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.get_done().job_id != job_id
    assert count_own_jobs(pipeline) == 1


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_copied_secret_on_another_request_is_not_ours(pipeline: InMemoryPipeline, change: Change) -> None:
    request = lose_submit(pipeline)
    job_id = add_forged_job(pipeline, change(request))
    pipeline.cloud.run_jobs(job_id)
    assert pipeline.notify_one(job_id).status is Status.UNKNOWN_JOB
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.get_done().job_id == "s1"
    assert count_own_jobs(pipeline) == 1


def test_copied_secret_with_another_tag_is_not_ours(pipeline: InMemoryPipeline) -> None:
    job_id = add_forged_job(pipeline, lose_submit(pipeline))
    pipeline.cloud.jobs[job_id] = pipeline.cloud.jobs[job_id]._replace(tag="Translation")
    pipeline.cloud.run_jobs(job_id)
    assert pipeline.notify_one(job_id).status is Status.UNKNOWN_JOB


@pytest.mark.parametrize("state", [JOB_FAILED, CANCELLED])
@pytest.mark.parametrize("is_exact_copy", [True, False])
def test_failure_of_forged_job_closes_nothing(
    pipeline: InMemoryPipeline, state: str, is_exact_copy: bool
) -> None:
    request = lose_submit(pipeline)
    forged = request if is_exact_copy else build_public_request(pipeline.get_open(), KEY)
    pipeline.cloud.clock.advance(1)
    job_id = add_forged_job(pipeline, forged)
    pipeline.cloud.end_job(job_id, state, "FailedOperation.Unlisted")
    pipeline.notify(job_id)
    assert pipeline.get_error(KEY) is None
    pipeline.settle()
    assert (pipeline.get_done().state, pipeline.get_done().job_id) == (TRANSCRIBED, "s1")
    assert pipeline.get_text(KEY) == A.decode()


def test_forged_success_does_not_replace_a_failure(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.end_job("s1", JOB_FAILED, "FailedOperation.Unlisted")
    pipeline.notify("s1")
    failed = pipeline.get_done()
    job_id = add_forged_job(pipeline, build_public_request(failed, KEY))
    pipeline.cloud.run_jobs(job_id)
    assert pipeline.notify_one(job_id).status is Status.UNKNOWN_JOB
    assert pipeline.get_done() == failed
    assert failed.state is FAILED


@pytest.mark.parametrize("is_noted", [True, False])
def test_success_of_an_exact_copy_is_not_used(pipeline: InMemoryPipeline, is_noted: bool) -> None:
    """A copy can read a recording of the neighbour's bucket, which has the same key."""
    if is_noted:
        pipeline.upload_and_ingest(KEY, A)
        request = pipeline.cloud.job_requests[-1]
    else:
        request = lose_submit(pipeline)
    pipeline.cloud.clock.advance(1)
    job_id = add_forged_job(pipeline, request)
    pipeline.cloud.run_jobs(job_id)
    assert pipeline.notify_one(job_id).status is Status.IN_PROGRESS
    assert pipeline.list_keys("transcripts/") == []
    pipeline.settle()
    assert (pipeline.get_done().state, pipeline.get_done().job_id) == (TRANSCRIBED, "s1")


def test_success_of_an_exact_copy_does_not_replace_a_failure(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.end_job("s1", JOB_FAILED, "FailedOperation.Unlisted")
    pipeline.notify("s1")
    failed = pipeline.get_done()
    job_id = add_forged_job(pipeline, pipeline.cloud.job_requests[0])
    pipeline.cloud.run_jobs(job_id)
    assert pipeline.notify_one(job_id).status is Status.ALREADY_DONE
    assert pipeline.get_done() == failed


def test_secret_appears_nowhere_before_the_job_that_shows_it() -> None:
    pipeline = InMemoryPipeline()
    shown: list[str] = []

    def note_everything_stored() -> None:
        for bucket in (INPUT_BUCKET, OUTPUT_BUCKET):
            for key, stored in pipeline.cloud.buckets[bucket].items():
                shown.extend((key, stored.body.decode(), *stored.metadata.values()))

    pipeline.cloud.before("POST", "", note_everything_stored)
    pipeline.upload_and_ingest(KEY, A)
    label = parse_user_data(pipeline.cloud.job_requests[0].user_data)
    assert label is not None
    assert label.secret
    assert shown
    assert not [text for text in shown if label.secret in text]
    assert label.secret not in str(pipeline.log_lines)


@pytest.mark.parametrize("versioned", [False, True])
def test_secret_of_a_later_attempt_appears_nowhere_before_its_job(versioned: bool) -> None:
    pipeline = InMemoryPipeline()
    if versioned:
        pipeline.cloud.versioned.add(OUTPUT_BUCKET)
    pipeline.cloud.before("POST", "", raise_error(LOST))
    pipeline.upload_and_ingest(KEY, A)
    shown: list[str] = []

    def note_everything_stored() -> None:
        for key, stored in pipeline.cloud.buckets[OUTPUT_BUCKET].items():
            shown.extend((key, stored.body.decode()))

    pipeline.cloud.before("POST", "", note_everything_stored)
    pipeline.sweep_when_due()
    label = parse_user_data(pipeline.cloud.job_requests[0].user_data)
    assert label is not None
    assert any(".scribe/claim/" in text for text in shown)
    assert not [text for text in shown if label.secret in text]


def test_job_of_an_attempt_before_the_last_is_still_found(pipeline: InMemoryPipeline) -> None:
    """The first attempt's job shows up late, after the second attempt's answer was lost as well."""
    lose_submit(pipeline)
    late_job = pipeline.cloud.jobs.pop("s1")  # not in the list yet
    pipeline.cloud.before("POST", "", raise_error(LOST))
    pipeline.sweep_when_due()
    pipeline.cloud.jobs["s1"] = late_job
    pipeline.settle()
    assert pipeline.get_done().job_id == "s1"
    assert pipeline.count_jobs() == 1


def test_receipt_of_the_version_before_still_finds_its_job(pipeline: InMemoryPipeline) -> None:
    pipeline.upload(KEY, A)
    receipt = pipeline.build_receipt(KEY, A)
    body = (
        receipt.to_json().replace(b'"version": 4', b'"version": 2').replace(b"has_plain_user_data", b"other")
    )
    pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/open/{receipt.id}", body)
    pipeline.cloud.add_job(INPUT_BUCKET, build_public_request(receipt, KEY))
    add_forged_job(pipeline, build_public_request(receipt, OTHER_KEY))
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.get_done().job_id == "s1"
    assert pipeline.count_jobs() == 2  # with the forged one


@given(secret=st.text(), other=st.text())
def test_only_the_secret_itself_has_its_nonce(secret: str, other: str) -> None:
    receipt = build_receipt(nonce=compute_nonce(secret))
    job = Job("s1", "Success", input_key=RECORDING.key, user_data=format_user_data(RECORDING.id, other))
    assert is_own_job(receipt, job) is (secret == other and bool(secret))


@given(user_data=st.text())
def test_any_user_data_can_be_parsed(user_data: str) -> None:
    label = parse_user_data(user_data)
    assert label is None or user_data.startswith(label.receipt_id)


def test_secrets_differ_and_fit_into_user_data() -> None:
    secrets = {create_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert all(len(secret) == 32 for secret in secrets)


def test_noted_job_of_another_recording_writes_nothing() -> None:
    """A receipt that another program wrote may note any job: its words are not those of the recording."""
    pipeline = InMemoryPipeline(FakeCloud(), formats=("txt",))
    pipeline.upload(KEY, A)
    pipeline.upload(OTHER_KEY, B)
    job_id = pipeline.cloud.add_job(
        INPUT_BUCKET, JobRequest(OTHER_KEY, OUTPUT_BUCKET, "r", "x", "16k_zh")
    ).job_id
    pipeline.put_open(pipeline.build_receipt(KEY, A, job_id=job_id))
    pipeline.cloud.run_jobs()
    pipeline.sweep_when_due()
    assert pipeline.list_keys("transcripts/") == []


def test_copy_of_the_same_second_that_failed_is_not_taken_for_the_lost_job(
    pipeline: InMemoryPipeline,
) -> None:
    request = lose_submit(pipeline)
    real = pipeline.cloud.jobs.pop("s1")
    job_id = add_forged_job(pipeline, request)  # it is listed first
    pipeline.cloud.end_job(job_id, CANCELLED)
    pipeline.cloud.jobs["s1"] = real
    pipeline.settle()
    assert pipeline.get_done().job_id == "s1"
    assert pipeline.get_text(KEY) == A.decode()


@pytest.mark.parametrize("is_refusal", [True, False])
def test_token_that_an_answer_quotes_is_in_no_error_object_and_no_log(is_refusal: bool) -> None:
    pipeline = InMemoryPipeline()
    quoted = pipeline.cloud.client.hide_secrets(f"CallBack https://example/{CALLBACK_TOKEN} is not valid")
    refusal = RequestRejected(resource=KEY, status=403, code="InvalidCallBack", message=quoted)
    if is_refusal:
        pipeline.cloud.before("POST", "", raise_error(refusal))
    pipeline.upload_and_ingest(KEY, A)
    if not is_refusal:
        pipeline.cloud.end_job("s1", JOB_FAILED, "FailedOperation", f"callback {CALLBACK_TOKEN} failed")
        pipeline.notify("s1")
    error = pipeline.get_error(KEY)
    assert error is not None
    assert "***" in error["cloud_message"]
    assert CALLBACK_TOKEN not in str(error) + str(pipeline.log_lines)


def test_job_with_a_template_is_own_with_the_engine_and_channels_of_the_template(
    pipeline: InMemoryPipeline,
) -> None:
    pipeline.cloud.after("POST", "", raise_error(LOST))
    pipeline.upload_and_ingest(KEY, A, **{"scribe-template": "t1"})
    (job,) = pipeline.cloud.jobs.values()
    assert is_own_job(pipeline.get_open(), job._replace(engine="8k_zh", channels=2))
    assert not is_own_job(pipeline.get_open(), job._replace(engine="8k_zh", output_key="elsewhere.txt"))
    without_template = pipeline.get_open()._replace(options={})
    assert not is_own_job(without_template, job._replace(engine="8k_zh", channels=2))
