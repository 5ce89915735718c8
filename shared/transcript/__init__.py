"""From CI's result to the files a person or a program reads. Pure: no input, no output, no clock.

read_sentence, build_transcript   a CI result -> Transcript
FORMATS, render_each              Transcript  -> bytes, by name: json, txt, srt, vtt
"""

from shared.transcript.formats import FORMATS, Format, render_each
from shared.transcript.from_ci import build_transcript, read_sentence
from shared.transcript.model import RecordingRef, Sentence, Transcript, Word

__all__ = [
    "FORMATS",
    "Format",
    "RecordingRef",
    "Sentence",
    "Transcript",
    "Word",
    "build_transcript",
    "read_sentence",
    "render_each",
]
