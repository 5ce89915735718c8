"""Instances: separate processes that each hold one loaded function and serve one event at a time."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.scf.deployment import Function

_LENGTH = struct.Struct(">I")
_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
_LONGEST_LINE = 1 << 20
_MOST_LINES = 100_000
# The last output is in the pipe before the answer is; this only bounds the wait for a stray process.
_LAST_OUTPUT_S = 1.0

# SCF status codes, 583/42611
_TIMEOUT, _CRASH, _EXITED, _INIT_TIMEOUT = 433, 439, 439, 450


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one invocation ended. `kind` as in Invocation.outcome; `code` is SCF's status code."""

    kind: str
    code: int
    result: object
    error: str
    lines: tuple[str, ...]
    duration_ms: float
    memory_mib: float | None


class Instance:
    """One process, in its own process group, talking over a socket; its output is read line by line."""

    def __init__(self, process: "subprocess.Popen[bytes]", mark: bytes) -> None:
        self._process = process
        self._mark = mark
        self._lines: list[bytes] = []
        self._mark_seen = asyncio.Event()
        self.is_alive = True

    @classmethod
    async def start(cls, function: Function, variables: Mapping[str, str], folder: Path) -> "Instance":
        """Start the process. It loads the function meanwhile; `load` waits for that."""
        ours, theirs = socket.socketpair()
        output, output_end = os.pipe()
        mark = secrets.token_hex(8)
        try:
            process = _spawn(function, variables, folder, theirs, output_end, mark)
        except BaseException:
            ours.close()
            os.close(output)
            raise
        finally:
            theirs.close()
            os.close(output_end)
        instance = cls(process, b"\0" + mark.encode())
        try:
            await instance._connect(ours, output)
        except BaseException:
            process.kill()
            process.wait()
            raise
        return instance

    @property
    def has_exited(self) -> bool:
        """Whether the process ended by itself, also when nobody was looking."""
        return self._process.poll() is not None

    async def load(self, timeout_s: float) -> Outcome | None:
        """Wait until the function is loaded. Gives None if it is, else how loading failed."""
        outcome = await self._exchange(b"", timeout_s)
        if outcome.kind == "ok":
            # What it printed while it was loaded belongs to its first invocation.
            self._lines[:0] = [line.encode() for line in outcome.lines]
            return None
        await self.end()
        code = _INIT_TIMEOUT if outcome.kind == "timeout" else outcome.code
        return Outcome(
            "load-error", code, None, outcome.error, outcome.lines, outcome.duration_ms, outcome.memory_mib
        )

    async def call(self, event: str, context: Mapping[str, Any], timeout_s: float) -> Outcome:
        """Call the handler with an event, given as JSON. The instance has ended unless `is_alive` afterwards."""
        message = f'{{"event": {event}, "context": {json.dumps(context)}}}'.encode()
        return await self._exchange(_LENGTH.pack(len(message)) + message, timeout_s)

    def kill(self) -> None:
        """Kill the process group, now. Whoever waits for the instance finds out and ends it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody of the group is left
            os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill the process group and wait for it. May be called twice."""
        if not self.is_alive:
            return
        self.is_alive = False
        self.kill()
        await asyncio.to_thread(self._process.wait)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._pump, _LAST_OUTPUT_S)
        self._output.close()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _connect(self, ours: socket.socket, output: int) -> None:
        self._reader, self._writer = await asyncio.open_connection(sock=ours)
        lines = asyncio.StreamReader()
        self._output, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(output, "rb", buffering=0)
        )
        self._pump = asyncio.create_task(self._read_output(lines))

    async def _exchange(self, message: bytes, timeout_s: float) -> Outcome:
        self._mark_seen.clear()
        started = time.perf_counter()
        kind, answer = "ok", None
        try:
            self._writer.write(message)
            answer = await asyncio.wait_for(self._receive(), timeout_s)
            duration_ms = (time.perf_counter() - started) * 1000
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._mark_seen.wait(), _LAST_OUTPUT_S)
        except asyncio.TimeoutError:
            kind = "timeout"
        except (EOFError, ConnectionError):
            kind = "crash"
        except BaseException:
            await self.end()
            raise
        if answer is None:
            duration_ms = (time.perf_counter() - started) * 1000
            await self.end()
            return self._ended(kind, timeout_s, duration_ms)
        if answer.get("code") == _EXITED:
            await self.end()
        return self._answered(answer, duration_ms)

    async def _receive(self) -> dict[str, Any]:
        length = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))[0]
        answer: dict[str, Any] = json.loads(await self._reader.readexactly(length))
        return answer

    def _answered(self, answer: dict[str, Any], duration_ms: float) -> Outcome:
        memory_kib = answer.get("memory_kib")
        memory_mib = None if memory_kib is None else memory_kib / 1024
        if "code" in answer:
            error = f"{answer['error']}\n{answer['stack']}"
            return Outcome("error", answer["code"], None, error, self._take_lines(), duration_ms, memory_mib)
        result = json.loads(answer.get("result", "null"))
        return Outcome("ok", 200, result, "", self._take_lines(), duration_ms, memory_mib)

    def _ended(self, kind: str, timeout_s: float, duration_ms: float) -> Outcome:
        if kind == "timeout":
            code, error = (
                _TIMEOUT,
                f"Invoking task timed out after {timeout_s:g} seconds; the instance was killed",
            )
        else:
            code, error = _CRASH, f"the process ended by itself ({_how(self._process.returncode)})"
        return Outcome(kind, code, None, error, self._take_lines(), duration_ms, None)

    def _take_lines(self) -> tuple[str, ...]:
        lines = tuple(line.decode("utf-8", "replace") for line in self._lines)
        self._lines.clear()
        return lines

    async def _read_output(self, output: asyncio.StreamReader) -> None:
        pending = b""
        while chunk := await output.read(1 << 16):
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                if line.endswith(self._mark):
                    line = line[: -len(self._mark)]  # noqa: PLW2901 -- what was printed without an end of line
                    self._mark_seen.set()
                    if not line:
                        continue
                self._keep(line)
            if len(pending) > _LONGEST_LINE:
                self._keep(pending)
                pending = b""
        if pending:
            self._keep(pending)

    def _keep(self, line: bytes) -> None:
        if len(self._lines) < _MOST_LINES:
            self._lines.append(line)
        elif len(self._lines) == _MOST_LINES:
            self._lines.append(b"(what it printed after this is not kept)")


def _spawn(
    function: Function,
    variables: Mapping[str, str],
    folder: Path,
    platform: socket.socket,
    output: int,
    mark: str,
) -> "subprocess.Popen[bytes]":
    module_function = function.handler.rpartition(".")[2]
    command = [sys.executable, str(_BOOTSTRAP), str(platform.fileno()), mark]
    return subprocess.Popen(  # noqa: S603 -- our own interpreter and script
        [*command, str(function.module_file), module_function],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=dict(variables),
        cwd=folder,
        pass_fds=(platform.fileno(),),
        start_new_session=True,  # its own group, so that whatever it starts ends with it
    )


def _how(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return f"signal {-returncode}"
    return f"exit code {returncode}"
