"""Speech recognition for the stand-in cloud: real English by PocketSphinx, or scripted for tests."""

from localcloud.speech.models import Recogniser, Recognition, RecognitionError, Sentence, Word
from localcloud.speech.pocketsphinx import PocketSphinxRecogniser
from localcloud.speech.scripted import ScriptedRecogniser

__all__ = ["Recogniser", "Recognition", "RecognitionError", "Sentence", "Word", "make_recogniser"]


def make_recogniser(kind: str, *, workers: int = 1) -> Recogniser:
    """Create the recogniser `pocketsphinx` (real, English) or `scripted` (instant, invented).

    `workers` is how many recordings PocketSphinx recognises at a time, each in its own process.
    Raises ValueError for any other kind.
    """
    if kind == "pocketsphinx":
        return PocketSphinxRecogniser(workers=workers)
    if kind == "scripted":
        return ScriptedRecogniser()
    raise ValueError(f"no such recogniser: {kind!r}; there are 'pocketsphinx' and 'scripted'")
