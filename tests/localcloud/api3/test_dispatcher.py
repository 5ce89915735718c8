"""API 3.0 over HTTP: signatures, hosts, and errors in its format."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.auth.tc3_signature import SignedApiRequest, compute_signature

pytestmark = pytest.mark.process

HOST = "sts.tencentcloudapi.com"


def tc3(secret_key: str, date: str, product: str, text: str) -> str:
    """Compute the signature of a string, as in the document "Signature v3"."""
    key = f"TC3{secret_key}".encode()
    for part in (date, product, "tc3_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return hmac.new(key, text.encode(), "sha256").hexdigest()


class SignedClient:
    """Sends manually signed requests, of which any part can be changed."""

    def __init__(self, cloud: Any, client: httpx.Client) -> None:
        self.cloud, self.client = cloud, client

    def send(self, body: bytes = b"{}", **changes: Any) -> httpx.Response:
        """Keys of `changes`: parts of the signature, or headers with `_` for `-`; None leaves a header out."""
        now_s = int(changes.pop("now_s", time.time())) + int(changes.pop("off_by_s", 0))
        date = changes.pop("date", datetime.fromtimestamp(now_s, timezone.utc).strftime("%Y-%m-%d"))
        product, signed_body = changes.pop("product", "sts"), changes.pop("signed_body", body)
        secret_id = changes.pop("secret_id", self.cloud.secret_id)
        secret_key = changes.pop("secret_key", self.cloud.secret_key)
        method = changes.pop("method", "POST")
        headers = {
            "host": HOST,
            "content-type": "application/json",
            "x-tc-action": "GetCallerIdentity",
            "x-tc-version": "2018-08-13",
            "x-tc-timestamp": str(now_s),
        }
        signed = changes.pop("signed", ["content-type", "host"])
        own_authorization = changes.pop("authorization", "")
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        lines = "".join(f"{name}:{(headers[name] or '').lower()}\n" for name in signed)
        digest = hashlib.sha256(signed_body).hexdigest()
        canonical = f"{method}\n/\n\n{lines}\n{';'.join(signed)}\n{digest}"
        text = (
            f"TC3-HMAC-SHA256\n{now_s}\n{date}/{product}/tc3_request\n"
            f"{hashlib.sha256(canonical.encode()).hexdigest()}"
        )
        headers["authorization"] = own_authorization or (
            f"TC3-HMAC-SHA256 Credential={secret_id}/{date}/{product}/tc3_request, SignedHeaders={';'.join(signed)}, "
            f"Signature={tc3(secret_key, date, product, text)}"
        )
        sent = {name: value for name, value in headers.items() if value is not None}
        return self.client.request(method, self.cloud.endpoint, headers=sent, content=body)

    def code(self, body: bytes = b"{}", **changes: Any) -> str:
        """The error code, empty after success; status and content type are always those of the API."""
        http_response = self.send(body, **changes)
        assert (http_response.status_code, http_response.headers["content-type"]) == (200, "application/json")
        response = http_response.json()["Response"]
        assert response["RequestId"]
        return str(response.get("Error", {}).get("Code", ""))


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=20) as opened:
        yield opened


@pytest.fixture
def signed_client(cloud: Any, client: httpx.Client) -> SignedClient:
    return SignedClient(cloud, client)


def test_documented_example_gives_its_signature() -> None:
    body = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
    headers = (("content-type", "application/json; charset=utf-8"), ("host", "cvm.tencentcloudapi.com"))
    signature = compute_signature(
        SignedApiRequest("POST", "/", "", headers, body),
        "content-type;host",
        "1551113065",
        "2019-02-25/cvm/tc3_request",
        "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
    )
    assert signature == "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"


def test_manually_signed_request_succeeds(signed_client: SignedClient) -> None:
    assert signed_client.code() == ""
    assert signed_client.code(signed=["content-type", "host", "x-tc-action"]) == ""
    assert signed_client.code(content_type="application/json; charset=utf-8") == ""


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("AuthFailure.SignatureFailure", {"secret_key": "another"}),
        ("AuthFailure.SignatureFailure", {"signed_body": b"{ }"}),
        ("AuthFailure.SignatureFailure", {"product": "cam"}),
        ("AuthFailure.SignatureFailure", {"date": "2019-02-25"}),
        ("AuthFailure.SecretIdNotFound", {"secret_id": "AKIDnobody"}),
        ("AuthFailure.SignatureExpire", {"off_by_s": -3600}),
        ("AuthFailure.SignatureExpire", {"off_by_s": 3600}),
        ("AuthFailure.TokenFailure", {"x_tc_token": "made up"}),
        ("AuthFailure.InvalidAuthorization", {"authorization": "TC3-HMAC-SHA256 Credential=x"}),
        ("AuthFailure.InvalidAuthorization", {"authorization": "q-sign-algorithm=sha1"}),
        ("AuthFailure.InvalidAuthorization", {"signed": ["host"]}),
        ("MissingParameter", {"x_tc_action": None}),
        ("MissingParameter", {"x_tc_version": None}),
        ("NoSuchVersion", {"x_tc_version": "2019-01-16"}),
        ("NoSuchProduct", {"host": "cvm.tencentcloudapi.com"}),
        ("InvalidAction", {"x_tc_action": "GetCaller"}),
        ("InvalidRequest", {"content_type": "application/x-www-form-urlencoded"}),
        ("InvalidParameter", {"body": b"{"}),
        ("InvalidParameter", {"body": b"[]"}),
        ("InvalidParameter", {"x_tc_timestamp": "soon"}),
        ("UnknownParameter", {"body": b'{"Uin": 1}'}),
        ("UnsupportedProtocol", {"method": "GET", "body": b""}),
    ],
    ids=str,
)
def test_invalid_request_is_rejected_with_api_code(
    signed_client: SignedClient, code: str, changes: dict[str, Any]
) -> None:
    assert signed_client.code(**changes) == code


@given(at=st.integers(0, 63), digit=st.sampled_from("0123456789abcdef"))
@settings(max_examples=30)
def test_signature_with_changed_digit_is_rejected(cloud: Any, client: Any, at: int, digit: str) -> None:
    now_s = int(time.time())
    date = datetime.fromtimestamp(now_s, timezone.utc).strftime("%Y-%m-%d")
    lines = f"content-type:application/json\nhost:{HOST}\n"
    canonical = f"POST\n/\n\n{lines}\ncontent-type;host\n{hashlib.sha256(b'{}').hexdigest()}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"TC3-HMAC-SHA256\n{now_s}\n{date}/sts/tc3_request\n{digest}"
    right = tc3(cloud.secret_key, date, "sts", text)
    tried = right[:at] + digit + right[at + 1 :]
    authorization = (
        f"TC3-HMAC-SHA256 Credential={cloud.secret_id}/{date}/sts/tc3_request, SignedHeaders=content-type;host, "
        f"Signature={tried}"
    )
    code = SignedClient(cloud, client).code(now_s=now_s, authorization=authorization)
    assert code == ("" if tried == right else "AuthFailure.SignatureFailure")


def test_official_sdk_works_by_proxy_and_directly(cloud: Any, make_api_client: Callable[..., Any]) -> None:
    for direct in (False, True):
        http_response = make_api_client(cloud, direct=direct).call("sts", "GetCallerIdentity")
        assert (
            http_response["AccountId"]
            == http_response["UserId"]
            == http_response["PrincipalId"]
            == "100000000001"
        )
        assert http_response["Arn"] == "qcs::cam::uin/100000000001:root"
        account = make_api_client(cloud, direct=direct).call("cam", "GetUserAppId")
        assert account == {"Uin": "100000000001", "OwnerUin": "100000000001", "AppId": int(cloud.appid)}


def test_host_may_contain_a_region(signed_client: SignedClient) -> None:
    assert signed_client.code(host="sts.ap-chengdu.tencentcloudapi.com") == ""


def test_temporary_credential_needs_token_and_expires(
    cloud: Any, make_api_client: Callable[..., Any]
) -> None:
    key = cloud.admin("POST", "keys")
    assert make_api_client(cloud, key).call("sts", "GetCallerIdentity")["Type"] == "RootAccount"
    assert (
        make_api_client(cloud, key, token="").error_code("sts", "GetCallerIdentity")
        == "AuthFailure.TokenFailure"
    )
    over = cloud.admin("POST", "keys?lifetime=-1")
    assert make_api_client(cloud, over).error_code("sts", "GetCallerIdentity") == "AuthFailure.TokenFailure"


def test_api_requests_are_in_the_access_log(cloud: Any, api_client: Any) -> None:
    before = max((row["number"] for row in cloud.admin("GET", "requests")), default=0)
    api_client.call("cam", "GetRole", {"RoleName": "CI_QCSRole"})
    api_client.error_code("cam", "GetRole", {"RoleName": "nobody"})
    rows = [
        {name: row[name] for name in ("method", "host", "path", "status", "code", "action", "resource")}
        for row in cloud.admin("GET", f"requests?since={before}")
    ]
    call = {
        "method": "POST",
        "host": "cam.tencentcloudapi.com",
        "path": "/",
        "status": 200,
        "action": "cam:GetRole",
        "resource": "*",
    }
    assert rows == [{**call, "code": ""}, {**call, "code": "InvalidParameter.RoleNotExist"}]
