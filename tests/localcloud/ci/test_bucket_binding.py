"""Whether a bucket is bound to CI: GET / and PUT / on the CI host, and what an unbound bucket refuses."""

# ruff: noqa: S314 - only the stand-in's own responses are parsed here
from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from tests.localcloud.clients import CosSdk, RawClient
from tests.localcloud.speech_queue import build_job_body
from tests.localcloud.stand_in import StandIn

pytestmark = pytest.mark.process


def get_status(raw: RawClient, host: str) -> str | None:
    response = raw.send("GET", host, "/")
    assert response.status_code == 200, response.text
    root = ET.fromstring(response.content)
    assert root.tag == "CIStatus"
    return root.text


def set_status(cloud: StandIn, bucket: str, status: str) -> None:
    cloud.admin("PUT", "ci_buckets", {"bucket": bucket, "status": status})


def test_bucket_is_bound_from_the_start(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    assert get_status(raw, cloud.ci_host(bucket)) == "on"
    missing = raw.send("GET", cloud.ci_host(f"missing-{cloud.appid}"), "/")
    assert "<Code>NoSuchBucket</Code>" in missing.text


@pytest.mark.parametrize("status", ["off", "unbinding"])
def test_unbound_bucket_takes_no_jobs_until_it_is_bound(
    cloud: StandIn, raw: RawClient, speech_bucket: str, status: str
) -> None:
    host, body = cloud.ci_host(speech_bucket), build_job_body(speech_bucket)
    set_status(cloud, speech_bucket, status)
    assert get_status(raw, host) == status
    assert "<Code>AsrBucketUnBinded</Code>" in raw.send("POST", host, "/asr_jobs", body=body).text
    assert "<TotalCount>0</TotalCount>" in raw.send("GET", host, "/asrqueue").text
    bound = raw.send("PUT", host, "/")
    assert (bound.status_code, bound.content) == (200, b"")
    assert get_status(raw, host) == "on"
    assert raw.send("POST", host, "/asr_jobs", body=body).status_code == 200


def test_unbind_leaves_the_bucket_unbinding(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host = cloud.ci_host(bucket)
    assert raw.send("PUT", host, "/", {"unbind": ""}).status_code == 200
    assert get_status(raw, host) == "unbinding"


def test_opening_speech_recognition_binds_the_bucket(
    cloud: StandIn, raw: RawClient, sdk: CosSdk, bucket: str
) -> None:
    set_status(cloud, bucket, "off")
    sdk.ci_open_asr_bucket(bucket)
    assert get_status(raw, cloud.ci_host(bucket)) == "on"


def test_binding_needs_its_permissions(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host = cloud.ci_host(bucket)

    def send(action: str, method: str, query: dict[str, str] | None = None) -> int:
        statement = {"effect": "allow", "action": [action], "resource": ["*"]}
        key = cloud.admin("POST", "keys", {"policies": [{"version": "2.0", "statement": [statement]}]})
        headers = {"x-ci-security-token": key["token"]}
        signing = {name: key[name] for name in ("secret_id", "secret_key")}
        return int(raw.send(method, host, "/", query, headers, **signing).status_code)

    assert send("ci:DescribeCIBuckets", "GET") == 200
    assert send("ci:CreateCIBucket", "GET") == 401
    assert send("ci:CreateCIBucket", "PUT") == 200
    assert send("ci:DescribeCIBuckets", "PUT") == 401
    assert send("ci:CreateCIBucket", "PUT", {"unbind": ""}) == 401


def test_status_is_one_of_three(cloud: StandIn, bucket: str) -> None:
    for body, status in (
        ({"bucket": bucket, "status": "maybe"}, 400),
        ({"bucket": "none", "status": "on"}, 404),
    ):
        assert cloud.send_admin("PUT", "ci_buckets", json=body).status_code == status
