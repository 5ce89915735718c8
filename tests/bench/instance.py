"""A handler in a process of its own, behind the stand-in's bootstrap: loaded and called as SCF does it. Linux only."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localcloud.runtime import bootstrap
from tests.bench.figures import CannotMeasure


class Instance:
    """A process that answers one event at a time. Raises CannotMeasure when the handler fails."""

    def __init__(self, process: subprocess.Popen[bytes], platform: socket.socket) -> None:
        self._process = process
        self._platform = platform
        self._answers = platform.makefile("rb")
        self._is_loaded = False

    def answer(self, event: Mapping[str, Any]) -> Any:
        """What the handler returns; at the first event also waits until it is loaded."""
        context = {"request_id": "bench", "time_limit_in_ms": 600_000, "environment": "{}"}
        message = json.dumps({"event": event, "context": context}).encode()
        self._platform.sendall(bootstrap.LENGTH.pack(len(message)) + message)
        if not self._is_loaded:
            self._receive()
            self._is_loaded = True
        return json.loads(self._receive()["result"])

    def _receive(self) -> Mapping[str, Any]:
        header = self._answers.read(bootstrap.LENGTH.size)
        if not header:
            raise CannotMeasure(f"the process ended by itself, exit status {self._process.wait()}")
        answer: Mapping[str, Any] = json.loads(self._answers.read(bootstrap.LENGTH.unpack(header)[0]))
        if "error" in answer:
            raise CannotMeasure(f"{answer['error']}\n{answer['stack']}")
        return answer

    @property
    def processor_s(self) -> float:
        """Seconds of processor time that it has used so far."""
        return int(self._proc("schedstat").split()[0]) / 1e9

    @property
    def peak_mib(self) -> float:
        """The most memory that it has held so far. (Its ru_maxrss would count that of the process it sprang from.)"""
        peak = next(line for line in self._proc("status").splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) / 1024

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self._process.pid}/{name}").read_text("utf-8")

    def close(self) -> None:
        """Ends the process, whatever it does."""
        self._answers.close()
        self._platform.close()
        self._process.kill()
        self._process.wait()


@contextmanager
def running_instance(python: str, module_file: Path, environ: Mapping[str, str]) -> Iterator[Instance]:
    """Starts `main_handler` of a module, with this environment and no other, until the block ends."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            # -S: what happens to be installed beside this interpreter, and runs when it starts, is not in SCF.
            [python, "-S", bootstrap.__file__, str(theirs.fileno()), "end", str(module_file), "main_handler"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**environ, "PYTHONPATH": str(module_file.parent), "PYTHONDONTWRITEBYTECODE": "x"},
            cwd=module_file.parent,
            pass_fds=(theirs.fileno(),),
        )
    instance = Instance(process, ours)
    try:
        yield instance
    finally:
        instance.close()
