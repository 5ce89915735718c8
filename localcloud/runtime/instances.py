"""Function instances: separate processes that each hold one loaded function and serve one event at a time.

The environment of an instance and the context of an invocation: SCF documents, "environment variables" and 583/9694.
"""

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
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.auth.credentials import OWNER_UIN
from localcloud.runtime.models import Function

_LENGTH = struct.Struct(">I")
_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
_MAX_LINE_BYTES = 1 << 20
_MAX_LINES = 100_000
# The last output is in the pipe before the response is; this only limits the wait for a process that still holds it.
_OUTPUT_TIMEOUT_S = 1.0

# SCF status codes, 583/42611
_TIMEOUT, _CRASH, _EXITED, _INIT_TIMEOUT = 433, 439, 439, 450


@dataclass(frozen=True, slots=True)
class TemporaryCredentials:
    """The credentials of one invocation; `expires_s` is Unix time."""

    secret_id: str
    secret_key: str
    token: str
    expires_s: float

    def variables(self) -> dict[str, str]:
        """Return them under the names that SCF uses (the SDK's own provider reads other names)."""
        return {
            "TENCENTCLOUD_SECRETID": self.secret_id,
            "TENCENTCLOUD_SECRETKEY": self.secret_key,
            "TENCENTCLOUD_SESSIONTOKEN": self.token,
        }


@dataclass(frozen=True, slots=True)
class RuntimeEnvironment:
    """What all functions have in common: home folder, endpoint of the cloud, region, account.

    `next_clock_offset_s` returns how many seconds the clock of the next instance is ahead.
    """

    home: Path
    endpoint: str
    region: str
    appid: str
    next_clock_offset_s: Callable[[], float] = lambda: 0.0


def build_environment(function: Function, runtime: RuntimeEnvironment) -> dict[str, str]:
    """Build the whole environment of an instance, without any variable of this process.

    `CLOUD_ENDPOINT` is the only addition to SCF's own: it points the function to this machine's cloud.
    """
    return {
        # A function may set its own time zone, but not the other variables of the platform.
        "TZ": "UTC",
        **function.variables,
        "CLOUD_ENDPOINT": runtime.endpoint,
        "TENCENTCLOUD_APPID": runtime.appid,
        "TENCENTCLOUD_UIN": OWNER_UIN,
        "TENCENTCLOUD_REGION": runtime.region,
        "TENCENTCLOUD_RUNENV": "SCF",
        "TENCENTCLOUD_TZ": "UTC",
        "SCF_FUNCTIONNAME": function.name,
        "SCF_FUNCTIONVERSION": "$LATEST",
        "SCF_RUNTIME": function.runtime,
        "SCF_NAMESPACE": function.namespace,
        "_SCF_SERVER_PORT": "28902",
        "USER_CODE_ROOT": f"{function.folder}/",
        "PYTHONPATH": ":".join(
            dict.fromkeys((str(function.module_file.parent), str(function.folder), "/opt"))
        ),
        "PYTHONDONTWRITEBYTECODE": "x",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PWD": str(function.folder),
        "HOME": str(runtime.home),
        "USER": "qcloud",
        "LOGNAME": "qcloud",
        "LANG": "en_US.UTF8",
        "LC_ALL": "en_US.UTF8",
        "SHELL": "/bin/bash",
        "SHLVL": "1",
    }


def build_context(
    function: Function, runtime: RuntimeEnvironment, *, request_id: str, variables: Mapping[str, str]
) -> dict[str, Any]:
    """Build the second argument of a handler; `variables` are the instance's, with the credentials of the event."""
    return {
        "request_id": request_id,
        "function_name": function.name,
        "function_version": "$LATEST",
        "namespace": function.namespace,
        "memory_limit_in_mb": function.memory_mib,
        "time_limit_in_ms": function.timeout_s * 1000,
        "environment": json.dumps(variables, ensure_ascii=False),
        "environ": ";".join(f"{name}={value}" for name, value in variables.items()),
        "tencentcloud_region": runtime.region,
        "tencentcloud_appid": runtime.appid,
        "tencentcloud_uin": OWNER_UIN,
    }


def runtime_warning(function: Function) -> str:
    """Return a warning if this interpreter is not the runtime of the function; otherwise an empty string."""
    here = f"Python{sys.version_info.major}.{sys.version_info.minor}"
    return "" if here == function.runtime else f"runs on {here} here, on {function.runtime} in the cloud"


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """How one invocation ended. `kind` as in Invocation.outcome; `code` is SCF's status code."""

    kind: str
    code: int
    result: object
    error: str
    lines: tuple[str, ...]
    duration_ms: float
    memory_mib: float | None


