"""Speech recognition for the stand-in cloud: real, by PocketSphinx or Whisper, or scripted for tests."""

import os
from collections.abc import Callable
from pathlib import Path

from localcloud.speech.models import (
    Progress,
    Recogniser,
    Recognition,
    RecognitionError,
    Sentence,
    SpeechSetupError,
    Word,
)
from localcloud.speech.scripted import ScriptedRecogniser
from localcloud.speech.worker_pool import WorkerPool

__all__ = [
    "RECOGNISERS",
    "Progress",
    "Recogniser",
    "Recognition",
    "RecognitionError",
    "Sentence",
    "SpeechSetupError",
    "Word",
    "make_recogniser",
]

_MAX_THREADS = 4  # of one Whisper model; more help little


def make_recogniser(kind: str, *, workers: int = 0, model: Path | None = None) -> Recogniser:
    """Create the recogniser of this kind, one of RECOGNISERS.

    `pocketsphinx` is real and knows English; `whisper` is real and knows 99 languages, with the model in the folder
    `model`; `scripted` responds at once with invented words. `workers` is the number of processes for real
    recognition; 0 uses the cores of this machine. Raises ValueError for any other kind.
    """
    if kind not in RECOGNISERS:
        raise ValueError(f"no such recogniser: {kind!r}; there are {', '.join(RECOGNISERS)}")
    return RECOGNISERS[kind](workers, model)


def _make_pocketsphinx(workers: int, _model: Path | None) -> Recogniser:
    return WorkerPool(["pocketsphinx"], workers=workers or min(2, _count_cores()))


def _make_whisper(workers: int, model: Path | None) -> Recogniser:
    if model is None:
        raise ValueError("whisper needs the folder of a model")
    threads = min(_MAX_THREADS, _count_cores())
    arguments = ["whisper", "--model", str(model), "--threads", str(threads)]
    return WorkerPool(arguments, workers=workers or max(1, _count_cores() // threads // 2))


def _make_scripted(_workers: int, _model: Path | None) -> Recogniser:
    return ScriptedRecogniser()


def _count_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


RECOGNISERS: dict[str, Callable[[int, Path | None], Recogniser]] = {
    "pocketsphinx": _make_pocketsphinx,
    "whisper": _make_whisper,
    "scripted": _make_scripted,
}
