"""Connects the functions with the rest of the cloud: object events, function URLs, temporary credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from starlette.responses import JSONResponse, Response

from localcloud.access_log import AccessLog
from localcloud.auth.credentials import Credential, CredentialStore
from localcloud.auth.policy import PolicyDocument
from localcloud.cos.backend import ObjectEvent
from localcloud.faults.service_faults import Faults
from localcloud.http.request import Request
from localcloud.runtime.events import CosEvent
from localcloud.runtime.instances import TemporaryCredentials
from localcloud.runtime.registry import FunctionRegistry
from localcloud.runtime.urls import UrlRequest

_MAX_BODY_BYTES = 6 * 1024 * 1024  # of a request to a function URL; SCF limits 583/11637


class FunctionRuntime:
    """Every function of this cloud, with temporary credentials for each invocation."""

    def __init__(
        self,
        folder: Path | None,
        *,
        environ: Mapping[str, str],
        endpoint: str,
        region: str,
        appid: str,
        state_folder: Path,
        credentials: CredentialStore,
        access_log: AccessLog,
        retry_delay_s: float,
        timers: bool,
        max_instances: int,
        clock_offsets_s: Sequence[float],
        faults: Faults,
        policies_for_role: Callable[[str], tuple[PolicyDocument, ...] | None],
    ) -> None:
        """Start with the functions of `folder`/serverless.yml, or with none. Raises DeploymentError.

        `policies_for_role` returns what a role may do. Functions of the yml may do everything, or what the file of
        `--policies` allows them.
        """
        self._credentials = credentials
        self._policies_for_role = policies_for_role
        self._timers = timers
        self.registry = FunctionRegistry(
            endpoint=endpoint,
            region=region,
            appid=appid,
            state_folder=state_folder,
            issue_credentials=self._issue_credentials,
            requests_for=access_log.requests_for,
            retry_delay_s=retry_delay_s,
            max_instances=max_instances,
            clock_offsets_s=clock_offsets_s,
            deliver=faults.events.deliver,
            change_url=faults.events.change_url,
        )
        if folder is not None:
            from localcloud.runtime.manifest import load_manifest  # noqa: PLC0415 - a cloud without one starts faster

            self.registry.deploy(load_manifest(folder.resolve(), environ=environ, region=region, appid=appid))
        self._manifest_names = self.registry.names
        self.owns_host = self.registry.owns_host
        self.wait_idle = self.registry.wait_idle
        self.fire_timer = self.registry.fire_timer
        self.stop_instances = self.registry.stop_instances
        self.close = self.registry.close

    @property
    def urls(self) -> Mapping[str, str]:
        """The public URL of every function that has one."""
        return self.registry.urls

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all functions that can run."""
        return self.registry.keys

    def kill(self, credential: Credential) -> bool:
        """Kill the instance that holds that credential; False if there is none."""
        return self.registry.kill(credential.secret_id)

    def _issue_credentials(self, function: str, request_id: str) -> TemporaryCredentials:
        if function in self._manifest_names:
            credential = self._credentials.issue(function, request_id)
        else:
            role = self.registry.get(function).role or ""
            # A role that was deleted, or does not trust SCF any more, allows nothing.
            policies = self._policies_for_role(role) or ()
            credential = self._credentials.issue(function, request_id, role=role, policies=policies)
        return TemporaryCredentials(
            credential.secret_id, credential.secret_key, credential.token, credential.expires_s or 0
        )

    async def start(self) -> None:
        """Start the timers, if they are enabled."""
        if self._timers:
            await self.registry.start()

    async def on_object_event(self, event: ObjectEvent) -> None:
        """Queue the event for every matching trigger; returns before the functions run."""
        stored = event.stored
        await self.registry.on_object_event(
            CosEvent(
                event_name=event.event_name,
                bucket=stored.bucket,
                region=event.region,
                key=stored.key,
                size=stored.size,
                etag=stored.etag,
                content_type=stored.content_type,
                metadata={
                    name: value for name, value in stored.headers.items() if name.startswith("x-cos-meta-")
                },
                request_id=event.request_id,
                version_id="" if stored.version_id == "null" else stored.version_id,
                storage_class=stored.storage_class,
                time_s=event.time_s,
            )
        )

    async def post_to_url(self, url: str, content_type: str, body: bytes) -> int:
        """Post a body to a function URL; returns the status."""
        parts = urlsplit(url)
        request = UrlRequest(
            method="POST",
            path=parts.path or "/",
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={
                "host": parts.netloc,
                "content-type": content_type,
                "content-length": str(len(body)),
                "user-agent": "tencent-ci",  # the real sender's User-Agent is unconfirmed
            },
            body=body,
        )
        return (await self.registry.call_url(parts.netloc, request)).status

    async def handle_request(self, request: Request) -> Response:
        """Pass a request to the function that owns its host, and return the function's response."""
        if not self.owns_host(request.host):
            return _unknown_host_response(request)
        body = await request.body(_MAX_BODY_BYTES)
        if body is None:
            return JSONResponse({"errorMessage": "The body is over 6 MB."}, 413)
        url_request = UrlRequest(request.method, request.path, request.query, request.header_map, body)
        response = await self.registry.call_url(request.host, url_request)
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return Response(response.body, response.status, headers)

    def invocations(self, since: int) -> list[dict[str, object]]:
        """Return the records of the invocations after that number."""
        return [asdict(invocation) for invocation in self.registry.invocations(since)]

    async def invoke(self, name: str, event: object) -> dict[str, object]:
        """Invoke a function once. Raises KeyError, ValueError."""
        return asdict(await self.registry.invoke(name, event))


def _unknown_host_response(request: Request) -> Response:
    return JSONResponse({"errorMessage": f"This cloud has no host {request.host_name or '(none)'}."}, 404)
