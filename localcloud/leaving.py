"""How an answer leaves: errors as the service writes them, its own headers, their names in its spelling."""

from __future__ import annotations

import logging
from email.utils import formatdate
from functools import lru_cache

from starlette.responses import Response

from localcloud.answers import XML_TYPE
from localcloud.asked import Asked, Problem
from localcloud.ci import exceptions as ci_errors
from localcloud.cos import exceptions as cos_errors
from localcloud.signature import Refused

_log = logging.getLogger("localcloud")
# The Python SDK hands headers on as a plain dict, so that callers (and it itself) ask for exactly these spellings.
_NAMES = {
    name.lower().encode(): name.encode()
    for name in (
        "Accept-Ranges",
        "Cache-Control",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Content-Length",
        "Content-Range",
        "Content-Type",
        "Date",
        "ETag",
        "Expires",
        "Last-Modified",
        "Server",
    )
}


def problem_of(asked: Asked, error: Exception) -> Problem:
    """What an error is to the client: a refusal with a code of the service, or an InternalError."""
    if isinstance(error, Refused):
        refusal = cos_errors.signature_error if asked.place.is_cos else ci_errors.signature_error
        return refusal(error.reason, str(error))
    if isinstance(error, Problem):
        return error
    _log.error("%s %s failed by a fault of the stand-in", asked.method, asked.raw_path, exc_info=error)
    return Problem(500, "InternalError", "The stand-in failed; its log says how.")


def error_answer(asked: Asked, problem: Problem) -> Response:
    """The error document of the service that was asked; a HEAD has none."""
    if asked.method == "HEAD":
        return Response(status_code=problem.status, media_type=XML_TYPE)
    if asked.place.is_cos:
        # Resource is what was asked for, never empty: the Python SDK throws the code away otherwise.
        body = cos_errors.error_body(problem, asked.host_name + asked.path, asked.request_id)
    else:
        body = ci_errors.error_body(problem, asked.request_id)
    return Response(body, problem.status, media_type=XML_TYPE)


@lru_cache(maxsize=8)
def _date(now_s: int) -> bytes:
    return formatdate(now_s, usegmt=True).encode()


def finish(asked: Asked, response: Response, now_s: float) -> None:
    """Put on the service's own headers (seeds: Date, Server, x-ci-request-id), and spell all names as it does."""
    own = {b"date": _date(int(now_s))}
    if asked.place.is_ci:
        own |= {b"server": b"tencent-ci", b"x-ci-request-id": asked.request_id.encode()}
    elif asked.place.is_cos:
        own |= {b"server": b"tencent-cos", b"x-cos-request-id": asked.request_id.encode()}
    given = [pair for pair in response.raw_headers if pair[0] not in own]
    response.raw_headers = [(_NAMES.get(name, name), value) for name, value in (*given, *own.items())]
