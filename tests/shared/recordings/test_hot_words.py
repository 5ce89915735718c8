"""A recording with hot words: which template its job has, and what happens without one."""

from __future__ import annotations

import pytest

from shared.errors import NotFound, OutcomeUnknown, RequestRejected
from shared.options.hot_words import build_templates_object, template_key
from shared.recordings.hot_words import MISSING_TTL_S, TEMPLATES_TTL_S
from shared.recordings.models import Result, Status
from shared.recordings.proof import compute_nonce, is_own_job
from shared.recordings.submit import submit_job
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, raise_error
from tests.helpers.in_memory_pipeline import InMemoryPipeline

KEY, WORDS = "calls/1.mp3", "hotwords/calls.txt"
DEPLOYMENT = "ap-guangzhou/default/scribe-prod-scribe-"
OBJECT = ".scribe/hot-words/ap-guangzhou.default.scribe-prod-scribe-.json"
REFUSED = RequestRejected(resource=INPUT_BUCKET, status=400, code="TemplateNotFound", message="no t1")


@pytest.fixture
def pipeline() -> InMemoryPipeline:
    pipeline = InMemoryPipeline()
    pipeline.ctx.deployment = DEPLOYMENT
    return pipeline


def put_templates(pipeline: InMemoryPipeline, template_id: str = "t1", bucket: str = INPUT_BUCKET) -> None:
    """Write what `scribe deploy` writes, for recordings with the default options."""
    options = pipeline.build_receipt(KEY, b"a", options={"hot-words": WORDS}).recording_options
    body = build_templates_object({bucket: {template_key(options): template_id}})
    pipeline.cloud.put_object(OUTPUT_BUCKET, OBJECT, body)


def submit(pipeline: InMemoryPipeline, key: str = KEY) -> Result:
    """Submit a recording with hot words, whose receipt was created a moment ago."""
    body, secret = key.encode(), pipeline.ctx.create_secret()
    pipeline.upload(key, body)
    receipt = pipeline.build_receipt(key, body, nonce=compute_nonce(secret), options={"hot-words": WORDS})
    return submit_job(pipeline.ctx, pipeline.put_open(receipt), secret)


def submit_and_read_template(pipeline: InMemoryPipeline, key: str = KEY) -> str:
    """Submit a recording, and return the id of the template of its job."""
    count = pipeline.count_jobs()
    assert submit(pipeline, key).status is Status.SUBMITTED
    assert pipeline.count_jobs() == count + 1
    return pipeline.cloud.job_requests[-1].template_id


def list_reads(pipeline: InMemoryPipeline) -> int:
    return sum(request.key == OBJECT for request in pipeline.take_requests())


def get_reason(pipeline: InMemoryPipeline, event: str = "hot_words_not_used") -> str:
    (line,) = [line for line in pipeline.log_lines if line["event"] == event]
    return str(line.get("reason") or line["error"])


def test_job_has_the_template_with_the_words(pipeline: InMemoryPipeline) -> None:
    put_templates(pipeline)
    assert submit_and_read_template(pipeline) == "t1"
    assert "hot_words_not_used" not in pipeline.get_events()
    pipeline.run_and_notify()
    assert pipeline.get_text(KEY) == KEY


def test_templates_are_read_once_in_five_minutes(pipeline: InMemoryPipeline) -> None:
    put_templates(pipeline)
    submit(pipeline)
    put_templates(pipeline, "t2")
    assert submit_and_read_template(pipeline, "calls/2.mp3") == "t1"
    assert list_reads(pipeline) == 1
    pipeline.cloud.clock.advance(TEMPLATES_TTL_S)
    assert submit_and_read_template(pipeline, "calls/3.mp3") == "t2"
    assert list_reads(pipeline) == 1


def test_missing_template_is_looked_for_again_soon(pipeline: InMemoryPipeline) -> None:
    assert submit_and_read_template(pipeline) == ""
    put_templates(pipeline)
    assert submit_and_read_template(pipeline, "calls/2.mp3") == ""
    assert list_reads(pipeline) == 1
    pipeline.cloud.clock.advance(MISSING_TTL_S)
    assert submit_and_read_template(pipeline, "calls/3.mp3") == "t1"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotFound(resource=OBJECT, status=404, code="NoSuchKey"), "no template was deployed"),
        (RequestRejected(resource=OBJECT, status=403, code="AccessDenied"), "cannot be read"),
        (OutcomeUnknown(resource=OBJECT, code="NoAnswer"), "cannot be read"),
    ],
)
def test_recording_is_submitted_without_hot_words(
    pipeline: InMemoryPipeline, error: Exception, reason: str
) -> None:
    put_templates(pipeline)
    pipeline.cloud.before("GET", OBJECT, raise_error(error))
    assert submit_and_read_template(pipeline) == ""
    assert reason in get_reason(pipeline)
    assert pipeline.cloud.job_requests[-1].speech["EngineModelType"] == "16k_zh"


