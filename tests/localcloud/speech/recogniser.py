"""Runs a real recogniser."""

import asyncio
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from localcloud.speech import Recognition, make_recogniser
from localcloud.speech.worker_pool import WorkerPool
from tests.localcloud.stand_in import SAMPLES


@asynccontextmanager
async def running_recogniser(workers: int = 1) -> AsyncIterator[WorkerPool]:
    recogniser = make_recogniser("pocketsphinx", workers=workers)
    assert isinstance(recogniser, WorkerPool)
    await recogniser.start()
    try:
        yield recogniser
    finally:
        await recogniser.close()


def recognise(
    recording: Path, *, engine: str = "16k_en", channels: int = 1, sidecar: Path | None = None
) -> Recognition:
    """Recognise one recording in a worker of its own."""

    async def recognise_once() -> Recognition:
        async with running_recogniser() as recogniser:
            return await recogniser.recognise(recording, engine=engine, channels=channels, sidecar=sidecar)

    return asyncio.run(recognise_once())


def repeat_welcome(path: Path, count: int) -> Path:
    """Write the welcome sample (4.2 s, two sentences) several times, with pauses of 1 s."""
    with wave.open(str(SAMPLES / "welcome.wav")) as source, wave.open(str(path), "w") as target:
        target.setparams(source.getparams())
        speech, pause = source.readframes(source.getnframes()), bytes(2 * source.getframerate())
        target.writeframes((speech + pause) * count)
    return path


def join_words(recognition: Recognition, channel: int = 0) -> str:
    return " ".join(sentence.text for sentence in recognition.sentences if sentence.channel == channel)
