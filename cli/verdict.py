"""Is what came out what was said? Compares a result with what its sample holds."""

from __future__ import annotations

import re

from cli.samples import Expected
from cli.watch import FORMATS, Result


def complaints(result: Result) -> list[str]:
    """Everything that is not as it should be; an empty list is a success."""
    if not result.complete:
        return ["no result in time"]
    expected = result.upload.expected
    if expected is None:
        return [str(result.document().get("message", "it failed"))] if result.failed else []
    if expected.fails:
        return _about_failure(result)
    if result.failed:
        return [str(result.document().get("message", "it failed"))]
    return _about_words(result, expected)


def _about_failure(result: Result) -> list[str]:
    if not result.failed:
        return ["an error object was expected"]
    told = result.document()
    return [f"the error object has no {name}" for name in ("message", "next_step") if not told.get(name)]


def _about_words(result: Result, expected: Expected) -> list[str]:
    sentences = result.document().get("sentences", [])
    wrong = []
    if expected.words is not None:
        heard = _words(" ".join(sentence["text"] for sentence in sentences))
        if heard != _words(expected.words):
            wrong.append(f"heard {' '.join(heard)!r}, expected {expected.words!r}")
        for name in FORMATS:
            missing = [word for word in _words(expected.words) if word not in _text_of(result, name)]
            if missing:
                wrong.append(f"{name} lacks {', '.join(missing)}")
    for number, words in enumerate(expected.channels, start=1):
        heard = _words(" ".join(s["text"] for s in sentences if s.get("channel") == number))
        if heard != _words(words):
            wrong.append(f"channel {number}: heard {' '.join(heard)!r}, expected {words!r}")
    return wrong


def _text_of(result: Result, name: str) -> str:
    return result.files[name][1].decode("utf-8").lower()


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower())
