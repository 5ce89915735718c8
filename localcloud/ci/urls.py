"""Maps a CI request to its call by method, first path segment, and whether an id follows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from localcloud.ci import responses
from localcloud.ci.backend import CiBackend
from localcloud.ci.exceptions import CiError
from localcloud.cos.models import Bucket
from localcloud.faults.switches import Operation
from localcloud.http.hosts import ServiceName
from localcloud.http.request import Request

# A body is read before its request is refused, so that the client receives the response.
_MAX_DISCARDED_BYTES = 1024 * 1024
_Handler = Callable[[CiBackend, Request, Bucket], Awaitable[Response]]

# (method, first path segment, whether an id follows)
_ROUTES: dict[tuple[str, str, bool], _Handler] = {
    ("GET", "", False): responses.get_ci_status,
    ("PUT", "", False): responses.put_ci_status,
    ("POST", "asrbucket", False): responses.enable_bucket,
    ("DELETE", "asrbucket", False): responses.disable_bucket,
    ("GET", "asrqueue", False): responses.list_queues,
    ("GET", "queue", False): responses.list_queues,
    ("PUT", "asrqueue", True): responses.update_queue,
    ("PUT", "queue", True): responses.update_queue,
    ("POST", "asr_jobs", False): responses.submit_job,
    ("POST", "jobs", False): responses.submit_job,
    ("GET", "asr_jobs", False): responses.list_jobs,
    ("GET", "jobs", False): responses.list_jobs,
    ("GET", "asr_jobs", True): responses.describe_jobs,
    ("GET", "jobs", True): responses.describe_jobs,
    ("PUT", "jobs", True): responses.cancel_job,
    ("POST", "template", False): responses.put_template,
    ("PUT", "template", True): responses.put_template,
    ("GET", "template", False): responses.list_templates,
    ("DELETE", "template", True): responses.delete_template,
    ("POST", "asrhotvocabtable", False): responses.put_hot_words,
    ("PUT", "asrhotvocabtable", False): responses.put_hot_words,
    ("GET", "asrhotvocabtable", False): responses.list_hot_words,
    ("GET", "asrhotvocabtable", True): responses.get_hot_words,
    ("DELETE", "asrhotvocabtable", True): responses.delete_hot_words,
}


_OPERATIONS: dict[_Handler, Operation] = {
    responses.submit_job: "submit",
    responses.describe_jobs: "describe",
    responses.list_jobs: "list",
    responses.list_queues: "queues",
    responses.update_queue: "queues",
    responses.get_ci_status: "buckets",
    responses.put_ci_status: "buckets",
    responses.enable_bucket: "buckets",
    responses.disable_bucket: "buckets",
    responses.put_template: "templates",
    responses.list_templates: "templates",
    responses.delete_template: "templates",
    responses.put_hot_words: "hot_words",
    responses.list_hot_words: "hot_words",
    responses.get_hot_words: "hot_words",
    responses.delete_hot_words: "hot_words",
}


async def dispatch(ci: CiBackend, request: Request) -> Response:
    """Handle one authenticated request. Raises CiError, and CosError for a bucket that does not exist."""
    if request.target.service is ServiceName.CI:
        if request.method == "GET" and request.path in ("/asrbucket", "/ai_bucket"):
            refusal = ci.switches.find_refusal("buckets")
            if refusal is not None:
                return refusal.build_response(request)
            return await responses.list_buckets(ci, request)
        raise _unknown_call(request)
    _, first, *rest = request.path.split("/", 2)
    handler = _ROUTES.get((request.method, first, bool(rest and rest[0])))
    if handler is None:
        raise _unknown_call(request)
    refusal = ci.switches.find_refusal(_OPERATIONS.get(handler, "other"))
    if refusal is not None:
        await request.body(_MAX_DISCARDED_BYTES)
        return refusal.build_response(request)
    return await handler(ci, request, ci.cos.buckets.require(request.target.bucket, request.target.region))


def _unknown_call(request: Request) -> CiError:
    # How the real service answers an unknown path is unconfirmed.
    return CiError(400, "InvalidArgument", f"This stand-in has no call {request.method} {request.path}.")
