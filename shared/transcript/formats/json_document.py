"""JSON for programs, as `docs/transcript.schema.json` describes it, one sentence per line.

It has everything that the other formats have, so that they can be written from it again.
"""

import json
from collections.abc import Iterator, Sequence
from sys import intern
from typing import Any

from shared.options.model import as_json_value
from shared.transcript.captions import Cue
from shared.transcript.formats.context import RenderContext
from shared.transcript.formats.paragraphs import build_paragraphs
from shared.transcript.models import RecordingRef, Sentence, Transcript, Word
from shared.transcript.text import encode_pieces

SCHEMA = "urn:scribe:transcript"
VERSION = 1

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def render(context: RenderContext) -> bytes:
    """Return JSON in UTF-8, with members always in the same order."""
    return encode_pieces(_pieces(context.transcript, context.cues))


def _pieces(transcript: Transcript, cues: Sequence[Cue]) -> Iterator[str]:
    header = {
        "schema": SCHEMA,
        "version": VERSION,
        "recording": transcript.recording._asdict(),
        "engine": transcript.engine,
        "job_id": transcript.job_id,
        "duration_ms": transcript.duration_ms,
        "channels": transcript.channels,
        "title": transcript.title or None,
        "speaker_names": transcript.speaker_names,
        "options": {
            name: {"value": as_json_value(name, choice.value), "source": choice.source}
            for name, choice in transcript.options.items()
        },
        "captions": {"cues": len(cues), "fast": sum(cue.is_fast for cue in cues)},
        "text": "\n".join(paragraph.text for paragraph in build_paragraphs(transcript)),
    }
    yield "{\n"
    for name, value in header.items():
        yield f"{_encode(name)}:{_encode(value)},\n"
    yield '"sentences":['
    for number, sentence in enumerate(transcript.sentences):
        yield ",\n" if number else "\n"
        yield _encode_sentence(sentence)
    yield "\n]\n}\n"


def _encode_sentence(sentence: Sentence) -> str:
    # Formatted here: a dict for each of 90,000 words would take three times as long.
    words = ",".join(
        [
            f'{{"start_ms":{start_ms},"end_ms":{end_ms},"text":{_encode(text)}}}'
            for text, start_ms, end_ms in sentence.words
        ]
    )
    return (
        f'{{"start_ms":{sentence.start_ms},"end_ms":{sentence.end_ms},"speaker":{_encode_number(sentence.speaker)},'
        f'"channel":{_encode_number(sentence.channel)},'
        f'"chars_per_second":{_encode_number(sentence.chars_per_second)},'
        f'"text":{_encode(sentence.text)},"words":[{words}]}}'
    )


def _encode_number(number: float | None) -> str:
    return "null" if number is None else repr(number)


def parse_json(body: bytes) -> Transcript:
    """Parse what `render` wrote, in this version or an earlier one, without its title, names and options.

    Raises ValueError if the document is another one.
    """
    try:
        document = json.loads(body)
        if (document["schema"], document["version"]) != (SCHEMA, VERSION):
            raise ValueError(document["version"])  # noqa: TRY301 - as a document without these members
        return Transcript(
            recording=RecordingRef(**document["recording"]),
            engine=document["engine"],
            job_id=document["job_id"],
            duration_ms=document["duration_ms"],
            channels=document["channels"],
            sentences=tuple(map(_parse_sentence, document["sentences"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a transcript: {type(error).__name__}") from None


def _parse_sentence(raw: dict[str, Any]) -> Sentence:
    words = tuple(
        Word(intern(word["text"]), int(word["start_ms"]), int(word["end_ms"])) for word in raw["words"]
    )
    numbers = (raw["speaker"], raw["channel"])
    if not all(number is None or int(number) > 0 for number in numbers):
        raise ValueError(numbers)
    return Sentence(
        int(raw["start_ms"]), int(raw["end_ms"]), str(raw["text"]), *numbers, raw["chars_per_second"], words
    )
