"""The bracketed lines of Result: `[m:ss.mmm,m:ss.mmm] text`, one sentence a line."""

import re

from shared.transcript.ci_values import UNKNOWN_MS, clean_text, ms_of, voice_of
from shared.transcript.model import Sentence
from shared.transcript.timeline import in_order

# Seconds come unpadded and one or two spaces follow (seeds: GET /asr_jobs); the third number, a speaker or channel, is
# seen with the engine behind CI. Whether minutes pass 59 or hours appear is unconfirmed, so both are read.
_CLOCK = r"((?:[0-9]+:)+[0-9]+(?:\.[0-9]+)?)"
_LINE = re.compile(rf"\s*\[\s*{_CLOCK}\s*,\s*{_CLOCK}\s*(?:,\s*([0-9]+)\s*)?\](.*)", re.DOTALL)
_LINE_END = re.compile(r"\r\n|\r|\n")


def read_lines(lines: str) -> list[Sentence]:
    """Read every line that holds text. A line of another shape keeps its text and has unknown times."""
    sentences = []
    for line in _LINE_END.split(lines):
        match = _LINE.fullmatch(line)
        if match is None:
            text, start_ms, end_ms, voice = line, UNKNOWN_MS, UNKNOWN_MS, None
        else:
            text, voice = match[4], voice_of(match[3])
            start_ms, end_ms = in_order(_clock_ms(match[1]), _clock_ms(match[2]))
        if text := clean_text(text):
            sentences.append(Sentence(start_ms, end_ms, text, speaker=voice))
    return sentences


def _clock_ms(clock: str) -> int:
    """Give the milliseconds of `m:ss.mmm` or `h:mm:ss.mmm`."""
    seconds = 0.0
    for field in clock.split(":"):
        seconds = seconds * 60 + float(field)
    return ms_of(seconds, unit_ms=1000)
