"""Real recognition: a pool of worker processes (worker.py), each with a loaded English model."""

import asyncio
import contextlib
import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

from localcloud.speech.errors import build_english_only_error, build_recogniser_ended_error
from localcloud.speech.models import Recognition, RecognitionError

_LENGTH = struct.Struct(">I")
_START_TIMEOUT_S = 60.0
# Twelve hours of speech take about two hours on one core; a worker that takes longer than this hangs.
_RECOGNITION_TIMEOUT_S = 4 * 3600.0
_MAX_ATTEMPTS = 2
_ROOT = Path(__file__).resolve().parents[2]


class PocketSphinxRecogniser:
    """Recognises English, with the words' times. A worker that dies is replaced, and its recording recognised again."""

    def __init__(self, *, workers: int = 1) -> None:
        self._worker_count = workers
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._workers: set[_Worker] = set()
        self._closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of the worker processes."""
        return tuple(worker.pid for worker in self._workers)

    async def start(self) -> None:
        """Start the workers and wait until their models are loaded (about half a second)."""
        for worker in await asyncio.gather(*(self._start_worker() for _ in range(self._worker_count))):
            self._idle.put_nowait(worker)

    async def recognise(
        self, recording: Path, *, engine: str, channels: int, sidecar: Path | None
    ) -> Recognition:
        """Recognise one recording as soon as a worker is free. Raises RecognitionError."""
        if sidecar is None and "_en" not in engine:
            raise build_english_only_error(engine)
        request = {
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
                    return _parse_response(await worker.request(request))
                except (EOFError, ConnectionError, asyncio.TimeoutError):
                    continue  # it crashed, was killed, or took too long: `request` has stopped it
            raise build_recogniser_ended_error(_MAX_ATTEMPTS)
        finally:
            self._idle.put_nowait(worker)

    async def close(self) -> None:
        """Stop every worker, also in the middle of a recording; that call of `recognise` raises a RuntimeError."""
        self._closed = True
        await asyncio.gather(*(worker.stop() for worker in self._workers))
        self._workers.clear()

    async def _start_worker(self) -> "_Worker":
        if self._closed:
            raise RuntimeError("the recogniser is closed")
        worker = await _Worker.start()
        if self._closed:  # closed while the worker started
            await worker.stop()
            raise RuntimeError("the recogniser is closed")
        self._workers.add(worker)
        return worker

    async def _replace(self, worker: "_Worker") -> "_Worker":
        await worker.stop()
        self._workers.discard(worker)
        return await self._start_worker()


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
            start_new_session=True,  # Ctrl-C goes to the server only, which stops its workers
        )
        worker = cls(process)
        try:
            await asyncio.wait_for(worker._read(), _START_TIMEOUT_S)
        except EOFError:
            await worker.stop()
            raise RuntimeError("the recognition worker could not start; see its message above") from None
        except BaseException:
            await worker.stop()
            raise
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its response; without one the process is stopped, so that none can come late."""
        assert self._process.stdin is not None
        data = json.dumps(request).encode()
        try:
            self._process.stdin.write(_LENGTH.pack(len(data)) + data)
            return await asyncio.wait_for(self._read(), _RECOGNITION_TIMEOUT_S)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Kill the process and wait for its end; a worker has no state to save."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it may have ended just now
                self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = _LENGTH.unpack(await self._process.stdout.readexactly(_LENGTH.size))[0]
        response: dict[str, Any] = json.loads(await self._process.stdout.readexactly(length))
        return response


def _parse_response(response: dict[str, Any]) -> Recognition:
    if "recognition" not in response:
        raise RecognitionError(response["message"], response["code"])
    return Recognition.from_dict(response["recognition"])
