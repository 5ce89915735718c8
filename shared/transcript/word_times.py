"""Times of the text of one sentence, by offset: from the engine's words where the text contains them."""

import re
from bisect import bisect_left, bisect_right

from shared.transcript.models import Sentence

# How many characters ahead a word is searched. Words and text differ where numbers were rewritten ("twenty" as 20); a
# search without a limit would then find the word in a later phrase.
_SEARCH_RANGE = 12

_WITHOUT_PUNCTUATION = re.compile(r"\w(?:.*\w)?", re.DOTALL)


class WordTimings:
    """Times of one sentence by offset into its text: by its words where the text contains them, else in proportion.

    Times never decrease and stay within the sentence.
    """

    def __init__(self, sentence: Sentence) -> None:
        self._end_ms = max(sentence.start_ms, sentence.end_ms)
        self._length = len(sentence.text)
        # Offsets of the words in the text. No line should break inside a word.
        self.starts: list[int] = []
        self.ends: list[int] = []
        # The offsets with a known time, and these times.
        self._offsets = [0]
        self._times = [sentence.start_ms]
        self._locate_words(sentence)
        self._offsets.append(self._length)
        self._times.append(self._end_ms)

    def _locate_words(self, sentence: Sentence) -> None:
        starts, ends, offsets, times = self.starts, self.ends, self._offsets, self._times
        text = sentence.text.lower()
        if len(text) != self._length:  # a few capital letters become longer in lower case
            text = sentence.text
        position, search_range = 0, _SEARCH_RANGE
        for word in sentence.words:
            core = word.text.lower()
            if not core.isalnum():
                core = _strip_punctuation(core)
                if not core:
                    continue
            start = text.find(core, position, position + len(core) + search_range)
            if start < 0:
                search_range += len(core)
                continue
            search_range = _SEARCH_RANGE
            end = position = start + len(core)
            while position < self._length and not text[position].isalnum():
                position += 1  # the pause belongs to the punctuation and space after a word
            start_ms, end_ms = word.start_ms, word.end_ms
            if not times[-1] <= start_ms <= end_ms <= self._end_ms:
                start_ms = min(max(start_ms, times[-1]), self._end_ms)
                end_ms = min(max(end_ms, start_ms), self._end_ms)
            starts.append(start)
            ends.append(end)
            offsets.append(start)
            offsets.append(position)
            times.append(start_ms)
            times.append(end_ms)

    def start_at(self, offset: int) -> int:
        """Return the time in ms at which the text after an offset inside the sentence starts."""
        return self._interpolate(bisect_right(self._offsets, offset) - 1, offset)

    def end_at(self, offset: int) -> int:
        """Return the time in ms at which the text before an offset inside the sentence ends."""
        index = bisect_left(self._offsets, offset)
        return self._interpolate(index if self._offsets[index] == offset else index - 1, offset)

    def _interpolate(self, index: int, offset: int) -> int:
        start, start_ms = self._offsets[index], self._times[index]
        if offset == start:
            return start_ms
        length, length_ms = self._offsets[index + 1] - start, self._times[index + 1] - start_ms
        return start_ms + length_ms * (offset - start) // length


def _strip_punctuation(word: str) -> str:
    """Return a word without the punctuation around it; in some results punctuation is a separate word."""
    match = _WITHOUT_PUNCTUATION.search(word)
    return match[0] if match else ""
