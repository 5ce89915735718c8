"""Converts a CI speech result to transcript files. Pure: no input or output, no clock.

parse_sentence, build_transcript   CI result  -> Transcript
FORMATS, render_formats            Transcript -> bytes, by the name of the format
parse_json                         the JSON format -> Transcript
"""

from shared.transcript.formats import FORMATS, Format, render_formats
from shared.transcript.formats.json_document import parse_json
from shared.transcript.models import Layout, RecordingRef, Sentence, Transcript, Word
from shared.transcript.parser import build_transcript, name_transcript, parse_sentence

__all__ = [
    "FORMATS",
    "Format",
    "Layout",
    "RecordingRef",
    "Sentence",
    "Transcript",
    "Word",
    "build_transcript",
    "name_transcript",
    "parse_json",
    "parse_sentence",
    "render_formats",
]
