"""The functions as the rest of the cloud sees them: told of new objects, called by URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from starlette.responses import JSONResponse, Response

from localcloud import scf
from localcloud.access.documents import Document
from localcloud.asked import Asked
from localcloud.cos.backend import ObjectCreatedEvent
from localcloud.faults import Faults
from localcloud.keys import Key, Keys
from localcloud.traffic import Traffic

_MOST_BODY = 6 * 1024 * 1024  # bytes of a request to a function URL; SCF limits 583/11637


class RunningFunctions:
    """Every function of this cloud, with a temporary key for each invocation."""

    def __init__(
        self,
        folder: Path | None,
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
        documents_of: Callable[[str], tuple[Document, ...] | None],
    ) -> None:
        """Those of FOLDER's serverless.yml to begin with, none without a folder. Raises scf.DeploymentError.

        `documents_of` tells what a role may do. Those of the yml may do everything, or what is assigned to them.
        """
        self._keys = keys
        self._documents_of = documents_of
        self._timers = timers
        self.registry = scf.Functions(
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
        if folder is not None:
            from localcloud.scf.serverless_yml import load_deployment  # noqa: PLC0415 - a cloud without one starts faster

            self.registry.deploy(
                load_deployment(folder.resolve(), environ=environ, region=region, appid=appid)
            )
        self._described = self.registry.names
        self.owns_host = self.registry.owns_host
        self.idle = self.registry.idle
        self.fire_timer = self.registry.fire_timer
        self.close = self.registry.close

    @property
    def urls(self) -> Mapping[str, str]:
        """The public address of every function that has one now."""
        return self.registry.urls

    @property
    def keys(self) -> tuple[str, ...]:
        """Every function that can run now."""
        return self.registry.keys

    def kill(self, key: Key) -> bool:
        """Kill the instance that was given that key; False if there is none."""
        return self.registry.kill(key.secret_id)

    def _issue(self, function: str, request_id: str) -> scf.TemporaryKey:
        key = self._key_of(function, request_id)
        return scf.TemporaryKey(key.secret_id, key.secret_key, key.token, key.expires_s or 0)

    def _key_of(self, function: str, request_id: str) -> Key:
        if function in self._described:
            return self._keys.issue(function, request_id)
        role = self.registry.function(function).role or ""
        # A role that is gone, or trusts SCF no more, allows nothing.
        return self._keys.issue(function, request_id, role=role, policies=self._documents_of(role) or ())

    async def start(self) -> None:
        """Timers run only when they were asked for."""
        if self._timers:
            await self.registry.start()

    async def object_created(self, created: ObjectCreatedEvent) -> None:
        """Queue the event for every trigger that matches; returns at once."""
        stored = created.stored
        await self.registry.object_created(
            scf.ObjectCreated(
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
        request = scf.UrlRequest(
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
        return (await self.registry.call_url(parts.netloc, request)).status

    async def answer(self, asked: Asked) -> Response:
        """Pass a request on to its function and its answer back."""
        if not self.owns_host(asked.host):
            return _no_such_host(asked)
        body = await asked.body(_MOST_BODY)
        if body is None:
            return JSONResponse({"errorMessage": "The body is over 6 MB."}, 413)
        request = scf.UrlRequest(asked.method, asked.path, asked.query, asked.header_map, body)
        answer = await self.registry.call_url(asked.host, request)
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return Response(answer.body, answer.status, headers)

    def invocations(self, since: int) -> list[dict[str, object]]:
        """The records of invocations after that number."""
        return [asdict(invocation) for invocation in self.registry.invocations(since)]

    async def invoke(self, name: str, event: object) -> dict[str, object]:
        """Call a function once. Raises KeyError, ValueError."""
        return asdict(await self.registry.invoke(name, event))


def _no_such_host(asked: Asked) -> Response:
    return JSONResponse({"errorMessage": f"This cloud has no host {asked.host_name or '(none)'}."}, 404)
