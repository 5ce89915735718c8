"""What a strict HTML parser finds in the page: its paragraphs, its sentences with the times of their words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

import html5lib

from shared.transcript import FORMATS, Transcript

_ITEM = re.compile("([0-9a-z]+)([A-Z]*)")


class PageWord(NamedTuple):
    """A word of the page as a reader can click on it; the text has the space after it."""

    text: str
    start_ms: int


class PageSentence(NamedTuple):
    start_ms: int
    end_ms: int
    text: str
    words: tuple[PageWord, ...]


class PageParagraph(NamedTuple):
    """`speaker` is "" where the voice does not change, or where there is only one."""

    speaker: str
    time: str
    datetime: str
    letter: str
    language: str
    sentences: tuple[PageSentence, ...]


class ParsedPage:
    """A page that a strict parser accepts; raises html5lib's ParseError for any other."""

    def __init__(self, transcript: Transcript) -> None:
        self.source = FORMATS["html"].render(transcript).decode()
        parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
        self.root: Any = parser.parse(self.source)

    def find(self, path: str) -> Element:
        """Return the only element on this path."""
        elements: list[Element] = self.root.findall(path)
        assert len(elements) == 1, path
        return elements[0]

    @property
    def paragraphs(self) -> Iterator[PageParagraph]:
        main = self.find(".//main")
        for section in main.findall("section"):
            names = [child.tag for child in section]
            assert names in (["cite", "time", "p"], ["time", "p"])
            time, text = section.find("time"), section.find("p")
            assert time is not None
            assert text is not None
            yield PageParagraph(
                speaker=section.findtext("cite", ""),
                time=time.text or "",
                datetime=time.attrib["datetime"],
                letter=section.get("data-voice", ""),
                language=section.get("lang", main.attrib["lang"]),
                sentences=tuple(parse_sentence_element(span) for span in text),
            )

    @property
    def sentences(self) -> list[PageSentence]:
        return [sentence for paragraph in self.paragraphs for sentence in paragraph.sentences]


def parse_sentence_element(span: Element) -> PageSentence:
    """Read the times as the script of the page does."""
    text = span.text or ""
    (start, _), (length, _), *items = _ITEM.findall(span.attrib["data-t"])
    start_ms = time_ms = int(start, 36)
    units = text.encode("utf-16-le", "surrogatepass")
    words, offset = [], 0
    for later, letters in items:
        time_ms += int(later, 36)
        end = find_word_end(units, offset, letters)
        words.append(PageWord(units[2 * offset : 2 * end].decode("utf-16-le"), time_ms))
        offset = end
    return PageSentence(start_ms, start_ms + int(length, 36), text, tuple(words))


def find_word_end(units: bytes, offset: int, letters: str) -> int:
    """Return where a word ends, in UTF-16 units."""
    if letters:
        length = 0
        for letter in letters:
            length = 26 * length + ord(letter) - ord("A")
        return offset + length
    for end in range(offset, len(units) // 2):
        if units[2 * end : 2 * end + 2] == b" \x00":
            return end + 1
    return len(units) // 2
