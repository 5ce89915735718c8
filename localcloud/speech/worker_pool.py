"""Real recognition: a pool of worker processes (worker.py), each with a loaded model."""

import asyncio
import contextlib
import json
import os
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from localcloud.speech.errors import build_recogniser_ended_error, build_recogniser_restart_error
from localcloud.speech.models import (
    Progress,
    Recognition,
    RecognitionError,
    SpeechSetupError,
    ignore_progress,
)

_LENGTH = struct.Struct(">I")
_START_TIMEOUT_S = 60.0
# A step recognises half a minute of speech at most, but a sidecar's step decodes the whole recording.
_STEP_TIMEOUT_S = 900.0
_END_TIMEOUT_S = 5.0  # for a process that closed its output
_MAX_ATTEMPTS = 2
_MAX_RESTARTS = 10  # of workers, while one recording waits for its turn
_ROOT = Path(__file__).resolve().parents[2]


class WorkerPool:
    """A recogniser in processes of its own. A worker that dies is replaced, and its recordings recognised again."""

    def __init__(self, arguments: Sequence[str], *, workers: int = 1) -> None:
        """`arguments` of worker.py; `workers` is the number of processes, each of which takes several recordings."""
        self._arguments = tuple(arguments)
        self._worker_count = workers
        self._workers: list[_Worker] = []
        self._replacing = asyncio.Lock()
        self._closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of the worker processes."""
        return tuple(worker.pid for worker in self._workers)

    @property
    def recording_count(self) -> int:
        """The number of recordings that are being recognised or wait for it."""
        return sum(worker.recording_count for worker in self._workers)

    async def start(self) -> None:
        """Start the workers and wait until their models are loaded (about half a second). Raises SpeechSetupError."""
        await asyncio.gather(*(self._start_worker() for _ in range(self._worker_count)))

    async def recognise(
        self,
        recording: Path,
        *,
        engine: str,
        channels: int,
        sidecar: Path | None,
        on_progress: Callable[[Progress], None] = ignore_progress,
    ) -> Recognition:
        """Recognise one recording beside the others. Raises RecognitionError."""
        request = {
            "recording": str(recording),
            "engine": engine,
            "channels": channels,
            "sidecar": None if sidecar is None else str(sidecar),
        }
        attempts = 0
        for _ in range(_MAX_RESTARTS):
            try:
                worker = await self._choose_worker()
            except SpeechSetupError as error:
                raise build_recogniser_restart_error(error) from None
            try:
                return _parse_response(await worker.run(request, on_progress))
            except _WorkerEnded as end:
                # Recordings that only waited beside the one that ended the worker are not to blame.
                attempts += end.was_in_step
            if attempts == _MAX_ATTEMPTS:
                break
        raise build_recogniser_ended_error(_MAX_ATTEMPTS)

    async def close(self) -> None:
        """Stop every worker, also in the middle of a recording; that call of `recognise` raises a RuntimeError."""
        self._closed = True
        await asyncio.gather(*(worker.stop() for worker in self._workers))
        self._workers.clear()

    async def _choose_worker(self) -> "_Worker":
        """Return the worker with the fewest recordings, after replacing those that died."""
        async with self._replacing:
            for worker in [worker for worker in self._workers if not worker.is_alive]:
                await worker.stop()
                self._workers.remove(worker)
            while len(self._workers) < self._worker_count:
                await self._start_worker()
        return min(self._workers, key=lambda worker: worker.recording_count)

    async def _start_worker(self) -> None:
        if self._closed:
            raise RuntimeError("the recogniser is closed")
        worker = await _Worker.start(self._arguments)
        if self._closed:  # closed while the worker started
            await worker.stop()
            raise RuntimeError("the recogniser is closed")
        self._workers.append(worker)


class _WorkerEnded(Exception):
    def __init__(self, *, was_in_step: bool) -> None:
        super().__init__("the worker ended")
        self.was_in_step = was_in_step


@dataclass(frozen=True, slots=True)
class _Waiting:
    response: "asyncio.Future[dict[str, Any]]"
    on_progress: Callable[[Progress], None]


class _Worker:
    """One worker process and the pipes to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[int, _Waiting] = {}
        self._numbers = count(1)
        self._number_in_step = 0
        self._watchdog: asyncio.TimerHandle | None = None
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, arguments: Sequence[str]) -> "_Worker":
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "localcloud.speech.worker",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), *_list_import_folders()])},
            start_new_session=True,  # Ctrl-C goes to the server only, which stops its workers
        )
        worker = cls(process)
        try:
            message = await asyncio.wait_for(worker._read(), _START_TIMEOUT_S)
        except asyncio.TimeoutError:
            await worker.stop()
            raise SpeechSetupError(
                f"the recognition process did not load its model in {_START_TIMEOUT_S:g} s: the disk or the processor"
                " is busy, or the model is too large for this machine; try again"
            ) from None
        except EOFError:
            status = await process.wait()
            await worker.stop()
            ended = f"was killed by signal {-status}" if status < 0 else f"ended with exit status {status}"
            raise SpeechSetupError(
                f"the recognition process {ended} before its model was loaded: perhaps for lack of memory, or by a"
                " library that does not run on this machine"
            ) from None
        except BaseException:
            await worker.stop()
            raise
        if "error" in message:
            await worker.stop()
            raise SpeechSetupError(message["error"])
        worker._reader = asyncio.create_task(worker._read_messages())
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None and self._reader is not None and not self._reader.done()

    @property
    def recording_count(self) -> int:
        return len(self._waiting)

    async def run(self, request: dict[str, Any], on_progress: Callable[[Progress], None]) -> dict[str, Any]:
        """Send a request and wait for its last message. Raises _WorkerEnded."""
        number = next(self._numbers)
        response: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = _Waiting(response, on_progress)
        try:
            self._send({"id": number, **request})
            if len(self._waiting) == 1:  # further recordings are no sign that the process works
                self._restart_watchdog()
            if not self.is_alive:
                raise _WorkerEnded(was_in_step=False)
            return await response
        except asyncio.CancelledError:
            self._send({"cancel": number})
            raise
        finally:
            self._waiting.pop(number, None)
            if not self._waiting:
                self._restart_watchdog()

    async def stop(self) -> None:
        """Kill the process and wait for its end; a worker has no state to save."""
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
        if self._reader is not None:
            await self._reader

    def _kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it may have ended just now
                self._process.kill()

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        data = json.dumps(message).encode()
        with contextlib.suppress(ConnectionError):  # it ended: the reader says so
            self._process.stdin.write(_LENGTH.pack(len(data)) + data)

    async def _read_messages(self) -> None:
        """Pass the worker's messages on until it ends; then every recording that it had has to begin again."""
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                self._handle(await self._read())
                self._restart_watchdog()
        # Not at once: `kill` of an ended process takes its exit status away from asyncio.
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._process.wait(), _END_TIMEOUT_S)
        self._kill()
        for number, waiting in self._waiting.items():
            if not waiting.response.done():
                waiting.response.set_exception(_WorkerEnded(was_in_step=number == self._number_in_step))

    def _handle(self, message: dict[str, Any]) -> None:
        number = message["id"]
        self._number_in_step = number if "begins" in message else 0
        waiting = self._waiting.get(number)
        if waiting is None or waiting.response.done() or "begins" in message:
            return
        if "progress" in message:
            waiting.on_progress(Progress(**message["progress"]))
        else:
            waiting.response.set_result(message)

    def _restart_watchdog(self) -> None:
        """Kill the process if it has work and says nothing for a long time."""
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._watchdog = (
            asyncio.get_running_loop().call_later(_STEP_TIMEOUT_S, self._kill) if self._waiting else None
        )

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = _LENGTH.unpack(await self._process.stdout.readexactly(_LENGTH.size))[0]
        message: dict[str, Any] = json.loads(await self._process.stdout.readexactly(length))
        return message


def _list_import_folders() -> list[str]:
    """Return the folders of PYTHONPATH, in which the user may have the packages of an engine."""
    return [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]


def _parse_response(response: dict[str, Any]) -> Recognition:
    if "recognition" not in response:
        raise RecognitionError(response["message"], response["code"])
    return Recognition.from_dict(response["recognition"])
