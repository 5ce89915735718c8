"""What must be said of each content: the scripted engine's own word for exactly these bytes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from localcloud.speech.models import RecognitionError
from localcloud.speech.scripted import ScriptedRecogniser
from tests.chaos.uploads import etag_of

FORMATS = ("json", "txt", "srt", "vtt")
_NO_SPEECH = re.compile(r"WEBVTT.*|[0-9]+|.*-->.*")


@dataclass(frozen=True, slots=True)
class Said:
    """What a recording says: sentences as (start ms, end ms, text), in order."""

    sentences: tuple[tuple[int, int, str], ...]

    @property
    def words(self) -> list[str]:
        """All words, in order."""
        return " ".join(text for _, _, text in self.sentences).split()


def said_of(bodies: Iterable[bytes]) -> Mapping[bytes, Said | None]:
    """What the engine says of each content; None for what must fail."""
    with TemporaryDirectory() as folder:
        places = {body: Path(folder) / etag_of(body) for body in bodies}
        for body, place in places.items():
            place.write_bytes(body)
        return asyncio.run(_listen(places))


async def _listen(places: Mapping[bytes, Path]) -> dict[bytes, Said | None]:
    engine = ScriptedRecogniser()
    heard: dict[bytes, Said | None] = {}
    for body, place in places.items():
        try:
            found = await engine.recognise(place, engine="16k_en", channels=1, sidecar=None)
        except RecognitionError:
            heard[body] = None
            continue
        sentences = ((one.start_ms, one.end_ms, one.text) for one in found.sentences)
        # An empty file is refused before anything is paid.
        heard[body] = Said(tuple(sentences)) if body else None
    return heard


def difference(files: Mapping[str, bytes], said: Said, etag: str) -> str:
    """Why these four transcripts are not those of this content; empty if they are."""
    try:
        document = json.loads(files["json"])
        told = tuple((one["start_ms"], one["end_ms"], one["text"]) for one in document["sentences"])
        if document["recording"]["etag"] != etag:
            return f"the JSON is of the content {document['recording']['etag']}, not of {etag}"
    except (ValueError, KeyError, TypeError) as error:
        return f"the JSON cannot be read: {error!r}"
    if told != said.sentences:
        return f"the JSON says {told}, the engine {said.sentences}"
    for name in FORMATS[1:]:
        words = _words(files[name].decode("utf-8", "replace"))
        if words != said.words:
            return f"{name} says {words}, the engine {said.words}"
    return ""


def _words(text: str) -> list[str]:
    return " ".join(line for line in text.splitlines() if not _NO_SPEECH.fullmatch(line)).split()
