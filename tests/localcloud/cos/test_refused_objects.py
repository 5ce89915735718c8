"""Objects that are refused one by one: encrypted with a key of the customer (SSE-C), or denied by a policy."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.localcloud.clients import RawClient
from tests.localcloud.stand_in import StandIn

pytestmark = pytest.mark.process

KEY = bytes(range(32))
CUSTOMER = "x-cos-server-side-encryption-customer-"


def customer_headers(key: bytes = KEY, prefix: str = CUSTOMER) -> dict[str, str]:
    digest = hashlib.md5(key, usedforsecurity=False).digest()
    return {
        f"{prefix}algorithm": "AES256",
        f"{prefix}key": base64.b64encode(key).decode(),
        f"{prefix}key-md5": base64.b64encode(digest).decode(),
    }


@pytest.fixture
def encrypted(cloud: StandIn, raw: RawClient, bucket: str) -> str:
    """The host of a bucket with the SSE-C object `/secret`."""
    host = str(cloud.bucket_host(bucket))
    assert raw.send("PUT", host, "/secret", headers=customer_headers(), body=b"words").status_code == 200
    return host


def test_encrypted_object_is_refused_without_its_key(raw: RawClient, encrypted: str) -> None:
    head = raw.send("HEAD", encrypted, "/secret")
    assert (head.status_code, head.content) == (400, b"")
    assert "<Code>SsecDecryptHeaderInvalid</Code>" in raw.send("GET", encrypted, "/secret").text
    other = customer_headers(bytes(32))
    assert raw.send("HEAD", encrypted, "/secret", headers=other).status_code == 400
    assert "<Key>secret</Key>" in raw.send("GET", encrypted, "/").text


def test_encrypted_object_is_read_with_its_key(raw: RawClient, encrypted: str) -> None:
    headers = customer_headers()
    response = raw.send("GET", encrypted, "/secret", headers=headers)
    assert response.content == b"words"
    assert response.headers[f"{CUSTOMER}algorithm"] == "AES256"
    assert response.headers[f"{CUSTOMER}key-md5"] == headers[f"{CUSTOMER}key-md5"]
    assert f"{CUSTOMER}key" not in response.headers
    md5 = hashlib.md5(b"words", usedforsecurity=False).hexdigest()
    assert response.headers["etag"] != f'"{md5}"'
    assert raw.send("HEAD", encrypted, "/secret", headers=headers).status_code == 200


def test_copy_of_encrypted_object_needs_the_key_of_its_source(raw: RawClient, encrypted: str) -> None:
    source = {"x-cos-copy-source": f"{encrypted}/secret"}
    assert raw.send("PUT", encrypted, "/copy", headers=source).status_code == 400
    key = customer_headers(prefix="x-cos-copy-source-server-side-encryption-customer-")
    assert raw.send("PUT", encrypted, "/copy", headers={**source, **key}).status_code == 200
    assert raw.send("GET", encrypted, "/copy").content == b"words"


def test_invalid_customer_key_is_rejected(raw: RawClient, encrypted: str) -> None:
    good = customer_headers()
    for wrong in (
        {**good, f"{CUSTOMER}algorithm": "AES128"},
        {**good, f"{CUSTOMER}key-md5": "AAAA"},
        {**good, f"{CUSTOMER}key": "no base64"},
        customer_headers(b"short"),
        {f"{CUSTOMER}algorithm": "AES256"},
    ):
        response = raw.send("PUT", encrypted, "/new", headers=wrong, body=b"x")
        assert "<Code>InvalidArgument</Code>" in response.text


def test_denied_object_is_refused_and_its_neighbour_is_not(
    cloud: StandIn, raw: RawClient, bucket: str
) -> None:
    host = cloud.bucket_host(bucket)
    for path in ("/denied", "/free"):
        raw.send("PUT", host, path, body=b"x")
    mark = {"bucket": bucket, "key": "denied"}
    cloud.admin("PUT", "objects", {**mark, "denied": True})
    head = raw.send("HEAD", host, "/denied")
    assert (head.status_code, head.content) == (403, b"")
    assert "<Code>AccessDenied</Code>" in raw.send("GET", host, "/denied").text
    assert raw.send("GET", host, "/free").content == b"x"
    source = {"x-cos-copy-source": f"{host}/denied"}
    assert raw.send("PUT", host, "/copy", headers=source).status_code == 403
    cloud.admin("PUT", "objects", {**mark, "denied": False})
    assert raw.send("GET", host, "/denied").content == b"x"
