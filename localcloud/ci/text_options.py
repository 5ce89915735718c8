"""The sentences of a result as the job's parameters require: numbers, punctuation, clauses.

Source of the values: CI's speech templates (460/84498, 1045/50303).

- ConvertNumMode 0 writes numbers in Chinese numerals, 1 in Arabic numerals where suitable, 3 in formulas too. Here 1
  and 3 rewrite the same numbers, see numerals.py. Only for engines that know Chinese, and only Chinese sentences.
- FilterPunc 0 keeps punctuation, 1 drops it at the end of a sentence, 2 everywhere. CI has it for Mandarin engines;
  what it does with others is unconfirmed, here it does the same.
- ResTextFormat 3 splits sentences at their punctuation, for subtitles.

Words and text of a sentence stay consistent: a number that was several words becomes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from localcloud.ci.models import RecognitionParams
from localcloud.ci.numerals import Edit, find_arabic_numbers, find_chinese_numbers
from localcloud.speech.models import Recognition, Sentence, Word
from localcloud.speech.segmenter import (
    is_final_punctuation,
    is_punctuation,
    remove_final_punctuation,
    remove_punctuation,
)

_CLAUSE_MARKS, _CLOSING_MARKS = "，。！？；、：,.!?;:…", "”’」』）)》】\"'"
_CLAUSE_END = re.compile(rf"[{_CLAUSE_MARKS}][{_CLOSING_MARKS}]*$")
_CLOSING = re.compile(rf"[{_CLAUSE_MARKS}{_CLOSING_MARKS}]+")
_CLAUSE_FORMAT = 3  # ResTextFormat: split at punctuation, for subtitles
_CHINESE_ENGINE = re.compile(r"_(zh|multi)")
_CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")


def format_sentences(params: RecognitionParams, recognition: Recognition) -> list[Sentence]:
    """Return the sentences with all parameters applied. A sentence of dropped punctuation only is left out."""
    mode = params.value("FilterPunc", "0")
    sentences = [_convert_numbers(params, sentence) for sentence in recognition.sentences]
    if mode == "1":
        sentences = [_drop_final_punctuation(sentence) for sentence in sentences]
    if params.text_format == _CLAUSE_FORMAT and not params.is_flash:
        sentences = [clause for sentence in sentences for clause in _split_clauses(sentence)]
    if mode == "2":
        sentences = [_drop_punctuation(sentence) for sentence in sentences]
    return [sentence for sentence in sentences if sentence.text] if mode != "0" else sentences


def _convert_numbers(params: RecognitionParams, sentence: Sentence) -> Sentence:
    if not _CHINESE_ENGINE.search(params.engine) or not _CHINESE.search(sentence.text):
        return sentence
    find_edits = find_arabic_numbers if params.value("ConvertNumMode", "0") == "0" else find_chinese_numbers
    edits = find_edits(sentence.text)
    return _apply_edits(sentence, edits) if edits else sentence


def _apply_edits(sentence: Sentence, edits: Sequence[Edit]) -> Sentence:
    """Replace parts of the text, and of the words that contain them; words that share a part become one."""
    text = sentence.text
    changed = replace(sentence, text=_replace_parts(text, 0, len(text), edits))
    if not sentence.words:
        return changed
    places = _locate_words(sentence)
    if places is None:
        return sentence
    inside = {offset for edit in edits for offset in range(edit.start + 1, edit.end)}
    spans: list[tuple[int, int, Word]] = []
    for word, (start, end) in zip(sentence.words, places, strict=True):
        if start in inside:
            first, _, previous = spans.pop()
            spans.append((first, end, replace(previous, end_ms=word.end_ms)))
        else:
            spans.append((start, end, word))
    words = (replace(word, text=_replace_parts(text, start, end, edits)) for start, end, word in spans)
    return replace(changed, words=tuple(words))


def _locate_words(sentence: Sentence) -> list[tuple[int, int]] | None:
    """Return where each word is in the text; None if the words are not the whole text without its spaces."""
    places, position = [], 0
    for word in sentence.words:
        start = sentence.text.find(word.text, position)
        if start < 0 or sentence.text[position:start].strip():
            return None
        position = start + len(word.text)
        places.append((start, position))
    return None if sentence.text[position:].strip() else places


def _replace_parts(text: str, start: int, end: int, edits: Sequence[Edit]) -> str:
    """Return the text from start to end with the edits inside it."""
    pieces = []
    for edit in edits:
        if start <= edit.start and edit.end <= end:
            pieces += [text[start : edit.start], edit.text]
            start = edit.end
    return "".join([*pieces, text[start:end]])


def _drop_final_punctuation(sentence: Sentence) -> Sentence:
    words = list(sentence.words)
    kept: list[Word] = []
    while words:
        word = words.pop()
        text = remove_final_punctuation(word.text)
        if text:
            kept.append(replace(word, text=text))
        if not is_final_punctuation(word.text):
            break
    return replace(sentence, text=remove_final_punctuation(sentence.text), words=(*words, *reversed(kept)))


def _drop_punctuation(sentence: Sentence) -> Sentence:
    places = _locate_words(sentence)
    texts = [remove_punctuation(word.text) for word in sentence.words]
    words = tuple(replace(word, text=text) for word, text in zip(sentence.words, texts, strict=True) if text)
    if not places:
        return replace(sentence, text=remove_punctuation(sentence.text), words=words)
    pieces: list[str] = []
    position = 0
    for text, (start, end) in zip(texts, places, strict=True):
        if not text:
            continue
        gap, before = sentence.text[position:start], pieces[-1][-1] if pieces else ""
        if before and (any(map(str.isspace, gap)) or (before + text[0]).isascii()):
            pieces.append(" ")
        pieces.append(text)
        position = end
    return replace(sentence, text="".join(pieces), words=words)


def _split_clauses(sentence: Sentence) -> Iterator[Sentence]:
    """Split a sentence after its punctuation, between words."""
    places = _locate_words(sentence)
    if not places:
        yield sentence
        return
    first, last = 0, len(places) - 1
    for index, (_, end) in enumerate(places):
        text = sentence.text[places[first][0] : end]
        if index < last and (
            not _CLAUSE_END.search(text)
            or is_punctuation(text)
            or _CLOSING.fullmatch(sentence.words[index + 1].text)
        ):
            continue
        words = sentence.words[first : index + 1]
        yield replace(
            sentence, text=text, start_ms=words[0].start_ms, end_ms=words[-1].end_ms, words=tuple(words)
        )
        first = index + 1
