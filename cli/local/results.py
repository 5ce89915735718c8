"""The output for each upload of the demo, and its comparison with what a sample holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.language import N_, _, choose_text
from cli.local.emulator import ERROR_SUFFIX, OUTPUT_FORMATS, OUTPUT_PREFIX
from cli.local.samples import ExpectedTranscript, Upload
from shared.recordings.keys import TRANSCRIPT_EXTENSIONS, get_extension

SUFFIXES = (*TRANSCRIPT_EXTENSIONS, ERROR_SUFFIX)
PAGE_SUFFIX = "html"
NO_RESULT = N_("no result in time")


@dataclass(frozen=True, slots=True)
class UploadResult:
    """The output for one upload. `files` maps a suffix (`json`, `error.json`, ...) to its key and bytes."""

    upload: Upload
    seconds: float
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether there is an error object."""
        return ERROR_SUFFIX in self.files

    @property
    def complete(self) -> bool:
        """Whether there is an error object or every transcript file."""
        return self.failed or all(get_extension(name) in self.files for name in self.upload.formats)

    @property
    def fails_as_expected(self) -> bool:
        """Whether it is the error object of a sample that is no recording."""
        return self.failed and self.upload.expected is not None and self.upload.expected.fails

    def document(self) -> Mapping[str, Any]:
        """Return the JSON transcript or the error object; an empty mapping when there is neither."""
        suffix = ERROR_SUFFIX if self.failed else "json"
        if suffix not in self.files:
            return {}
        document = json.loads(self.files[suffix][1])
        return document if isinstance(document, dict) else {}

    def text(self, suffix: str) -> str:
        """Return a file as text; empty if it is not there."""
        return self.files[suffix][1].decode("utf-8") if suffix in self.files else ""


def output_key(key: str, suffix: str) -> str:
    """Return the key of an output in the output bucket, e.g. `transcripts/a.mp3.txt`."""
    return f"{OUTPUT_PREFIX}{key}.{suffix}"


def find_recordings(results: Iterable[UploadResult]) -> dict[str, Path]:
    """Return the recordings with a page, by their paths beside it, where the page looks for them."""
    return {
        OUTPUT_PREFIX + result.upload.key: result.upload.path
        for result in results
        if PAGE_SUFFIX in result.files
    }


def count_words(document: Mapping[str, Any]) -> int:
    """Count the words of a JSON transcript. A sentence without words counts as one; punctuation does not count."""
    return sum(
        sum(_is_word(word["text"]) for word in sentence["words"]) or 1
        for sentence in document.get("sentences", [])
    )


def _is_word(text: str) -> bool:
    return any(character.isalnum() for character in text)


def find_mismatches(result: UploadResult) -> list[str]:
    """Compare a result with what its sample holds. An empty list is a success."""
    if not result.complete:
        return [_(NO_RESULT)]
    expected = result.upload.expected
    if expected is not None and expected.fails:
        return _find_error_mismatches(result)
    if result.failed:
        return [get_error_text(result.document(), "message") or _("it failed")]
    return [] if expected is None else _find_text_mismatches(result, expected)


def get_error_text(error: Mapping[str, Any], name: str) -> str:
    """Return a text of an error object in the language of the command: its `message` or its `next_step`."""
    return choose_text(str(error.get(name) or ""), str(error.get(f"{name}_zh") or ""))


def _find_error_mismatches(result: UploadResult) -> list[str]:
    if not result.failed:
        return [_("an error object was expected")]
    error = result.document()
    return [
        _("the error object has no {name}", name=name)
        for name in ("message", "next_step")
        if not error.get(name)
    ]


def _find_text_mismatches(result: UploadResult, expected: ExpectedTranscript) -> list[str]:
    sentences = result.document().get("sentences", [])
    mismatches = []
    if expected.words is not None:
        mismatches += _compare(" ".join(sentence["text"] for sentence in sentences), expected.words, expected)
        # Wrong words are wrong in every file.
        for name in () if mismatches else OUTPUT_FORMATS:
            mismatches += _compare_file(name, result.text(name), expected.words, expected)
    for number, channel_words in enumerate(expected.channels, start=1):
        text = " ".join(s["text"] for s in sentences if s.get("channel") == number)
        mismatches += [
            _("channel {number}: {problem}", number=number, problem=mismatch)
            for mismatch in _compare(text, channel_words, expected)
        ]
    return mismatches


def _compare(text: str, words: str, expected: ExpectedTranscript) -> list[str]:
    units, expected_units = (
        split_units(text, expected.language),
        split_units(words, expected.language),
    )
    if compute_error_rate(units, expected_units) <= expected.max_error_rate:
        return []
    # Chinese has no blanks between its units.
    shown = ("" if expected.language == "zh" else " ").join(units)
    text = _("transcribed {shown!r}, expected {words!r}", shown=shown, words=words)
    if expected.max_error_rate:
        rate = expected.max_error_rate
        text = _("{problem} (at most {rate:.0%} may be wrong)", problem=text, rate=rate)
    return [text]


def _compare_file(name: str, text: str, words: str, expected: ExpectedTranscript) -> list[str]:
    """Check that the words are in a file of some format, in which captions and times are between them."""
    units = split_units(words, expected.language)
    missing = [unit for unit in units if unit not in text.lower()]
    if len(missing) <= expected.max_error_rate * len(units):
        return []
    return [_("{name} lacks {words}", name=name, words=_(", ").join(missing))]


def split_units(text: str, language: str) -> list[str]:
    """Split a text into words, in Chinese into characters, without punctuation and capitals."""
    words = re.findall(r"[\w']+", text.lower())
    return list("".join(words)) if language == "zh" else words


def compute_error_rate(units: Sequence[str], expected: Sequence[str]) -> float:
    """Compute the share of the expected words that are wrong, missing or too many (word error rate).

    With no expected words it is 0 for no words, else the number of words.
    """
    previous = list(range(len(expected) + 1))
    for row, unit in enumerate(units, start=1):
        current = [row]
        for column, expected_unit in enumerate(expected, start=1):
            replaced = previous[column - 1] + (unit != expected_unit)
            current.append(min(replaced, previous[column] + 1, current[-1] + 1))
        previous = current
    return previous[-1] / max(1, len(expected))
