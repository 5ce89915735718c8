"""Sentences and words from the timed parts that an engine gives."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.speech.models import Sentence
from localcloud.speech.phrases import TimedText, build_sentences

TEXTS = st.text(
    st.sampled_from("今天我们学校广播abcXYZ 0123456789，。？,.?!:;'"), min_size=1, max_size=6
) | st.text(min_size=1, max_size=4)


@st.composite
def timed_parts(draw: st.DrawFn) -> list[TimedText]:
    parts, time_ms = [], 0
    for text in draw(st.lists(TEXTS, max_size=30)):
        start_ms = time_ms + draw(st.sampled_from([0, 0, 0, 20, 400, 1_500]))
        time_ms = start_ms + draw(st.integers(0, 900))
        parts.append(TimedText(text, start_ms, time_ms))
    return parts


def build(*texts: str, pause_ms: int = 0, language: str = "zh") -> list[Sentence]:
    """Parts of 100 ms a character, with pauses between them."""
    parts, time_ms = [], 1_000
    for text in texts:
        end_ms = time_ms + 100 * len(text.strip())
        parts.append(TimedText(text, time_ms, end_ms))
        time_ms = end_ms + pause_ms
    return list(build_sentences(parts, 0, language))


def remove_spaces(text: str) -> str:
    return re.sub(r"\s", "", text)


@settings(deadline=None)  # the first Chinese text loads the dictionary
@given(timed_parts(), st.sampled_from(["zh", "en"]))
def test_words_and_times_follow_the_parts(parts: list[TimedText], language: str) -> None:
    sentences = list(build_sentences(parts, 1, language))
    spoken = remove_spaces("".join(part.text for part in parts))
    heard = remove_spaces("".join(sentence.text for sentence in sentences))
    assert len(heard) == len(spoken)
    if language == "en":
        assert heard == spoken
    for sentence in sentences:
        assert remove_spaces("".join(word.text for word in sentence.words)) == remove_spaces(sentence.text)
        times = [time for word in sentence.words for time in (word.start_ms, word.end_ms)]
        assert times == sorted(times)
        assert times[0] >= sentence.start_ms
        assert times[-1] <= sentence.end_ms
    assert all(earlier.end_ms <= later.start_ms for earlier, later in pairwise(sentences))


def test_sentence_ends_at_its_punctuation() -> None:
    texts = [sentence.text for sentence in build("大家好。", "今天", "开会，", "谢谢！", "再见")]
    assert texts == ["大家好。", "今天开会，谢谢！", "再见"]


def test_point_inside_number_ends_nothing() -> None:
    (sentence,) = build(" It", " costs", " 3.5", " dollars", language="en")
    assert sentence.text == "It costs 3.5 dollars"


@pytest.mark.parametrize("parts", [("下午", "4.", "30", "分", "开会"), ("用", "Node.", "js", "写")])
def test_point_at_the_end_of_a_part_is_inside_what_follows(parts: tuple[str, ...]) -> None:
    (sentence,) = build(*parts)
    assert sentence.text == "".join(parts)


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        ("Please repeat after me。", "Please repeat after me."),
        ("Hello，world！", "Hello, world!"),
        ("Really？！", "Really?!"),
        ("用Python写。", "用Python写。"),
    ],
)
def test_english_in_a_chinese_recording_has_its_own_punctuation(heard: str, text: str) -> None:
    (sentence,) = build(heard)
    assert sentence.text == text


def test_number_in_several_parts_stays_whole() -> None:
    (sentence,) = build("下午", "4.", "30", "分，", "3.", "5", "米")
    assert sentence.text == "下午4.30分，3.5米"
    assert {"4.30", "3.5"} <= {word.text for word in sentence.words}
    # A number at the end of a sentence, and a number at the beginning of the next.
    assert [sentence.text for sentence in build("It costs 4.", " 30 people came.", language="en")] == [
        "It costs 4.",
        "30 people came.",
    ]


def test_long_pause_ends_a_sentence() -> None:
    assert len(build(" one", " two", pause_ms=900, language="en")) == 1
    assert len(build(" one", " two", pause_ms=1_100, language="en")) == 2


def test_endless_sentence_is_cut() -> None:
    assert len(build(*(["今天开会，"] * 100))) > 1


def test_half_width_punctuation_of_chinese_becomes_full_width() -> None:
    (sentence,) = build("大家好,", "今天", "几点", "?")
    assert sentence.text == "大家好，今天几点？"


@pytest.mark.parametrize("text", ["9:30开会", "3.5版", "1,000人", "a.b"])
def test_punctuation_of_numbers_and_names_stays(text: str) -> None:
    (sentence,) = build(text)
    assert sentence.text == text


def test_english_in_chinese_keeps_its_spaces() -> None:
    (sentence,) = build("我们", "用", "Python", " 3", "写", "，", "很好", "。")
    assert sentence.text == "我们用Python 3写，很好。"


def test_part_of_spaces_only_is_nothing() -> None:
    assert build(" ", "  ") == []


def test_word_in_two_parts_has_the_times_of_both() -> None:
    (sentence,) = build(" meet", "ing", " ends", language="en")
    assert [(word.text, word.start_ms, word.end_ms) for word in sentence.words] == [
        ("meeting", 1_000, 1_700),
        ("ends", 1_700, 2_100),
    ]
