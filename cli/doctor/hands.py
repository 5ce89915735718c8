"""What the doctor looks with: the operator's key on the control plane, on COS and CI; and no key, as a stranger."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from cli.cloud.control import Control
from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient
from shared.tencent.cos import CosClient
from shared.tencent.speech import SpeechClient

LONGEST_WAIT_S = 20.0  # for the function's URL: a cold start takes a few seconds of it


@functools.cache
def process_client() -> httpx.Client:
    """A browser's stand-in, one for the process; proxies of the environment are left aside, as by the functions."""
    return httpx.Client(trust_env=False)


@dataclass(frozen=True, slots=True)
class Hands:
    """Everything that reaches out. `endpoint` takes every request in the cloud's stead (CLOUD_ENDPOINT)."""

    control: Control
    wire: TencentClient
    client: Callable[[], httpx.Client] = process_client
    endpoint: str = ""
    now: Callable[[], float] = time.time

    @classmethod
    def of(cls, credentials: Credentials, region: str, endpoint: str = "") -> Hands:
        """The usual ones, of one key in one region."""
        return cls(
            Control(credentials, region, endpoint), TencentClient(credentials, endpoint), endpoint=endpoint
        )

    def cos(self, region: str) -> CosClient:
        """The buckets of a region."""
        return CosClient(self.wire, region)

    def speech(self, region: str) -> SpeechClient:
        """Speech recognition in a region."""
        return SpeechClient(self.wire, region)

    def as_stranger(self, method: str, url: str) -> httpx.Response:
        """A request without a key, as anyone can send it. Raises httpx.HTTPError."""
        parts = urlsplit(url)
        address = f"{self.endpoint or f'https://{parts.netloc}'}{parts.path or '/'}"
        return self.client().request(method, address, headers={"Host": parts.netloc}, timeout=LONGEST_WAIT_S)
