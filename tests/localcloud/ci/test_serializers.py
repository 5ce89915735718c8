"""Forms of a result that the scripted recogniser cannot produce."""

from __future__ import annotations

from dataclasses import replace

import pytest

from localcloud.ci.models import RecognitionParams
from localcloud.ci.serializers import build_details, build_flash_result, render_srt, render_text
from localcloud.speech.models import Recognition, Sentence, Word


def sentence(text: str, *words: str, start_ms: int = 0, channel: int = 0) -> Sentence:
    timed_words = tuple(
        Word(word, start_ms + 100 * n, start_ms + 100 * n + 90) for n, word in enumerate(words)
    )
    return Sentence(text, start_ms, start_ms + max(100 * len(words), 500), channel, timed_words)


def params(text_format: int = 0) -> RecognitionParams:
    return RecognitionParams((("EngineModelType", "16k_zh"), ("ResTextFormat", str(text_format))))


@pytest.mark.parametrize(
    ("start_ms", "line"),
    [
        (0, "[0:0.000,0:0.500]  x"),
        (3_320, "[0:3.320,0:3.820]  x"),
        (59_999, "[0:59.999,1:0.499]  x"),
        (3_600_000, "[60:0.000,60:0.500]  x"),
    ],
)
def test_bracket_times_have_unpadded_seconds(start_ms: int, line: str) -> None:
    assert render_text(params(), Recognition(4_000_000, 1, (sentence("x", start_ms=start_ms),))) == line


def test_channel_is_third_number_with_two_channels() -> None:
    recognition = Recognition(2000, 2, (sentence("left"), sentence("right", start_ms=1000, channel=1)))
    assert render_text(params(), recognition) == "[0:0.000,0:0.500,0]  left\n[0:1.000,0:1.500,1]  right"


@pytest.mark.parametrize(("is_diarised", "speakers"), [(True, ["0", "1"]), (False, ["0", "0"])])
def test_flash_result_has_speakers_if_the_job_separates_them(
    *, is_diarised: bool, speakers: list[str]
) -> None:
    first, second = sentence("one"), replace(sentence("two", start_ms=1000), speaker=1)
    members = (
        ("EngineModelType", "16k_zh"),
        ("FlashAsr", "true"),
        ("SpeakerDiarization", str(int(is_diarised))),
    )
    (flash,) = build_flash_result(RecognitionParams(members), Recognition(2000, 1, (first, second)))
    sentences = [child for child in flash.children if child.name == "sentence_list"]
    assert [child.value("speaker_id") for child in sentences] == speakers


def test_channels_stay_the_speakers_of_two_channels() -> None:
    members = (("ChannelNum", "2"), ("SpeakerDiarization", "1"))
    spoken = replace(sentence("right", channel=1), speaker=5)
    (detail,) = build_details(RecognitionParams(members), Recognition(2000, 2, (spoken,)))
    assert detail.value("SpeakerId") == "1"


def test_srt_times_have_hours() -> None:
    recognition = Recognition(4_000_000, 1, (sentence("late", start_ms=3_661_001),))
    assert render_srt(params(), recognition) == "1\n01:01:01,001 --> 01:01:01,501\nlate\n\n"


def test_clauses_keep_numbers_and_all_words() -> None:
    whole = sentence("It costs 3.5 dollars, or so.", "It", "costs", "3.5", "dollars,", "or", "so.")
    details = build_details(params(3), Recognition(1000, 1, (whole,)))
    assert [detail.value("FinalSentence") for detail in details] == ["It costs 3.5 dollars,", "or so."]
    assert [detail.value("WordsNum") for detail in details] == ["4", "2"]
    assert [detail.value("StartMs") for detail in details] == ["0", "400"]


def test_sentence_without_word_times_stays_whole() -> None:
    details = build_details(params(3), Recognition(1000, 1, (sentence("one, two"),)))
    assert [detail.value("FinalSentence") for detail in details] == ["one, two"]


def test_format_1_has_no_punctuation_words() -> None:
    recognition = Recognition(1000, 1, (sentence("你好。", "你", "好", "。"),))
    counts = [build_details(params(number), recognition)[0].value("WordsNum") for number in (1, 2)]
    assert counts == ["2", "3"]
