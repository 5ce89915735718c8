"""A sidecar's sentences and words with their times."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.speech.models import RecognitionError, Sentence
from localcloud.speech.sidecar import Span, distribute_sentences, parse_sidecar

LINES = st.lists(
    st.text(
        st.sampled_from("今天我们学校运动会很大的变化，。！ab 3.5%の\U00020000"), min_size=1, max_size=30
    ).filter(lambda line: line.strip() != ""),
    min_size=1,
    max_size=6,
)


@st.composite
def speech_spans(draw: st.DrawFn) -> list[Span]:
    """Spans of speech in order, with pauses between them."""
    spans, time_ms = [], 0
    for _ in range(draw(st.integers(1, 5))):
        start_ms = time_ms + draw(st.integers(0, 3_000))
        time_ms = start_ms + draw(st.integers(1, 8_000))
        spans.append((start_ms, time_ms))
    return spans


@given(LINES, speech_spans())
def test_words_are_in_order_inside_their_sentence(lines: list[str], speech: list[Span]) -> None:
    sentences = distribute_sentences(lines, speech, 1)
    assert [sentence.text for sentence in sentences] == lines
    times = [time for sentence in sentences for time in list_times(sentence)]
    assert times == sorted(times)
    assert speech[0][0] == times[0]
    assert times[-1] == speech[-1][1]
    for sentence in sentences:
        assert sentence.channel == 1
        assert (sentence.start_ms, sentence.end_ms) == (list_times(sentence)[0], list_times(sentence)[-1])
        assert "".join(word.text for word in sentence.words) == "".join(sentence.text.split())


def list_times(sentence: Sentence) -> list[int]:
    return [time for word in sentence.words for time in (word.start_ms, word.end_ms)]


@given(LINES, speech_spans())
def test_words_are_spoken_outside_of_the_pauses(lines: list[str], speech: list[Span]) -> None:
    for sentence in distribute_sentences(lines, speech, 0):
        for word in sentence.words:
            assert any(start <= word.start_ms <= end for start, end in speech)
            assert any(start <= word.end_ms <= end for start, end in speech)


def test_time_is_in_proportion_to_the_width() -> None:
    (sentence,) = distribute_sentences(["学校 AI，"], [(1_000, 2_000)], 0)
    assert [(word.text, word.start_ms, word.end_ms) for word in sentence.words] == [
        ("学校", 1_000, 1_500),
        ("AI", 1_500, 1_750),
        ("，", 1_750, 2_000),
    ]


def test_each_sentence_has_its_own_span_if_the_numbers_agree() -> None:
    first, second = distribute_sentences(["欢迎。", "请讲！"], [(0, 400), (900, 1_000)], 0)
    assert (first.start_ms, first.end_ms, second.start_ms, second.end_ms) == (0, 400, 900, 1_000)


def test_marks_are_the_speakers_of_a_recording_with_one_channel(tmp_path: Path) -> None:
    sidecar = tmp_path / "sidecar"
    sidecar.write_text("您好。\n[1] 我想改时间。\n请稍等\n[9]\n再见。\n[0] [1] 完。\n[10] x\n", "utf-8")
    sentences = parse_sidecar(sidecar, [(0, 9_000)], 0, 1)
    assert [(sentence.speaker, sentence.text) for sentence in sentences] == [
        (0, "您好。"),
        (1, "我想改时间。"),
        (1, "请稍等"),
        (9, "再见。"),
        (0, "[1] 完。"),
        (0, "[10] x"),
    ]
    assert {sentence.channel for sentence in sentences} == {0}


def test_speakers_are_not_marked_beside_two_channels(tmp_path: Path) -> None:
    sidecar = tmp_path / "sidecar"
    sidecar.write_text("[1] 我想改时间。\n", "utf-8")
    (sentence,) = parse_sidecar(sidecar, [(0, 900)], 1, 2)
    assert (sentence.channel, sentence.speaker, sentence.text) == (1, 0, "我想改时间。")


@pytest.mark.parametrize("content", ["", "\n \n", "\u3000\n\t\n"])
def test_line_of_spaces_is_no_sentence(tmp_path: Path, content: str) -> None:
    sidecar = tmp_path / "sidecar"
    sidecar.write_text(content + "你好\n", "utf-8")
    assert [sentence.text for sentence in parse_sidecar(sidecar, [(0, 900)], 0, 1)] == ["你好"]


def test_file_that_is_not_utf8_has_its_own_code(tmp_path: Path) -> None:
    sidecar = tmp_path / "sidecar"
    sidecar.write_bytes("会议".encode("gbk"))
    with pytest.raises(RecognitionError, match="save it as UTF-8") as caught:
        parse_sidecar(sidecar, [(0, 900)], 0, 1)
    assert caught.value.code == "LocalCloud.InvalidSidecar"
