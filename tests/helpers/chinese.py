"""Switches the language to Chinese for a while, and finds English sentences that are left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from cli import catalogue
from cli.language import CHINESE, ENGLISH, use_language

COMMAND = re.compile(r"`[^`]*`")
SENTENCE = re.compile(r"[a-z]{2,},? [a-z]{2,}")


@contextmanager
def speak_chinese() -> Iterator[None]:
    """Texts are in Chinese inside."""
    use_language(CHINESE)
    try:
        yield
    finally:
        use_language(ENGLISH)


def list_english(texts: str | list[str], *names: str) -> list[str]:
    """Return the lines with an English sentence. Command lines in backquotes and these names are no sentences."""
    lines = "\n".join([texts] if isinstance(texts, str) else texts).splitlines()
    return [line for line in lines if SENTENCE.search(_remove(COMMAND.sub("", line), names))]


def list_translations(area: str) -> list[str]:
    """Return every Chinese text of an area of the catalogue."""
    texts = []
    for message in catalogue.read_catalogs()[area]:
        if message.id and message.string:
            texts += [message.string] if isinstance(message.string, str) else list(message.string)
    return texts


def _remove(line: str, names: tuple[str, ...]) -> str:
    for name in names:
        line = line.replace(name, "")
    return line
