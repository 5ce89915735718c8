"""Injects faults into requests that are signed with a temporary credential: errors, cuts, delays, headers, kills.

Requests with the operator's permanent credential are never affected, nor are requests with an invalid signature.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.responses import Response

from localcloud.auth.credentials import Credential
from localcloud.faults.decisions import FaultDecisions
from localcloud.http.errors import ServiceError
from localcloud.http.request import Request
from localcloud.http.response import DrippingResponse, close_response

# A body is read before its request is rejected, so that the client receives the response.
_MAX_DISCARDED_BYTES = 1024 * 1024
_MAX_COUNTED = 100_000
_JOB_ID = re.compile(r"s[0-9a-f]{32}")
_Errors = tuple[tuple[int, str, str], ...]
_SLOW_DOWN, _BUSY = "Reduce your request rate.", "Please try again later."
# COS error codes 436/7730 (SlowDown is a 503 there); CI's status for its own SlowDown is unconfirmed, so both occur.
_THROTTLED: _Errors = ((503, "SlowDown", _SLOW_DOWN), (429, "SlowDown", _SLOW_DOWN))
_SERVER_ERRORS: _Errors = ((500, "InternalError", _BUSY), (503, "ServiceUnavailable", _BUSY))


class ConnectionAborted(Exception):
    """The connection is to be closed without a response."""


class InstanceKiller:
    """Kills instances of functions at a request: at the one of the plan's kill rule, or by the plan's rates.

    Counts the requests of each invocation, which is identified by its credential.
    """

    def __init__(self, injector: FaultDecisions, kill: Callable[[Credential], bool]) -> None:
        """`kill` kills the instance that holds a credential, and returns whether there was one."""
        self._injector = injector
        self._kill = kill
        self._requests: Counter[str] = Counter()
        self._killed = 0

    def reset(self) -> None:
        """Reset the counters, for a new plan."""
        self._requests.clear()
        self._killed = 0

    def count_request(self, credential: Credential) -> int:
        """Count a request; returns its number in its invocation, or 0 if the kill rule is for another function."""
        rule = self._injector.plan.kill
        if rule is None or rule.function != credential.function:
            return 0
        self._requests[credential.secret_id] += 1
        if len(self._requests) > _MAX_COUNTED:
            self._requests.pop(next(iter(self._requests)))
        return self._requests[credential.secret_id]

    def maybe_kill(self, when: str, credential: Credential, number: int, event_id: str) -> bool:
        """Kill the sender `before` or `after` the effect of a request, if the plan says so; whether it was killed.

        `number` is the result of `count_request`.
        """
        rule, kind = self._injector.plan.kill, f"killed_{when}_request"
        if rule is not None and (rule.when, rule.request) == (when, number) and self._killed < rule.times:
            if not self._kill(credential):
                return False
            self._killed += 1
            self._injector.injected[kind] += 1
            return True
        return (
            bool(credential.function)
            and self._injector.should_inject(kind, event_id)
            and self._kill(credential)
        )


class RequestFaults:
    """Handles requests and injects faults before and after them."""

    def __init__(
        self, injector: FaultDecisions, killer: InstanceKiller, get_job_label: Callable[[str], str]
    ) -> None:
        """`get_job_label` returns a label for a job id, because the id differs in every run."""
        self._injector = injector
        self._killer = killer
        self._get_job_label = get_job_label

    async def wrap(self, request: Request, handler: Callable[[Request], Awaitable[Response]]) -> Response:
        """Handle a request. Raises ConnectionAborted, and ServiceError for an injected error."""
        if not self._injector.plan.can_inject or request.signer is None or not request.signer.token:
            return await handler(request)
        number = self._killer.count_request(request.signer)
        event_id = await self._get_event_id(request)
        await self._before(request, number, event_id)
        try:
            response = await handler(request)
        except ServiceError:
            await self._after(request, number, event_id)
            raise
        try:
            await self._after(request, number, event_id)
        except BaseException:
            close_response(response)
            raise
        return self._change_response(request, response, event_id)

    def _change_response(self, request: Request, response: Response, event_id: str) -> Response:
        if (
            request.method == "HEAD"
            and request.target.is_cos
            and request.key
            and response.status_code == HTTPStatus.OK
        ):
            self._change_head(request, response, event_id)
        if self._injector.should_inject("drip", event_id):
            request.fault = "drip"
            return DrippingResponse(response)
        return response

    def _change_head(self, request: Request, response: Response, event_id: str) -> None:
        """Change the headers of an object in ways that HTTP allows and COS is not known for."""
        headers = response.headers
        etag = headers.get("etag", "")
        for kind, name, value in (
            ("head_without_etag", "etag", ""),
            ("head_weak_etag", "etag", f"W/{etag}"),
            ("head_upper_etag", "etag", etag.upper()),
            ("head_without_last_modified", "last-modified", ""),
        ):
            if name in headers and self._injector.should_inject(kind, event_id):
                request.fault = kind
                if value:
                    headers[name] = value
                else:
                    del headers[name]

    async def _before(self, request: Request, number: int, event_id: str) -> None:
        assert request.signer is not None
        if self._killer.maybe_kill("before", request.signer, number, event_id):
            _abort(request, "killed_before_request")
        if self._injector.should_inject("cut_before", event_id):
            _abort(request, "cut_before")
        for kind, errors in (("throttled", _THROTTLED), ("server_error_before", _SERVER_ERRORS)):
            if self._injector.should_inject(kind, event_id):
                await request.body(_MAX_DISCARDED_BYTES)
                request.fault = kind
                raise ServiceError(*errors[self._injector.choose(kind, event_id, len(errors))])

    async def _after(self, request: Request, number: int, event_id: str) -> None:
        assert request.signer is not None
        if self._killer.maybe_kill("after", request.signer, number, event_id):
            _abort(request, "killed_after_request")
        if self._injector.should_inject("slow_answer", event_id):
            request.fault = "slow_answer"
            await asyncio.sleep(self._injector.delay_s("slow_answer", event_id))
        if self._injector.should_inject("cut_after", event_id):
            _abort(request, "cut_after")
        if self._injector.should_inject("server_error_after", event_id):
            request.fault = "server_error_after"
            raise ServiceError(*_SERVER_ERRORS[0])

    async def _get_event_id(self, request: Request) -> str:
        """Name a request with a text that is the same in every run: without job ids, times and tokens."""
        path = _JOB_ID.sub(lambda match: self._get_job_label(match.group()), request.path)
        digest = ""
        if request.target.is_ci and request.method == "POST":
            digest = hashlib.sha256(await request.peek_body(_MAX_DISCARDED_BYTES)).hexdigest()
        return self._injector.event_id(f"{request.method} {request.host_name} {path} {digest}")


def is_from_function(request: Request) -> bool:
    """Whether a request is signed with a temporary credential, as those of functions are."""
    return request.signer is not None and bool(request.signer.token)


def _abort(request: Request, kind: str) -> None:
    request.fault = kind
    raise ConnectionAborted(kind)
