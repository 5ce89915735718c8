"""The stand-in cloud as a child process: started, waited for, and ended with everything it started itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY_SECONDS = 60.0  # a laptop's first start reads the speech model from a cold disk
STOP_SECONDS = 10.0


class StandinError(Exception):
    """The stand-in did not start; the message holds what it said."""


@dataclass(frozen=True, slots=True)
class Standin:
    """A running stand-in. `callback_url` is the callback function's own, without the token."""

    endpoint: str
    region: str
    appid: str
    secret_id: str
    secret_key: str
    callback_url: str

    @classmethod
    def from_ready_line(cls, line: str) -> Standin:
        """Reads the line that it prints, or keeps as ready.json in its data folder. Raises StandinError."""
        try:
            ready: Any = json.loads(line)
            functions = ready.get("functions") or {}
            return cls(
                endpoint=ready["endpoint"],
                region=ready["region"],
                appid=ready["appid"],
                secret_id=ready["secret_id"],
                secret_key=ready["secret_key"],
                callback_url=(functions.get("callback") or {}).get("url", ""),
            )
        except (ValueError, KeyError, AttributeError) as error:
            raise StandinError(f"the stand-in's ready line cannot be read: {error}") from None


@contextmanager
def running_standin(
    data: Path, environ: Mapping[str, str], arguments: Sequence[str] = ()
) -> Iterator[Standin]:
    """A stand-in that runs this project's functions with these settings, until the block ends.

    `environ` is what serverless.yml may name; the rest of this process's environment goes along, for Python's sake.
    """
    log_path = data / "standin.log"
    data.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "localcloud", "--port", "0", "--data", str(data), *arguments]
    with log_path.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own module, our own arguments
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **environ},
            # Of its own group: Ctrl-C reaches this process alone, which then ends the stand-in in order.
            start_new_session=True,
        )
    try:
        yield Standin.from_ready_line(_ready_line(process, log_path))
    finally:
        _stop(process)


def _ready_line(process: subprocess.Popen[bytes], log_path: Path) -> str:
    timer = threading.Timer(READY_SECONDS, process.terminate)
    timer.start()
    try:
        line = process.stdout.readline() if process.stdout else b""
    finally:
        timer.cancel()
    if not line.strip():
        said = log_path.read_text("utf-8", "replace").strip().splitlines()
        raise StandinError("the stand-in did not start: " + (said[-1] if said else "it said nothing"))
    return line.decode("utf-8", "replace")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