def test_template_of_another_bucket_or_with_other_options_is_not_used(pipeline: InMemoryPipeline) -> None:
    put_templates(pipeline, bucket="other-1250000000")
    assert submit_and_read_template(pipeline) == ""
    assert get_reason(pipeline) == "no template has these options with these hot words"


def test_unknown_object_is_not_used(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.put_object(OUTPUT_BUCKET, OBJECT, b"[" * 100_000)
    assert submit_and_read_template(pipeline) == ""
    assert get_reason(pipeline).endswith("is not what scribe deploy writes")


def test_deployment_without_a_name_has_no_hot_words(pipeline: InMemoryPipeline) -> None:
    put_templates(pipeline)
    pipeline.ctx.deployment = ""
    assert submit_and_read_template(pipeline) == ""
    assert list_reads(pipeline) == 0


@pytest.mark.parametrize("code", ["TemplateNotFound", "InvalidArgument", "Odd"])
def test_job_that_is_refused_with_its_words_is_submitted_without_them(
    pipeline: InMemoryPipeline, code: str
) -> None:
    put_templates(pipeline)
    refused = RequestRejected(resource=INPUT_BUCKET, status=400, code=code)
    pipeline.cloud.before("POST", "/asr_jobs", raise_error(refused))
    assert submit_and_read_template(pipeline) == ""
    assert code in get_reason(pipeline, "hot_words_refused")
    assert pipeline.get_error(KEY) is None
    put_templates(pipeline, "t2")
    assert (
        submit_and_read_template(pipeline, "calls/2.mp3") == "t2"
    )  # read again: a deployment may have replaced the template


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "AccessDenied"), (400, "CIRoleNotExist"), (402, "Odd"), (400, "AsrBucketUnBinded")],
)
def test_refusal_for_another_cause_is_not_tried_twice(
    pipeline: InMemoryPipeline, status: int, code: str
) -> None:
    put_templates(pipeline)
    error = RequestRejected(resource=INPUT_BUCKET, status=status, code=code)
    pipeline.cloud.before("POST", "/asr_jobs", raise_error(error))
    assert submit(pipeline).status is Status.DEFERRED
    assert pipeline.count_jobs() == 0
    assert "hot_words_refused" not in pipeline.get_events()


def test_second_refusal_fails_the_recording(pipeline: InMemoryPipeline) -> None:
    put_templates(pipeline)
    invalid = RequestRejected(resource=INPUT_BUCKET, status=400, code="InvalidArgument")
    pipeline.cloud.before("POST", "/asr_jobs", raise_error(invalid), times=2)
    assert submit(pipeline).status is Status.FAILED
    assert pipeline.count_jobs() == 0


def test_job_with_hot_words_is_own_with_what_its_template_has(pipeline: InMemoryPipeline) -> None:
    put_templates(pipeline)
    pipeline.cloud.after(
        "POST", "/asr_jobs", raise_error(OutcomeUnknown(resource=INPUT_BUCKET, code="NoAnswer"))
    )
    assert submit(pipeline).status is Status.IN_PROGRESS
    (job,) = pipeline.cloud.jobs.values()
    assert is_own_job(pipeline.get_open(), job._replace(engine="8k_zh", channels=2))
    assert not is_own_job(pipeline.get_open(), job._replace(output_key="elsewhere.txt"))


def test_lease_that_ends_before_the_second_try_leaves_it_to_the_sweep(pipeline: InMemoryPipeline) -> None:
    put_templates(pipeline)

    def refuse_late() -> None:
        pipeline.cloud.clock.advance(pipeline.ctx.settings.lease_s)
        raise REFUSED

    pipeline.cloud.before("POST", "/asr_jobs", refuse_late)
    assert submit(pipeline).status is Status.IN_PROGRESS
    assert pipeline.count_jobs() == 0
