"""One signed request at a time to COS or CI: sent, repeated where that is safe, its failure told in our own words.

The connections are those of the process, with its TLS context, and outlive the invocation; the credentials and the
deadline do not.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

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
from shared.tencent.connections import (
    Answer,
    CannotBeSent,
    Connections,
    NoAnswer,
    NotSent,
    Outgoing,
    process_connections,
)
from shared.tencent.credentials import Credentials
from shared.tencent.signature import authorization
from shared.tencent.xml import error_fields

CONNECT_SECONDS = 3.0
READ_SECONDS = 20.0
ONCE_SECONDS = (
    23.0  # all that a request may take that must not be repeated: what waits for it knows when it is over
)
LEAST_SECONDS = 1.0  # with less than this left, a request would only be cut off in the middle
TRIES = 3
FIRST_PAUSE_SECONDS = 0.2
CLOCK_SLACK_SECONDS = 60  # the official client dates its window this far back, for a clock that runs ahead
VALID_SECONDS = 900

_THROTTLED = frozenset({"SlowDown", "RequestLimitExceeded", "TooManyRequests"})
_NOT_FOUND = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchUpload", "NoSuchResource", "QueueNotFound"})
_DENIED = frozenset({401, 403})
_SUCCESSES, _SERVER_ERRORS = range(200, 300), range(500, 600)
_MISSING, _TIMED_OUT, _TOO_MANY = 404, 408, 429
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


class Wire(NamedTuple):
    """Sends requests for one invocation.

    `endpoint` takes every request over plain HTTP to a loopback address, Host and path unchanged. `seconds_left`
    says how much of the function's own time limit remains. The rest can be handed in by tests.
    """

    credentials: Credentials
    endpoint: str = ""
    seconds_left: Callable[[], float] = lambda: 60.0
    connections: Callable[[], Connections] = process_connections
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
        try:
            answer = self.connections().exchange(self._signed(request, seconds))
        except CannotBeSent as error:
            raise Refused(about=request.about, code="CannotBeSent", message=str(error)) from None
        except NotSent as error:
            raise Busy(about=request.about, code="NoConnection", message=str(error)) from None
        except NoAnswer as error:
            raise OutcomeUnknown(about=request.about, code="NoAnswer", message=str(error)) from None
        if answer.status in _SUCCESSES:
            return answer
        raise _failure(request, answer)

    def _signed(self, request: Request, seconds: float) -> Outgoing:
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
        return Outgoing(
            request.method,
            self.endpoint or f"https://{request.host}",
            target_of(request.path, request.parameters),
            {**headers, "User-Agent": "scribe", "Accept-Encoding": "identity"},
            request.body,
            connect_s=CONNECT_SECONDS,
            silence_s=READ_SECONDS,
            whole_s=seconds if request.repeat is Repeat.ALWAYS else min(seconds, ONCE_SECONDS),
        )


def target_of(path: str, parameters: tuple[tuple[str, str], ...]) -> str:
    """The request target: path and query, percent-encoded once. `./` is spelt `.%2F`, as the official client does."""
    target = quote(path, safe="/-_.~").replace("./", ".%2F")
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in parameters)
    return f"{target}?{query}" if query else target


def _failure(request: Request, answer: Answer) -> CloudError:
    status, headers = answer.status, answer.headers
    code, message, request_id = error_fields(answer.body)
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
    if status == _TOO_MANY or code in _THROTTLED:
        return Busy
    if status in _SERVER_ERRORS:
        # An overloaded service may have done the work before it gave up.
        return OutcomeUnknown
    if code in _EXISTS:
        return AlreadyExists
    if code in _NOT_FOUND or status == _MISSING:
        return NotFound
    if status == _TIMED_OUT or code in {"OperationAborted", "RequestTimeout"}:
        return OutcomeUnknown if method == "POST" else Busy
    return Refused
