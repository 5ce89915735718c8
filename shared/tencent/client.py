"""Sends signed requests to COS and CI, retries idempotent ones and maps failures to `shared/errors.py`.

Connections belong to the process and outlive the invocation; credentials and the deadline do not.
"""

from __future__ import annotations

import random as random_module
import time
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

from shared.errors import (
    AlreadyExists,
    CloudError,
    DeadlineExceeded,
    NotFound,
    OutcomeUnknown,
    QueueFull,
    RequestRejected,
    Throttled,
)
from shared.tencent.auth import Credentials, sign_request
from shared.tencent.connections import (
    Answer,
    CannotBeSent,
    Connections,
    NoAnswer,
    NotSent,
    Outgoing,
    process_connections,
)
from shared.tencent.xml import parse_error

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 20.0
NON_IDEMPOTENT_TIMEOUT_S = (
    23.0  # a submit ends before another attempt may start (shared/recordings/ingest.py)
)
MIN_REMAINING_S = 1.0  # with less time left, a request would only be cut off
MAX_ATTEMPTS = 3
BACKOFF_BASE_S = 0.2
CLOCK_SKEW_S = 60  # the official client starts the signature's validity this much earlier
SIGNATURE_TTL_S = 900

_THROTTLED_CODES = frozenset({"SlowDown", "RequestLimitExceeded", "TooManyRequests"})
_NOT_FOUND_CODES = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchUpload", "NoSuchResource", "QueueNotFound"})
_DENIED_STATUSES = frozenset({401, 403})
_SUCCESS_STATUSES, _SERVER_ERROR_STATUSES = range(200, 300), range(500, 600)
_STATUS_NOT_FOUND, _STATUS_TIMEOUT, _STATUS_TOO_MANY = 404, 408, 429
_EXISTS_CODES = frozenset({"FileAlreadyExists", "BucketAlreadyExists", "BucketAlreadyOwnedByYou"})


class RetryPolicy(Enum):
    """Whether a request may be sent again within one call."""

    IDEMPOTENT = "idempotent"
    NON_IDEMPOTENT = "non-idempotent"  # a second request would cost money or report a wrong result


class Request(NamedTuple):
    """A request before it is signed. `path` is decoded and starts with `/`; a parameter without a value has ""."""

    method: str
    host: str
    path: str
    resource: str  # for errors and logs: bucket/key, a job, a queue
    parameters: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b""
    retry: RetryPolicy = RetryPolicy.IDEMPOTENT
    action: str = ""  # the CAM action, such as cos:GetObject, which the error response does not name


