"""Sends signed requests to COS and CI, retries idempotent ones and maps failures to `shared/errors.py`.

Connections belong to the process and outlive the invocation; credentials and the deadline do not.
"""

from __future__ import annotations

import random as random_module
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple, TypeVar
from urllib.parse import quote

import httpx

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
from shared.messages import message
from shared.tencent.auth import Credentials, sign_request
from shared.tencent.clock import PROCESS_CLOCK, ServerClock
from shared.tencent.hosts import INVALID_ADDRESS, is_host
from shared.tencent.transport import (
    INVALID_ORIGIN,
    INVALID_REQUEST,
    INVALID_RESPONSE,
    TotalTimeout,
    build_request,
    get_process_client,
    iterate_body,
)
from shared.tencent.xml import XmlError, parse_error

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 20.0  # of silence
MAX_RESPONSE_S = 20.0  # for one try of an idempotent request, from its first byte to the last of the response
NON_IDEMPOTENT_TIMEOUT_S = (
    23.0  # a submit ends before another attempt may start (shared/recordings/submit.py)
)
MIN_REMAINING_S = 1.0  # with less time left, a request would only be cut off
MAX_ATTEMPTS = 3
BACKOFF_BASE_S = 0.2
CLOCK_SKEW_S = 300  # a signature is valid from this much earlier on: the first request corrects the clock
SIGNATURE_TTL_S = 900
MAX_BODY_BYTES = (
    16 * 1024 * 1024
)  # of a response that is kept; what is parsed while it is received may be longer
# Scribe's own codes: for a response that is not XML, for one that is too long, and for a request that cannot be sent.
UNREADABLE_RESPONSE, TOO_LARGE, CANNOT_BE_SENT = "UnreadableAnswer", "TooLarge", "CannotBeSent"
MIN_SECRET_LENGTH = 8  # of a credential that is removed from messages

_THROTTLED_CODES = frozenset({"SlowDown", "RequestLimitExceeded", "TooManyRequests"})
_NOT_FOUND_CODES = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchUpload", "NoSuchResource", "QueueNotFound"})
_DENIED_STATUSES = frozenset({401, 403})
_SUCCESS_STATUSES, _SERVER_ERROR_STATUSES = range(200, 300), range(500, 600)
_SIGNATURE = re.compile(r"q-signature=[0-9A-Za-z]+")
_MAX_ERROR_BYTES = 65_536  # of the body of an error response
_SAME_RESPONSE_AGAIN = frozenset({UNREADABLE_RESPONSE, TOO_LARGE})
_STATUS_NOT_FOUND, _STATUS_TIMEOUT, _STATUS_TOO_MANY = 404, 408, 429
_EXISTS_CODES = frozenset({"FileAlreadyExists", "BucketAlreadyExists", "BucketAlreadyOwnedByYou"})

_T = TypeVar("_T")


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
    timeout_s: float = MAX_RESPONSE_S  # for one try; NON_IDEMPOTENT_TIMEOUT_S if it is not idempotent
    max_bytes: int = MAX_BODY_BYTES  # of the response; more is not read
    action: str = ""  # the CAM action, such as cos:GetObject, which the error response does not name


