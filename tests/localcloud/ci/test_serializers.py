"""Forms of a result that the scripted recogniser cannot produce."""

from __future__ import annotations

import pytest

from localcloud.ci.models import RecognitionParams
from localcloud.ci.serializers import build_details, render_srt, render_text
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
