"""A stand-in cloud in its own process, and an address that its notifications can be sent to."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx
import pytest

from tests.helpers.loopback import send_request

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
TIMEOUT_S = 20.0
# What most tests use: results at once, short delays.
QUICK_OPTIONS = ("--speech", "scripted", "--retry-delay", "0.05", "--settle-ms", "0")

Result = TypeVar("Result")


@dataclass
class StandIn:
    """A running `python -m localcloud`."""

    folder: Path
    process: subprocess.Popen[str]
    endpoint: str
    region: str
    appid: str
    secret_id: str
    secret_key: str
    admin_secret: str

    @classmethod
    def start(cls, folder: Path, *options: str, umask: int = -1) -> StandIn:
        command = [sys.executable, "-m", "localcloud", "--port", "0", "--data", str(folder), *options]
        folder.mkdir(exist_ok=True)
        with (folder / "stderr.log").open("a") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, umask=umask
            )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.stdout.close()
            process.wait(TIMEOUT_S)
            pytest.fail((folder / "stderr.log").read_text())
        ready = json.loads(line)
        names = ("endpoint", "region", "appid", "secret_id", "secret_key", "admin_secret")
        params = {name: ready[name] for name in names}
        return cls(folder, process, **params)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it and return its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(TIMEOUT_S)
        assert self.process.stdout is not None
        assert self.process.stdout.read() == "", "stdout is for the ready line only"
        self.process.stdout.close()
        return code

    def bucket_host(self, bucket: str) -> str:
        return f"{bucket}.cos.{self.region}.myqcloud.com"

    def ci_host(self, bucket: str) -> str:
        return f"{bucket}.ci.{self.region}.myqcloud.com"

    @property
    def admin_headers(self) -> dict[str, str]:
        """What the admin pages ask for."""
        return {"x-localcloud-secret": self.admin_secret}

    def send_admin(
        self, method: str, path: str, *, json: object = None, content: bytes | None = None
    ) -> httpx.Response:
        """Send a request to an admin page; the response may be an error."""
        url, headers = f"{self.endpoint}/-/{path}", self.admin_headers
        return send_request(method, url, json=json, content=content, headers=headers, timeout=TIMEOUT_S)

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """Send a request to an admin page; returns its JSON."""
        response = self.send_admin(method, path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def wait_idle(self) -> None:
        assert self.admin("GET", "idle?timeout=20") is True

    def set_faults(self, **plan: object) -> None:
        """Replace the fault plan."""
        self.admin("PUT", "faults", plan)

    def injected_faults(self) -> dict[str, int]:
        """Count the faults that were injected, by kind."""
        return dict(self.admin("GET", "faults")["struck"])

    def last_request_number(self) -> int:
        """The number of the newest line of the access log."""
        return max((row["number"] for row in self.admin("GET", "requests")), default=0)

    def ready(self) -> dict[str, Any]:
        """The ready line, from its file."""
        content: dict[str, Any] = json.loads((self.folder / "ready.json").read_text())
        return content

    def log(self) -> str:
        return (self.folder / "stderr.log").read_text()


class StartCloud(Protocol):
    """Starts a stand-in cloud with options, on one data folder unless another is named."""

    def __call__(self, *options: str, folder: str = "data") -> StandIn: ...


def get_start_error(folder: Path, *options: str) -> str:
    """Run a stand-in that cannot start on a data folder; returns what it writes on stderr."""
    command = [sys.executable, "-m", "localcloud", "--data", str(folder), *options]
    completed = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert (completed.returncode, completed.stdout) == (1, "")
    return completed.stderr


@dataclass
class Receiver:
    """An HTTP address on this machine that keeps posted bodies and responds with the given statuses."""

    url: str
    statuses: list[int]
    arrived: queue.Queue[tuple[dict[str, str], bytes]]

    @classmethod
    @contextmanager
    def listen(cls) -> Iterator[Receiver]:
        statuses: list[int] = []
        arrived: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                arrived.put(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(statuses.pop(0) if statuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = False
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            yield cls(f"http://127.0.0.1:{server.server_address[1]}/hook", statuses, arrived)
            server.shutdown()
            thread.join()

    def next(self) -> tuple[dict[str, str], bytes]:
        """Wait for the next headers and body."""
        return self.arrived.get(timeout=TIMEOUT_S)

    def next_job(self) -> dict[str, Any]:
        """Wait for the next notification in JSON; returns its only job."""
        (job,) = json.loads(self.next()[1])["JobsDetail"]
        result: dict[str, Any] = job
        return result


def eventually(condition: Callable[[], Result | None]) -> Result:
    """Wait for the first result that is neither None nor False."""
    deadline = time.monotonic() + TIMEOUT_S
    while (result := condition()) is None or result is False:
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return result
