"""Run a handler in its own process, loaded and called by the local cloud's bootstrap as SCF does. Linux only."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localcloud.runtime import bootstrap
from tests.bench.report import MeasurementError


class Instance:
    """A process that handles one event at a time. Raises MeasurementError if the handler fails."""

    def __init__(self, process: subprocess.Popen[bytes], platform: socket.socket) -> None:
        self._process = process
        self._platform = platform
        self._messages = platform.makefile("rb")
        self._is_loaded = False

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Return what the handler returns. The first call also waits until the handler is loaded."""
        context = {"request_id": "bench", "time_limit_in_ms": 600_000, "environment": "{}"}
        request = json.dumps({"event": event, "context": context}).encode()
        self._platform.sendall(bootstrap.LENGTH.pack(len(request)) + request)
        if not self._is_loaded:
            self._receive()
            self._is_loaded = True
        return json.loads(self._receive()["result"])

    def _receive(self) -> Mapping[str, Any]:
        header = self._messages.read(bootstrap.LENGTH.size)
        if not header:
            raise MeasurementError(f"the process ended unexpectedly, exit status {self._process.wait()}")
        message: Mapping[str, Any] = json.loads(self._messages.read(bootstrap.LENGTH.unpack(header)[0]))
        if "error" in message:
            raise MeasurementError(f"{message['error']}\n{message['stack']}")
        return message

    @property
    def processor_s(self) -> float:
        """Return the processor time that the process has used so far."""
        return int(self._read_proc("schedstat").split()[0]) / 1e9

    @property
    def peak_mib(self) -> float:
        """Return the peak memory so far. (ru_maxrss would include the memory of the parent process.)"""
        peak = next(line for line in self._read_proc("status").splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) / 1024

    def _read_proc(self, name: str) -> str:
        return Path(f"/proc/{self._process.pid}/{name}").read_text("utf-8")

    def close(self) -> None:
        """Kill the process."""
        self._messages.close()
        self._platform.close()
        self._process.kill()
        self._process.wait()


@contextmanager
def running_instance(python: str, module_file: Path, environ: Mapping[str, str]) -> Iterator[Instance]:
    """Run the `main_handler` of a module in a new process, with only this environment, until the block ends."""
    platform, child = socket.socketpair()
    with child:
        process = subprocess.Popen(
            # -S: packages that are installed for this interpreter are not in SCF.
            [python, "-S", bootstrap.__file__, str(child.fileno()), "end", str(module_file), "main_handler"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**environ, "PYTHONPATH": str(module_file.parent), "PYTHONDONTWRITEBYTECODE": "x"},
            cwd=module_file.parent,
            pass_fds=(child.fileno(),),
        )
    instance = Instance(process, platform)
    try:
        yield instance
    finally:
        instance.close()
