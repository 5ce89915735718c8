"""Captions keep the published limits, judged by a checker that shares no code with the layout."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from typing import Any

import pysubs2
import pytest
import webvtt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.transcript import FORMATS, Transcript, parse_sentence
from tests.helpers.caption_checker import ShownCue, count_fast, find_violations
from tests.helpers.spoken_text import CHINESE, ENGLISH, speak
from tests.helpers.transcripts import build_test_transcript

LABEL = re.compile(r"(Speaker|Channel) [0-9]+(?=: )")
FROM_FULL_WIDTH = str.maketrans("＜＞｛｝＼", "<>{}\\")


def read_srt(transcript: Transcript) -> list[ShownCue]:
    """Read the SRT file; a line without a label goes on with the voice of the line before."""
    subtitles = pysubs2.SSAFile.from_string(FORMATS["srt"].render(transcript).decode(), format_="srt")
    has_labels = any(sentence.label for sentence in transcript.sentences)
    cues: list[ShownCue] = []
    voice = ""
    for event in subtitles:
        lines = event.plaintext.split("\n")
        cue = ShownCue(event.start, event.end, lines)
        for line in lines:
            label = LABEL.match(line) if has_labels else None
            text = line
            if label:
                voice, text = label[0], line[label.end() + 2 :]
            cue.voices[voice] = cue.voices.get(voice, "") + text.translate(FROM_FULL_WIDTH)
        cues.append(cue)
    return cues


def read_vtt(transcript: Transcript) -> list[ShownCue]:
    cues: list[ShownCue] = []
    for caption in webvtt.from_string(FORMATS["vtt"].render(transcript).decode()).captions:
        cue = ShownCue(caption.start_time.in_milliseconds(), caption.end_time.in_milliseconds(), [])
        for name, text in _split_voices(caption.raw_text):
            cue.lines += text.split("\n")
            cue.voices[name] = cue.voices.get(name, "") + text
        cues.append(cue)
    return cues


def _split_voices(raw: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"(?=<v )", raw):
        match = re.match(r"<v ([^>]*)>(.*)</v>", part, re.DOTALL)
        if match:
            yield match[1], html.unescape(match[2])
        elif part.strip():
            yield "", html.unescape(part)


@pytest.mark.parametrize(
    ("texts", "speed"),
    [*((CHINESE, speed) for speed in (4, 5, 6, 7)), *((ENGLISH, speed) for speed in (130, 150, 180, 220))],
)
def test_half_an_hour_keeps_every_limit(texts: tuple[str, ...], speed: float) -> None:
    transcript = speak(texts, speed)
    cues = read_srt(transcript)
    assert len(cues) > 200
    assert find_violations(cues, transcript) == {}
    assert find_violations(read_vtt(transcript), transcript) == {}


def build_details(*raws: tuple[int, int, str, str]) -> list[Any]:
    return [
        parse_sentence({"StartMs": start, "EndMs": end, "FinalSentence": text, "SpeakerId": voice})
        for start, end, text, voice in raws
    ]


LONG = "thank you for calling the service line today we can move your appointment to thursday morning at nine"


@pytest.mark.parametrize(
    ("channels", "raws"),
    [
        pytest.param(1, [(0, 5_000, f"sentence {name} is about money", "0") for name in "abc"], id="equal"),
        pytest.param(1, [(0, 9_000, LONG, "0"), (2_000, 3_000, "and so on", "0")], id="nested"),
        pytest.param(1, [(0, 1, LONG, "0"), (1, 2, LONG, "0")], id="of a millisecond"),
        pytest.param(1, [(5_000, 0, LONG, "0"), (9_000, 6_000, "yes", "0")], id="reversed"),
        pytest.param(1, [(-1, -1, LONG, "0"), (-1, -1, "yes", "0")], id="without times"),
        pytest.param(
            1,
            [(3_320, 19_712, "悯农，李绅，锄禾日当午，汗滴禾下土。谁知盘中餐，粒粒皆辛苦。", "0")],
            id="slow",
        ),
        pytest.param(
            2,
            [(0, 12_000, LONG, "0"), *((at, at + 400, "right", "1") for at in (1_500, 3_300, 5_000, 9_000))],
            id="interjections",
        ),
        pytest.param(2, [(0, 9_000, LONG, "0"), (500, 9_500, LONG, "1")], id="both at once"),
        pytest.param(
            2,
            [(at * 300, at * 300 + 250, "是的", str(at % 2)) for at in range(20)],
            id="in turn, faster than can be read",
        ),
    ],
)
def test_odd_segments_come_out_readable(channels: int, raws: list[tuple[int, int, str, str]]) -> None:
    transcript = build_test_transcript(details=build_details(*raws), channels=channels)
    assert find_violations(read_srt(transcript), transcript) == {}
    assert find_violations(read_vtt(transcript), transcript) == {}


def test_interjection_does_not_take_the_running_caption_away() -> None:
    transcript = build_test_transcript(
        details=build_details(
            (0, 6_000, "we can move your appointment to thursday", "0"), (2_500, 2_900, "yes", "1")
        ),
        channels=2,
    )
    cue = next(cue for cue in read_srt(transcript) if "Channel 2" in cue.voices)
    assert set(cue.voices) == {"Channel 1", "Channel 2"}
    assert cue.start_ms <= 2_500
    assert cue.end_ms >= 2_400


def test_long_pause_is_not_bridged() -> None:
    words = [("please", 0), ("hold", 300), ("the", 600), ("line", 900), ("thank", 9_500), ("you", 9_800)]
    items = [{"Word": word, "OffsetStartMs": at, "OffsetEndMs": at + 250} for word, at in words]
    text = " ".join(word for word, _ in words)
    transcript = build_test_transcript(
        details=[parse_sentence({"StartMs": 1_000, "EndMs": 11_900, "FinalSentence": text, "Words": items})]
    )
    assert [(cue.start_ms, cue.end_ms, cue.lines) for cue in read_srt(transcript)] == [
        (1_000, 2_150, ["please hold the line"]),
        (10_500, 11_900, ["thank you"]),
    ]


VOICES = st.sampled_from(["0", "1"])
TEXTS = st.sampled_from(
    [*ENGLISH, *CHINESE, "嗯", "OK", "x" * 60, "The API 返回了错误代码 404，请稍后再试一次。"]
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 15_000), TEXTS, VOICES), max_size=12),
    st.sampled_from([1, 2]),
)
def test_any_segments_keep_every_limit(raws: list[tuple[int, int, str, str]], channels: int) -> None:
    details = build_details(*((start, start + length, text, voice) for start, length, text, voice in raws))
    transcript = build_test_transcript(details=details, channels=channels)
    assert find_violations(read_srt(transcript), transcript) == {}
    assert find_violations(read_vtt(transcript), transcript) == {}


def test_five_hours_are_laid_out_in_seconds() -> None:
    transcript = speak(ENGLISH, 300, minutes=300)
    started_s = time.process_time()
    FORMATS["srt"].render(transcript)
    assert time.process_time() - started_s < 10


def test_only_fast_speech_is_fast_to_read() -> None:
    assert count_fast(read_srt(speak(CHINESE, 4))) == 0
    assert count_fast(read_srt(speak(ENGLISH, 130))) == 0
