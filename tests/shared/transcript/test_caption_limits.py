"""Captions keep the published limits, judged by a checker that shares no code with the layout."""

from __future__ import annotations

import html
import io
import json
import random
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import webvtt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pysubs2 import SSAFile

from shared.transcript import FORMATS, Layout, Transcript, parse_sentence
from tests.helpers.caption_checker import Limits, ShownCue, ShownLine, count_fast, find_violations
from tests.helpers.spoken_text import CHINESE, ENGLISH, speak, speak_at_random
from tests.helpers.transcripts import build_test_transcript

LABEL = re.compile(r"(S|C)[a-z]{2,6}…?[a-z]? ?([0-9]+): ")  # narrow lines have shorter labels: `Cha…1: `
FROM_FULL_WIDTH = str.maketrans("＜＞｛｝＼∶", "<>{}\\:")


def read_srt(transcript: Transcript) -> list[ShownCue]:
    """Read the SRT file; a line without a label goes on with the voice of the line before."""
    subtitles = SSAFile.from_string(FORMATS["srt"].render(transcript).decode(), format_="srt")
    has_labels = any(sentence.label for sentence in transcript.sentences)
    cues: list[ShownCue] = []
    voice = ""
    for event in subtitles:
        cue = ShownCue(event.start, event.end, [])
        for line in event.plaintext.split("\n"):
            match = LABEL.match(line) if has_labels else None
            label = match[0] if match else ""
            if match:
                voice = f"{'Speaker' if match[1] == 'S' else 'Channel'} {match[2]}"
            text = line.removeprefix(label)
            cue.lines.append(ShownLine(label, text))
            cue.voices[voice] = cue.voices.get(voice, "") + text.translate(FROM_FULL_WIDTH)
        cues.append(cue)
    return cues


def read_vtt(transcript: Transcript) -> list[ShownCue]:
    cues: list[ShownCue] = []
    for caption in webvtt.from_string(FORMATS["vtt"].render(transcript).decode()).captions:
        cue = ShownCue(caption.start_time.in_milliseconds(), caption.end_time.in_milliseconds(), [])
        for name, text in _split_voices(caption.raw_text):
            cue.lines += [ShownLine("", line) for line in text.split("\n")]
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
    counts = json.loads(FORMATS["json"].render(transcript))["captions"]
    assert counts == {"cues": len(cues), "fast": count_fast(cues)}
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


SLOW_WORDS = (
    *(
        ("悯", 0, 2_190),
        ("农", 2_190, 2_625),
        ("，", 2_190, 2_625),
        ("李", 2_625, 3_060),
        ("绅", 3_060, 3_825),
    ),
    *(("，", 3_060, 3_825), ("锄禾", 3_825, 5_040), ("日", 5_040, 5_475), ("当午", 5_475, 6_390)),
    *(("，", 5_475, 6_390), ("汗滴", 6_390, 7_365), ("禾", 7_365, 7_755), ("下", 7_755, 8_130)),
    *(("土", 8_130, 8_850), ("。", 8_130, 8_850), ("谁知", 8_850, 9_915), ("盘中餐", 9_915, 11_130)),
    *(("，", 9_915, 11_130), ("粒粒", 11_130, 12_045), ("皆", 12_045, 12_540), ("辛苦", 12_540, 14_745)),
    ("。", 12_540, 14_745),
)


def test_slow_words_of_the_documented_sample_are_seen_while_spoken() -> None:
    """The words are those of the sample result in CI's documents, where punctuation has the time of the word before."""
    items = [{"Word": text, "OffsetStartMs": start, "OffsetEndMs": end} for text, start, end in SLOW_WORDS]
    text = "".join(word for word, _, _ in SLOW_WORDS)
    sentence = parse_sentence({"StartMs": 3_320, "EndMs": 19_712, "FinalSentence": text, "Words": items})
    transcript = build_test_transcript(details=[sentence])
    cues = read_srt(transcript)
    assert find_violations(cues, transcript) == {}
    assert len(cues) == 3


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
        (1_000, 2_150, [("", "please hold the line")]),
        (10_500, 11_333, [("", "thank you")]),
    ]


SLOW = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
VOICES = st.sampled_from(["0", "1"])
TEXTS = st.sampled_from(
    [*ENGLISH, *CHINESE, "嗯", "OK", "x" * 60, "The API 返回了错误代码 404，请稍后再试一次。"]
)


@SLOW
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
    assert count_fast(read_srt(speak(ENGLISH, 300))) > 100


@pytest.mark.parametrize("texts", [CHINESE, ENGLISH])
def test_two_independent_parsers_read_the_same_cues_from_both_formats(texts: tuple[str, ...]) -> None:
    transcript = speak(texts, 6 if texts is CHINESE else 180, minutes=5)
    files = {name: FORMATS[name].render(transcript).decode() for name in ("srt", "vtt")}
    parsed = [
        [(event.start, event.end, event.plaintext) for event in SSAFile.from_string(text, format_=name)]
        for name, text in files.items()
    ]
    parsed += [
        [
            (caption.start_time.in_milliseconds(), caption.end_time.in_milliseconds(), caption.text)
            for caption in webvtt.from_buffer(io.StringIO(text), format=name).captions
        ]
        for name, text in files.items()
    ]
    assert len(parsed[0]) > 30
    assert all(cues == parsed[0] for cues in parsed)


LAYOUTS = st.builds(Layout, st.just(0) | st.integers(16, 100), st.integers(1, 3), st.integers(2, 15))


def build_spoken(seed: int) -> Transcript:
    """Build a recording of two channels that speak at the same time or in turn."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    sentences = [*speak_at_random(chance, 1), *speak_at_random(chance, 2)]
    sentences.sort(key=lambda sentence: sentence.start_ms)
    return build_test_transcript(channels=2)._replace(sentences=tuple(sentences))


@SLOW
@given(st.integers(0, 10**6))
def test_any_speech_of_two_voices_keeps_every_limit(seed: int) -> None:
    transcript = build_spoken(seed)
    assert find_violations(read_srt(transcript), transcript) == {}
    assert find_violations(read_vtt(transcript), transcript) == {}


@SLOW
@given(st.integers(0, 10**6), LAYOUTS)
def test_limits_chosen_by_options_are_kept(seed: int, layout: Layout) -> None:
    transcript = build_spoken(seed)._replace(layout=layout)
    limits = Limits(
        layout.caption_width or 42,
        layout.caption_width or 32,
        layout.caption_lines,
        layout.caption_seconds * 1000,
    )
    for cues in (read_srt(transcript), read_vtt(transcript)):
        violations = find_violations(cues, transcript, limits)
        if min(limits.cjk_line, limits.cjk_line * limits.lines / 2) < 32 or layout.caption_seconds < 4:
            del violations["coverage"]  # not all of this speech fits into so little room or time
        assert violations == {}