class HttpResponse(NamedTuple):
    """A response, read to its end. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TencentClient:
    """Sends the requests of one invocation.

    `endpoint` receives every request over plain HTTP on a loopback address, Host and path unchanged. `remaining_s`
    returns what is left of the function's time limit. `machine_now` returns Unix seconds by this machine's clock, which
    `clock` corrects. `hidden` are secrets that requests hold beside the credentials. Tests can replace the others.
    """

    def __init__(
        self,
        credentials: Credentials,
        endpoint: str = "",
        remaining_s: Callable[[], float] = lambda: 60.0,
        *,
        http_client: Callable[[], httpx.Client] = get_process_client,
        machine_now: Callable[[], float] = time.time,
        clock: ServerClock = PROCESS_CLOCK,
        hidden: tuple[str, ...] = (),
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self.credentials = credentials
        self.endpoint = endpoint
        self.remaining_s = remaining_s
        self.http_client = http_client
        self.machine_now = machine_now
        self.clock = clock
        self.hidden = hidden
        self.sleep = sleep
        self.random = random

    def now(self) -> float:
        """Return Unix seconds by the clock of COS and CI, as far as their responses have shown it."""
        return self.machine_now() + self.clock.offset_s

    def send(self, request: Request) -> HttpResponse:
        """Return a 2xx response. Raises DeadlineExceeded or a CloudError.

        A response of more than `request.max_bytes` is an error with the code TOO_LARGE: RequestRejected, unless the
        request may have changed something.
        """

        def read(head: HttpResponse, pieces: Iterator[bytes]) -> HttpResponse:
            return head._replace(body=b"".join(pieces))

        return self._send(request, read)

    def stream(self, request: Request, parse: Callable[[Iterator[bytes]], _T]) -> _T:
        """Return what `parse` makes of the body of a 2xx response, which it receives in pieces.

        Raises DeadlineExceeded or a CloudError: OutcomeUnknown with the code UNREADABLE_RESPONSE if `parse` raises
        XmlError. `parse` is called again when the request is sent again, because a response may break off.
        """

        def read(head: HttpResponse, pieces: Iterator[bytes]) -> _T:
            try:
                return parse(pieces)
            except XmlError as error:
                raise OutcomeUnknown(
                    resource=request.resource,
                    status=head.status,
                    code=UNREADABLE_RESPONSE,
                    message=str(error),
                    request_id=_get_request_id(head.headers),
                ) from None

        return self._send(request, read)

    def _send(self, request: Request, read: Callable[[HttpResponse, Iterator[bytes]], _T]) -> _T:
        max_attempts = MAX_ATTEMPTS if request.retry is RetryPolicy.IDEMPOTENT else 1
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._send_once(request, read)
            except AlreadyExists as error:
                error.possibly_own_write = attempt > 1
                raise
            except TotalTimeout as error:  # another try would take as long, and hold up everything else
                raise OutcomeUnknown(resource=request.resource, code="NoAnswer", message=str(error)) from None
            except (Throttled, OutcomeUnknown) as error:
                pause_s = self._backoff_s(attempt)
                if attempt == max_attempts or self.remaining_s() < pause_s + MIN_REMAINING_S:
                    raise  # the reason of the failure says more than the lack of time
                if error.code in _SAME_RESPONSE_AGAIN:
                    raise
                self.sleep(pause_s)

    def _backoff_s(self, attempt: int) -> float:
        """Return seconds with jitter, so that functions throttled together do not retry together."""
        max_pause_s = BACKOFF_BASE_S * 2.0 ** (attempt + 1)
        return max_pause_s * (0.5 + self.random() / 2)

    def _send_once(self, request: Request, read: Callable[[HttpResponse, Iterator[bytes]], _T]) -> _T:
        seconds = self.remaining_s()
        if seconds < MIN_REMAINING_S:
            raise DeadlineExceeded(
                f"{request.resource}: only {max(seconds, 0):.1f} s of the function's time are left"
            )
        try:
            signed = self._build_signed(request, seconds)
            sent_s = self.machine_now()
            response = self.http_client().send(signed, stream=True)
            try:
                head = read_head(response)
                self._read_date(head.headers, sent_s)
                if head.status in _SUCCESS_STATUSES:
                    return read(head, _iterate_limited(request, head, iterate_body(response)))
                raise self.build_error(request, head._replace(body=_read_start(iterate_body(response))))
            finally:
                response.close()
        except TotalTimeout:
            raise
        except httpx.TransportError as error:
            raise map_transport_error(request, error) from None

    def _read_date(self, headers: Mapping[str, str], sent_s: float) -> None:
        """Correct the clock by a response of COS or CI, but not by one of a gateway before them."""
        date = headers.get("date")
        if date and _get_request_id(headers):
            self.clock.read_date(date, sent_s, self.machine_now)

    def _build_signed(self, request: Request, seconds: float) -> httpx.Request:
        """Build the request. Raises RequestRejected for one that HTTP cannot carry, or that is for another host."""
        if not is_host(request.host):
            raise RequestRejected(
                resource=request.resource,
                code=INVALID_ADDRESS,
                message=message("the host is not one of COS or CI; nothing was sent"),
            )
        with suppress(UnicodeError):  # it holds a header as a whole
            return self._sign(request, seconds)
        raise RequestRejected(resource=request.resource, code=CANNOT_BE_SENT, message=INVALID_REQUEST)

    def build_headers(self, request: Request, size: int | None) -> dict[str, str]:
        """Build the headers of a request with a body of this size in bytes, its signature among them."""
        headers = {"Host": request.host, **request.headers}
        if size is not None:
            headers["Content-Length"] = str(size)
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
        return {**headers, "User-Agent": "scribe", "Accept-Encoding": "identity"}

    def _sign(self, request: Request, seconds: float) -> httpx.Request:
        size = len(request.body) if request.method in {"PUT", "POST"} else None
        return build_request(
            request.method,
            self.endpoint or f"https://{request.host}",
            build_request_target(request.path, request.parameters),
            self.build_headers(request, size),
            request.body,
            connect_timeout_s=CONNECT_TIMEOUT_S,
            read_timeout_s=READ_TIMEOUT_S,
            total_timeout_s=min(
                seconds,
                request.timeout_s if request.retry is RetryPolicy.IDEMPOTENT else NON_IDEMPOTENT_TIMEOUT_S,
            ),
        )

    def build_error(self, request: Request, response: HttpResponse) -> CloudError:
        """Build the error of a response that is not 2xx, with its body."""
        status = response.status
        code, message, request_id = map(self.hide_secrets, parse_error(response.body))
        request_id = request_id or _get_request_id(response.headers)
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

    def hide_secrets(self, text: str) -> str:
        """Remove what a response may quote of the request: credentials, and the token in a job's CallBack."""
        for secret in (self.credentials.secret_key, self.credentials.token, *self.hidden):
            if len(secret) >= MIN_SECRET_LENGTH:
                text = text.replace(secret, "***")
        return _SIGNATURE.sub("q-signature=***", text)


