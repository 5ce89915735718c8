"""Every option down to the exact XML that CI gets."""

from __future__ import annotations

from typing import Any

import pytest
import xmltodict

from shared.options.check import check_options
from shared.options.ci import (
    DIRTY_WORDS,
    FILLERS,
    FLASH_FORMATS,
    NUMBERS,
    PUNCTUATION,
    WORDS,
    build_job_members,
)
from shared.options.combine import combine
from shared.options.model import OPTIONS, RecordingOptions
from shared.tencent.speech_models import JobRequest
from shared.tencent.speech_xml import build_submit_body
from tests.helpers.option_cases import CASES, DEFAULT_SPEECH, OptionCase, parse_place

PLACES = ("settings", "rules.yml line 3", "metadata", "sidecar")

DEFAULT_BODY = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    "<Request><Tag>SpeechRecognition</Tag><Input><Object>calls/会议.mp3</Object></Input><Operation>"
    "<SpeechRecognition><EngineModelType>16k_zh</EngineModelType><ChannelNum>1</ChannelNum>"
    "<ResTextFormat>2</ResTextFormat><ConvertNumMode>1</ConvertNumMode></SpeechRecognition>"
    "<Output><Region>ap-chengdu</Region><Bucket>text-1250000000</Bucket><Object>raw/1.txt</Object></Output>"
    "<UserData>r1</UserData></Operation></Request>"
).encode()


def build_body(options: RecordingOptions, key: str = "calls/会议.mp3") -> bytes:
    members = build_job_members(options, key)
    job = JobRequest(
        input_key=key,
        output_bucket="text-1250000000",
        output_region="ap-chengdu",
        output_key="raw/1.txt",
        engine=options.engine,
        channels=options.channels,
        user_data="r1",
        speech=members.speech,
        template_id=members.template_id,
        job_level=members.job_level,
    )
    return build_submit_body(job)


def parse_operation(body: bytes) -> dict[str, Any]:
    operation: dict[str, Any] = xmltodict.parse(body)["Request"]["Operation"]
    return operation


def test_defaults_are_the_body_that_scribe_always_sent() -> None:
    assert build_body(RecordingOptions()) == DEFAULT_BODY
    job = JobRequest("calls/会议.mp3", "text-1250000000", "ap-chengdu", "raw/1.txt", "16k_zh", user_data="r1")
    assert build_submit_body(job) == DEFAULT_BODY


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}={case.text}")
@pytest.mark.parametrize("place", PLACES)
def test_every_option_of_every_place_reaches_the_xml(place: str, case: OptionCase) -> None:
    raw = case.text if place == "metadata" else case.json
    chosen = combine(parse_place(place, {**case.beside, case.name: raw}))
    assert check_options(chosen, case.key, 9).refusals == ()
    operation = parse_operation(build_body(chosen.options, case.key))
    assert operation.pop("SpeechRecognition", None) == case.speech
    assert operation.pop("UserData") == "r1"
    assert operation.pop("Output") == {
        "Region": "ap-chengdu",
        "Bucket": "text-1250000000",
        "Object": "raw/1.txt",
    }
    assert operation == case.operation


def test_options_come_together_in_one_job() -> None:
    options = RecordingOptions(
        engine="16k_zh_video",
        speakers="3",
        words="subtitles",
        punctuation="no-final",
        fillers="none",
        dirty_words="mask",
        numbers="math",
        line_length=16,
        priority=1,
    )
    operation = parse_operation(build_body(options))
    assert operation["SpeechRecognition"] == {
        **DEFAULT_SPEECH,
        "EngineModelType": "16k_zh_video",
        "ResTextFormat": "3",
        "ConvertNumMode": "3",
        "SpeakerDiarization": "1",
        "SpeakerNumber": "3",
        "FilterPunc": "1",
        "FilterModal": "2",
        "FilterDirty": "2",
        "SentenceMaxLength": "16",
    }
    assert operation["JobLevel"] == "1"


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("words", WORDS),
        ("punctuation", PUNCTUATION),
        ("fillers", FILLERS),
        ("dirty-words", DIRTY_WORDS),
        ("numbers", NUMBERS),
    ],
)
def test_every_word_has_a_number_of_ci(name: str, numbers: dict[str, str]) -> None:
    assert tuple(numbers) == OPTIONS[name].choices
    assert len(set(numbers.values())) == len(numbers)


def test_elements_named_in_the_model_are_those_of_the_xml() -> None:
    named = {element for option in OPTIONS.values() for element in option.element.split(", ") if element}
    sent = {name for case in CASES for name in (*(case.speech or {}), *case.operation)}
    assert sent - named == {"WordInfo"}  # words, with flash recognition
    assert named - sent == set()


def test_flash_has_a_format_for_every_documented_one() -> None:
    documented = {"wav", "pcm", "ogg-opus", "speex", "silk", "mp3", "m4a", "aac"}  # 1045/73387
    assert set(FLASH_FORMATS.values()) == documented
