"""A CI SpeechRecognition result becomes a Transcript.

CI answers in one of three shapes: ResultDetail containers (ResTextFormat 1 to 3), bracketed lines in Result
(ResTextFormat 0), or FlashResult containers (FlashAsr). Members come in any order, and unknown ones are ignored.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.transcript.ci_values import UNKNOWN_MS, mappings_of, ms_of, number_of, text_of, voice_of
from shared.transcript.flash_result import read_flash
from shared.transcript.model import RecordingRef, Sentence, Transcript, Word
from shared.transcript.result_lines import read_lines
from shared.transcript.timeline import in_order, settle
from shared.transcript.typography import join_words
from shared.transcript.voices import tell_voices_apart


def read_sentence(detail: object) -> Sentence | None:
    """Read one ResultDetail container as the XML parser gives it; None where it holds no text. Never raises.

    Meant for a parser that streams: the result still carries CI's own speaker number and may have unknown times, so
    only `build_transcript` may use it. Source: CI data structures, ResultDetail.
    """
    if not isinstance(detail, Mapping):
        return None
    spoken = mappings_of(detail.get("Words"))
    text = (
        text_of(detail.get("FinalSentence"))
        or join_words(text_of(detail.get("SliceSentence")).split())
        or join_words([word for word in (text_of(item.get("Word")) for item in spoken) if word])
    )
    if not text:
        return None
    start_ms, end_ms = in_order(ms_of(detail.get("StartMs")), ms_of(detail.get("EndMs")))
    return Sentence(
        start_ms=start_ms,
        end_ms=end_ms,
        text=text,
        speaker=voice_of(detail.get("SpeakerId")),
        chars_per_second=number_of(detail.get("SpeechSpeed")),
        words=_read_words(spoken, start_ms) if start_ms != UNKNOWN_MS else (),
    )


def _read_words(spoken: Sequence[Mapping[str, Any]], sentence_start_ms: int) -> tuple[Word, ...]:
    """Read the words that have a text and both times; the others live on in the sentence's text."""
    words = []
    for item in spoken:
        text = text_of(item.get("Word"))
        start_ms, end_ms = ms_of(item.get("OffsetStartMs")), ms_of(item.get("OffsetEndMs"))
        if end_ms < start_ms:
            start_ms, end_ms = in_order(start_ms, end_ms)
        if text and UNKNOWN_MS not in (start_ms, end_ms):
            # Offsets count from the start of the sentence. Source: CI data structures, Words.
            words.append(Word(text, sentence_start_ms + start_ms, sentence_start_ms + end_ms))
    return tuple(words)


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
) -> Transcript:
    """Put a transcript together from the richest shape the result has: details, else lines, else flash.

    `channels` is the job's ChannelNum, `audio_time` its AudioTime in decimal seconds, `lines` the text of Result
    (several joined by line feeds), `details` what `read_sentence` gave. Silence gives a transcript without sentences.
    Nothing in a result makes it raise, and the same result always gives an equal transcript.
    """
    duration_ms = ms_of(audio_time, unit_ms=1000)
    known_duration_ms = None if duration_ms == UNKNOWN_MS else duration_ms
    sentences = [sentence for sentence in details if sentence.text] or read_lines(lines) or read_flash(flash)
    told_apart = tell_voices_apart(settle(sentences, known_duration_ms), channels)
    return Transcript(
        recording=recording,
        engine=engine,
        job_id=job_id,
        duration_ms=known_duration_ms,
        channels=max(1, channels, *(sentence.channel or 1 for sentence in told_apart)),
        sentences=told_apart,
    )
