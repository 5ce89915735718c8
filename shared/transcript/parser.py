"""Parses a CI SpeechRecognition result into a Transcript. Nothing in a result makes it raise.

CI returns one of three forms:

- ResultDetail containers (ResTextFormat 1 to 3), each parsed by `parse_sentence`,
- bracketed lines in Result (ResTextFormat 0),
- FlashResult containers (FlashAsr).

Members come in any order, and unknown ones are ignored. CI's documents call every member a string, the SDKs call some
numbers, and an XML parser returns None for an empty node and a list for a repeated one, so every value is read by one
of the `as_` functions below.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from sys import intern
from types import MappingProxyType
from typing import Any

from shared.options.parse import Choice
from shared.transcript.models import DEFAULT_LAYOUT, Layout, RecordingRef, Sentence, Transcript, Word
from shared.transcript.text import clean_name, clean_text, display_width, join_words

# A time that is missing or cannot be read; `fill_missing_times` replaces it.
UNKNOWN_MS = -1

# 31 years. CI limits a recording to 5 hours, so a larger number is not a time.
_MAX_MS = 10**12

# Numbers with up to this many digits are exact and below _MAX_MS, so they need no further check.
_MAX_PLAIN_DIGITS = 9

# A larger number is not a speaker or a channel.
_MAX_SPEAKER_ID = 10_000

# Speech time per column where nothing else is known: about 5 Chinese characters or 10 Latin letters per second.
_MS_PER_COLUMN = 100

# Seconds come unpadded and one or two spaces follow (document of GET /asr_jobs); the third number, a speaker or
# channel, is seen with the engine behind CI. Whether minutes pass 59 or hours appear is unconfirmed, so both are
# accepted.
_TIME = r"((?:[0-9]+:)+[0-9]+(?:\.[0-9]+)?)"
_LINE = re.compile(rf"\s*\[\s*{_TIME}\s*,\s*{_TIME}\s*(?:,\s*([0-9]+)\s*)?\](.*)", re.DOTALL)
_LINE_END = re.compile(r"\r\n|\r|\n")


def build_transcript(
    *,
    recording: RecordingRef,
    engine: str,
    job_id: str,
    channels: int,
    audio_time: str | None,
    details: Sequence[Sentence],
    lines: str,
    flash: Sequence[Mapping[str, Any]],
    title: str = "",
    speaker_names: Iterable[str] = (),
    options: Mapping[str, Choice] = MappingProxyType({}),
    layout: Layout = DEFAULT_LAYOUT,
) -> Transcript:
    """Build a transcript from the most detailed form in the result: details, else lines, else flash.

    `channels` is the job's ChannelNum, `audio_time` its AudioTime in decimal seconds, `lines` the text of Result
    (several joined by line feeds), `details` the results of `parse_sentence`. A silent recording has no sentences.
    The same result with the same options always gives an equal transcript.
    """
    duration_ms = as_milliseconds(audio_time, unit_ms=1000)
    known_duration_ms = None if duration_ms == UNKNOWN_MS else duration_ms
    sentences = (
        [sentence for sentence in details if sentence.text]
        or parse_result_lines(lines)
        or parse_flash_result(flash)
    )
    labelled = assign_speakers(fill_missing_times(sentences, known_duration_ms), channels)
    transcript = Transcript(
        recording=recording,
        engine=engine,
        job_id=job_id,
        duration_ms=known_duration_ms,
        channels=max(1, channels, *(sentence.channel or 1 for sentence in labelled)),
        sentences=labelled,
    )
    return name_transcript(transcript, title, speaker_names, options, layout)


def name_transcript(
    transcript: Transcript,
    title: str,
    speaker_names: Iterable[str],
    options: Mapping[str, Choice],
    layout: Layout = DEFAULT_LAYOUT,
) -> Transcript:
    """Return the transcript with this title, these names of its speakers or channels, options and layout."""
    return transcript._replace(
        title=clean_name(title),
        speaker_names=tuple(map(clean_name, speaker_names)),
        options=options,
        layout=layout,
    )


def parse_sentence(detail: object) -> Sentence | None:
    """Parse one ResultDetail container, as the XML parser returns it; None if it holds no text.

    A streaming parser can call it for each container. The sentence still has CI's own speaker number and may have
    unknown times, so only `build_transcript` may use it. Source: CI data structures, ResultDetail.
    """
    if not isinstance(detail, Mapping):
        return None
    items = as_mappings(detail.get("Words"))
    text = (
        as_text(detail.get("FinalSentence"))
        or join_words(as_text(detail.get("SliceSentence")).split())
        or join_words([word for word in (as_text(item.get("Word")) for item in items) if word])
    )
    if not text:
        return None
    start_ms, end_ms = _parse_times(detail.get("StartMs"), detail.get("EndMs"))
    return Sentence(
        start_ms=start_ms,
        end_ms=end_ms,
        text=text,
        speaker=as_speaker_id(detail.get("SpeakerId")),
        chars_per_second=as_number(detail.get("SpeechSpeed")),
        words=_parse_words(items, start_ms) if start_ms != UNKNOWN_MS else (),
    )


def _parse_words(items: Sequence[Mapping[str, Any]], sentence_start_ms: int) -> tuple[Word, ...]:
    """Parse the words that have a text and both times; the others remain in the sentence's text only."""
    words = []
    for item in items:
        text = as_text(item.get("Word"))
        # Not through _parse_times: hours of speech have 90,000 words.
        start_ms = as_milliseconds(item.get("OffsetStartMs"))
        end_ms = as_milliseconds(item.get("OffsetEndMs"))
        if end_ms < start_ms:
            start_ms, end_ms = ordered_times(start_ms, end_ms)
        if text and UNKNOWN_MS < start_ms <= end_ms:
            # Offsets count from the start of the sentence. Source: CI data structures, Words.
            # Interned: hours of speech repeat the same few thousand words.
            words.append(Word(intern(text), sentence_start_ms + start_ms, sentence_start_ms + end_ms))
    return tuple(words)


