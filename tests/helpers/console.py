"""The console on an in-memory cloud, used as a browser uses it: no server, no process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
from starlette.types import ASGIApp

from cli.config import CliContext, Commands
from cli.console.app import Services, build_app
from cli.console.recordings import Recordings
from cli.console.security import Session
from cli.console.streams import ObjectStreams
from cli.operate.workspace import Workspace
from shared.errors import NotFound
from tests.helpers.fake_cloud import REGION, FakeClock, FakeCloud
from tests.helpers.operate import OperatedPipeline

PORT = 8765
ADDRESS = f"http://127.0.0.1:{PORT}"


class CloudTransport(httpx.AsyncBaseTransport):
    """COS for bodies that are passed on: writes of the declared size only, ranges, If-Match.

    As COS does, it overwrites in a bucket with versioning whatever the request says.
    """

    def __init__(self, cloud: FakeCloud) -> None:
        self._cloud = cloud

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        bucket = request.headers["host"].partition(".")[0]
        key = unquote(request.extensions["target"].decode())[1:]
        assert f"q-ak={self._cloud.client.credentials.secret_id}" in request.headers["authorization"]
        body = await self._receive(request) if request.method == "PUT" else b""
        try:
            with self._cloud.request(request.method, bucket, key, REGION):
                return self._handle(request, bucket, key, body)
        except NotFound as error:
            return _build_error(404, error.code)

    async def _receive(self, request: httpx.Request) -> bytes:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        body = b"".join([piece async for piece in request.stream])
        if len(body) != int(request.headers["content-length"]):
            raise httpx.LocalProtocolError("Too little data for declared Content-Length")
        return body

    def _handle(self, request: httpx.Request, bucket: str, key: str, body: bytes) -> httpx.Response:
        stored = self._cloud.buckets[bucket].get(key)
        if request.method == "PUT":
            forbids = request.headers.get("x-cos-forbid-overwrite") == "true"
            if stored and forbids and bucket not in self._cloud.versioned:
                return _build_error(409, "FileAlreadyExists")
            self._cloud.put_object(bucket, key, body)
            content_type = request.headers["content-type"]
            new = self._cloud.change_object(bucket, key, content_type=content_type)
            return httpx.Response(200, headers={"ETag": f'"{new.etag}"'})
        if stored is None:
            return _build_error(404, "NoSuchKey")
        if request.headers.get("if-match", f'"{stored.etag}"') != f'"{stored.etag}"':
            return _build_error(412, "PreconditionFailed")
        start, _, end = request.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")
        part = stored.body[int(start) : int(end) + 1 if end else None]
        headers = {"Accept-Ranges": "bytes", "Content-Type": stored.content_type or "text/html"}
        if "range" in request.headers:
            last = int(start) + len(part) - 1
            headers["Content-Range"] = f"bytes {start}-{last}/{len(stored.body)}"
        return _build(206 if "range" in request.headers else 200, part, headers)


def _build_error(status: int, code: str) -> httpx.Response:
    return _build(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), {})


def _build(status: int, body: bytes, headers: dict[str, str]) -> httpx.Response:
    """Build a response whose body is not read yet, as one of a server."""
    headers["Content-Length"] = str(len(body))
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))


@dataclass
class Browser:
    """A browser with the console's cookie. `clock` is the console's monotonic one."""

    pipeline: OperatedPipeline
    services: Services
    session: Session
    app: ASGIApp
    clock: FakeClock
    cookie: str = ""
    language: str = field(default="en")

    @classmethod
    def open(
        cls,
        pipeline: OperatedPipeline,
        *,
        can_write: bool = True,
        env_file: Path = Path("missing.env"),
        **settings: Any,
    ) -> Browser:
        """Open the printed address."""
        ctx = pipeline.build_context(**settings) if settings else pipeline.ctx
        workspace = Workspace(ctx, Commands(), {})
        clock = FakeClock(1000.0)
        services = Services.create(
            CliContext(Path(), env_file, {}, Path("missing")),
            workspace,
            can_write=can_write,
            streams=ObjectStreams(pipeline.cloud.client, CloudTransport(pipeline.cloud)),
            recordings=Recordings(workspace, clock.now),
        )
        session = Session(PORT)
        browser = cls(pipeline, services, session, build_app(services, session), clock)
        response = browser.send("GET", session.address.removeprefix(ADDRESS))
        browser.cookie = response.headers["set-cookie"].partition(";")[0]
        return browser

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request as the page does; a header None is left out."""

        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
                return await client.request(method, path, **options)

        headers = {"Cookie": self.cookie, **({} if method in {"GET", "HEAD"} else {"Origin": ADDRESS})}
        headers |= options.pop("headers", {})
        options["headers"] = {name: value for name, value in headers.items() if value is not None}
        return asyncio.run(run())

    def get(self, path: str, status: int = 200, **params: Any) -> Any:
        """Get JSON, and check the status."""
        response = self.send("GET", path, params=params)
        assert response.status_code == status, response.text
        return response.json()

    def upload(self, key: str, body: bytes | AsyncIterator[bytes], **options: Any) -> httpx.Response:
        """Upload a file as the page does."""
        params = {"bucket": "recordings-1250000000", "key": key, **options.pop("params", {})}
        return self.send("PUT", "/api/upload", params=params, content=body, **options)

    def read_changes(self) -> Iterator[dict[str, Any]]:
        """Read what changed in the cloud since the last time."""
        change = self.services.recordings.refresh()
        if change:
            yield change.as_json()