def build_request_target(path: str, parameters: tuple[tuple[str, str], ...]) -> str:
    """Return path and query, percent-encoded once. `./` becomes `.%2F`, as in the official client."""
    target = quote(path, safe="/-_.~").replace("./", ".%2F")
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in parameters)
    return f"{target}?{query}" if query else target


def read_head(response: httpx.Response) -> HttpResponse:
    """Return status and headers of a response whose body was not read yet."""
    headers = {_decode(name).lower(): _decode(value) for name, value in response.headers.raw}
    return HttpResponse(response.status_code, headers, b"")


def _iterate_limited(request: Request, head: HttpResponse, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the body of a 2xx response. Raises an error with the code TOO_LARGE."""
    length = head.headers.get("content-length", "")
    _check_size(request, head, int(length) if length.isdecimal() and request.method != "HEAD" else 0)
    size = 0
    for piece in pieces:
        size += len(piece)
        _check_size(request, head, size)
        yield piece


def _check_size(request: Request, head: HttpResponse, size: int) -> None:
    if size <= request.max_bytes:
        return
    # Anything but a GET has taken effect.
    error_class = RequestRejected if request.method == "GET" else OutcomeUnknown
    raise error_class(
        resource=request.resource,
        status=head.status,
        code=TOO_LARGE,
        message=message(
            "the response has more than {limit} bytes; the rest was not read", limit=f"{request.max_bytes:,}"
        ),
        request_id=_get_request_id(head.headers),
    )


def _read_start(pieces: Iterator[bytes]) -> bytes:
    """Read the body of an error response, or the start of a long one. Raises httpx.TransportError."""
    body = b""
    for piece in pieces:
        body += piece
        if len(body) >= _MAX_ERROR_BYTES:
            break
    return body[:_MAX_ERROR_BYTES]


def _decode(raw: bytes) -> str:
    """Decode a header's name or value: UTF-8, as a user's metadata may be, or else Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _get_request_id(headers: Mapping[str, str]) -> str:
    return headers.get("x-ci-request-id") or headers.get("x-cos-request-id") or ""


def map_transport_error(request: Request, error: httpx.TransportError) -> CloudError:
    """Build the error of a request without a response."""
    # Texts of these classes may quote a header, and so a credential.
    if isinstance(error, httpx.LocalProtocolError):
        return RequestRejected(resource=request.resource, code=CANNOT_BE_SENT, message=INVALID_REQUEST)
    if isinstance(error, httpx.UnsupportedProtocol):
        return RequestRejected(resource=request.resource, code=CANNOT_BE_SENT, message=INVALID_ORIGIN)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Throttled(resource=request.resource, code="NoConnection", message=str(error))
    # Other texts of this class may quote the response, which may be a transcript.
    message = INVALID_RESPONSE if isinstance(error, httpx.RemoteProtocolError) else str(error)
    return OutcomeUnknown(resource=request.resource, code="NoAnswer", message=message)


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
