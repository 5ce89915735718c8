"""Sends one request of a notice: to public addresses only, within a time limit, without following redirects."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from shared.notices.addresses import PublicResolver, is_loopback_host
from shared.notices.models import NoticeRequest, NoticeResponse
from shared.tencent.resolver import AddressResolver, Resolver
from shared.tencent.transport import Transport, build_request, create_http_client, iterate_body

CONNECT_TIMEOUT_S = 5.0  # for the name, TCP and TLS together
TOTAL_TIMEOUT_S = 15.0  # the specification of Standard Webhooks recommends 15 to 30
FIRST_ATTEMPT_TIMEOUT_S = 2.5  # beside the work on a recording, which must not wait for a target
MAX_RESPONSE_BYTES = 4096


def create_notice_client(
    *, allows_loopback: bool = False, resolver: AddressResolver | None = None
) -> httpx.Client:
    """Create a client that connects to public IPv4 addresses only, and to loopback ones if that is allowed."""
    public_resolver = PublicResolver(resolver or Resolver(), allows_loopback=allows_loopback)
    # Receivers need not say how long their response is: the status decides, or the parsed body.
    return create_http_client(Transport(resolver=public_resolver, needs_length=False))


@functools.cache
def get_notice_client(*, allows_loopback: bool = False) -> httpx.Client:
    """Return the client of this process. Loopback is allowed with CLOUD_ENDPOINT only."""
    return create_notice_client(allows_loopback=allows_loopback)


def post(
    client: httpx.Client,
    request: NoticeRequest,
    *,
    timeout_s: float = TOTAL_TIMEOUT_S,
    reads_body: bool = True,
) -> NoticeResponse:
    """Send a request and return the start of the response.

    `timeout_s` is for everything, from the name's addresses to the last byte that is read. Raises httpx.TransportError,
    whose text has no secret.
    """
    url = urlsplit(request.url)
    if url.scheme != "https" and not is_loopback_host(url.hostname or ""):
        raise httpx.UnsupportedProtocol("the address does not begin with https://; nothing was sent")
    built = build_request(
        "POST",
        f"{url.scheme}://{url.netloc}",
        (url.path or "/") + (f"?{url.query}" if url.query else ""),
        {
            "Host": url.netloc,
            "User-Agent": "scribe",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "Content-Length": str(len(request.body)),
            **request.headers,
        },
        request.body,
        connect_timeout_s=min(CONNECT_TIMEOUT_S, timeout_s),
        read_timeout_s=timeout_s,
        total_timeout_s=timeout_s,
    )
    response = client.send(built, stream=True)  # no redirect is followed: the transport drops Location
    try:
        retry_after = response.headers.get("retry-after", "")
        body = _read_start(iterate_body(response)) if reads_body else b""
    finally:
        response.close()
    return NoticeResponse(response.status_code, retry_after, body)


def _read_start(pieces: Iterator[bytes]) -> bytes:
    body = b""
    for piece in pieces:
        body += piece
        if len(body) >= MAX_RESPONSE_BYTES:
            break
    return body[:MAX_RESPONSE_BYTES]
