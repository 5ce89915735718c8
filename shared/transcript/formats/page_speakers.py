"""The voices of a transcript in the page: the table of who speaks how long, and the picture of who speaks when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from shared.transcript.models import Sentence, Transcript

_COLORS = 8  # as many as page.css has
_MAX_LANES = 4  # of the picture
_MAP_WIDTH = 1_500  # its units: more than it has pixels on most screens

# Code points that UTF-8 can hold, but HTML cannot.
_NONCHARACTERS = re.compile(
    "[\ufdd0-\ufdef"
    + "".join(chr(plane + end) for plane in range(0, 0x110000, 0x10000) for end in (0xFFFE, 0xFFFF))
    + "]"
)


def format_speakers(transcript: Transcript) -> Iterator[str]:
    """Yield the table of the voices, in the order of their numbers, with how long they speak."""
    talk_ms: dict[int, int] = {}
    labels: dict[int, str] = {}
    for sentence in transcript.sentences:
        label, number = transcript.get_label(sentence), get_number(sentence)
        if label and number:
            labels[number] = label
            talk_ms[number] = talk_ms.get(number, 0) + max(0, sentence.end_ms - sentence.start_ms)
    if not labels:
        return
    total_ms = sum(talk_ms.values())
    yield '<table class="speakers" aria-label="Speakers">\n<tbody>\n'
    for number in sorted(labels):
        share = 100 * talk_ms[number] / total_ms if total_ms else 0
        yield (
            f'<tr><th scope="row" {format_voice(number)}>'
            f'<button type="button" data-testid="speaker" disabled>{escape_text(labels[number])}</button></th>'
            f"<td>{format_time(talk_ms[number])}</td><td>{share:.0f}%</td>"
            f'<td class="bar c{_color(number)}"><svg aria-hidden="true"><rect width="{share:.1f}%" height="100%">'
            "</rect></svg></td></tr>\n"
        )
    yield "</tbody>\n</table>\n"


def draw_map(transcript: Transcript, total_ms: int) -> Iterator[str]:
    """Yield the picture of who speaks when: a lane for each voice, or one for all where they are more than four."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for sentence in transcript.sentences:
        start = sentence.start_ms * _MAP_WIDTH // max(1, total_ms)
        end = max(start + 1, sentence.end_ms * _MAP_WIDTH // max(1, total_ms))
        voice = spans.setdefault(get_number(sentence) or 0, [])
        if voice and start <= voice[-1][1]:
            voice[-1] = (voice[-1][0], max(end, voice[-1][1]))
        else:
            voice.append((start, end))
    lanes = 1 if len(spans) > _MAX_LANES else max(1, len(spans))
    yield f'<svg viewBox="0 0 {_MAP_WIDTH} {lanes}" preserveAspectRatio="none" aria-hidden="true">'
    for lane, number in enumerate(sorted(spans)):
        y = f"{lane if lanes > 1 else 0}.5"
        lines = "".join([f"M{start} {y}h{end - start}" for start, end in spans[number]])
        color = f' class="c{_color(number)}"' if number else ""
        yield f'<path{color} d="{lines}"></path>'
    yield "</svg>"


def get_number(sentence: Sentence) -> int | None:
    """Return the number of the voice, or None where there is only one."""
    return sentence.channel or sentence.speaker


def _color(number: int) -> int:
    return (number - 1) % _COLORS + 1


def format_voice(number: int) -> str:
    """Return the attributes of what belongs to a voice: its colour, and its letter as columns of a sheet have them."""
    letters, rest = "", number
    while rest:
        rest, digit = divmod(rest - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return f"class=c{_color(number)} data-voice={letters}"


def format_time(time_ms: int) -> str:
    """Return a time in ms as `1:02:03` or `2:03`."""
    minutes, seconds = divmod(time_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def escape_text(text: str, *, quote: bool = True) -> str:
    """Return a text as HTML; `quote`: for an attribute."""
    return escape(_NONCHARACTERS.sub("\N{REPLACEMENT CHARACTER}", text), quote=quote)
