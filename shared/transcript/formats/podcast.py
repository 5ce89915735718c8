"""The JSON transcript of Podcasting 2.0, which podcast apps read.

A segment is a sentence. The specification leaves that open, down to single words; but the words of most engines have no
punctuation, so that a text of words would be a worse text, and the file of five hours would be six times as large. The
times of the words are in Scribe's own JSON. Source: docs/examples/transcripts/transcripts.md of the repository
Podcastindex-org/podcast-namespace.
"""

import json
from collections.abc import Iterator

from shared.transcript.formats.context import RenderContext
from shared.transcript.models import Transcript
from shared.transcript.text import encode_pieces

VERSION = "1.0.0"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def render(context: RenderContext) -> bytes:
    """Return JSON in UTF-8, a segment on each line. The file of silence has no segments.

    With one speaker, the segments have no member `speaker`.
    """
    return encode_pieces(_pieces(context.transcript))


def _pieces(transcript: Transcript) -> Iterator[str]:
    yield f'{{\n"version":"{VERSION}",\n"segments":['
    for number, sentence in enumerate(transcript.sentences):
        label = transcript.get_label(sentence)
        times = {"startTime": sentence.start_ms / 1000, "endTime": sentence.end_ms / 1000}
        segment = {"speaker": label, **times} if label else times
        yield ",\n" if number else "\n"
        yield _encode({**segment, "body": sentence.text})
    yield "\n]\n}\n"
