"""POST Object: uploads by an HTML form, whose policy is signed instead of the request."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from tests.localcloud.clients import CosSdk, RawClient, parse_error, parse_xml
from tests.localcloud.stand_in import StandIn

pytestmark = pytest.mark.process

CONTENT = b"\r\n\x00\xff--words\r\n"


def sign(text: bytes, secret_id: str, secret_key: str) -> dict[str, str]:
    """The fields that sign a policy."""
    key_time = f"{int(time.time()) - 60};{int(time.time()) + 600}"
    sign_key = hmac.new(secret_key.encode(), key_time.encode(), "sha1").hexdigest()
    digest = hashlib.sha1(text, usedforsecurity=False).hexdigest()
    return {
        "policy": base64.b64encode(text).decode(),
        "q-sign-algorithm": "sha1",
        "q-ak": secret_id,
        "q-key-time": key_time,
        "q-signature": hmac.new(sign_key.encode(), digest.encode(), "sha1").hexdigest(),
    }


def post(
    cloud: StandIn,
    raw: RawClient,
    bucket: str,
    fields: Mapping[str, str],
    *,
    conditions: list[Any] | None = None,
    lifetime_s: int = 600,
    key: Mapping[str, str] | None = None,
    secret_key: str = "",
) -> httpx.Response:
    """Upload the file `call.mp3` with these fields."""
    expiration = datetime.now(timezone.utc) + timedelta(seconds=lifetime_s)
    default = [{"bucket": bucket}, ["starts-with", "$key", "in/"], ["content-length-range", 0, 1000]]
    policy = {
        "expiration": expiration.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "conditions": default if conditions is None else conditions,
    }
    secret_id = key["secret_id"] if key else cloud.secret_id
    secret_key = secret_key or (key["secret_key"] if key else cloud.secret_key)
    token = {"x-cos-security-token": key["token"]} if key else {}
    signature = sign(json.dumps(policy).encode(), secret_id, secret_key)
    return raw.client.post(
        cloud.endpoint,
        headers={"host": cloud.bucket_host(bucket)},
        data={**fields, **token, **signature},
        files={"file": ("call.mp3", CONTENT, "audio/mpeg")},
    )


def test_form_upload_keeps_class_and_metadata(
    cloud: StandIn, raw: RawClient, sdk: CosSdk, bucket: str
) -> None:
    fields = {
        "key": "in/${filename}",
        "Content-Type": "audio/mpeg",
        "x-cos-storage-class": "STANDARD_IA",
        "x-cos-meta-lang": "zh",
    }
    response = post(cloud, raw, bucket, fields)
    assert (response.status_code, response.content) == (204, b"")
    head = sdk.head_object(bucket, "in/call.mp3")
    assert (head["x-cos-storage-class"], head["x-cos-meta-lang"]) == ("STANDARD_IA", "zh")
    assert (head["Content-Type"], head["ETag"]) == ("audio/mpeg", response.headers["etag"])
    assert raw.send("GET", cloud.bucket_host(bucket), "/in/call.mp3").content == CONTENT


def test_form_chooses_the_answer(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    created = post(cloud, raw, bucket, {"key": "in/a", "success_action_status": "201"})
    assert (created.status_code, parse_xml(created).findtext("Key")) == (201, "in/a")
    assert post(cloud, raw, bucket, {"key": "in/a", "success_action_status": "200"}).status_code == 200
    target = "http://127.0.0.1/done"
    redirect = post(cloud, raw, bucket, {"key": "in/a", "success_action_redirect": target})
    assert (redirect.status_code, redirect.headers["location"]) == (303, target)


@pytest.mark.parametrize(
    ("fields", "options", "error"),
    [
        ({"key": "other/a"}, {}, (403, "AccessDenied")),
        ({"key": "in/a"}, {"conditions": [{"bucket": "another"}]}, (403, "AccessDenied")),
        ({"key": "in/a"}, {"lifetime_s": -10}, (403, "AccessDenied")),
        ({"key": "in/a"}, {"secret_key": "wrong"}, (403, "SignatureDoesNotMatch")),
        ({}, {"conditions": []}, (400, "InvalidArgument")),
    ],
)
def test_form_outside_of_its_policy_is_rejected(
    cloud: StandIn,
    raw: RawClient,
    bucket: str,
    fields: dict[str, str],
    options: dict[str, Any],
    error: tuple[int, str],
) -> None:
    assert parse_error(post(cloud, raw, bucket, fields, **options)) == error


@pytest.mark.parametrize(("action", "status"), [("cos:PostObject", 204), ("cos:PutObject", 403)])
def test_form_upload_needs_its_permission(
    cloud: StandIn, raw: RawClient, bucket: str, action: str, status: int
) -> None:
    resource = f"qcs::cos:{cloud.region}:uid/{cloud.appid}:{bucket}/in/*"
    statement = {"effect": "allow", "action": [action], "resource": [resource]}
    key = cloud.admin("POST", "keys", {"policies": [{"version": "2.0", "statement": [statement]}]})
    assert post(cloud, raw, bucket, {"key": "in/a"}, key=key).status_code == status


def test_body_that_is_no_form_is_rejected(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host, form = cloud.bucket_host(bucket), {"content-type": "multipart/form-data; boundary=x"}
    assert parse_error(raw.send("POST", host, "/", None, form, b"--x--")) == (400, "MalformedPOSTRequest")
    unsigned = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nwords\r\n--x--\r\n'
    assert parse_error(raw.send("POST", host, "/", None, form, unsigned)) == (403, "AccessDenied")
    assert parse_error(raw.send("POST", host, "/")) == (405, "MethodNotAllowed")
