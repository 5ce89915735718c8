"""Real recognition: a pool of worker processes, each with a loaded English model."""

import asyncio
import contextlib
import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

from localcloud.speech.models import Recognition, RecognitionError, Sentence, Word

_LENGTH = struct.Struct(">I")
_START_TIMEOUT_S = 60.0
# Twelve hours of speech take about two on one core; whoever needs longer than this is stuck.
_RECOGNITION_TIMEOUT_S = 4 * 3600.0
_MAX_ATTEMPTS = 2
_ROOT = Path(__file__).resolve().parents[2]

_ENGLISH_ONLY = (
    "the stand-in's engine knows English only; put a <recording>.transcript.txt beside the recording, "
    "or ask for 16k_en"
)


class PocketSphinxRecogniser:
    """Hears English with the words' times. A worker that dies is replaced, and its recording heard again."""

    def __init__(self, *, workers: int = 1) -> None:
        self._number = workers
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._workers: set[_Worker] = set()
        self._closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The worker processes now alive."""
        return tuple(worker.pid for worker in self._workers)

    async def start(self) -> None:
        """Start the workers and wait until their models are loaded (about half a second)."""
        for worker in await asyncio.gather(*(self._hire() for _ in range(self._number))):
            self._idle.put_nowait(worker)

    async def recognise(
        self, recording: Path, *, engine: str, channels: int, sidecar: Path | None
    ) -> Recognition:
        """Hear one recording as soon as a worker is free. Raises RecognitionError."""
        if sidecar is None and "_en" not in engine:
            raise RecognitionError(_ENGLISH_ONLY)
        question = {
            "recording": str(recording),
            "channels": channels,
            "sidecar": None if sidecar is None else str(sidecar),
        }
        worker = await self._idle.get()
        try:
            for _ in range(_MAX_ATTEMPTS):
                if not worker.is_alive:
                    worker = await self._replace(worker)
                try:
                    return _load_recognition(await worker.ask(question))
                except (EOFError, ConnectionError, asyncio.TimeoutError):
                    continue  # it died of this recording, or was stopped from outside: `ask` has ended it
            raise RecognitionError(f"the recogniser ended {_MAX_ATTEMPTS} times on this recording")
        finally:
            self._idle.put_nowait(worker)

    async def close(self) -> None:
        """End every worker, also in the middle of a recording; that recording ends in a RuntimeError."""
        self._closed = True
        await asyncio.gather(*(worker.end() for worker in self._workers))
        self._workers.clear()

    async def _hire(self) -> "_Worker":
        if self._closed:
            raise RuntimeError("the recogniser is closed")
        worker = await _Worker.start()
        if self._closed:  # meanwhile
            await worker.end()
            raise RuntimeError("the recogniser is closed")
        self._workers.add(worker)
        return worker

    async def _replace(self, worker: "_Worker") -> "_Worker":
        await worker.end()
        self._workers.discard(worker)
        return await self._hire()


class _Worker:
    """One worker process and the pipes to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> "_Worker":
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "localcloud.speech.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            start_new_session=True,  # Ctrl-C is for the server, which then ends its workers itself
        )
        worker = cls(process)
        try:
            await asyncio.wait_for(worker._read(), _START_TIMEOUT_S)
        except EOFError:
            await worker.end()
            raise RuntimeError("the recognition worker could not start; see its message above") from None
        except BaseException:
            await worker.end()
            raise
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Put one question. The process is ended if no answer came, so that none can come too late."""
        assert self._process.stdin is not None
        data = json.dumps(question).encode()
        try:
            self._process.stdin.write(_LENGTH.pack(len(data)) + data)
            return await asyncio.wait_for(self._read(), _RECOGNITION_TIMEOUT_S)
        except BaseException:
            await self.end()
            raise

    async def end(self) -> None:
        """Kill the process and wait for it; a worker holds nothing worth saving."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it may have ended a moment ago
                self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = _LENGTH.unpack(await self._process.stdout.readexactly(_LENGTH.size))[0]
        answer: dict[str, Any] = json.loads(await self._process.stdout.readexactly(length))
        return answer


def _load_recognition(answer: dict[str, Any]) -> Recognition:
    if "recognition" not in answer:
        raise RecognitionError(answer["message"], answer["code"])
    heard = answer["recognition"]
    sentences = (
        Sentence(**{**sentence, "words": tuple(Word(**word) for word in sentence["words"])})
        for sentence in heard["sentences"]
    )
    return Recognition(heard["duration_ms"], heard["channels"], tuple(sentences))
