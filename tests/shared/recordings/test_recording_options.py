"""Options of one recording, from its metadata through its receipt to the job that CI gets."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
import xmltodict
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.options.model import OPTIONS, RecordingOptions
from shared.recordings.models import Status
from shared.recordings.receipt import FAILED, SUBMITTING, InvalidReceipt, Receipt, select_options
from shared.tencent.speech_models import JobRequest
from shared.tencent.speech_xml import build_submit_body
from tests.helpers.fake_cloud import Killed, raise_error
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline, count_statuses
from tests.helpers.option_cases import CASES, DEFAULT_SPEECH, OptionCase
from tests.helpers.receipts import build_receipt

A = b"words of the recording"


def as_metadata(values: dict[str, Any]) -> dict[str, str]:
    return {f"scribe-{name}": str(value) for name, value in values.items()}


def parse_operation(request: JobRequest) -> dict[str, Any]:
    operation: dict[str, Any] = xmltodict.parse(build_submit_body(request))["Request"]["Operation"]
    del operation["Output"], operation["UserData"]
    return operation


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}={case.text}")
def test_every_option_in_metadata_reaches_the_job(pipeline: InMemoryPipeline, case: OptionCase) -> None:
    metadata = as_metadata({**case.beside, case.name: case.text})
    assert pipeline.upload_and_ingest(case.key, A, **metadata).status is Status.SUBMITTED
    operation = parse_operation(pipeline.cloud.job_requests[-1])
    assert operation.pop("SpeechRecognition", None) == case.speech
    assert operation == case.operation
    options = pipeline.get_open().recording_options
    assert getattr(options, OPTIONS[case.name].field) == case.value


def test_new_names_win_over_the_earlier_ones(pipeline: InMemoryPipeline) -> None:
    metadata = {"engine": "16k_en", "channels": "2", "scribe-engine": "8k_zh"}
    pipeline.upload_and_ingest("a.mp3", A, **metadata)
    (request,) = pipeline.cloud.job_requests
    assert request.speech["EngineModelType"] == request.engine == pipeline.get_open().engine == "8k_zh"
    assert request.speech["ChannelNum"] == "2"
    assert (request.channels, pipeline.get_open().channels) == (2, 2)


def test_metadata_win_over_the_engine_of_the_settings() -> None:
    pipeline = InMemoryPipeline(engine="16k_en")
    pipeline.upload_and_ingest("a.mp3", A, **{"scribe-fillers": "none"})
    pipeline.upload_and_ingest("b.mp3", A, **{"scribe-engine": "16k_zh_video", "scribe-speakers": "auto"})
    first, second = (parse_operation(request)["SpeechRecognition"] for request in pipeline.cloud.job_requests)
    assert first == {**DEFAULT_SPEECH, "EngineModelType": "16k_en", "FilterModal": "2"}
    assert second == {
        **DEFAULT_SPEECH,
        "EngineModelType": "16k_zh_video",
        "SpeakerDiarization": "1",
        "SpeakerNumber": "0",
    }


@pytest.mark.parametrize(
    ("metadata", "message", "message_zh"),
    [
        (
            {"scribe-speakers": "1"},
            "x-cos-meta-scribe-speakers is '1'; it is off, auto or 2 to 10",
            "应为 off、auto 或 2 到 10",
        ),
        (
            {"scribe-speaker": "2"},
            "did you mean x-cos-meta-scribe-speakers?",
            "是否应为 x-cos-meta-scribe-speakers？",
        ),
        (
            {"scribe-hot-words": "a"},
            "the operator sets it in rules or settings",
            "请由管理员在规则或设置中配置",
        ),
        ({"scribe-title": "\ufffd"}, "is not in an encoding that Scribe reads", "编码无法识别"),
        (
            {"channels": "2"},
            "which needs the engine 8k_zh, not 16k_zh (engine: settings); the nearest choice: engine 8k_zh",
            "最接近的可用选择：engine 8k_zh",
        ),
        ({"scribe-template": "t1", "scribe-words": "none"}, "but a template has its own", "但模板自带该参数"),
        (
            {"scribe-flash": "on"},
            "which needs a recording with one of the extensions",
            "要求录音文件的扩展名为以下之一",
        ),
    ],
)
def test_refused_options_cost_no_job_and_are_explained(
    pipeline: InMemoryPipeline, metadata: dict[str, str], message: str, message_zh: str
) -> None:
    assert pipeline.upload_and_ingest("a.flac", A, **metadata).status is Status.FAILED
    error = pipeline.get_error("a.flac") or {}
    assert message in error["message"]
    assert message_zh in error["message_zh"]
    assert pipeline.count_jobs() == 0
    assert pipeline.get_done().state is FAILED


def test_flash_recognition_refuses_a_large_recording(pipeline: InMemoryPipeline) -> None:
    size = 100 * 1024 * 1024 + 1
    pipeline.cloud.put_object("recordings-1250000000", "a.mp3", b"", {"scribe-flash": "yes"}, size=size)
    assert pipeline.ingest("a.mp3").status is Status.FAILED
    assert "more than the 100 MB" in (pipeline.get_error("a.mp3") or {})["message"]
    assert pipeline.count_jobs() == 0


def test_engine_that_no_document_names_is_submitted_and_logged(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest("a.mp3", A, **{"scribe-engine": "16k_new"})
    assert pipeline.count_jobs() == 1
    (line,) = [line for line in pipeline.log_lines if line["event"] == "unconfirmed_options"]
    assert line["warnings"] == [
        "x-cos-meta-scribe-engine is 16k_new: Tencent's documents of this API do not name this engine"
    ]


def test_sweep_submits_with_the_options_of_the_receipt(pipeline: InMemoryPipeline) -> None:
    """The metadata changed since, for example because the recording was copied onto itself."""
    metadata = as_metadata({"speakers": "3", "fillers": "none", "title": quote("周会"), "priority": "2"})
    pipeline.cloud.before("POST", "", raise_error(Killed()))
    with pytest.raises(Killed):
        pipeline.upload_and_ingest("a.mp3", A, **metadata)
    receipt = pipeline.get_open()
    assert receipt.state is SUBMITTING
    pipeline.cloud.change_object("recordings-1250000000", "a.mp3", metadata={})
    pipeline.cloud.clock.advance(DUE_S)
    assert count_statuses(pipeline.sweep()) == {Status.SUBMITTED: 1}
    (request,) = pipeline.cloud.job_requests
    assert parse_operation(request) == {
        "SpeechRecognition": {
            **DEFAULT_SPEECH,
            "SpeakerDiarization": "1",
            "SpeakerNumber": "3",
            "FilterModal": "2",
        },
        "JobLevel": "2",
    }
    assert pipeline.get_open().recording_options.title == "周会"


def test_receipt_has_only_the_options_that_differ() -> None:
    pipeline = InMemoryPipeline(engine="8k_zh")
    pipeline.upload_and_ingest("plain.mp3", A)
    assert "options" not in json.loads(pipeline.get_open().to_json())
    pipeline.run_and_notify()
    pipeline.upload_and_ingest(
        "call.mp3", A, **as_metadata({"channels": 2, "fillers": "keep", "words": "none"})
    )
    document = json.loads(pipeline.get_open().to_json())
    assert (document["engine"], document["channels"], document["options"]) == ("8k_zh", 2, {"words": "none"})


def test_receipt_without_options_has_the_defaults() -> None:
    raw = json.loads(build_receipt(engine="8k_zh", channels=2).to_json())
    assert "options" not in raw
    options = Receipt.from_json(json.dumps(raw).encode()).recording_options
    assert options == RecordingOptions(engine="8k_zh", channels=2)


@pytest.mark.parametrize(("stored", "value"), [(False, False), (True, True)])
def test_receipt_of_before_targets_had_names_is_read(stored: bool, value: bool) -> None:
    document = json.loads(build_receipt().to_json()) | {"options": {"notify": stored}}
    restored = Receipt.from_json(json.dumps(document).encode())
    assert restored.recording_options.notify is value
    assert json.loads(restored.to_json()).get("options", {}) == ({} if stored else {"notify": False})


texts = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), max_size=40)


@given(
    options=st.builds(
        RecordingOptions,
        engine=st.sampled_from(["16k_zh", "8k_zh"]),
        channels=st.integers(1, 2),
        speakers=st.sampled_from(["", "auto", "2", "10"]),
        words=st.sampled_from(OPTIONS["words"].choices),
        punctuation=st.sampled_from(OPTIONS["punctuation"].choices),
        fillers=st.sampled_from(OPTIONS["fillers"].choices),
        dirty_words=st.sampled_from(OPTIONS["dirty-words"].choices),
        numbers=st.sampled_from(OPTIONS["numbers"].choices),
        line_length=st.sampled_from([0, 6, 40]),
        flash=st.booleans(),
        template=st.sampled_from(["", "t1"]),
        hot_words=texts,
        priority=st.integers(0, 2),
        formats=st.sampled_from([("txt",), ("vtt", "json")]) | st.just(RecordingOptions().formats),
        title=texts,
        speaker_names=st.lists(texts.filter(bool), max_size=10).map(tuple),
        caption_width=st.just(0) | st.integers(16, 100),
        caption_lines=st.integers(1, 3),
        caption_seconds=st.integers(2, 15),
        times=st.booleans(),
        notify=st.booleans() | st.sampled_from([("wecom",), ("feishu-sales", "webhook")]),
    )
)
@settings(max_examples=100, deadline=None)
def test_all_options_survive_the_receipt(options: RecordingOptions) -> None:
    receipt = build_receipt(engine=options.engine, channels=options.channels, options=select_options(options))
    restored = Receipt.from_json(receipt.to_json())
    assert restored == receipt
    assert restored.recording_options == options


@pytest.mark.parametrize(
    "options",
    [
        None, 7, "", "speakers", [], [{}], {"speakers": "1"}, {"speakers": None}, {"words": 2}, {"colour": "red"},
        {"engine": "16k_en"}, {"channels": 2}, {"title": "a\x00"}, {"notify": "maybe?"}, {"formats": []},
        {"priority": 10**300}, {"speaker-names": [["a"]]}, {"line_length": 16}, {"template": {}},
        {"caption-width": 15}, {"caption-lines": 0}, {"caption-seconds": 16},
    ],
    ids=str,
)  # fmt: skip
def test_receipt_with_wrong_options_is_rejected(options: Any) -> None:
    raw = json.loads(build_receipt().to_json())
    with pytest.raises(InvalidReceipt, match="not a receipt"):
        Receipt.from_json(json.dumps({**raw, "options": options}).encode())


def test_own_formats_of_before_html_stay_those_four() -> None:
    """They were the default then, so such a receipt has their place only."""
    own = build_receipt(sources={"formats": "rules.yml line 2"})
    document = json.loads(own.to_json()) | {"options": {}}
    earlier = Receipt.from_json(json.dumps(document).encode())
    assert earlier.recording_options.formats == ("json", "txt", "srt", "vtt")
    assert Receipt.from_json(earlier.to_json()) == earlier


def test_own_formats_are_kept_also_if_they_are_the_default() -> None:
    sources = {"formats": "x-cos-meta-scribe-formats"}
    own = build_receipt().with_options(RecordingOptions(), sources)
    assert json.loads(own.to_json())["options"]["formats"] == list(RecordingOptions().formats)
    assert Receipt.from_json(own.to_json()) == own
