"""The clients that deploy, remove and doctor share: the operator's key on SCF, CAM, COS and CI, and plain HTTP."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from cli.cloud.cam import CamClient
from cli.cloud.ci_bucket import CiBucketClient
from cli.cloud.client import ApiClient, Poller
from cli.cloud.hot_words import HotWordsClient
from cli.cloud.scf import ScfClient
from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient
from shared.tencent.cos import CosClient
from shared.tencent.hosts import COS_SERVICE_HOST
from shared.tencent.speech import SpeechClient

ANONYMOUS_TIMEOUT_S = 20.0  # for the function's URL, cold start included


@functools.cache
def default_http_client() -> httpx.Client:
    """The client for requests without a key; it ignores the proxies of the environment, as the functions do."""
    return httpx.Client(trust_env=False)


@dataclass(frozen=True, slots=True)
class Clients:
    """Every way to the cloud. `endpoint` receives every request instead of the cloud (CLOUD_ENDPOINT)."""

    api: ApiClient
    scf: ScfClient
    cam: CamClient
    speech: SpeechClient
    tencent: TencentClient
    endpoint: str = ""
    poller: Poller = field(default_factory=Poller)
    http: Callable[[], httpx.Client] = default_http_client
    now: Callable[[], float] = time.time

    @classmethod
    def create(cls, credentials: Credentials, region: str, endpoint: str = "") -> Clients:
        """Clients with one key, in the region of the functions."""
        api, tencent = ApiClient(credentials, region, endpoint), TencentClient(credentials, endpoint)
        return cls(api, ScfClient(api), CamClient(api), SpeechClient(tencent, region), tencent, endpoint)

    def cos(self, region: str) -> CosClient:
        """COS in a region: that of the output bucket may differ from that of the functions."""
        return CosClient(self.tencent, region)

    @property
    def ci_buckets(self) -> CiBucketClient:
        """The binding of buckets to Cloud Infinite, in the region of the functions."""
        return CiBucketClient(self.tencent, self.speech.region)

    @property
    def hot_words(self) -> HotWordsClient:
        """Hot-word tables and speech templates, in the region of the functions."""
        return HotWordsClient(self.tencent, self.speech.region)

    def read_cloud_time(self) -> float | None:
        """The time of COS in Unix seconds, which needs no key; None without a date. Raises httpx.HTTPError."""
        response = self.anonymous_request("GET", f"https://{COS_SERVICE_HOST}/")
        try:
            return parsedate_to_datetime(response.headers["date"]).timestamp()
        except (KeyError, ValueError):
            return None

    def anonymous_request(self, method: str, url: str) -> httpx.Response:
        """Send a request without a key, as anyone can. Raises httpx.HTTPError."""
        parts = urlsplit(url)
        address = f"{self.endpoint or f'https://{parts.netloc}'}{parts.path or '/'}"
        headers = {"Host": parts.netloc}
        return self.http().request(method, address, headers=headers, timeout=ANONYMOUS_TIMEOUT_S)