class TencentClient:
    """Sends the requests of one invocation.

    `endpoint` receives every request over plain HTTP on a loopback address, Host and path unchanged. `remaining_s`
    returns what is left of the function's time limit. Tests can replace the other fields.
    """

    def __init__(
        self,
        credentials: Credentials,
        endpoint: str = "",
        remaining_s: Callable[[], float] = lambda: 60.0,
        *,
        connections: Callable[[], Connections] = process_connections,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self.credentials = credentials
        self.endpoint = endpoint
        self.remaining_s = remaining_s
        self.connections = connections
        self.now = now
        self.sleep = sleep
        self.random = random

    def send(self, request: Request) -> Answer:
        """Return a 2xx response. Raises DeadlineExceeded or a CloudError."""
        max_attempts = MAX_ATTEMPTS if request.retry is RetryPolicy.IDEMPOTENT else 1
        for attempt in range(1, max_attempts + 1):
            try:
                return self._send_once(request)
            except AlreadyExists as error:
                error.possibly_own_write = attempt > 1
                raise
            except (Throttled, OutcomeUnknown):
                pause_s = self._backoff_s(attempt)
                if attempt == max_attempts or self.remaining_s() < pause_s + MIN_REMAINING_S:
                    raise  # the reason of the failure says more than the lack of time
                self.sleep(pause_s)
        raise AssertionError("unreachable")  # the last attempt returns or raises

    def _backoff_s(self, attempt: int) -> float:
        """Return seconds with jitter, so that functions throttled together do not retry together."""
        max_pause_s = BACKOFF_BASE_S * 2.0 ** (attempt + 1)
        return max_pause_s * (0.5 + self.random() / 2)

    def _send_once(self, request: Request) -> Answer:
        seconds = self.remaining_s()
        if seconds < MIN_REMAINING_S:
            raise DeadlineExceeded(
                f"{request.resource}: only {max(seconds, 0):.1f} s of the function's time are left"
            )
        try:
            answer = self.connections().exchange(self._signed(request, seconds))
        except CannotBeSent as error:
            raise RequestRejected(
                resource=request.resource, code="CannotBeSent", message=str(error)
            ) from None
        except NotSent as error:
            raise Throttled(resource=request.resource, code="NoConnection", message=str(error)) from None
        except NoAnswer as error:
            raise OutcomeUnknown(resource=request.resource, code="NoAnswer", message=str(error)) from None
        if answer.status in _SUCCESS_STATUSES:
            return answer
        raise _build_error(request, answer)

    def _signed(self, request: Request, seconds: float) -> Outgoing:
        headers = {"Host": request.host, **request.headers}
        if request.method in {"PUT", "POST"}:
            headers["Content-Length"] = str(len(request.body))
        if self.credentials.token:
            headers["x-cos-security-token"] = self.credentials.token
            if ".ci." in request.host or request.host.startswith("ci."):
                # Official clients disagree on the header's name for CI; one sends both, like Scribe.
                headers["x-ci-security-token"] = self.credentials.token
        starts_s = int(self.now()) - CLOCK_SKEW_S
        headers["Authorization"] = sign_request(
            request.method,
            request.path,
            request.parameters,
            headers,
            secret_id=self.credentials.secret_id,
            secret_key=self.credentials.secret_key,
            starts_s=starts_s,
            ends_s=starts_s + CLOCK_SKEW_S + SIGNATURE_TTL_S,
        )
        return Outgoing(
            request.method,
            self.endpoint or f"https://{request.host}",
            build_request_target(request.path, request.parameters),
            {**headers, "User-Agent": "scribe", "Accept-Encoding": "identity"},
            request.body,
            connect_s=CONNECT_TIMEOUT_S,
            silence_s=READ_TIMEOUT_S,
            whole_s=seconds
            if request.retry is RetryPolicy.IDEMPOTENT
            else min(seconds, NON_IDEMPOTENT_TIMEOUT_S),
        )


def build_request_target(path: str, parameters: tuple[tuple[str, str], ...]) -> str:
    """Return path and query, percent-encoded once. `./` becomes `.%2F`, as in the official client."""
    target = quote(path, safe="/-_.~").replace("./", ".%2F")
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in parameters)
    return f"{target}?{query}" if query else target


def _build_error(request: Request, answer: Answer) -> CloudError:
    status, headers = answer.status, answer.headers
    code, message, request_id = parse_error(answer.body)
    request_id = request_id or headers.get("x-ci-request-id") or headers.get("x-cos-request-id") or ""
    if (
        request.action and status in _DENIED_STATUSES and code in {"AccessDenied", ""}
    ):  # "": the answer to a HEAD
        message = (
            f"{message} This needs {request.action}; `scribe doctor` compares roles with needs.".lstrip()
        )
    error_class = _error_class(request.method, status, code)
    return error_class(
        resource=request.resource, status=status, code=code, message=message, request_id=request_id
    )


def _error_class(method: str, status: int, code: str) -> type[CloudError]:
    if "QueueFull" in code:
        # A queue at MaxSize: the exact code is not published, so any code with this name counts.
        return QueueFull
    if status == _STATUS_TOO_MANY or code in _THROTTLED_CODES:
        return Throttled
    if status in _SERVER_ERROR_STATUSES:
        # An overloaded service may have executed the request.
        return OutcomeUnknown
    if code in _EXISTS_CODES:
        return AlreadyExists
    if code in _NOT_FOUND_CODES or status == _STATUS_NOT_FOUND:
        return NotFound
    if status == _STATUS_TIMEOUT or code in {"OperationAborted", "RequestTimeout"}:
        return OutcomeUnknown if method == "POST" else Throttled
    return RequestRejected
