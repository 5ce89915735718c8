"""One signed request at a time to COS or CI: sent, repeated where that is safe, its failure told in our own words.

The HTTP transport is one per process and made at the first request, with its TLS context: both outlive the
invocation, the credentials and the deadline do not. It is httpx's transport without its client around it: cookies,
redirects, proxies and authentication, none of which COS or CI has, are a tenth of a request's cost.
"""

from __future__ import annotations

import functools
import random
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

import httpx

from shared.errors import (
    AlreadyExists,
    Busy,
    CloudError,
    NotFound,
    OutcomeUnknown,
    OutOfTime,
    QueueFull,
    Refused,
)
from shared.tencent.credentials import Credentials
from shared.tencent.signature import authorization
from shared.tencent.xml import error_fields

CONNECT_SECONDS = 3.0
READ_SECONDS = 20.0
LEAST_SECONDS = 1.0  # with less than this left, a request would only be cut off in the middle
TRIES = 3
FIRST_PAUSE_SECONDS = 0.2
CLOCK_SLACK_SECONDS = 60  # the official client dates its window this far back, for a clock that runs ahead
VALID_SECONDS = 900

_THROTTLED = frozenset({"SlowDown", "RequestLimitExceeded", "TooManyRequests"})
_NOT_FOUND = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchUpload", "NoSuchResource", "QueueNotFound"})
_DENIED = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN})
_LIMITS = httpx.Limits(max_connections=16, max_keepalive_connections=16)
_EXISTS = frozenset({"FileAlreadyExists", "BucketAlreadyExists", "BucketAlreadyOwnedByYou"})


class Repeat(Enum):
    """When a request may be sent again within one call."""

    ALWAYS = "doing it twice changes nothing"
    NEVER = "doing it twice costs money or tells a lie"


class Request(NamedTuple):
    """A request before it is signed. `path` is decoded and starts with `/`; a parameter without a value has ""."""

    method: str
    host: str
    path: str
    about: str  # for errors and logs: bucket/key, a job, a queue
    parameters: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b""
    repeat: Repeat = Repeat.ALWAYS
    action: str = ""  # what CAM calls it, such as cos:GetObject: the service's refusal does not say it


class Answer(NamedTuple):
    """A 2xx answer. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@functools.cache
def process_transport() -> httpx.BaseTransport:
    """The one of this process. It trusts the authorities that come with httpx: SCF's own Python may know none."""
    return httpx.HTTPTransport(trust_env=False, limits=_LIMITS)


@functools.cache
def loopback_transport() -> httpx.BaseTransport:
    """The same for CLOUD_ENDPOINT, which never speaks TLS: it trusts nobody, and so has no authorities to read."""
    return httpx.HTTPTransport(
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False, limits=_LIMITS
    )


