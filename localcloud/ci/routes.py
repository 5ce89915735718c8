"""Which CI call a request is: its method, its first path segment, and whether something follows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from localcloud.ci import job_calls, queue_calls, vocabulary_calls
from localcloud.ci.errors import CiProblem
from localcloud.ci.service import Ci
from localcloud.cos.buckets import Bucket
from localcloud.http.hosts import ServiceName
from localcloud.http.request import Request

_Call = Callable[[Ci, Request, Bucket], Awaitable[Response]]

_CALLS: dict[tuple[str, str, bool], _Call] = {
    ("POST", "asrbucket", False): queue_calls.open_bucket,
    ("DELETE", "asrbucket", False): queue_calls.close_bucket,
    ("GET", "asrqueue", False): queue_calls.list_queues,
    ("GET", "queue", False): queue_calls.list_queues,
    ("PUT", "asrqueue", True): queue_calls.update_queue,
    ("PUT", "queue", True): queue_calls.update_queue,
    ("POST", "asr_jobs", False): job_calls.submit,
    ("POST", "jobs", False): job_calls.submit,
    ("GET", "asr_jobs", False): job_calls.list_jobs,
    ("GET", "jobs", False): job_calls.list_jobs,
    ("GET", "asr_jobs", True): job_calls.look,
    ("GET", "jobs", True): job_calls.look,
    ("PUT", "jobs", True): job_calls.cancel,
    ("POST", "template", False): vocabulary_calls.put_template,
    ("PUT", "template", True): vocabulary_calls.put_template,
    ("GET", "template", False): vocabulary_calls.list_templates,
    ("DELETE", "template", True): vocabulary_calls.delete_template,
    ("POST", "asrhotvocabtable", False): vocabulary_calls.put_hot_words,
    ("PUT", "asrhotvocabtable", False): vocabulary_calls.put_hot_words,
    ("GET", "asrhotvocabtable", False): vocabulary_calls.list_hot_words,
    ("GET", "asrhotvocabtable", True): vocabulary_calls.get_hot_words,
    ("DELETE", "asrhotvocabtable", True): vocabulary_calls.delete_hot_words,
}


async def answer(ci: Ci, asked: Request) -> Response:
    """Carry out one authenticated request. Raises CiProblem, and CosProblem for a bucket that is not there."""
    if asked.target.service is ServiceName.CI:
        if asked.method == "GET" and asked.path in ("/asrbucket", "/ai_bucket"):
            return await queue_calls.list_buckets(ci, asked)
        raise _unknown(asked)
    _, first, *rest = asked.path.split("/", 2)
    call = _CALLS.get((asked.method, first, bool(rest and rest[0])))
    if call is None:
        raise _unknown(asked)
    return await call(ci, asked, ci.cos.buckets.named(asked.target.bucket, asked.target.region))


def _unknown(asked: Request) -> CiProblem:
    # What the real service says to a path it does not know is unconfirmed.
    return CiProblem(400, "InvalidArgument", f"{asked.method} {asked.path} is no call of this stand-in.")
