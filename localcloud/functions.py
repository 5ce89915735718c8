"""The functions as the rest of the cloud sees them: told of new objects, called by URL; or none at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl, urlsplit

from starlette.responses import JSONResponse, Response

from localcloud.asked import Asked
from localcloud.cos.service import Created
from localcloud.faults import Faults
from localcloud.keys import Key, Keys
from localcloud.traffic import Traffic

if TYPE_CHECKING:
    from localcloud.scf import TemporaryKey

_MOST_BODY = 6 * 1024 * 1024  # bytes of a request to a function URL; SCF limits 583/11637


class RunningFunctions(Protocol):
    """What the cloud asks of its functions."""

    urls: Mapping[str, str]

    def owns_host(self, host: str) -> bool:
        """Whether a host is one of the function URLs."""

    async def start(self) -> None:
        """Begin: timers run from here on."""

    async def close(self) -> None:
        """End every instance."""

    async def object_created(self, created: Created) -> None:
        """Tell the functions of a new object; returns at once."""

    async def notify(self, url: str, content_type: str, body: bytes) -> int:
        """POST to a function URL from within the cloud; the status."""

    async def answer(self, asked: Asked) -> Response:
        """A request to a function URL."""

    def kill(self, key: Key) -> bool:
        """Kill the instance that was given that key; False if there is none."""

    async def idle(self, timeout_s: float) -> bool:
        """Whether no event is queued, running or waiting for its retry, at the latest after that time."""

    def invocations(self, since: int) -> list[dict[str, object]]:
        """The records of invocations after that number."""

    async def invoke(self, name: str, event: object) -> dict[str, object]:
        """Call a function once. Raises KeyError, ValueError."""

    async def fire_timer(self, name: str) -> None:
        """Let a timer trigger go off now. Raises KeyError."""


class NoFunctions:
    """A cloud of COS and CI alone."""

    urls: Mapping[str, str] = {}

    def owns_host(self, host: str) -> bool:  # noqa: ARG002 - no host is
        """Never."""
        return False

    async def start(self) -> None:
        """Nothing to begin."""

    async def close(self) -> None:
        """Nothing to end."""

    async def object_created(self, created: Created) -> None:
        """Nobody to tell."""

    async def notify(self, url: str, content_type: str, body: bytes) -> int:  # noqa: ARG002 - see owns_host
        """Nobody there."""
        return 404

    async def answer(self, asked: Asked) -> Response:
        """No such host."""
        return _no_such_host(asked)

    def kill(self, key: Key) -> bool:  # noqa: ARG002 - nobody has one
        """Nobody to kill."""
        return False

    async def idle(self, timeout_s: float) -> bool:  # noqa: ARG002 - nothing to wait for
        """Always."""
        return True

    def invocations(self, since: int) -> list[dict[str, object]]:  # noqa: ARG002 - there are none
        """None."""
        return []

    async def invoke(self, name: str, event: object) -> dict[str, object]:  # noqa: ARG002 - there is none
        """Raises KeyError."""
        raise KeyError(name)

    async def fire_timer(self, name: str) -> None:
        """Raises KeyError."""
        raise KeyError(name)


class ServerlessFunctions:
    """The functions of one folder's serverless.yml, with a temporary key for each invocation."""

    def __init__(
        self,
        folder: Path,
        *,
        environ: Mapping[str, str],
        endpoint: str,
        region: str,
        appid: str,
        state_folder: Path,
        keys: Keys,
        traffic: Traffic,
        retry_delay_s: float,
        timers: bool,
        max_instances: int,
        faults: Faults,
    ) -> None:
        """Raises scf.DeploymentError."""
        from localcloud import scf  # noqa: PLC0415 - a cloud without functions starts faster without it

        self._scf = scf
        self._keys = keys
        self._timers = timers
        self._functions = scf.Functions.load(
            folder,
            environ=environ,
            endpoint=endpoint,
            region=region,
            appid=appid,
            state_folder=state_folder,
            issue_key=self._issue,
            requests_of=traffic.requests_of,
            retry_delay_s=retry_delay_s,
            max_instances=max_instances,
            carry=faults.events.pass_on,
        )
        self.urls: Mapping[str, str] = self._functions.urls
        self.owns_host = self._functions.owns_host
        self.idle = self._functions.idle
        self.fire_timer = self._functions.fire_timer
        self.close = self._functions.close

    def kill(self, key: Key) -> bool:
        """Kill the instance that was given that key."""
        return self._functions.kill(key.secret_id)

    def _issue(self, function: str, request_id: str) -> TemporaryKey:
        key = self._keys.issue(function, request_id)
        return self._scf.TemporaryKey(key.secret_id, key.secret_key, key.token, key.expires_s or 0)

    async def start(self) -> None:
        """Timers run only when they were asked for."""
        if self._timers:
            await self._functions.start()

    async def object_created(self, created: Created) -> None:
        """Queue the event for every trigger that matches."""
        stored = created.stored
        await self._functions.object_created(
            self._scf.ObjectCreated(
                event_name=created.event_name,
                bucket=stored.bucket,
                region=created.region,
                key=stored.key,
                size=stored.size,
                etag=stored.etag,
                content_type=stored.content_type,
                metadata={
                    name: value for name, value in stored.headers.items() if name.startswith("x-cos-meta-")
                },
                request_id=created.request_id,
                version_id="" if stored.version_id == "null" else stored.version_id,
                time_s=stored.modified_s,
            )
        )

    async def notify(self, url: str, content_type: str, body: bytes) -> int:
        """Call the function behind a URL."""
        parts = urlsplit(url)
        request = self._scf.UrlRequest(
            method="POST",
            path=parts.path or "/",
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={
                "host": parts.netloc,
                "content-type": content_type,
                "content-length": str(len(body)),
                "user-agent": "tencent-ci",  # what the real sender calls itself is unconfirmed
            },
            body=body,
        )
        return (await self._functions.call_url(parts.netloc, request)).status

    async def answer(self, asked: Asked) -> Response:
        """Pass a request on to its function and its answer back."""
        if not self.owns_host(asked.host):
            return _no_such_host(asked)
        body = await asked.body(_MOST_BODY)
        if body is None:
            return JSONResponse({"errorMessage": "The body is over 6 MB."}, 413)
        request = self._scf.UrlRequest(asked.method, asked.path, asked.query, asked.header_map, body)
        answer = await self._functions.call_url(asked.host, request)
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return Response(answer.body, answer.status, headers)

    def invocations(self, since: int) -> list[dict[str, object]]:
        """The records of invocations after that number."""
        return [asdict(invocation) for invocation in self._functions.invocations(since)]

    async def invoke(self, name: str, event: object) -> dict[str, object]:
        """Call a function once. Raises KeyError, ValueError."""
        return asdict(await self._functions.invoke(name, event))


def _no_such_host(asked: Asked) -> Response:
    return JSONResponse({"errorMessage": f"This cloud has no host {asked.host_name or '(none)'}."}, 404)
