"""One running cloud: the services wired together behind one HTTP application."""

from __future__ import annotations

import logging
import os
import secrets
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from localcloud import signature
from localcloud.admin import admin_app
from localcloud.answers import XML_TYPE
from localcloud.asked import Asked, Problem, Undecodable
from localcloud.ci import errors as ci_errors
from localcloud.ci.notify import Notifier
from localcloud.ci.routes import answer as ci_answer
from localcloud.ci.service import Ci, CiOptions
from localcloud.cos import errors as cos_errors
from localcloud.cos.routes import answer as cos_answer
from localcloud.cos.service import Cos, Created
from localcloud.functions import NoFunctions, RunningFunctions, ServerlessFunctions
from localcloud.hosts import Service
from localcloud.keys import Key, Keys
from localcloud.speech.recogniser import make_recogniser
from localcloud.store import Store
from localcloud.traffic import Row, Traffic

_log = logging.getLogger("localcloud")
# The Python SDK hands headers on as a plain dict, so that callers (and it itself) ask for exactly these spellings.
_WIRE_NAMES = {
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
_CI = (Service.CI_BUCKET, Service.CI)
_COS = (Service.COS_BUCKET, Service.COS)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line chose; times in seconds, empty keys stand for generated ones."""

    data: Path
    region: str = "ap-guangzhou"
    appid: str = "1250000000"
    secret_id: str = ""
    secret_key: str = ""
    speech: str = "pocketsphinx"
    functions: Path | None = None
    timers: bool = False
    versioned: tuple[str, ...] = ()
    retry_delay_s: float = 1.0
    ci: CiOptions = field(default_factory=CiOptions)


class Cloud:
    """The ASGI application and everything behind it."""

    def __init__(self, options: Options, endpoint: str) -> None:
        """Raises scf.DeploymentError, which lists every mistake of serverless.yml."""
        self.options = options
        self.store = Store(options.data)
        self.traffic = Traffic()
        self.keys = Keys(
            Key(
                options.secret_id or self.store.setting("secret_id", lambda: "AKID" + secrets.token_hex(16)),
                options.secret_key or self.store.setting("secret_key", lambda: secrets.token_hex(16)),
            )
        )
        self.functions: RunningFunctions = NoFunctions()
        if options.functions is not None:
            self.functions = ServerlessFunctions(
                options.functions,
                environ=os.environ,
                endpoint=endpoint,
                region=options.region,
                appid=options.appid,
                state_folder=self.store.folder / "functions",
                keys=self.keys,
                traffic=self.traffic,
                retry_delay_s=options.retry_delay_s,
                timers=options.timers,
            )
        self.cos = Cos(self.store, options.appid, self._created)
        notifier = Notifier(
            self.store,
            owns_host=self.functions.owns_host,
            call_function=self.functions.notify,
            retry_delay_s=options.retry_delay_s,
        )
        self.ci = Ci(self.store, self.cos, make_recogniser(options.speech), notifier, options.ci)
        self._admin = admin_app(self)
        self._make_versioned(options)

    def _make_versioned(self, options: Options) -> None:
        for given in options.versioned:
            name = given if given.endswith(f"-{options.appid}") else f"{given}-{options.appid}"
            bucket = self.cos.buckets.get(name) or self.cos.buckets.create(name, options.region)
            self.cos.buckets.set_versioning(bucket, "Enabled")

    async def _created(self, created: Created) -> None:
        await self.functions.object_created(created)

    async def start(self) -> None:
        """Take up the work."""
        await self.functions.start()
        await self.ci.start()

    async def close(self) -> None:
        """Stop everything; what is open stays in the data folder."""
        await self.functions.close()
        await self.ci.close()
        self.store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            asked = Asked.read(scope, receive)
        except Undecodable as error:
            refusal = cos_errors.CosProblem(400, "InvalidURI", f"The URL is not UTF-8: {error}")
            await Response(cos_errors.error_body(refusal, "/", "none"), 400, media_type=XML_TYPE)(
                scope, receive, send
            )
            return
        if asked.place.service is Service.OWN:
            await self._admin({**scope, "path": asked.path}, receive, send)
            return
        number, began_s = self.traffic.next_number(), time.time()
        signer: Key | None = None
        code = ""
        problem: Problem
        try:
            if asked.place.service is Service.ELSEWHERE:
                response = await self.functions.answer(asked)
            else:
                signer = signature.verify(asked.signed(), self.keys, began_s)
                response = await (
                    cos_answer(self.cos, asked) if _is_cos(asked) else ci_answer(self.ci, asked)
                )
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - a fault of the stand-in is answered like one of the service
            problem = _problem(asked, error)
            code, response = problem.code, _error_answer(asked, problem)
        _sign_answer(asked, response)
        response.raw_headers = [(_WIRE_NAMES.get(name, name), value) for name, value in response.raw_headers]
        self.traffic.add(_row(asked, number, began_s, response.status_code, code, signer))
        await response(scope, receive, send)


def _is_cos(asked: Asked) -> bool:
    return asked.place.service in _COS


def _problem(asked: Asked, error: Exception) -> Problem:
    if isinstance(error, signature.Refused):
        refusal = cos_errors.refusal if _is_cos(asked) else ci_errors.refusal
        return refusal(error.reason, str(error))
    if isinstance(error, Problem):
        return error
    _log.error("%s %s failed by a fault of the stand-in", asked.method, asked.raw_path, exc_info=error)
    return Problem(500, "InternalError", "The stand-in failed; its log says how.")


def _error_answer(asked: Asked, problem: Problem) -> Response:
    if asked.method == "HEAD":
        return Response(status_code=problem.status, media_type=XML_TYPE)
    if _is_cos(asked):
        # Resource is what was asked for, never empty: the Python SDK throws the code away otherwise.
        body = cos_errors.error_body(problem, asked.host_name + asked.path, asked.request_id)
    else:
        body = ci_errors.error_body(problem, asked.request_id)
    return Response(body, problem.status, media_type=XML_TYPE)


def _sign_answer(asked: Asked, response: Response) -> None:
    """The service's own headers (seeds: Date, Server, x-ci-request-id)."""
    response.headers["date"] = formatdate(usegmt=True)
    if asked.place.service in _CI:
        response.headers["server"] = "tencent-ci"
        response.headers["x-ci-request-id"] = asked.request_id
    elif _is_cos(asked):
        response.headers["server"] = "tencent-cos"
        response.headers["x-cos-request-id"] = asked.request_id


def _row(asked: Asked, number: int, began_s: float, status: int, code: str, signer: Key | None) -> Row:
    return Row(
        number=number,
        time_s=began_s,
        method=asked.method,
        host=asked.host_name,
        path=asked.path,
        query=asked.raw_query,
        status=status,
        code=code,
        secret_id=signer.secret_id if signer else "",
        function=signer.function if signer else "",
        request_id=signer.request_id if signer else "",
        body_bytes=asked.body_bytes,
    )
