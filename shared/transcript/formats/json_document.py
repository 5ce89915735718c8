"""JSON for programs, as `docs/transcript.schema.json` describes it, one sentence per line."""

import json
from collections.abc import Iterator

from shared.options.model import as_json_value
from shared.transcript.formats.plain_text import build_paragraphs
from shared.transcript.models import Sentence, Transcript
from shared.transcript.text import encode_pieces

SCHEMA = "urn:scribe:transcript"
VERSION = 1

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def render_json(transcript: Transcript) -> bytes:
    """Return JSON in UTF-8, with members always in the same order."""
    return encode_pieces(_pieces(transcript))


def _pieces(transcript: Transcript) -> Iterator[str]:
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