class Instance:
    """One process in its own process group, connected by a socket; its output is read line by line."""

    def __init__(self, process: "subprocess.Popen[bytes]", mark: bytes) -> None:
        self._process = process
        self._mark = mark
        self._lines: list[bytes] = []
        self._mark_seen = asyncio.Event()
        self.is_alive = True

    @classmethod
    async def start(
        cls, function: Function, variables: Mapping[str, str], folder: Path, clock_offset_s: float = 0.0
    ) -> "Instance":
        """Start the process, which loads the function; `load` waits for that."""
        own_socket, instance_socket = socket.socketpair()
        output, output_end = os.pipe()
        mark = secrets.token_hex(8)
        try:
            process = _spawn(function, variables, folder, instance_socket, output_end, mark, clock_offset_s)
        except BaseException:
            own_socket.close()
            os.close(output)
            raise
        finally:
            instance_socket.close()
            os.close(output_end)
        instance = cls(process, b"\0" + mark.encode())
        try:
            await instance._connect(own_socket, output)
        except BaseException:
            process.kill()
            process.wait()
            raise
        return instance

    @property
    def has_exited(self) -> bool:
        """Whether the process has exited."""
        return self._process.poll() is not None

    async def load(self, timeout_s: float) -> InvocationResult | None:
        """Wait until the function is loaded. Returns None if it is, otherwise the error."""
        result = await self._exchange(b"", timeout_s)
        if result.kind == "ok":
            # Output during loading belongs to the first invocation.
            self._lines[:0] = [line.encode() for line in result.lines]
            return None
        await self.terminate()
        code = _INIT_TIMEOUT if result.kind == "timeout" else result.code
        return InvocationResult(
            "load-error", code, None, result.error, result.lines, result.duration_ms, result.memory_mib
        )

    async def call(self, event: str, context: Mapping[str, Any], timeout_s: float) -> InvocationResult:
        """Call the handler with an event, which is JSON text. Check `is_alive` before another call."""
        message = f'{{"event": {event}, "context": {json.dumps(context)}}}'.encode()
        return await self._exchange(_LENGTH.pack(len(message)) + message, timeout_s)

    def kill(self) -> None:
        """Kill the process group at once. The task that waits for the instance then terminates it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # the group has no process any more
            os.killpg(self._process.pid, signal.SIGKILL)

    async def terminate(self) -> None:
        """Kill the process group and wait for it. Can be called twice."""
        if not self.is_alive:
            return
        self.is_alive = False
        self.kill()
        await asyncio.to_thread(self._process.wait)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._output_task, _OUTPUT_TIMEOUT_S)
        self._output.close()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _connect(self, own_socket: socket.socket, output: int) -> None:
        self._reader, self._writer = await asyncio.open_connection(sock=own_socket)
        stream = asyncio.StreamReader()
        self._output, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(output, "rb", buffering=0)
        )
        self._output_task = asyncio.create_task(self._read_output(stream))

    async def _exchange(self, message: bytes, timeout_s: float) -> InvocationResult:
        self._mark_seen.clear()
        started_s = time.perf_counter()
        kind, response = "ok", None
        try:
            self._writer.write(message)
            response = await asyncio.wait_for(self._receive(), timeout_s)
            duration_ms = (time.perf_counter() - started_s) * 1000
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._mark_seen.wait(), _OUTPUT_TIMEOUT_S)
        except asyncio.TimeoutError:
            kind = "timeout"
        except (EOFError, ConnectionError):
            kind = "crash"
        except BaseException:
            await self.terminate()
            raise
        if response is None:
            duration_ms = (time.perf_counter() - started_s) * 1000
            await self.terminate()
            return self._build_failure(kind, timeout_s, duration_ms)
        if response.get("code") == _EXITED:
            await self.terminate()
        return self._build_result(response, duration_ms)

    async def _receive(self) -> dict[str, Any]:
        length = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))[0]
        response: dict[str, Any] = json.loads(await self._reader.readexactly(length))
        return response

    def _build_result(self, response: dict[str, Any], duration_ms: float) -> InvocationResult:
        memory_kib = response.get("memory_kib")
        memory_mib = None if memory_kib is None else memory_kib / 1024
        lines = self._take_lines()
        if "code" in response:
            error = f"{response['error']}\n{response['stack']}"
            return InvocationResult("error", response["code"], None, error, lines, duration_ms, memory_mib)
        result = json.loads(response.get("result", "null"))
        return InvocationResult("ok", 200, result, "", lines, duration_ms, memory_mib)

    def _build_failure(self, kind: str, timeout_s: float, duration_ms: float) -> InvocationResult:
        if kind == "timeout":
            code, error = (
                _TIMEOUT,
                f"Invoking task timed out after {timeout_s:g} seconds; the instance was killed",
            )
        else:
            code, error = _CRASH, f"the process exited ({_describe_exit(self._process.returncode)})"
        return InvocationResult(kind, code, None, error, self._take_lines(), duration_ms, None)

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
                    line = line[: -len(self._mark)]  # noqa: PLW2901 -- output without an end of line
                    self._mark_seen.set()
                    if not line:
                        continue
                self._add_line(line)
            if len(pending) > _MAX_LINE_BYTES:
                self._add_line(pending)
                pending = b""
        if pending:
            self._add_line(pending)

    def _add_line(self, line: bytes) -> None:
        if len(self._lines) < _MAX_LINES:
            self._lines.append(line)
        elif len(self._lines) == _MAX_LINES:
            self._lines.append(b"(what it printed after this is not kept)")


def _spawn(
    function: Function,
    variables: Mapping[str, str],
    folder: Path,
    platform: socket.socket,
    output: int,
    mark: str,
    clock_offset_s: float,
) -> "subprocess.Popen[bytes]":
    handler_name = function.handler.rpartition(".")[2]
    command = [sys.executable, str(_BOOTSTRAP), str(platform.fileno()), mark]
    return subprocess.Popen(  # noqa: S603 -- our own interpreter and script
        [*command, str(function.module_file), handler_name, str(clock_offset_s)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=dict(variables),
        cwd=folder,
        pass_fds=(platform.fileno(),),
        start_new_session=True,  # its own group, so that its child processes are killed with it
    )


def _describe_exit(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return f"signal {-returncode}"
    return f"exit code {returncode}"


class PoolClosed(Exception):
    """The pool gives out no more instances; the function was replaced or removed."""


class InstancePool:
    """The instances of one function: reuses idle ones, latest first, and starts new ones up to a maximum."""

    def __init__(self, function: Function, runtime: RuntimeEnvironment, max_instances: int) -> None:
        self.function = function
        self._runtime = runtime
        self._slots = asyncio.Semaphore(max_instances)
        self._idle: list[Instance] = []
        self._instances: set[Instance] = set()
        self._users = 0
        self._closed = False
        self._retired = False

    @property
    def is_idle(self) -> bool:
        """Whether the pool has no instance and no task waits for one."""
        return not self._instances and not self._users

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[tuple[Instance, bool]]:
        """Lend an instance, with True if it was just started and has not loaded its function yet.

        Raises PoolClosed, also in tasks that waited when the pool was retired.
        """
        self._users += 1
        try:
            async with self._slots:
                if self._retired:
                    raise PoolClosed
                instance = await self._take_idle()
                is_cold = instance is None
                instance = instance or await self._start()
                async with self._lend(instance):
                    yield instance, is_cold
        finally:
            self._users -= 1

    @asynccontextmanager
    async def _lend(self, instance: Instance) -> AsyncIterator[None]:
        try:
            yield
            if self._retired:
                await instance.terminate()
        except BaseException:
            await instance.terminate()
            raise
        finally:
            if instance.is_alive:
                self._idle.append(instance)
            else:
                self._instances.discard(instance)

    def retire(self) -> None:
        """Give out no more instances. Busy ones end after their event, idle ones with `drain`."""
        self._retired = True

    async def drain(self) -> None:
        """Terminate the idle instances of a retired pool."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(instance.terminate() for instance in idle))
        self._instances.difference_update(idle)

    async def close(self) -> None:
        """Terminate all instances, also busy ones."""
        self._closed = True
        await asyncio.gather(*(instance.terminate() for instance in self._instances))
        self._instances.clear()
        self._idle.clear()

    async def _take_idle(self) -> Instance | None:
        while self._idle:
            instance = self._idle.pop()
            if not instance.has_exited:
                return instance
            # It exited between two events: no event failed, so there is nothing to report.
            self._instances.discard(instance)
            await instance.terminate()
        return None

    async def _start(self) -> Instance:
        if self._closed:
            raise RuntimeError("the functions are closed")
        variables = build_environment(self.function, self._runtime)
        instance = await Instance.start(
            self.function, variables, self.function.folder, self._runtime.next_clock_offset_s()
        )
        self._instances.add(instance)
        return instance
