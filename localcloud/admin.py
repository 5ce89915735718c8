"""The stand-in's own pages under /-/, for tools and tests: access log, invocations, jobs, faults.

They need no signature, but the secret of the ready line: see auth/local_access.py.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from localcloud.app import Cloud
from localcloud.auth.policy import parse_policy
from localcloud.ci.models import format_timestamp
from localcloud.faults.plan import parse_plan
from localcloud.faults.service_faults import FOREIGN
from localcloud.faults.switches import BodyKind, JobFailure, Operation, Refusal, RuleErrorCode

_MAX_WAIT_S = 600.0
_POLL_INTERVAL_S = 0.02
_CREDENTIAL_FIELDS = ("secret_id", "secret_key", "token", "expires_s", "function", "request_id")


class _AdminBody(BaseModel):
    """Base of the JSON bodies of the pages."""

    # defer_build: a cloud starts faster when the models are built at their first use.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)


class ObjectChange(_AdminBody):
    """The body of /-/objects; what is absent stays."""

    bucket: str
    key: str
    tier: str | None = None
    denied: bool | None = None
    restored: Literal[True] | None = None


class BindingChange(_AdminBody):
    """The body of /-/ci_buckets."""

    bucket: str
    status: Literal["on", "off", "unbinding"]


class RefusalChange(_AdminBody):
    """The body of /-/refuse.

    `operation`: submit, describe, list, queues, buckets, other or all calls of CI; `body`: xml, html or empty.
    """

    status: Annotated[int, Field(ge=300, le=599)]
    code: str = ""
    message: str = ""
    operation: Operation = "submit"
    body: BodyKind = "xml"


class JobFailureChange(_AdminBody):
    """The body of /-/fail_jobs."""

    code: str = "FailedOperation.UserHasNoAmount"
    message: str = "The account has no money left."


class RuleChange(_AdminBody):
    """The body of /-/taken_rules; `bucket` is `name-appid`."""

    bucket: str
    code: RuleErrorCode = "ResourceInUse.Cos"


def create_admin_app(cloud: Cloud) -> Starlette:
    """Build the application that serves /-/."""
    pages = _AdminPages(cloud)
    return Starlette(
        routes=[
            Route("/-/health", pages.health),
            Route("/-/requests", pages.requests),
            Route("/-/invocations", pages.invocations),
            Route("/-/jobs", pages.jobs, methods=["GET", "DELETE"]),
            Route("/-/instances", pages.instances, methods=["DELETE"]),
            Route("/-/idle", pages.idle),
            Route("/-/faults", pages.faults, methods=["GET", "PUT"]),
            Route("/-/deployed", pages.deployed),
            Route("/-/code/{name}.zip", pages.code),
            Route("/-/functions/{name}/invoke", pages.invoke, methods=["POST"]),
            Route("/-/timer/{name}", pages.timer, methods=["POST"]),
            Route("/-/objects", pages.objects, methods=["PUT"]),
            Route("/-/ai_bucket/{name}", pages.enable_ai, methods=["POST"]),
            Route("/-/ci_buckets", pages.ci_buckets, methods=["PUT"]),
            Route("/-/refuse", pages.refuse, methods=["GET", "PUT", "DELETE"]),
            Route("/-/fail_jobs", pages.fail_jobs, methods=["GET", "PUT", "DELETE"]),
            Route("/-/taken_rules", pages.taken_rules, methods=["GET", "PUT", "DELETE"]),
            Route("/-/keys", pages.issue_key, methods=["POST"]),
        ],
        exception_handlers={404: _not_found},
    )


async def _not_found(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "no such page; COS and CI are reached by their own host names"}, 404)


def _parse_number(request: Request, name: str, default: float) -> float:
    try:
        return float(request.query_params.get(name, default))
    except ValueError:
        return default


class _AdminPages:
    """The pages of one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def health(self, _request: Request) -> Response:
        """Report that the server runs."""
        return JSONResponse({"status": "ok"})

    async def requests(self, request: Request) -> Response:
        """Return the access log after entry `since`."""
        entries = self._cloud.access_log.since(int(_parse_number(request, "since", 0)))
        return JSONResponse([entry.as_json() for entry in entries])

    async def invocations(self, request: Request) -> Response:
        """Return the invocations after number `since`."""
        records = self._cloud.functions.invocations(int(_parse_number(request, "since", 0)))
        # `default=str`: a result may hold anything that a handler returned.
        return Response(json.dumps(records, default=str), media_type="application/json")

    async def jobs(self, request: Request) -> Response:
        """Return every job and its state. `paid`: it was submitted; `fault`: what the fault plan did to it.

        `submitter` is the function that submitted it, else the secret id of the key. `progress` of a running job:
        {"done_ms", "duration_ms"}, null before its first step and for other jobs.

        DELETE lets CI forget the jobs that have ended, as it does after some time: no call of CI finds them any more,
        and only this page still has them (`forgotten`). With `?object=key`, only the jobs of one recording.
        """
        if request.method == "DELETE":
            self._cloud.ci.jobs.forget_ended(request.query_params.get("object", ""))
        marks, forgotten = self._cloud.faults.jobs.marks(), self._cloud.ci.jobs.list_forgotten()
        progress = self._cloud.ci.progress
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
                    "template_id": job.spec.template_id,
                    "user_data": job.spec.user_data,
                    "submitter": job.spec.submitter,
                    "created": format_timestamp(job.created_s),
                    "started": format_timestamp(job.started_s),
                    "ended": format_timestamp(job.ended_s),
                    "paid": marks.get(job.job_id) != FOREIGN,
                    "fault": marks.get(job.job_id, ""),
                    "forgotten": job.number in forgotten,
                    "progress": asdict(progress[job.job_id]) if job.job_id in progress else None,
                }
                for job in self._cloud.ci.jobs.all()
            ]
        )

    async def instances(self, _request: Request) -> Response:
        """End every instance of the functions: the next event of each function is a cold start."""
        self._cloud.functions.stop_instances()
        return JSONResponse({"stopped": True})

    async def idle(self, request: Request) -> Response:
        """Wait up to `timeout` seconds until no work is left; returns `true` or `false`."""
        deadline_s = time.monotonic() + min(_parse_number(request, "timeout", 0), _MAX_WAIT_S)
        is_idle = await self._is_idle(0)
        while not is_idle and (remaining_s := deadline_s - time.monotonic()) > 0:
            await asyncio.sleep(_POLL_INTERVAL_S)
            is_idle = await self._is_idle(remaining_s)
        return JSONResponse(is_idle)

    async def _is_idle(self, timeout_s: float) -> bool:
        # A function may submit a job, and the end of a job calls a function: check the jobs after the functions.
        return await self._cloud.functions.wait_idle(timeout_s) and (
            self._cloud.ci.is_idle() and self._cloud.cos.is_idle and self._cloud.faults.is_idle
        )

    async def faults(self, request: Request) -> Response:
        """Return the fault plan and the counts of injected faults; PUT replaces the plan."""

        async def replace_plan() -> Response:
            self._cloud.faults.set_plan(parse_plan(json.loads(await request.body())))
            return JSONResponse(self._cloud.faults.report())

        if request.method == "PUT":
            return await _handle_errors(replace_plan)
        return JSONResponse(self._cloud.faults.report())

    async def deployed(self, _request: Request) -> Response:
        """Return the functions that can run, with the URLs of those that have one."""
        functions = self._cloud.functions
        return JSONResponse({name: {"url": functions.urls.get(name)} for name in functions.keys})

    async def code(self, request: Request) -> Response:
        """Return the zip of a deployed function."""
        zip_file = self._cloud.scf.get_zip_file(request.path_params["name"])
        return FileResponse(zip_file) if zip_file else JSONResponse({"error": "no such function"}, 404)

    async def invoke(self, request: Request) -> Response:
        """Invoke a function with the body as its event."""

        async def invoke() -> Response:
            event = json.loads(await request.body() or b"{}")
            record = await self._cloud.functions.invoke(request.path_params["name"], event)
            return Response(json.dumps(record, default=str), media_type="application/json")

        return await _handle_errors(invoke)

    async def timer(self, request: Request) -> Response:
        """Fire a timer trigger now."""

        async def fire() -> Response:
            await self._cloud.functions.fire_timer(request.path_params["name"])
            return JSONResponse({"fired": True})

        return await _handle_errors(fire)

    async def objects(self, request: Request) -> Response:
        """Change the current version of the object `key` of `bucket` in ways that no COS request can.

        `tier`: ARCHIVE_ACCESS or DEEP_ARCHIVE_ACCESS for an INTELLIGENT_TIERING object, empty to move it back.
        `denied`: true makes every read of the key answer 403 until it is false, also of an object that is uploaded
        later. `restored`: true finishes a restore.
        """

        async def change() -> Response:
            change = ObjectChange.model_validate_json(await request.body())
            cos = self._cloud.cos
            if change.denied is not None:
                cos.states.set_denied(change.bucket, change.key, denied=change.denied)
            if change.tier is None and not change.restored:
                return JSONResponse(change.model_dump())
            stored = cos.objects.get_current(change.bucket, change.key)
            if stored is None:
                raise KeyError(f"{change.bucket}/{change.key}")
            if change.tier is not None:
                cos.set_tier(stored, change.tier)
            if change.restored:
                await cos.finish_restore(stored)
            return JSONResponse(change.model_dump())

        return await _handle_errors(change)

    async def enable_ai(self, request: Request) -> Response:
        """Enable the AI content service for a bucket; the real one is enabled in the console."""
        bucket = self._cloud.cos.buckets.get(request.path_params["name"])
        if bucket is None:
            return JSONResponse({"error": "no such bucket"}, 404)
        self._cloud.ci.queues.enable("ai", bucket.name, bucket.region)
        return JSONResponse({"bucket": bucket.name})

    async def ci_buckets(self, request: Request) -> Response:
        """Set the CIStatus of a bucket: `{"bucket": name, "status": "on", "off" or "unbinding"}`."""

        async def change() -> Response:
            change = BindingChange.model_validate_json(await request.body())
            if self._cloud.cos.buckets.get(change.bucket) is None:
                raise KeyError(change.bucket)
            self._cloud.ci.queues.set_status(change.bucket, change.status)
            return JSONResponse(change.model_dump())

        return await _handle_errors(change)

    async def refuse(self, request: Request) -> Response:
        """Return what CI refuses; PUT refuses one operation more, DELETE ends all refusals.

        A refusal holds for everyone. See RefusalChange for its members.
        """
        switches = self._cloud.faults.switches

        async def change() -> Response:
            if request.method == "PUT":
                body = RefusalChange.model_validate_json(await request.body())
                switches.refuse(Refusal(**body.model_dump()))
            elif request.method == "DELETE":
                switches.accept_all()
            return JSONResponse([asdict(refusal) for refusal in switches.list_refusals()])

        return await _handle_errors(change)

    async def fail_jobs(self, request: Request) -> Response:
        """Return how jobs fail, or null; PUT `{"code": ..., "message": ...}` makes every job fail until DELETE."""
        switches = self._cloud.faults.switches

        async def change() -> Response:
            if request.method == "PUT":
                body = JobFailureChange.model_validate_json(await request.body())
                switches.job_failure = JobFailure(body.code, body.message)
            elif request.method == "DELETE":
                switches.job_failure = None
            return JSONResponse(asdict(switches.job_failure) if switches.job_failure else None)

        return await _handle_errors(change)

    async def taken_rules(self, request: Request) -> Response:
        """Return the buckets whose COS rule another product has, with the code that CreateTrigger answers.

        PUT `{"bucket": name, "code": code}` takes a rule; DELETE releases all.
        """
        switches = self._cloud.faults.switches

        async def change() -> Response:
            if request.method == "PUT":
                body = RuleChange.model_validate_json(await request.body())
                switches.take_rule(body.bucket, body.code)
            elif request.method == "DELETE":
                switches.release_rules()
            return JSONResponse(dict(switches.taken_rules))

        return await _handle_errors(change)

    async def issue_key(self, request: Request) -> Response:
        """Issue a temporary credential for `lifetime` seconds; a body `{"policies": [document, ...]}` restricts it."""

        async def issue() -> Response:
            documents = json.loads(await request.body() or b"{}").get("policies")
            policies = None if documents is None else tuple(parse_policy(document) for document in documents)
            lifetime_s = _parse_number(request, "lifetime", 7200)
            credential = self._cloud.credentials.issue(lifetime_s=lifetime_s, policies=policies)
            return JSONResponse({name: getattr(credential, name) for name in _CREDENTIAL_FIELDS})

        return await _handle_errors(issue)


async def _handle_errors(handler: Callable[[], Awaitable[Response]]) -> Response:
    """Call a handler; KeyError becomes status 404, ValueError status 400."""
    try:
        return await handler()
    except KeyError as error:
        return JSONResponse({"error": f"there is no {error}"}, 404)
    except ValueError as error:
        return JSONResponse({"error": str(error)}, 400)
