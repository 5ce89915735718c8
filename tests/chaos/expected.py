"""The expected results of each uploaded content: the text of the scripted engine, the output keys, the receipt id."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory

from cli.local.emulator import CALLBACK_TOKEN, INPUT_BUCKET, OUTPUT_BUCKET, REGION
from localcloud.speech.models import RecognitionError
from localcloud.speech.scripted import ScriptedRecogniser
from shared.recordings import receipt as product
from shared.recordings.keys import transcript_key
from shared.settings import Settings
from tests.chaos.deployment import FIRST_PLACE, Place
from tests.chaos.workload import compute_etag

FORMATS = ("json", "txt", "srt", "vtt", "html")
_SETTINGS = Settings((INPUT_BUCKET,), (CALLBACK_TOKEN,), REGION, output_bucket=OUTPUT_BUCKET)
_SUBTITLE_MARKUP = re.compile(r"WEBVTT.*|[0-9]+|.*-->.*")

_PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.DOTALL)
_TAG = re.compile("<[^>]*>")


@dataclass(frozen=True, slots=True)
class Speech:
    """The speech in a recording: sentences as (start ms, end ms, text), in order."""

    sentences: tuple[tuple[int, int, str], ...]

    @property
    def words(self) -> list[str]:
        """Return all words, in order."""
        return " ".join(text for _, _, text in self.sentences).split()


def recognize(bodies: Iterable[bytes]) -> Mapping[bytes, Speech | None]:
    """Run the engine on each content; None if its transcription must fail."""
    with TemporaryDirectory() as folder:
        files = {body: Path(folder) / compute_etag(body) for body in bodies}
        for body, file in files.items():
            file.write_bytes(body)
        return asyncio.run(_recognize_files(files))


async def _recognize_files(files: Mapping[bytes, Path]) -> dict[bytes, Speech | None]:
    engine = ScriptedRecogniser()
    results: dict[bytes, Speech | None] = {}
    for body, file in files.items():
        try:
            recognition = await engine.recognise(file, engine="16k_en", channels=1, sidecar=None)
        except RecognitionError:
            results[body] = None
            continue
        sentences = ((item.start_ms, item.end_ms, item.text) for item in recognition.sentences)
        # An empty file is rejected before a job is submitted.
        results[body] = Speech(tuple(sentences)) if body else None
    return results


def find_difference(files: Mapping[str, bytes], speech: Speech, etag: str) -> str:
    """Return why these files are not the transcripts of this content, or ""."""
    try:
        document = json.loads(files["json"])
        sentences = tuple((item["start_ms"], item["end_ms"], item["text"]) for item in document["sentences"])
        if document["recording"]["etag"] != etag:
            return f"the JSON is of content {document['recording']['etag']}, expected {etag}"
    except (ValueError, KeyError, TypeError) as error:
        return f"the JSON cannot be parsed: {error!r}"
    if sentences != speech.sentences:
        return f"the JSON has {sentences}, expected {speech.sentences}"
    for extension in FORMATS[1:]:
        text = files[extension].decode("utf-8", "replace")
        words = _extract_page_words(text) if extension == "html" else _extract_words(text)
        if words != speech.words:
            return f"{extension} has {words}, expected {speech.words}"
    return ""


def _extract_words(text: str) -> list[str]:
    return " ".join(line for line in text.splitlines() if not _SUBTITLE_MARKUP.fullmatch(line)).split()


def _extract_page_words(page: str) -> list[str]:
    """Return the words of the paragraphs of the transcript; what the page says itself has attributes."""
    _, _, main = page.partition("<main")
    paragraphs = _PARAGRAPH.findall(main.partition("</main>")[0])
    return " ".join(unescape(_TAG.sub("", paragraph)) for paragraph in paragraphs).split()


def build_receipt_id(key: str, body: bytes) -> str:
    """Build the id of the receipt for this content of a key; its job has it as UserData."""
    return product.Recording(INPUT_BUCKET, key, compute_etag(body), len(body)).id


def build_receipt_prefix(key: str) -> str:
    """Build the start of the ids of all receipts of a key."""
    return build_receipt_id(key, b"").rpartition("!")[0] + "!"


def build_output_key(key: str, extension: str, place: Place = FIRST_PLACE) -> str:
    """Build the key of a result of a recording."""
    settings = replace(_SETTINGS, output_prefix=place.output_prefix)
    return transcript_key(settings, INPUT_BUCKET, key, extension)