def parse_result_lines(lines: str) -> list[Sentence]:
    """Parse the lines of Result, `[m:ss.mmm,m:ss.mmm] text`, one sentence per line.

    A line in another form keeps its whole text and has unknown times.
    """
    sentences = []
    for line in _LINE_END.split(lines):
        match = _LINE.fullmatch(line)
        if match is None:
            text, start_ms, end_ms, speaker = line, UNKNOWN_MS, UNKNOWN_MS, None
        else:
            text, speaker = match[4], as_speaker_id(match[3])
            start_ms, end_ms = ordered_times(_parse_line_time(match[1]), _parse_line_time(match[2]))
        if text := clean_text(text):
            sentences.append(Sentence(start_ms, end_ms, text, speaker=speaker))
    return sentences


def _parse_line_time(time: str) -> int:
    """Return the milliseconds of `m:ss.mmm` or `h:mm:ss.mmm`."""
    seconds = 0.0
    for field in time.split(":"):
        seconds = seconds * 60 + float(field)
    return as_milliseconds(seconds, unit_ms=1000)


def parse_flash_result(flash: Sequence[Mapping[str, Any]]) -> list[Sentence]:
    """Parse FlashResult containers: one per channel, lower-case names, times in milliseconds.

    A channel without sentences becomes one sentence with its whole text and unknown times. With several channels the
    sentences have a channel, and CI's speaker number, which has no meaning then, is dropped. Source: CI's FlashResult.
    """
    sentences = []
    for index, item in enumerate(flash):
        channel_id = as_speaker_id(item.get("channel_id"))
        channel = (index if channel_id is None else channel_id) + 1  # CI counts from 0
        for raw in as_mappings(item.get("sentence_list")) or [item]:
            sentence = _parse_flash_sentence(raw, channel if len(flash) > 1 else None)
            if sentence is not None:
                sentences.append(sentence)
    return sentences


def _parse_flash_sentence(raw: Mapping[str, Any], channel: int | None) -> Sentence | None:
    items = as_mappings(raw.get("word_list"))
    start_ms, end_ms = _parse_times(raw.get("start_time"), raw.get("end_time"))
    words = _parse_flash_words(items, start_ms) if start_ms != UNKNOWN_MS else ()
    text = as_text(raw.get("text")) or join_words([word.text for word in words])
    if not text:
        return None
    speaker = None if channel is not None else as_speaker_id(raw.get("speaker_id"))
    return Sentence(start_ms, end_ms, text, speaker=speaker, channel=channel, words=words)


def _parse_flash_words(items: Sequence[Mapping[str, Any]], sentence_start_ms: int) -> tuple[Word, ...]:
    """Parse the words. Whether CI counts their times from the file or from the sentence is unconfirmed.

    They count from the sentence if the first word would otherwise end before the sentence starts.
    """
    words = []
    for item in items:
        text = as_text(item.get("word"))
        start_ms, end_ms = _parse_times(item.get("start_time"), item.get("end_time"))
        if text and UNKNOWN_MS < start_ms <= end_ms:
            words.append(Word(intern(text), start_ms, end_ms))
    if words and words[0].end_ms <= sentence_start_ms:
        return tuple(
            Word(text, sentence_start_ms + start_ms, sentence_start_ms + end_ms)
            for text, start_ms, end_ms in words
        )
    return tuple(words)


def _parse_times(start: object, end: object) -> tuple[int, int]:
    return ordered_times(as_milliseconds(start), as_milliseconds(end))


