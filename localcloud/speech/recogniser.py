"""The door to speech recognition: the values, the protocol and the choice of an engine."""

from localcloud.speech.pocketsphinx import PocketSphinx
from localcloud.speech.recognition import NotRecognised, Recogniser, Recognition, Sentence, Word
from localcloud.speech.scripted import Scripted

__all__ = ["NotRecognised", "Recogniser", "Recognition", "Sentence", "Word", "make_recogniser"]


def make_recogniser(kind: str, *, workers: int = 1) -> Recogniser:
    """Make the recogniser called `pocketsphinx` (real, English) or `scripted` (instant, invented).

    `workers` is how many recordings PocketSphinx hears at a time, each in its own process.
    Raises ValueError for any other kind.
    """
    if kind == "pocketsphinx":
        return PocketSphinx(workers=workers)
    if kind == "scripted":
        return Scripted()
    raise ValueError(f"no such recogniser: {kind!r}; there are 'pocketsphinx' and 'scripted'")