class Wire(NamedTuple):
    """Sends requests for one invocation.

    `endpoint` takes every request over plain HTTP to a loopback address, Host and path unchanged. `seconds_left`
    says how much of the function's own time limit remains. The rest can be handed in by tests.
    """

    credentials: Credentials
    endpoint: str = ""
    seconds_left: Callable[[], float] = lambda: 60.0
    transport: Callable[[], httpx.BaseTransport] = process_transport
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def send(self, request: Request) -> Answer:
        """The answer, if it is 2xx. Raises OutOfTime, or the CloudError that fits."""
        tries = TRIES if request.repeat is Repeat.ALWAYS else 1
        for attempt in range(1, tries + 1):
            try:
                return self._send_once(request)
            except AlreadyExists as error:
                error.maybe_own = attempt > 1
                raise
            except (Busy, OutcomeUnknown):
                pause = self._pause(attempt)
                if attempt == tries or self.seconds_left() < pause + LEAST_SECONDS:
                    raise  # why it failed is worth more than that there is no time for another try
                self.sleep(pause)
        raise AssertionError("unreachable")  # the last try returns or raises

    def _pause(self, attempt: int) -> float:
        """Seconds, with jitter: many functions that were throttled together must not come back together."""
        longest = FIRST_PAUSE_SECONDS * 2.0 ** (attempt + 1)
        return longest * (0.5 + self.chance() / 2)

    def _send_once(self, request: Request) -> Answer:
        seconds = self.seconds_left()
        if seconds < LEAST_SECONDS:
            raise OutOfTime(f"{request.about}: only {max(seconds, 0):.1f} s of the function's time are left")
        prepared = self._prepare(request)
        timeout = httpx.Timeout(min(READ_SECONDS, seconds), connect=min(CONNECT_SECONDS, seconds))
        prepared.extensions["timeout"] = timeout.as_dict()
        try:
            with closing(self.transport().handle_request(prepared)) as answer:
                answer.read()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            # Nothing was sent, so nothing was done.
            raise Busy(about=request.about, code="NoConnection", message=_reason(error)) from None
        except httpx.HTTPError as error:
            raise OutcomeUnknown(about=request.about, code="NoAnswer", message=_reason(error)) from None
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if answer.is_success:
            return Answer(answer.status_code, headers, answer.content)
        raise _failure(request, answer.status_code, headers, answer.content)

    def _prepare(self, request: Request) -> httpx.Request:
        headers = {"Host": request.host, **request.headers}
        if request.method in {"PUT", "POST"}:
            headers["Content-Length"] = str(len(request.body))
        if self.credentials.token:
            headers["x-cos-security-token"] = self.credentials.token
            if ".ci." in request.host or request.host.startswith("ci."):
                # Official clients disagree on the name for CI; one sends both, and so do we.
                headers["x-ci-security-token"] = self.credentials.token
        starts_s = int(self.now()) - CLOCK_SLACK_SECONDS
        headers["Authorization"] = authorization(
            request.method,
            request.path,
            request.parameters,
            headers,
            secret_id=self.credentials.secret_id,
            secret_key=self.credentials.secret_key,
            starts_s=starts_s,
            ends_s=starts_s + CLOCK_SLACK_SECONDS + VALID_SECONDS,
        )
        target = target_of(request.path, request.parameters)
        base = self.endpoint or f"https://{request.host}"
        return httpx.Request(
            request.method,
            base + target,
            headers={**headers, "User-Agent": "scribe", "Accept-Encoding": "identity"},
            content=request.body,
            # The key as it is: httpx would fold away `..` and `.` in the path.
            extensions={"target": target.encode("ascii")},
        )


def target_of(path: str, parameters: tuple[tuple[str, str], ...]) -> str:
    """The request target: path and query, percent-encoded once. `./` is spelt `.%2F`, as the official client does."""
    target = quote(path, safe="/-_.~").replace("./", ".%2F")
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in parameters)
    return f"{target}?{query}" if query else target


def _failure(request: Request, status: int, headers: Mapping[str, str], body: bytes) -> CloudError:
    code, message, request_id = error_fields(body)
    request_id = request_id or headers.get("x-ci-request-id") or headers.get("x-cos-request-id") or ""
    if request.action and status in _DENIED and code in {"AccessDenied", ""}:  # "": the answer to a HEAD
        message = (
            f"{message} This needs {request.action}; `scribe doctor` compares roles with needs.".lstrip()
        )
    kind = _kind(request.method, status, code)
    return kind(about=request.about, status=status, code=code, message=message, request_id=request_id)


def _kind(method: str, status: int, code: str) -> type[CloudError]:
    if "QueueFull" in code:
        # Queue at MaxSize: the code's name is not published, so any that says so counts.
        return QueueFull
    if status == httpx.codes.TOO_MANY_REQUESTS or code in _THROTTLED:
        return Busy
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        # An overloaded service may have done the work before it gave up.
        return OutcomeUnknown
    if code in _EXISTS:
        return AlreadyExists
    if code in _NOT_FOUND or status == httpx.codes.NOT_FOUND:
        return NotFound
    if code in {"OperationAborted", "RequestTimeout"}:
        return OutcomeUnknown if method == "POST" else Busy
    return Refused


def _reason(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
