"""The stand-in's own address, for tools and tests: what happened, what is open, and a few levers. Unsigned."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from localcloud.access.documents import document_of
from localcloud.app import Cloud
from localcloud.ci.models import format_timestamp
from localcloud.faults import plan_of
from localcloud.faults.jobs import FOREIGN

_LONGEST_WAIT_S = 600.0
_LOOK_AGAIN_S = 0.02
_KEY_FIELDS = ("secret_id", "secret_key", "token", "expires_s", "function", "request_id")


def admin_app(cloud: Cloud) -> Starlette:
    """The routes under /-/."""
    desk = _Desk(cloud)
    return Starlette(
        routes=[
            Route("/-/health", desk.health),
            Route("/-/requests", desk.requests),
            Route("/-/invocations", desk.invocations),
            Route("/-/jobs", desk.jobs),
            Route("/-/idle", desk.idle),
            Route("/-/faults", desk.faults, methods=["GET", "PUT"]),
            Route("/-/deployed", desk.deployed),
            Route("/-/code/{name}.zip", desk.code),
            Route("/-/functions/{name}/invoke", desk.invoke, methods=["POST"]),
            Route("/-/timer/{name}", desk.timer, methods=["POST"]),
            Route("/-/ai_bucket/{name}", desk.enable_ai, methods=["POST"]),
            Route("/-/keys", desk.issue_key, methods=["POST"]),
        ],
        exception_handlers={404: _not_found},
    )


async def _not_found(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "no such page; COS and CI are reached by their own host names"}, 404)


def _number(request: Request, name: str, default: float) -> float:
    try:
        return float(request.query_params.get(name, default))
    except ValueError:
        return default


class _Desk:
    """Answers for one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def health(self, _request: Request) -> Response:
        """It runs."""
        return JSONResponse({"status": "ok"})

    async def requests(self, request: Request) -> Response:
        """The traffic after row `since`."""
        return JSONResponse(
            [row.as_json() for row in self._cloud.traffic.since(int(_number(request, "since", 0)))]
        )

    async def invocations(self, request: Request) -> Response:
        """The invocations after number `since`."""
        found = self._cloud.functions.invocations(int(_number(request, "since", 0)))
        # A result may hold anything that a handler returned.
        return Response(json.dumps(found, default=str), media_type="application/json")

    async def jobs(self, _request: Request) -> Response:
        """Every job and how it stands; `paid` unless nobody submitted it, `fault` as the plan of faults did to it."""
        marks = self._cloud.faults.jobs.marks()
        return JSONResponse(
            [
                {
                    "job_id": job.job_id,
                    "state": job.state,
                    "code": job.code,
                    "message": job.message,
                    "bucket": job.spec.bucket,
                    "queue_id": job.spec.queue_id,
                    "object": job.spec.input_object,
                    "output": asdict(job.spec.output),
                    "engine": job.spec.speech.engine,
                    "user_data": job.spec.user_data,
                    "created": format_timestamp(job.created_s),
                    "started": format_timestamp(job.started_s),
                    "ended": format_timestamp(job.ended_s),
                    "paid": marks.get(job.job_id) != FOREIGN,
                    "fault": marks.get(job.job_id, ""),
                }
                for job in self._cloud.ci.jobs.all()
            ]
        )

    async def idle(self, request: Request) -> Response:
        """Wait up to `timeout` seconds until nothing is under way any more; `true` or `false`."""
        end_s = time.monotonic() + min(_number(request, "timeout", 0), _LONGEST_WAIT_S)
        quiet = await self._is_quiet(0)
        while not quiet and (left_s := end_s - time.monotonic()) > 0:
            await asyncio.sleep(_LOOK_AGAIN_S)
            quiet = await self._is_quiet(left_s)
        return JSONResponse(quiet)

    async def _is_quiet(self, timeout_s: float) -> bool:
        # A function may submit a job, and a job's end calls a function: look at the jobs after the functions.
        return await self._cloud.functions.idle(timeout_s) and (
            self._cloud.ci.is_idle() and self._cloud.faults.is_idle
        )

    async def faults(self, request: Request) -> Response:
        """The plan of faults and what has struck; PUT replaces the plan."""

        async def replace() -> Response:
            self._cloud.faults.use(plan_of(json.loads(await request.body())))
            return JSONResponse(self._cloud.faults.report())

        return await _named(replace) if request.method == "PUT" else JSONResponse(self._cloud.faults.report())

    async def deployed(self, _request: Request) -> Response:
        """The functions that can run now, and the addresses of those that have one."""
        functions = self._cloud.functions
        return JSONResponse({name: {"url": functions.urls.get(name)} for name in functions.keys})

    async def code(self, request: Request) -> Response:
        """The zip of a deployed function."""
        found = self._cloud.scf.zip_file(request.path_params["name"])
        return FileResponse(found) if found else JSONResponse({"error": "no such function"}, 404)

    async def invoke(self, request: Request) -> Response:
        """Call a function with the body as its event."""

        async def call() -> Response:
            name = request.path_params["name"]
            found = await self._cloud.functions.invoke(name, json.loads(await request.body() or b"{}"))
            return Response(json.dumps(found, default=str), media_type="application/json")

        return await _named(call)

    async def timer(self, request: Request) -> Response:
        """Let a timer go off."""

        async def fire() -> Response:
            await self._cloud.functions.fire_timer(request.path_params["name"])
            return JSONResponse({"fired": True})

        return await _named(fire)

    async def enable_ai(self, request: Request) -> Response:
        """Switch the AI content service on for a bucket; the real one is switched on in the console."""
        bucket = self._cloud.cos.buckets.get(request.path_params["name"])
        if bucket is None:
            return JSONResponse({"error": "no such bucket"}, 404)
        self._cloud.ci.queues.enable("ai", bucket.name, bucket.region)
        return JSONResponse({"bucket": bucket.name})

    async def issue_key(self, request: Request) -> Response:
        """A temporary key, good for `lifetime` seconds; a body `{"policies": [document, ...]}` says what it may do."""

        async def issue() -> Response:
            documents = json.loads(await request.body() or b"{}").get("policies")
            policies = None if documents is None else tuple(document_of(each) for each in documents)
            key = self._cloud.keys.issue(lifetime_s=_number(request, "lifetime", 7200), policies=policies)
            return JSONResponse({name: getattr(key, name) for name in _KEY_FIELDS})

        return await _named(issue)


async def _named(act: Callable[[], Awaitable[Response]]) -> Response:
    try:
        return await act()
    except KeyError as error:
        return JSONResponse({"error": f"there is no {error}"}, 404)
    except ValueError as error:
        return JSONResponse({"error": str(error)}, 400)
