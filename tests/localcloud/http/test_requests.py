"""Request targets and hosts: which service of the cloud a request is for."""

from __future__ import annotations

import pytest

from tests.localcloud.clients import RawClient, parse_error
from tests.localcloud.stand_in import StandIn

pytestmark = pytest.mark.process


def test_absolute_form_target_selects_bucket(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host = cloud.bucket_host(bucket)
    raw.send("PUT", host, "/a b", body=b"x")
    headers = {"host": host, "authorization": raw.sign("GET", "/a b", {}, {"host": host})}
    response = raw.target("GET", f"http://{host}/a%20b", headers)
    assert (response.status_code, response.content) == (200, b"x")
    headers = {"host": cloud.endpoint.removeprefix("http://"), **cloud.admin_headers}
    health = raw.target("GET", f"{cloud.endpoint}/-/health", headers)
    assert health.json() == {"status": "ok"}


@pytest.mark.parametrize("target", ["/%ff", "/a?prefix=%ff"])
def test_url_that_is_not_utf8_is_rejected(cloud: StandIn, raw: RawClient, bucket: str, target: str) -> None:
    response = raw.target("GET", target, {"host": cloud.bucket_host(bucket)})
    assert parse_error(response) == (400, "InvalidURI")


def test_unknown_host_is_404(raw: RawClient) -> None:
    response = raw.target("GET", "/", {"host": "example.com"})
    assert response.status_code == 404
    assert "example.com" in response.text
