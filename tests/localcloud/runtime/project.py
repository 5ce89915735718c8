"""A folder with functions, and the registry that runs them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from localcloud.runtime.events import CosEvent
from localcloud.runtime.instances import TemporaryCredentials
from localcloud.runtime.manifest import load_manifest
from localcloud.runtime.registry import FunctionRegistry
from localcloud.runtime.runner import Invocation
from localcloud.runtime.urls import UrlRequest, UrlResponse
from tests.localcloud.functions import build_manifest, build_trigger, write_manifest

APPID = "1250000000"
REGION = "ap-guangzhou"
BUCKET = f"audio-{APPID}"

Result = TypeVar("Result")


@dataclass
class Project:
    """A folder with one module per function, and a serverless.yml in JSON, which is also YAML."""

    folder: Path
    functions: dict[str, dict[str, Any]] = field(default_factory=dict)
    triggers: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    issued: list[tuple[str, str]] = field(default_factory=list)
    requests: dict[str, list[str]] = field(default_factory=dict)

    def add(self, key: str, code: str, *, below: str = "", **settings: Any) -> None:
        module = self.folder / below / f"{key}.py"
        module.parent.mkdir(exist_ok=True)
        module.write_text(code, "utf-8")
        self.functions[key] = {"handler": f"{key}.main_handler", **settings}

    def on_object(self, key: str, **parameters: Any) -> None:
        bucket = f"{BUCKET}.cos.{REGION}.myqcloud.com"
        defaults = {"bucket": bucket, "events": "cos:ObjectCreated:*", "enable": True}
        self.triggers.append(build_trigger("cos", key, **{**defaults, **parameters}))

    def on_url(self, key: str, **parameters: Any) -> None:
        defaults = {"authType": "NONE", "netConfig": {"enableExtranet": True, "enableIntranet": False}}
        self.triggers.append(build_trigger("http", key, **{**defaults, **parameters}))

    def on_timer(self, key: str, **parameters: Any) -> None:
        defaults = {"name": f"{key}-timer", "cronExpression": "0 */15 * * * * *", "enable": True}
        self.triggers.append(build_trigger("timer", key, **{**defaults, **parameters}))

    def build_manifest(self) -> dict[str, Any]:
        return build_manifest(self.functions, self.triggers, **self.settings)

    def load(self, **options: Any) -> FunctionRegistry:
        write_manifest(self.folder, self.build_manifest())
        functions = FunctionRegistry(
            endpoint="http://127.0.0.1:9",
            region=REGION,
            appid=APPID,
            state_folder=self.folder / "state",
            issue_credentials=self.issue_credentials,
            requests_for=lambda request_id: self.requests.get(request_id, []),
            **{"retry_delay_s": 0.01, **options},
        )
        functions.deploy(load_manifest(self.folder, environ=self.environ, region=REGION, appid=APPID))
        return functions

    def run(self, use: Callable[[FunctionRegistry], Awaitable[Result]], **options: Any) -> Result:
        """Start everything, await `use` with the registry, stop everything."""

        async def run() -> Result:
            async with self._running(**options) as functions:
                return await use(functions)

        return asyncio.run(run())

    @asynccontextmanager
    async def _running(self, **options: Any) -> AsyncIterator[FunctionRegistry]:
        functions = self.load(**options)
        try:
            yield functions
        finally:
            await functions.close()

    def invoke(self, key: str, event: object = None) -> Invocation:
        """Start everything, invoke one function once, stop everything."""
        return self.run(lambda functions: functions.invoke(key, event))

    def upload(self, key: str = "a.mp3", **fields: Any) -> list[Invocation]:
        """Start everything, upload one object, wait until all is idle, stop everything."""

        async def use(functions: FunctionRegistry) -> list[Invocation]:
            await functions.on_object_event(build_object_created(key, **fields))
            assert await functions.wait_idle(10)
            return functions.invocations()

        return self.run(use)

    def call(self, key: str, body: bytes = b"", **fields: Any) -> UrlResponse:
        """Start everything, call a function's URL, stop everything."""

        async def use(functions: FunctionRegistry) -> UrlResponse:
            host = functions.urls[key].removeprefix("https://")
            assert functions.owns_host(host)
            return await functions.call_url(host, build_request(body, **fields))

        return self.run(use)

    def issue_credentials(self, function: str, request_id: str) -> TemporaryCredentials:
        self.issued.append((function, request_id))
        return TemporaryCredentials(
            f"AKID{len(self.issued)}", "secret", "token;with=signs", time.time() + 3600
        )


def build_object_created(key: str = "a.mp3", **fields: Any) -> CosEvent:
    defaults: Mapping[str, Any] = {
        "event_name": "cos:ObjectCreated:Put",
        "bucket": BUCKET,
        "region": REGION,
        "size": 3,
        "etag": "900150983cd24fb0d6963f7d28e17f72",
        "content_type": "audio/mpeg",
        "time_s": 1_794_300_000.7,
    }
    return CosEvent(key=key, **{**defaults, **fields})


def build_request(body: bytes = b"", **fields: Any) -> UrlRequest:
    defaults: Mapping[str, Any] = {"method": "POST", "path": "/", "query": (), "headers": {}}
    return UrlRequest(body=body, **{**defaults, **fields})
