"""What is said about a recording in the bucket, and that an upload then does exactly that."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from cli.explain.cloud import BucketReader
from cli.explain.models import Explanation, State
from shared.options.hot_words import build_templates_object, template_key
from shared.options.parse import parse_values
from shared.options.rules import Rule
from shared.recordings.models import Status
from shared.recordings.receipt import Receipt
from tests.helpers.chinese import list_english, speak_chinese
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET
from tests.helpers.in_memory_pipeline import InMemoryPipeline

KEY, BODY = "calls/a.mp3", b"the words of a call"
SIDECAR = f"{KEY}.scribe.json"
RULES = (Rule(3, ("calls/",), (), parse_values("rules.yml line 3", {"engine": "8k_zh"}, is_operator=True)),)


def explain(
    pipeline: InMemoryPipeline, metadata: Mapping[str, str] | None = None, **arguments: Any
) -> Explanation:
    reader = BucketReader(pipeline.ctx, arguments.pop("rules", ()))
    values: dict[str, Any] = {"sidecar": None, "size": None, **arguments}
    return reader.explain(INPUT_BUCKET, values.pop("key", KEY), metadata, **values)


def get_state(explanation: Explanation) -> State:
    assert explanation.state
    return explanation.state


def put_sidecar(pipeline: InMemoryPipeline, **options: Any) -> None:
    pipeline.cloud.put_object(INPUT_BUCKET, SIDECAR, json.dumps(options).encode())


def transcribe(
    pipeline: InMemoryPipeline, body: bytes = BODY, metadata: Mapping[str, str] = MappingProxyType({})
) -> None:
    pipeline.upload_and_ingest(KEY, body, **metadata)
    pipeline.run_and_notify()


def start_new(pipeline: InMemoryPipeline) -> None:
    pipeline.upload(KEY, BODY)


def start_in_flight(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, BODY)


def start_failed(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline, NOT_AUDIO)


def start_refused(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, BODY, **{"scribe-speakers": "1"})


def start_superseded(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, BODY)
    pipeline.cloud.clock.advance(2)
    transcribe(pipeline, b"other words")
    pipeline.cloud.clock.advance(2)
    pipeline.settle()
    pipeline.upload(KEY, BODY)


def start_other_engine(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    set_engine(pipeline, "16k_en")


def start_other_title(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline, BODY, {"scribe-title": "before"})
    put_sidecar(pipeline, title="now")


def start_late_sidecar(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    put_sidecar(pipeline, speakers=2)


def start_wrong_sidecar(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    put_sidecar(pipeline, speakers=1)


def start_large_sidecar(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.put_object(INPUT_BUCKET, SIDECAR, b" " * 65_537)
    pipeline.upload(KEY, BODY)


def set_engine(pipeline: InMemoryPipeline, engine: str) -> None:
    pipeline.ctx.settings = replace(pipeline.ctx.settings, engine=engine)


class StateCase(NamedTuple):
    """How the state comes about, what is said about it, and what an upload of the same content then does."""

    start: Callable[[InMemoryPipeline], None]
    receipt: str
    on_upload: Status
    message: str
    changed: tuple[str, ...] = ()


CASES = {
    "new": StateCase(start_new, "", Status.SUBMITTED, "Not submitted yet."),
    "in flight": StateCase(start_in_flight, "submitted", Status.IN_PROGRESS, "In progress."),
    "transcribed": StateCase(
        transcribe, "transcribed", Status.ALREADY_DONE, "Transcribed with these options."
    ),
    "failed": StateCase(
        start_failed, "failed", Status.SUBMITTED, "It failed; transcripts/calls/a.mp3.error.json says why."
    ),
    "refused": StateCase(
        start_refused, "failed", Status.FAILED, "Its options are refused: an upload gets an error object"
    ),
    "superseded": StateCase(start_superseded, "superseded", Status.SUBMITTED, "Other content was uploaded"),
    "other engine": StateCase(
        start_other_engine,
        "transcribed",
        Status.SUBMITTED,
        "a new job, which is billed, because of: engine 16k_en (settings), before 16k_zh.",
        ("engine",),
    ),
    "other title": StateCase(
        start_other_title,
        "transcribed",
        Status.REOPENED,
        "no new job; its transcripts are written again, because of: title.",
        ("title",),
    ),
    "late sidecar": StateCase(
        start_late_sidecar,
        "transcribed",
        Status.SUBMITTED,
        "because of: speakers 2 (a.mp3.scribe.json), before off.",
        ("speakers",),
    ),
    "wrong sidecar": StateCase(
        start_wrong_sidecar,
        "transcribed",
        Status.FAILED,
        "an upload gets an error object, and costs nothing. The transcripts that are there stay.",
    ),
    "large sidecar": StateCase(start_large_sidecar, "", Status.FAILED, "Its options are refused"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_upload_does_what_was_said(case: StateCase) -> None:
    pipeline = InMemoryPipeline()
    case.start(pipeline)
    before = dict(pipeline.cloud.buckets[OUTPUT_BUCKET])
    pipeline.take_requests()
    pipeline.log_lines.clear()
    explanation = explain(pipeline)
    requests = pipeline.take_requests()
    state = get_state(explanation)
    assert {request.method for request in requests} <= {"HEAD", "GET"}
    assert len(requests) == 4
    assert pipeline.cloud.buckets[OUTPUT_BUCKET] == before
    assert (state.exists, state.receipt, state.on_upload) == (True, case.receipt, case.on_upload.value)
    assert case.message in state.message
    assert state.changed == case.changed
    assert bool(explanation.refusals) is (case.on_upload is Status.FAILED)

    content = pipeline.cloud.buckets[INPUT_BUCKET][KEY]
    jobs = pipeline.count_jobs()
    pipeline.cloud.clock.advance(2)
    result = pipeline.upload_and_ingest(KEY, content.body, **content.metadata)
    assert result.status is case.on_upload
    assert pipeline.count_jobs() - jobs == (case.on_upload is Status.SUBMITTED)


def test_state_in_chinese_has_no_english_sentence() -> None:
    with speak_chinese():
        for name, case in CASES.items():
            pipeline = InMemoryPipeline()
            case.start(pipeline)
            explanation = explain(pipeline)
            assert list_english([get_state(explanation).message, *explanation.warnings]) == [], name
    assert get_state(explanation).message == "选项被拒绝：上传后只会得到错误对象（error.json），不产生费用。"


def test_same_receipt_is_new_work_for_other_metadata_only() -> None:
    pipeline = InMemoryPipeline()
    transcribe(pipeline, BODY, {"scribe-fillers": "none"})
    assert get_state(explain(pipeline)).on_upload == "already_done"
    for metadata, changed in (({"scribe-fillers": "some"}, ("fillers",)), ({}, ("fillers",))):
        state = get_state(explain(pipeline, metadata))
        assert (state.on_upload, state.changed) == ("submitted", changed)
    assert get_state(explain(pipeline, {"scribe-fillers": "none"})).on_upload == "already_done"


def test_rule_that_came_later_is_new_work() -> None:
    pipeline = InMemoryPipeline()
    transcribe(pipeline)
    explanation = explain(pipeline, rules=RULES)
    assert [rule.source for rule in explanation.rules] == ["rules.yml line 3"]
    assert "engine 8k_zh (rules.yml line 3), before 16k_zh" in get_state(explanation).message


def upload_and_settle(pipeline: InMemoryPipeline, metadata: Mapping[str, str]) -> int:
    """Upload the recording and let everything end. Return the number of jobs."""
    pipeline.cloud.clock.advance(2)
    assert pipeline.upload_and_ingest(KEY, BODY, **metadata).status is Status.IN_PROGRESS
    pipeline.cloud.clock.advance(2)
    pipeline.settle()
    return pipeline.count_jobs()


@pytest.mark.parametrize(
    ("metadata", "changed", "message", "jobs"),
    [
        ({"scribe-engine": "16k_en"}, ("engine",), "a new job, which is billed, when this one has ended", 2),
        (
            {"scribe-title": "A"},
            ("title",),
            "Uploaded now, its transcripts have the other options: title.",
            1,
        ),
        ({}, (), "The same content uploaded now changes nothing.", 1),
    ],
)
def test_upload_while_a_job_is_in_flight_does_what_was_said(
    metadata: dict[str, str], changed: tuple[str, ...], message: str, jobs: int
) -> None:
    pipeline = InMemoryPipeline()
    start_in_flight(pipeline)
    set_engine(pipeline, "16k_ca")  # what the operator changes is not a choice of the uploader
    state = get_state(explain(pipeline, metadata))
    assert (state.on_upload, state.changed) == ("in_progress", changed)
    assert message in state.message
    assert upload_and_settle(pipeline, metadata) == jobs


def test_upload_before_a_job_is_submitted_does_what_was_said() -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload(KEY, BODY)
    pipeline.put_open(pipeline.build_receipt(KEY, BODY))
    metadata = {"scribe-fillers": "none"}
    state = get_state(explain(pipeline, metadata))
    assert (state.receipt, state.changed) == ("submitting", ("fillers",))
    assert (
        "without a job yet. Uploaded now, it is submitted with the other options: fillers." in state.message
    )
    assert upload_and_settle(pipeline, metadata) == 1
    assert pipeline.get_done().recording_options.fillers == "none"


def test_missing_recording_gets_the_sidecar_that_waits_for_it() -> None:
    pipeline = InMemoryPipeline()
    put_sidecar(pipeline, speakers="auto")
    explanation = explain(pipeline)
    assert explanation.options["speakers"] == ("auto", "a.mp3.scribe.json")
    assert explanation.state == State(False, "Not in the bucket. An upload is submitted.", "submitted")
    put_sidecar(pipeline, speakers="many")
    state = get_state(explain(pipeline))
    assert (state.exists, state.on_upload) == (False, "failed")


def test_archived_recording_waits_for_its_restore() -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload(KEY, BODY)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    assert get_state(explain(pipeline)).message.startswith("In an archive storage class.")


def test_recording_from_before_since_is_left_alone() -> None:
    pipeline = InMemoryPipeline(since_s=9e9)
    pipeline.upload(KEY, BODY)
    assert "uploaded before SINCE" in get_state(explain(pipeline)).message


def test_object_whose_content_is_no_recording_is_named() -> None:
    pipeline = InMemoryPipeline()
    for key, content_type in (("call", "text/plain"), ("call-2", "audio/mpeg")):
        pipeline.upload(key, BODY)
        pipeline.cloud.change_object(INPUT_BUCKET, key, content_type=content_type)
        explanation = explain(pipeline, key=key)
        assert explanation.is_recording is (content_type == "audio/mpeg")
        assert bool(explanation.state) is explanation.is_recording


def test_sidecar_that_the_key_may_not_read_is_a_warning() -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload(KEY, BODY)
    put_sidecar(pipeline, speakers=2)
    pipeline.cloud.change_object(INPUT_BUCKET, SIDECAR, refused=403)
    explanation = explain(pipeline)
    assert [each.startswith(f"{SIDECAR}: ") for each in explanation.warnings] == [True]
    assert get_state(explanation).has_sidecar is False


def test_arguments_replace_what_is_in_the_bucket() -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload(KEY, BODY, **{"scribe-speakers": "2"})
    put_sidecar(pipeline, title="in the bucket")
    explanation = explain(pipeline, {"scribe-speakers": "3"}, sidecar=b'{"title": "on this computer"}')
    assert explanation.options["speakers"].value == "3"
    assert explanation.options["title"].value == "on this computer"
    too_large = explain(pipeline, size=2**30)
    assert "larger than the 512 MB" in too_large.refusals[0].reason


def test_receipt_of_a_version_without_places_counts_as_chosen_by_metadata() -> None:
    pipeline = InMemoryPipeline()
    transcribe(pipeline)
    done = pipeline.get_done()
    old = Receipt.from_json(done.to_json())._replace(engine="16k_ca")
    pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/done/{done.id}", old.to_json())
    assert get_state(explain(pipeline)).changed == ("engine",)


def test_hot_words_are_a_template_or_a_warning() -> None:
    pipeline = InMemoryPipeline()
    pipeline.ctx.deployment = "ap-guangzhou/default/scribe-prod-scribe-"
    pipeline.upload(KEY, BODY)
    choices = parse_values("rules.yml line 5", {"hot-words": "hotwords/calls.txt"}, is_operator=True)
    rules = (Rule(5, ("calls/",), (), choices),)
    without = explain(pipeline, rules=rules)
    assert without.warnings == ("hot-words (rules.yml line 5) are not in this job: no template was deployed",)
    assert "SpeechRecognition" in without.job
    assert without.chosen
    templates = build_templates_object({INPUT_BUCKET: {template_key(without.chosen.options): "t123"}})
    place = ".scribe/hot-words/ap-guangzhou.default.scribe-prod-scribe-.json"
    pipeline.cloud.put_object(OUTPUT_BUCKET, place, templates)
    pipeline.cloud.clock.advance(31)
    explanation = explain(pipeline, rules=rules)
    assert (dict(explanation.job), explanation.warnings) == (
        {"Tag": "SpeechRecognition", "TemplateId": "t123"},
        (),
    )


def test_short_names_are_those_that_an_upload_gets() -> None:
    pipeline = InMemoryPipeline(output_names="short")
    pipeline.upload("calls/a.m4a", BODY)
    for key, names in ((KEY, ("calls/a", "calls/a.m4a")), ("calls/a.m4a", ("calls/a", "calls/a.m4a"))):
        assert explain(pipeline, key=KEY).outputs[0] == f"transcripts/{names[0]}.json"
        pipeline.upload_and_ingest(key, BODY)
        pipeline.run_and_notify()
        assert explain(pipeline, key="calls/a.m4a").outputs[0] == f"transcripts/{names[1]}.json"
        assert f"transcripts/{names[0] if key == KEY else names[1]}.json" in pipeline.list_keys()


def test_changed_setting_names_the_files_that_are_there() -> None:
    pipeline = InMemoryPipeline(output_names="full")
    transcribe(pipeline, BODY)
    pipeline.ctx = pipeline.build_context(output_names="short")
    explanation = explain(pipeline)
    assert explanation.outputs[0] == "transcripts/calls/a.mp3.json"
    assert set(explanation.outputs) <= set(pipeline.list_keys())
    assert get_state(explanation).on_upload == Status.REOPENED.value
    assert "OUTPUT_NAMES" in get_state(explanation).message
    pipeline.touch(KEY)
    assert pipeline.ingest(KEY).status is Status.REOPENED
    pipeline.settle()
    assert explain(pipeline).outputs[0] == "transcripts/calls/a.json"
    assert get_state(explain(pipeline)).on_upload == Status.ALREADY_DONE.value


def test_failed_recording_with_a_short_name_has_its_error_object_there() -> None:
    pipeline = InMemoryPipeline(output_names="short")
    transcribe(pipeline, NOT_AUDIO)
    assert "transcripts/calls/a.error.json" in get_state(explain(pipeline)).message
    assert "transcripts/calls/a.error.json" in pipeline.list_keys()