def ordered_times(start_ms: int, end_ms: int) -> tuple[int, int]:
    """Return the two times in order; an unknown time stays in its position."""
    if UNKNOWN_MS < end_ms < start_ms:
        return end_ms, start_ms
    return start_ms, end_ms


def fill_missing_times(sentences: Iterable[Sentence], duration_ms: int | None) -> list[Sentence]:
    """Return the sentences sorted by start, each with 0 <= start <= end. Equal starts keep their order.

    Sentences without times divide the gap between their neighbours (or up to the end of the recording) in proportion
    to their text. Where there is no gap, they start at the end of the previous sentence and last as long as speech.
    """
    timed: list[Sentence] = []
    untimed: list[Sentence] = []
    cursor_ms = 0
    for sentence in sentences:
        if sentence.start_ms < 0:
            untimed.append(sentence)
            continue
        if untimed:
            timed += _divide_gap(untimed, cursor_ms, sentence.start_ms)
            untimed.clear()
        timed.append(sentence if sentence.end_ms >= sentence.start_ms else _with_estimated_end(sentence))
        cursor_ms = timed[-1].end_ms
    timed += _divide_gap(untimed, cursor_ms, duration_ms)
    return sorted(timed, key=lambda sentence: sentence.start_ms)


def _with_estimated_end(sentence: Sentence) -> Sentence:
    speech_end_ms = sentence.start_ms + display_width(sentence.text) * _MS_PER_COLUMN
    return sentence._replace(end_ms=max([speech_end_ms, *(word.end_ms for word in sentence.words)]))


def _divide_gap(untimed: Sequence[Sentence], start_ms: int, end_ms: int | None) -> list[Sentence]:
    """Return the sentences with times that follow each other between start and end."""
    total_width = sum(display_width(sentence.text) for sentence in untimed)
    gap_ms = total_width * _MS_PER_COLUMN if end_ms is None or end_ms <= start_ms else end_ms - start_ms
    timed = []
    width_before = 0
    for sentence in untimed:
        width_after = width_before + display_width(sentence.text)
        timed.append(
            sentence._replace(
                start_ms=start_ms + gap_ms * width_before // max(1, total_width),
                end_ms=start_ms + gap_ms * width_after // max(1, total_width),
            )
        )
        width_before = width_after
    return timed


def assign_speakers(sentences: Sequence[Sentence], channels: int) -> tuple[Sentence, ...]:
    """Replace CI's one number per sentence by a channel, a speaker or None. Channels and speakers count from 1.

    SpeakerId is the channel where there are two, the speaker with diarization, and always 0 otherwise, so a mono
    recording with a single number has no speakers. Speakers are numbered in the order in which they first speak.
    """
    ids = dict.fromkeys(sentence.speaker for sentence in sentences if sentence.speaker is not None)
    if channels > 1:
        # Samples count from 0, no document says so: without a 0, a number above the last index counts from 1.
        first_id = 1 if ids and 0 not in ids and max(ids) >= channels else 0
        return tuple(
            sentence
            if sentence.speaker is None
            else sentence._replace(speaker=None, channel=sentence.speaker - first_id + 1)
            for sentence in sentences
        )
    numbers = {speaker_id: number for number, speaker_id in enumerate(ids, start=1)} if len(ids) > 1 else {}
    return tuple(
        sentence if sentence.speaker is None else sentence._replace(speaker=numbers.get(sentence.speaker))
        for sentence in sentences
    )


def as_text(value: object) -> str:
    """Return the clean text of a node: a string, a number, or a mapping with `#text`; otherwise an empty text."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        value = value.get("#text")
        if isinstance(value, str):
            return clean_text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value) if -_MAX_MS < value < _MAX_MS else ""
    return ""


def as_number(value: object) -> float | None:
    """Return a number from 0 up, or None for anything else: CI counts nothing that is negative."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def as_milliseconds(value: object, *, unit_ms: int = 1) -> int:
    """Return whole milliseconds of a number in units of `unit_ms`; UNKNOWN_MS if it is missing, negative or absurd."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= _MAX_PLAIN_DIGITS:
        return int(value) * unit_ms
    number = as_number(value)
    if number is None or number * unit_ms > _MAX_MS:
        return UNKNOWN_MS
    return round(number * unit_ms)


def as_speaker_id(value: object) -> int | None:
    """Return the number of a speaker or channel as CI counts it, or None if there is none."""
    number = as_number(value)
    return int(number) if number is not None and number < _MAX_SPEAKER_ID else None


def as_mappings(value: object) -> list[Mapping[str, Any]]:
    """Return the containers among repeated nodes, which come as None, one mapping or a list."""
    if isinstance(value, dict):
        return [value]
    if isinstance(value, (list, tuple)):
        return [item for item in value if isinstance(item, dict)]
    return []
