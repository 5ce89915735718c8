"""A real recording of two named speakers, in Chinese and English, with the time of each word; and made-up long ones.

The recording is made of three samples, one after the other, as often as a test needs it.
"""

from __future__ import annotations

import re
import wave
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import miniaudio

from cli.local.samples import SAMPLES
from shared.transcript import RecordingRef, Sentence, Transcript, Word
from shared.transcript.formats import FORMATS
from tests.helpers.spoken_text import CHINESE, ENGLISH, speak

SAMPLE_RATE = 8_000
PAUSE_MS = 1_500
NAMES = ("记者", "Teacher Wang")
KEY = "meetings/采访 Wang #1 100%.wav"

# A speaker, then time in milliseconds and word in turn, as the local cloud recognised the samples. The last time is the
# end.
_INTERVIEW = """
1: 330 王老师 828 ， 994 您好 1326 ！ 1492 您 1658 教书 1990 多少 2322 年 2488 了 2654 ？ 2820
2: 3240 我 3463 1998 3910 年 4133 开始 4580 教书 5027 ， 5250 到 5473 今年 5920 已经 6367 28 6590 年 6813 了
   7037 。 7260
1: 7860 您 8037 觉得 8390 现在 8743 的 8920 学生 9273 ， 9450 和 9627 以前 9980 有 10157 什么 10510 不同
   10863 ？ 11040
2: 11820 他们 12168 更爱 12516 提问 12864 ， 13038 这 13212 是 13386 很 13560 好 13734 的 13908 变化
   14256 。 14430
"""
_CALL = """
2: 170 how 400 can 650 i 800 help 1160 you 1360 today 1930
1: 2240 i 2410 did 2620 not 2940 receive 3360 my 3620 order 4020
2: 4350 we 4490 will 4710 send 5090 you 5350 a 5410 new 5610 one 5830 tomorrow 6410
"""
_MEETING = """
1: 360 the 560 weather 1060 was 1290 cold 1750 and 1990 the 2090 road 2460 was 2700 covered 3200 with 3440 snow 3800
2: 4500 we 4650 need 5000 to 5090 talk 5350 about 5790 the 5890 plan 6310 for 6510 the 6580 next 6960 three
   7210 months 7770
1: 8430 the 8610 meeting 9000 will 9220 start 9750 at 9890 nine 10230 in 10360 the 10460 morning 10930
"""
_PIECES = (
    ("采访 王老师.mp3", _INTERVIEW),
    ("support-call.wav", _CALL),
    ("会议 recording 01.mp3", _MEETING),
)


def build_conversation(rounds: int = 1, key: str = KEY) -> Transcript:
    """Return the transcript of the samples one after the other: 10 sentences and 37 s a round."""
    sentences: list[Sentence] = []
    offset_ms = 0
    for name, spoken in _PIECES * rounds:
        sentences += [_move(sentence, offset_ms=offset_ms) for sentence in _parse(spoken)]
        offset_ms += len(_decode(name)) * 1000 // SAMPLE_RATE + PAUSE_MS
    return build_transcript(*sentences, key=key, names=NAMES, duration_ms=offset_ms)


def write_conversation(path: Path, rounds: int = 1) -> None:
    """Write the sound of `build_conversation`: mono, 8 kHz, 16 bit, 16 kB a second."""
    silence = b"\0\0" * (SAMPLE_RATE * PAUSE_MS // 1000)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(b"".join(_decode(name).tobytes() + silence for name, _ in _PIECES) * rounds)


def build_transcript(
    *sentences: Sentence,
    key: str = KEY,
    names: tuple[str, ...] = (),
    title: str = "",
    duration_ms: int | None = None,
) -> Transcript:
    """Return a transcript of these sentences."""
    recording = RecordingRef("calls-1250000000", "ap-guangzhou", key, "9a4b", 1)
    return Transcript(recording, "16k_zh", "s1", duration_ms, 1, sentences, title, names)


@cache
def build_long_transcript(words: int = 90_000, hours: float = 5.0) -> Transcript:
    """Return a made-up recording of two speakers with this many words, half of them Chinese, in this time."""
    sentences: list[Sentence] = []
    for texts, speed in ((CHINESE, 5), (ENGLISH, 200)):
        spoken = iter(speak(texts, speed, minutes=words // 100).sentences)
        offset_ms = sentences[-1].end_ms if sentences else 0
        count = 0
        while count < words // 2:
            sentence = _move(next(spoken), offset_ms=offset_ms)
            count += len(sentence.words)
            # Two sentences in turn, so that there are turns of several sentences, too.
            sentences.append(sentence._replace(speaker=1 + len(sentences) // 2 % 2))
    factor = hours * 3_600_000 / sentences[-1].end_ms
    sentences = [_move(sentence, factor=factor) for sentence in sentences]
    return build_transcript(*sentences, key="long.mp3", names=NAMES, duration_ms=round(hours * 3_600_000))


def write_page(folder: Path, transcript: Transcript) -> Path:
    """Write the page of a transcript as the product names it, `talk.mp3.html`. Returns its path."""
    path = folder / f"{transcript.recording.key.rpartition('/')[2]}.html"
    path.write_bytes(FORMATS["html"].render(transcript))
    return path


def _parse(spoken: str) -> Iterator[Sentence]:
    for speaker, line in re.findall(r"(\d): ([^:]+)(?=\n\d: |$)", spoken):
        parts = line.split()
        times, texts = [int(time) for time in parts[::2]], parts[1::2]
        text = (" " if line.isascii() else "").join(texts)
        words = tuple(map(Word, texts, times, times[1:]))
        yield Sentence(times[0], times[-1], text, speaker=int(speaker), words=words)


def _move(sentence: Sentence, *, factor: float = 1.0, offset_ms: int = 0) -> Sentence:
    """Return a sentence with its times multiplied, then shifted."""

    def move(time_ms: int) -> int:
        return round(time_ms * factor) + offset_ms

    words = tuple(Word(word.text, move(word.start_ms), move(word.end_ms)) for word in sentence.words)
    return sentence._replace(start_ms=move(sentence.start_ms), end_ms=move(sentence.end_ms), words=words)


def _decode(name: str) -> memoryview:
    """Return the samples of a recording of this repository."""
    sound = miniaudio.decode(
        (SAMPLES / name).read_bytes(),
        output_format=miniaudio.SampleFormat.SIGNED16,
        nchannels=1,
        sample_rate=SAMPLE_RATE,
    )
    return memoryview(sound.samples)
