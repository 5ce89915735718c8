"""Clients of a stand-in cloud: the official SDKs, and raw HTTP with exact control of every byte."""

# ruff: noqa: S314 - only the stand-in's own responses are parsed here
from __future__ import annotations

import hashlib
import hmac
import importlib
import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict
from urllib.parse import quote
from xml.etree import ElementTree as ET

import httpx
import pytest

from tests.helpers.loopback import open_client
from tests.localcloud.stand_in import TIMEOUT_S, StandIn

if TYPE_CHECKING:
    from qcloud_cos import CosS3Client

# Importing the SDK warns about the interpreter, so that only the fixture `make_sdk` does it.
CosSdk: TypeAlias = "CosS3Client"

_API_VERSIONS = {"scf": "v20180416", "cam": "v20190116", "sts": "v20180813"}


class MakeSdk(Protocol):
    """Creates the official COS client, or that of speech recognition; `changes` are settings of its CosConfig."""

    def __call__(self, cloud: StandIn, *, speech: bool = False, **changes: str | bool | None) -> CosSdk: ...


class MakeApiClient(Protocol):
    """Creates a client of API 3.0 with a credential that /-/keys issued, or the operator's."""

    def __call__(
        self,
        cloud: StandIn,
        key: Mapping[str, str] | None = None,
        *,
        token: str | None = None,
        region: str = "ap-guangzhou",
        direct: bool = False,
    ) -> ApiClient: ...


class MakeRaw(Protocol):
    """Creates a raw client of a stand-in."""

    def __call__(self, cloud: StandIn) -> RawClient: ...


class Signing(TypedDict, total=False):
    """What a raw request can be signed with, instead of the operator's key for the next minutes."""

    secret_id: str
    secret_key: str
    window: tuple[int, int]


def relative_to_now(signing: Signing) -> Signing:
    """Turn a window of seconds from now into times."""
    if "window" not in signing:
        return signing
    now_s, (start_s, end_s) = int(time.time()), signing["window"]
    return {**signing, "window": (now_s + start_s, now_s + end_s)}


@dataclass
class ApiClient:
    """The official SDK's typed clients of API 3.0; unless `direct`, the stand-in is their proxy."""

    endpoint: str
    secret_id: str
    secret_key: str
    token: str = ""
    region: str = "ap-guangzhou"
    direct: bool = False

    def call(self, product: str, action: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send one request; returns the response without its RequestId. Raises the SDK's exception."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the SDK is older than the interpreter
            return self._call(product, action, dict(params or {}))

    def _call(self, product: str, action: str, params: dict[str, Any]) -> dict[str, Any]:
        from tencentcloud.common.credential import Credential
        from tencentcloud.common.profile.client_profile import ClientProfile
        from tencentcloud.common.profile.http_profile import HttpProfile

        module = f"tencentcloud.{product}.{_API_VERSIONS[product]}"
        request = getattr(importlib.import_module(f"{module}.models"), f"{action}Request")()
        request.from_json_string(json.dumps(params))
        client_module = importlib.import_module(f"{module}.{product}_client")
        client_class = getattr(client_module, f"{product.capitalize()}Client")
        host = self.endpoint.removeprefix("http://")
        address = {"endpoint": host} if self.direct else {"proxy": self.endpoint}
        http_profile = HttpProfile(protocol="http", reqTimeout=int(TIMEOUT_S), **address)
        credential = Credential(self.secret_id, self.secret_key, self.token or None)
        client = client_class(credential, self.region, ClientProfile(httpProfile=http_profile))
        response: dict[str, Any] = json.loads(getattr(client, action)(request).to_json_string())
        assert response.pop("RequestId")
        return response

    def error_code(self, product: str, action: str, params: Mapping[str, Any] | None = None) -> str:
        """Send one request that must fail; returns its error code."""
        from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

        with pytest.raises(TencentCloudSDKException) as caught:
            self.call(product, action, params)
        assert caught.value.get_request_id()
        return str(caught.value.get_code())


def _percent_encode(text: str) -> str:
    return quote(text, safe="-_~.")


@dataclass
class RawClient:
    """Signed requests with exact control of every byte; the signature follows the documents."""

    cloud: StandIn
    client: httpx.Client = field(default_factory=lambda: open_client(timeout=TIMEOUT_S))

    def sign(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        headers: dict[str, str],
        *,
        secret_id: str = "",
        secret_key: str = "",
        window: tuple[int, int] | None = None,
    ) -> str:
        start, end = window or (int(time.time()) - 60, int(time.time()) + 600)
        times = f"{start};{end}"
        names, lines = [], []
        for pairs in (query, headers):
            items = sorted(
                (_percent_encode(name).lower(), _percent_encode(value)) for name, value in pairs.items()
            )
            names.append(";".join(name for name, _ in items))
            lines.append("&".join(f"{name}={value}" for name, value in items))
        canonical = f"{method.lower()}\n{path}\n{lines[0]}\n{lines[1]}\n"
        digest = hashlib.sha1(canonical.encode(), usedforsecurity=False).hexdigest()
        key = hmac.new((secret_key or self.cloud.secret_key).encode(), times.encode(), "sha1").hexdigest()
        signature = hmac.new(key.encode(), f"sha1\n{times}\n{digest}\n".encode(), "sha1").hexdigest()
        return (
            f"q-sign-algorithm=sha1&q-ak={secret_id or self.cloud.secret_id}&q-sign-time={times}&q-key-time={times}"
            f"&q-header-list={names[1]}&q-url-param-list={names[0]}&q-signature={signature}"
        )

    def send(
        self,
        method: str,
        host: str,
        path: str = "/",
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        *,
        unsigned: dict[str, str] | None = None,
        authorization: str | None = None,
        secret_id: str = "",
        secret_key: str = "",
        window: tuple[int, int] | None = None,
    ) -> httpx.Response:
        """Send a request. `unsigned` headers are not covered by the signature; `path` is decoded, as it is signed."""
        signed_headers = {"host": host, **(headers or {})}
        if authorization is None:
            authorization = self.sign(
                *(method, path, query or {}, signed_headers),
                secret_id=secret_id,
                secret_key=secret_key,
                window=window,
            )
        all_headers = {**signed_headers, **(unsigned or {})}
        if authorization:
            all_headers["authorization"] = authorization
        # Dots are encoded so that no client treats `..` as the parent folder.
        target = "/" + _percent_encode(path[1:]).replace(".", "%2E").replace("%2F", "/")
        if query:
            target += "?" + "&".join(
                f"{_percent_encode(name)}={_percent_encode(value)}" for name, value in query.items()
            )
        return self.target(method, target, all_headers, body)

    def target(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> httpx.Response:
        """Send exactly this request target."""
        return self.client.request(
            method, self.cloud.endpoint, headers=headers, content=body, extensions={"target": target.encode()}
        )


def parse_xml(response: httpx.Response) -> ET.Element:
    return ET.fromstring(response.content)


def parse_error(response: httpx.Response) -> tuple[int, str]:
    """The status and the code of an error response."""
    return response.status_code, parse_xml(response).findtext("Code", "")
