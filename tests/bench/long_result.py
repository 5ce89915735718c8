"""Measure a long result: five hours of speech, parsed and written in every format, compared with parsing by the SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.implementations import Implementations
from tests.bench.report import MeasurementError, Metric, Section, Stats

_WORDS_PER_SENTENCE = 10
_SENTENCE_MS = 2_000
_MAX_PARSE_RATIO = 0.35
_MAX_TOTAL_RATIO = 0.8
_MAX_MEMORY_MIB = 48.0  # with the page and captions laid out by words; 40 before these
METHOD = (
    "CI's response for {words:,} words, {megabytes:.1f} MB, in new processes that take turns, {rounds} of each "
    "implementation, in ms of processor time. The SDK runs `xml_to_dict(body)`, the last step of its "
    "`ci_get_asr_job`; Scribe runs `get_jobs`, which parses the response while it arrives, and builds the transcript. "
    "Memory is the peak of the process minus what it used before the response came."
)

IF_MISSED = "Writing is mostly the layout of subtitles, once for both kinds."

Result = Mapping[str, Any]  # what the standalone scripts print


def measure(implementations: Implementations, folder: Path, rounds: int, words: int) -> Section:
    """Measure Scribe and the SDK `rounds` times. Raises MeasurementError."""
    folder.mkdir(parents=True)
    response = folder / "response.xml"
    response.write_text("".join(_response_parts(words // _WORDS_PER_SENTENCE)), "utf-8")
    sdk_libraries = implementations.sdk_with_bytecode.parent
    scribe_results: list[Result] = []
    sdk_results: list[Result] = []
    for _ in range(rounds):
        output = implementations.run_script("read_with_scribe.py", implementations.package.tree, response)
        scribe_results.append(json.loads(output))
        output = implementations.run_script("read_with_sdk.py", sdk_libraries, response)
        sdk_results.append(json.loads(output))
    if {result["words"] for result in (*scribe_results, *sdk_results)} != {words}:
        raise MeasurementError("not every word was read")
    method = METHOD.format(words=words, megabytes=response.stat().st_size / 1e6, rounds=rounds)
    return Section("Five hours of speech", method, list(_metrics(scribe_results, sdk_results)), IF_MISSED)


def _metrics(scribe_results: Sequence[Result], sdk_results: Sequence[Result]) -> Iterator[Metric]:
    parse, render, sdk_parse = (
        Stats.from_values(result[name] * 1000 for result in results)
        for results, name in (
            (scribe_results, "parse_s"),
            (scribe_results, "render_s"),
            (sdk_results, "parse_s"),
        )
    )
    total = Stats.from_values((result["parse_s"] + result["render_s"]) * 1000 for result in scribe_results)
    memory_mib, sdk_memory_mib = (
        Stats.from_values(result["mib"] for result in results) for results in (scribe_results, sdk_results)
    )
    yield Metric("Scribe, parse", parse.format("ms"))
    yield Metric("Scribe, write json, txt, srt, vtt and html", render.format("ms"))
    yield Metric("SDK, parse", sdk_parse.format("ms"))
    yield Metric.ratio("Scribe's parse / SDK's parse", parse.median, sdk_parse.median, _MAX_PARSE_RATIO)
    yield Metric.ratio(
        "Scribe's parse and default formats / SDK's parse", total.median, sdk_parse.median, _MAX_TOTAL_RATIO
    )
    yield Metric.at_most("Scribe, peak memory on top", memory_mib.median, _MAX_MEMORY_MIB, "MiB")
    yield Metric("SDK, peak memory on top", f"{sdk_memory_mib.median:.0f} MiB")


def _response_parts(sentences: int) -> Iterator[str]:
    """Build a response of GET /asr_jobs/<id> in the published form, with a time for each word."""
    yield "<?xml version='1.0' encoding='utf-8' ?>\n<Response><JobsDetail><Code>Success</Code><JobId>s1</JobId>"
    yield "<State>Success</State><Tag>SpeechRecognition</Tag><Operation><SpeechRecognitionResult>"
    yield f"<AudioTime>{sentences * _SENTENCE_MS / 1000}</AudioTime><Result></Result>"
    for number in range(sentences):
        yield _build_detail(number)
    yield "</SpeechRecognitionResult></Operation></JobsDetail></Response>"


def _build_detail(number: int) -> str:
    word_ms = _SENTENCE_MS * 9 // 10 // _WORDS_PER_SENTENCE
    words = [f"word{number % 997}x{index}" for index in range(_WORDS_PER_SENTENCE)]
    elements = "".join(
        f"<Words><OffsetEndMs>{index * word_ms + 150}</OffsetEndMs><OffsetStartMs>{index * word_ms}</OffsetStartMs>"
        f"<Word>{word}</Word></Words>"
        for index, word in enumerate(words)
    )
    text, start_ms = " ".join(words), number * _SENTENCE_MS
    return (
        f"<ResultDetail><EndMs>{start_ms + _SENTENCE_MS - 100}</EndMs><FinalSentence>{text}</FinalSentence>"
        f"<SliceSentence>{text}</SliceSentence><SpeakerId>0</SpeakerId><SpeechSpeed>5.0</SpeechSpeed>"
        f"<StartMs>{start_ms}</StartMs>{elements}<WordsNum>{_WORDS_PER_SENTENCE}</WordsNum></ResultDetail>"
    )
