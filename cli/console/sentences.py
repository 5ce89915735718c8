"""The sentences of a transcript, from the format that is there."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from shared.transcript.models import RecordingRef, Sentence, Transcript
from shared.transcript.text import join_words

_CUE_TIMES = re.compile(r"(?:(\d+):)?(\d\d):(\d\d)[.,](\d{3}) --> (?:(\d+):)?(\d\d):(\d\d)[.,](\d{3})")
_VOICE = re.compile(r"<v(?:\.[^ >]*)? ([^>]*)>")
_TAG = re.compile(r"<[^<>]*>")  # with [^>] a line of many `<` would take minutes
_TIMES_MS = range(10 * 24 * 3_600_000)  # of a recording; more than any has
_NO_RECORDING = RecordingRef("", "", "", "")


class SpokenText(NamedTuple):
    """One sentence, or one cue of captions. Times are None where the format has none; `speaker` "" without one."""

    start_ms: int | None
    end_ms: int | None
    text: str
    speaker: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the object for the page."""
        return self._asdict()


def parse_texts(output_format: str, body: bytes) -> tuple[list[SpokenText], int | None]:
    """Return the sentences of a transcript, and the length of the recording in ms if it says so.

    Raises ValueError for what Scribe did not write.
    """
    if output_format == "json":
        return _parse_json(body)
    lines = body.decode("utf-8-sig", "replace").splitlines()
    if output_format in {"srt", "vtt"}:
        return list(_iter_cues(lines)), None
    return [SpokenText(None, None, line.strip()) for line in lines if line.strip()], None


def _parse_json(body: bytes) -> tuple[list[SpokenText], int | None]:
    try:
        document = json.loads(body)
        names = tuple(str(name or "") for name in document.get("speaker_names") or ())
        transcript = Transcript(_NO_RECORDING, "", "", None, 1, (), speaker_names=names)
        texts = []
        for raw in document["sentences"]:
            sentence = Sentence(
                int(raw["start_ms"]), int(raw["end_ms"]), str(raw["text"]), raw["speaker"], raw["channel"]
            )
            if not all(ms in _TIMES_MS for ms in (sentence.start_ms, sentence.end_ms)):
                raise ValueError("a time")  # noqa: TRY301 - as int() does
            label = transcript.get_label(sentence) or ""
            texts.append(SpokenText(sentence.start_ms, sentence.end_ms, sentence.text, label))
        duration_ms = document.get("duration_ms")
        return texts, duration_ms if isinstance(duration_ms, int) else None
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a transcript: {type(error).__name__}") from None


def _iter_cues(lines: list[str]) -> Iterator[SpokenText]:
    times: tuple[int, int] | None = None
    words: list[str] = []
    for line in [*lines, ""]:
        match = _CUE_TIMES.match(line)
        if match:
            times, words = (_read_ms(*match.groups()[:4]), _read_ms(*match.groups()[4:])), []
        elif times and line.strip():
            words.append(line.strip())
        elif times:
            yield _build_cue(times, words)
            times = None


def _build_cue(times: tuple[int, int], lines: list[str]) -> SpokenText:
    voice = next((match[1] for match in map(_VOICE.match, lines) if match), "")
    text = join_words([html.unescape(_TAG.sub("", line)) for line in lines])
    return SpokenText(*times, text, html.unescape(voice))


def _read_ms(hours: str | None, minutes: str, seconds: str, milliseconds: str) -> int:
    return ((int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(milliseconds)
