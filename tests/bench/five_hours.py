"""Five hours of speech, 90,000 words: read into a transcript and written in every format, beside the SDK's reading."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.figures import CannotMeasure, Figure, Section, at_most, fact, ratio, spread
from tests.bench.sides import Sides

_WORDS_A_SENTENCE = 10
_SENTENCE_MS = 2_000
_MOST_OF_SDK = 0.35
_MOST_WHOLE_OF_SDK = 0.8
_MOST_MIB = 40.0
_HOW = (
    "CI's answer for {words:,} words, {megabytes:.1f} MB, in fresh processes that take turns, {rounds} of each side, "
    "in ms of processor time. The SDK's side is `xml_to_dict(body)`, with which its `ci_get_asr_job` ends; Scribe's "
    "side is `get_jobs`, which reads the answer from the network in pieces, and ends with the transcript. Memory is "
    "the peak on top of what the process held before the answer came."
)

_IF_MISSED = "Writing is mostly the layout of subtitles, once for both kinds."

Told = Mapping[str, Any]


def measure(sides: Sides, folder: Path, rounds: int, words: int) -> Section:
    """Raises CannotMeasure."""
    folder.mkdir(parents=True)
    answer = folder / "answer.xml"
    answer.write_text("".join(_answer(words // _WORDS_A_SENTENCE)), "utf-8")
    ours: list[Told] = []
    theirs: list[Told] = []
    for _ in range(rounds):
        ours.append(json.loads(sides.run_peer("read_ours.py", sides.package.tree, answer)))
        theirs.append(json.loads(sides.run_peer("read_sdk.py", sides.sdk_with_bytecode.parent, answer)))
    if not {told["words"] for told in (*ours, *theirs)} == {words}:
        raise CannotMeasure("a side did not read every word")
    how = _HOW.format(words=words, megabytes=answer.stat().st_size / 1e6, rounds=rounds)
    return Section("Five hours of speech", how, list(_figures(ours, theirs)), _IF_MISSED)


def _figures(ours: Sequence[Told], theirs: Sequence[Told]) -> Iterator[Figure]:
    parse, render, sdk = (
        spread(told[name] * 1000 for told in side)
        for side, name in ((ours, "parse_s"), (ours, "render_s"), (theirs, "parse_s"))
    )
    whole = spread((told["parse_s"] + told["render_s"]) * 1000 for told in ours)
    mib, sdk_mib = (spread(told["mib"] for told in side) for side in (ours, theirs))
    yield fact("Scribe, parse", parse.told("ms"))
    yield fact("Scribe, write json, txt, srt and vtt", render.told("ms"))
    yield fact("SDK, parse", sdk.told("ms"))
    yield ratio("Scribe's parse / SDK's parse", parse.median, sdk.median, _MOST_OF_SDK)
    yield ratio("Scribe's parse and all formats / SDK's parse", whole.median, sdk.median, _MOST_WHOLE_OF_SDK)
    yield at_most("Scribe, peak memory on top", mib.median, _MOST_MIB, "MiB")
    yield fact("SDK, peak memory on top", f"{sdk_mib.median:.0f} MiB")


def _answer(sentences: int) -> Iterator[str]:
    """The published form (GET /asr_jobs/<id>), word for word."""
    yield "<?xml version='1.0' encoding='utf-8' ?>\n<Response><JobsDetail><Code>Success</Code><JobId>s1</JobId>"
    yield "<State>Success</State><Tag>SpeechRecognition</Tag><Operation><SpeechRecognitionResult>"
    yield f"<AudioTime>{sentences * _SENTENCE_MS / 1000}</AudioTime><Result></Result>"
    for number in range(sentences):
        yield _detail(number)
    yield "</SpeechRecognitionResult></Operation></JobsDetail></Response>"


def _detail(number: int) -> str:
    step_ms = _SENTENCE_MS * 9 // 10 // _WORDS_A_SENTENCE
    spoken = [f"word{number % 997}x{place}" for place in range(_WORDS_A_SENTENCE)]
    words = "".join(
        f"<Words><OffsetEndMs>{place * step_ms + 150}</OffsetEndMs><OffsetStartMs>{place * step_ms}</OffsetStartMs>"
        f"<Word>{word}</Word></Words>"
        for place, word in enumerate(spoken)
    )
    text, start_ms = " ".join(spoken), number * _SENTENCE_MS
    return (
        f"<ResultDetail><EndMs>{start_ms + _SENTENCE_MS - 100}</EndMs><FinalSentence>{text}</FinalSentence>"
        f"<SliceSentence>{text}</SliceSentence><SpeakerId>0</SpeakerId><SpeechSpeed>5.0</SpeechSpeed>"
        f"<StartMs>{start_ms}</StartMs>{words}<WordsNum>{_WORDS_A_SENTENCE}</WordsNum></ResultDetail>"
    )
