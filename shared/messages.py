"""Texts for people that may be shown in another language: an English text that still has its template and values.

Functions log and write the English text. The `scribe` command looks the template up in its catalogue
(`cli.language.translate`), which `python -m cli.catalogue` fills from every `message("...")` here.
"""

from __future__ import annotations

from collections.abc import Mapping


class Message(str):
    """An English text, made from `template` with `values` in place of its `{names}`.

    Joining it, or putting it into an f-string, makes an ordinary text of it; as a value of another message it stays.
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]


def message(template: str, /, **values: object) -> Message:
    """Make a message. Without values, braces in the template stay as they are."""
    text = Message(template.format_map(values) if values else template)
    text.template, text.values = template, values
    return text


class Bilingual(str):
    """An English text with its Chinese translation, of an error that carries both."""

    __slots__ = ("chinese",)

    chinese: str


def with_chinese(english: str, chinese: str) -> Bilingual:
    """Put a text and its translation together; an empty translation is none."""
    text = Bilingual(english)
    text.chinese = chinese or english
    return text
