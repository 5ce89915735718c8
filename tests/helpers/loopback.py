"""HTTP clients for servers on this machine.

httpx loads the certificates of all authorities for each client and for each `httpx.request`: 20 ms of processor time,
several times that of a request. On a loopback address there is no TLS.
"""

from __future__ import annotations

import ssl
from typing import Any

import httpx

_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def open_client(**options: Any) -> httpx.Client:
    """Open a client with these options of httpx.Client. It ignores proxies and credentials of the environment."""
    return httpx.Client(trust_env=False, verify=_NO_AUTHORITIES, **options)


def send_request(method: str, url: str | httpx.URL, **options: Any) -> httpx.Response:
    """Send one request, with the options of httpx.request."""
    return httpx.request(method, url, trust_env=False, verify=_NO_AUTHORITIES, **options)
