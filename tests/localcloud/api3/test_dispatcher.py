"""API 3.0 over HTTP: signatures, hosts, and errors in its format."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.auth.tc3_signature import SignedApiRequest, compute_signature
from tests.helpers.loopback import open_client
from tests.localcloud.clients import ApiClient, MakeApiClient
from tests.localcloud.stand_in import StandIn

pytestmark = pytest.mark.process

HOST = "sts.tencentcloudapi.com"


def compute_expected(secret_key: str, date: str, product: str, text: str) -> str:
    """Compute the signature of a string, as in the document "Signature v3"."""
    key = f"TC3{secret_key}".encode()
    for part in (date, product, "tc3_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return hmac.new(key, text.encode(), "sha256").hexdigest()


class SignedClient:
    """Sends manually signed requests, of which any part can be changed."""

    def __init__(self, cloud: StandIn, client: httpx.Client) -> None:
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
            f"Signature={compute_expected(secret_key, date, product, text)}"
        )
        sent_headers = {name: value for name, value in headers.items() if value is not None}
        return self.client.request(method, self.cloud.endpoint, headers=sent_headers, content=body)

    def code(self, body: bytes = b"{}", **changes: Any) -> str:
        """The error code, empty after success; status and content type are always those of the API."""
        http_response = self.send(body, **changes)
        assert (http_response.status_code, http_response.headers["content-type"]) == (200, "application/json")
        response = http_response.json()["Response"]
        assert response["RequestId"]
        return str(response.get("Error", {}).get("Code", ""))


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with open_client(timeout=20) as opened:
        yield opened


@pytest.fixture
def signed_client(cloud: StandIn, client: httpx.Client) -> SignedClient:
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
        ("AuthFailure.SecretIdNotFound", {"secret_id": "AKIDunknown"}),
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
def test_signature_with_changed_digit_is_rejected(
    cloud: StandIn, client: httpx.Client, at: int, digit: str
) -> None:
    now_s = int(time.time())
    date = datetime.fromtimestamp(now_s, timezone.utc).strftime("%Y-%m-%d")
    lines = f"content-type:application/json\nhost:{HOST}\n"
    canonical = f"POST\n/\n\n{lines}\ncontent-type;host\n{hashlib.sha256(b'{}').hexdigest()}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"TC3-HMAC-SHA256\n{now_s}\n{date}/sts/tc3_request\n{digest}"
    signature = compute_expected(cloud.secret_key, date, "sts", text)
    changed = signature[:at] + digit + signature[at + 1 :]
    authorization = (
        f"TC3-HMAC-SHA256 Credential={cloud.secret_id}/{date}/sts/tc3_request, SignedHeaders=content-type;host, "
        f"Signature={changed}"
    )
    code = SignedClient(cloud, client).code(now_s=now_s, authorization=authorization)
    assert code == ("" if changed == signature else "AuthFailure.SignatureFailure")


@pytest.mark.parametrize("direct", [False, True], ids=["by_proxy", "directly"])
def test_official_sdk_works_by_proxy_and_directly(
    cloud: StandIn, make_api_client: MakeApiClient, *, direct: bool
) -> None:
    api_client = make_api_client(cloud, direct=direct)
    identity = api_client.call("sts", "GetCallerIdentity")
    uin = "100000000001"
    assert [identity[name] for name in ("AccountId", "UserId", "PrincipalId")] == [uin] * 3
    assert identity["Arn"] == f"qcs::cam::uin/{uin}:root"
    account = api_client.call("cam", "GetUserAppId")
    assert account == {"Uin": uin, "OwnerUin": uin, "AppId": int(cloud.appid)}


def test_host_may_contain_a_region(signed_client: SignedClient) -> None:
    assert signed_client.code(host="sts.ap-chengdu.tencentcloudapi.com") == ""


def test_temporary_credential_needs_token_and_expires(cloud: StandIn, make_api_client: MakeApiClient) -> None:
    key = cloud.admin("POST", "keys")
    assert make_api_client(cloud, key).call("sts", "GetCallerIdentity")["Type"] == "RootAccount"
    assert (
        make_api_client(cloud, key, token="").error_code("sts", "GetCallerIdentity")
        == "AuthFailure.TokenFailure"
    )
    expired = cloud.admin("POST", "keys?lifetime=-1")
    assert (
        make_api_client(cloud, expired).error_code("sts", "GetCallerIdentity") == "AuthFailure.TokenFailure"
    )


def test_api_requests_are_in_the_access_log(cloud: StandIn, api_client: ApiClient) -> None:
    before = cloud.last_request_number()
    api_client.call("cam", "GetRole", {"RoleName": "CI_QCSRole"})
    api_client.error_code("cam", "GetRole", {"RoleName": "absent"})
    rows = [
        {name: row[name] for name in ("method", "host", "path", "status", "code", "action", "resource")}
        for row in cloud.admin("GET", f"requests?since={before}")
    ]
    row = {
        "method": "POST",
        "host": "cam.tencentcloudapi.com",
        "path": "/",
        "status": 200,
        "action": "cam:GetRole",
        "resource": "*",
    }
    assert rows == [{**row, "code": ""}, {**row, "code": "InvalidParameter.RoleNotExist"}]
