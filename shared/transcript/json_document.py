"""The transcript for programs: JSON as `docs/transcript.schema.json` describes it, one sentence a line."""

import json
from typing import Any

from shared.transcript.model import Sentence, Transcript
from shared.transcript.plain_text import paragraphs

SCHEMA = "urn:scribe:transcript"
VERSION = 1

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def render_json(transcript: Transcript) -> bytes:
    """Write JSON in UTF-8 with its members always in the same order.

    Sentences are encoded one by one: the peak of memory is about twice the file, for any length of recording.
    """
    recording = transcript.recording
    head = {
        "schema": SCHEMA,
        "version": VERSION,
        "recording": {
            "bucket": recording.bucket,
            "region": recording.region,
            "key": recording.key,
            "etag": recording.etag,
            "size": recording.size,
        },
        "engine": transcript.engine,
        "job_id": transcript.job_id,
        "duration_ms": transcript.duration_ms,
        "channels": transcript.channels,
        "text": "\n".join(paragraph.text for paragraph in paragraphs(transcript)),
    }
    members = b",\n".join(b"%s:%s" % (_bytes(name), _bytes(value)) for name, value in head.items())
    sentences = b",\n".join(_bytes(_sentence(sentence)) for sentence in transcript.sentences)
    return b"".join(
        (b"{\n", members, b',\n"sentences":[\n' if sentences else b',\n"sentences":[', sentences, b"\n]\n}\n")
    )


def _sentence(sentence: Sentence) -> dict[str, Any]:
    return {
        "start_ms": sentence.start_ms,
        "end_ms": sentence.end_ms,
        "speaker": sentence.speaker,
        "channel": sentence.channel,
        "chars_per_second": sentence.chars_per_second,
        "text": sentence.text,
        "words": [
            {"start_ms": word.start_ms, "end_ms": word.end_ms, "text": word.text} for word in sentence.words
        ],
    }


def _bytes(value: object) -> bytes:
    # Texts are clean; only a key that is no Unicode could hold a lone surrogate, which JSON writes as \\udcxx.
    return _encode(value).encode("utf-8", "backslashreplace")
