"""Presigned addresses are those that Tencent's own client builds for the same bucket, key and time."""

from __future__ import annotations

import sys
import time
import warnings
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.operate.presign import build_origin, presign_url
from cli.output import SafeStream
from cli.redaction import SECRETS
from localcloud.auth.cos_signature import SignatureError, SignedRequest, verify_signature
from localcloud.auth.credentials import Credential, CredentialStore
from shared.errors import RequestRejected
from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the client and its dependencies are older than the interpreter
    import qcloud_cos

BUCKET, REGION = "recordings-1250000000", "ap-guangzhou"
NOW_S = 1_794_300_000
SECRET_ID, SECRET_KEY, TOKEN = "AKID" + "a" * 32, "k" * 32, "token/+=&; of a role~"
KEYS = [
    "calls/a.mp3",
    "会议/采访 王老师.mp3",
    "a b+c%20d&e=f?g#h;i~j'k\"l<m>.mp3",
    "folder./x.mp3",
    "../../etc/passwd",
    "line\nbreak\x00.mp3",
    "😀" * 60,
]


def build_client(token: str = "", endpoint: str = "") -> TencentClient:
    return TencentClient(
        Credentials(SECRET_ID, SECRET_KEY, token), endpoint, machine_now=lambda: float(NOW_S)
    )


def presign_as_tencent(monkeypatch: pytest.MonkeyPatch, key: str, expired_s: int, **parameters: str) -> str:
    """Return the address of the official client, whose clock stands at NOW_S."""
    config = qcloud_cos.CosConfig(Region=REGION, SecretId=SECRET_ID, SecretKey=SECRET_KEY, Scheme="https")
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: float(NOW_S))
        url: str = qcloud_cos.CosS3Client(config).get_presigned_url(
            BUCKET, key, "GET", Expired=expired_s, Params=parameters
        )
    return url


@pytest.mark.parametrize("key", KEYS)
def test_address_is_that_of_the_official_client(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    expected = presign_as_tencent(monkeypatch, key, 3600)
    # The official client's signatures begin a minute before.
    url = presign_url(build_client(), BUCKET, REGION, key, starts_s=NOW_S - 60, expires_s=NOW_S + 3600)
    assert url == expected


def test_address_with_a_temporary_key_is_that_of_the_official_client(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {"response-content-type": "text/html", "x-cos-security-token": TOKEN}
    expected = presign_as_tencent(monkeypatch, KEYS[1], 60, **parameters)
    url = presign_url(
        build_client(TOKEN),
        BUCKET,
        REGION,
        KEYS[1],
        starts_s=NOW_S - 60,
        expires_s=NOW_S + 60,
        parameters=(("response-content-type", "text/html"),),
    )
    assert url == expected.replace("+of+a+role", "%20of%20a%20role")


def verify(url: str, now_s: float, token: str = "", method: str = "GET") -> None:
    """Verify an address as the stand-in does, which shares no code with Scribe. Raises SignatureError."""
    parts = urlsplit(url)
    query = tuple(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
    request = SignedRequest(method, unquote(parts.path), query, (("host", parts.netloc),))
    verify_signature(request, CredentialStore(Credential(SECRET_ID, SECRET_KEY, token)), now_s)


@pytest.mark.parametrize("token", ["", TOKEN])
def test_address_works_until_it_expires_and_for_nothing_else(token: str) -> None:
    url = presign_url(build_client(token), BUCKET, REGION, KEYS[1], expires_s=NOW_S + 60)
    verify(url, NOW_S, token)
    verify(url, NOW_S + 60, token)
    with pytest.raises(SignatureError, match="expired"):
        verify(url, NOW_S + 61, token)
    with pytest.raises(SignatureError, match="does not match"):
        verify(url, NOW_S, token, method="DELETE")
    with pytest.raises(SignatureError, match="does not match"):
        verify(url.replace(quote(KEYS[1]), "other.mp3"), NOW_S, token)


def test_address_of_a_temporary_key_needs_its_token() -> None:
    url = presign_url(build_client(TOKEN), BUCKET, REGION, "a", expires_s=NOW_S + 60)
    with pytest.raises(SignatureError):
        verify(url.partition("&x-cos-security-token")[0], NOW_S, TOKEN)


def test_address_has_no_secret_key() -> None:
    url = presign_url(build_client(), BUCKET, REGION, "a", expires_s=NOW_S + 60)
    assert SECRET_KEY not in url


def test_printed_address_is_whole_although_the_key_id_is_hidden_elsewhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = presign_url(build_client(), BUCKET, REGION, "a", expires_s=NOW_S + 60)
    SECRETS.add_id(SECRET_ID)
    try:
        stream = SafeStream(sys.stdout)
        stream.write(url)
        stream.write(f"\n{SECRET_ID}\n")
    finally:
        SECRETS.remove(SECRET_ID)
    assert capsys.readouterr().out == f"{url}\nAKID***\n"


def test_plain_http_is_for_the_local_cloud_only() -> None:
    host = f"{BUCKET}.cos.{REGION}.myqcloud.com"
    assert build_origin(build_client(), BUCKET, REGION) == f"https://{host}"
    assert build_origin(build_client(endpoint="http://127.0.0.1:9"), BUCKET, REGION) == f"http://{host}"


@pytest.mark.parametrize(("bucket", "region"), [("evil.example/", REGION), (BUCKET, "evil.example/x?")])
def test_no_address_leads_to_another_host(bucket: str, region: str) -> None:
    with pytest.raises(RequestRejected, match="nothing was sent"):
        presign_url(build_client(), bucket, region, "a", expires_s=NOW_S)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_key_is_one_path_with_one_query(key: str) -> None:
    url = presign_url(build_client(), BUCKET, REGION, key, expires_s=NOW_S + 60)
    assert url.isascii()
    assert url.isprintable()
    scheme, rest = url.split("://")
    path, query = rest.split("?")
    assert scheme == "https"
    assert unquote(path.partition("/")[2]) == key
    assert dict(parse_qsl(query))["q-sign-time"] == f"{NOW_S - 300};{NOW_S + 60}"
