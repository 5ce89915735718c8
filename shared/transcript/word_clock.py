"""When each place of a sentence's text is spoken: by its words where they can be found in it, else in proportion."""

import re
from bisect import bisect_left, bisect_right

from shared.transcript.model import Sentence

_CORE = re.compile(r"\w(?:.*\w)?", re.DOTALL)

# How far ahead a word is looked for. Words and text differ where numbers were rewritten ("twenty" as 20), and a search
# without a bound would then find the word in a later phrase.
_REACH = 12


class WordClock:
    """The times of one sentence, by offset into its text. They never run backwards and stay within the sentence."""

    def __init__(self, sentence: Sentence) -> None:
        self._start_ms = sentence.start_ms
        self._end_ms = max(sentence.start_ms, sentence.end_ms)
        # Spans of the words that were found: no line should end inside one.
        self.spans: list[tuple[int, int]] = []
        self._offsets = [0]
        self._times = [self._start_ms]
        self._length = len(sentence.text)
        self._find_words(sentence)
        self._offsets.append(self._length)
        self._times.append(self._end_ms)

    def _find_words(self, sentence: Sentence) -> None:
        text = sentence.text.lower()
        if len(text) != len(sentence.text):  # a few capital letters grow when they are lowered
            text = sentence.text
        place, reach = 0, _REACH
        for word in sentence.words:
            core = _core(word.text.lower())
            if not core:
                continue
            begin = text.find(core, place, place + len(core) + reach)
            if begin < 0:
                reach += len(core)
                continue
            end = place = begin + len(core)
            while place < self._length and not text[place].isalnum():
                place += 1  # the pause belongs to the punctuation and space after a word
            self.spans.append((begin, end))
            self._offsets += (begin, place)
            start_ms = min(max(word.start_ms, self._times[-1]), self._end_ms)
            self._times += (start_ms, min(max(word.end_ms, start_ms), self._end_ms))
            reach = _REACH

    def start_at(self, offset: int) -> int:
        """Give the time in ms at which the text from this offset on begins."""
        if offset <= 0:
            return self._start_ms
        return self._between(bisect_right(self._offsets, offset) - 1, offset)

    def end_at(self, offset: int) -> int:
        """Give the time in ms at which the text before this offset is over."""
        if offset >= self._length:
            return self._end_ms
        place = bisect_left(self._offsets, offset)
        return self._between(place if self._offsets[place] == offset else place - 1, offset)

    def _between(self, place: int, offset: int) -> int:
        begin, start_ms = self._offsets[place], self._times[place]
        if offset == begin:
            return start_ms
        span, span_ms = self._offsets[place + 1] - begin, self._times[place + 1] - start_ms
        return start_ms + span_ms * (offset - begin) // span


def _core(word: str) -> str:
    """Give a word without the punctuation around it; in some results the punctuation is a word of its own."""
    if word.isalnum():
        return word
    core = _CORE.search(word)
    return core[0] if core else ""
