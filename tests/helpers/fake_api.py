"""A server on loopback with prepared responses of API 3.0, for those that the stand-in cloud does not give."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cli.cloud.cam import CamClient
from cli.cloud.client import ApiClient, Poller
from cli.cloud.scf import ScfClient
from shared.tencent.auth import Credentials

Response = dict[str, Any]


def error_response(code: str, message: str = "it says no") -> Response:
    return {"Error": {"Code": code, "Message": message}}


def function_status(status: str) -> Response:
    return {"FunctionName": "f", "Status": status}


@dataclass
class FakeApi:
    """Answers each action with its prepared responses, one after another, and repeats the last one.

    `pauses` are the seconds that the clients slept; each sleep counts `slowness` times on their clock.
    """

    endpoint: str = ""
    responses: dict[str, list[Response]] = field(default_factory=dict)
    raw_body: bytes = b""
    actions: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    slowness: float = 1.0

    @property
    def client(self) -> ApiClient:
        return ApiClient(Credentials("AKIDmade-up", "made-up"), "ap-guangzhou", self.endpoint)

    @property
    def poller(self) -> Poller:
        return Poller(
            now=lambda: sum(self.pauses),
            sleep=lambda seconds: self.pauses.append(self.slowness * seconds),
        )

    @property
    def scf(self) -> ScfClient:
        return ScfClient(self.client, self.poller)

    @property
    def cam(self) -> CamClient:
        return CamClient(self.client, poller=self.poller)

    def respond(self, action: str) -> tuple[str, bytes]:
        """The content type and the body."""
        self.actions.append(action)
        if self.raw_body:
            return "text/html", self.raw_body
        prepared = self.responses[action]
        response = prepared.pop(0) if len(prepared) > 1 else prepared[0]
        return "application/json", json.dumps({"Response": {"RequestId": "r-1", **response}}).encode()


@contextmanager
def running_fake_api() -> Iterator[FakeApi]:
    """Serve a FakeApi until the block ends."""
    api = FakeApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: two would wait for each other

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            content_type, body = api.respond(self.headers["x-tc-action"])
            self.send_response(200)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        api.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        yield api
        server.shutdown()
        thread.join()
