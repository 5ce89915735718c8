"""The admin pages, and the access log that they show."""

from __future__ import annotations

import pytest

from tests.localcloud.clients import RawClient
from tests.localcloud.stand_in import StandIn

pytestmark = pytest.mark.process


def test_every_request_is_in_the_access_log(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    before = cloud.last_request_number()
    key = cloud.admin("POST", "keys")
    raw.send("PUT", cloud.bucket_host(bucket), "/a b", {}, {}, b"hello")
    raw.send("GET", cloud.ci_host(bucket), "/asrqueue", {"state": "Nonsense"})
    raw.send("GET", cloud.bucket_host(bucket), secret_id=key["secret_id"], secret_key="wrong")
    rows = cloud.admin("GET", f"requests?since={before}")
    requests = [
        (row["method"], row["path"], row["query"], row["status"], row["code"], row["body_bytes"])
        for row in rows
    ]
    assert requests == [
        ("PUT", "/a b", "", 200, "", 5),
        ("GET", "/asrqueue", "state=Nonsense", 400, "InvalidArgument", 0),
        ("GET", "/", "", 403, "AccessDenied", 0),
    ]
    assert [row["secret_id"] for row in rows] == [cloud.secret_id, cloud.secret_id, ""]
    assert rows[0]["host"] == cloud.bucket_host(bucket)


def test_admin_pages_are_on_both_loopback_names(cloud: StandIn, raw: RawClient) -> None:
    for name in ("127.0.0.1", "localhost"):
        headers = {"host": name, **cloud.admin_headers}
        assert raw.target("GET", "/-/health", headers).json() == {"status": "ok"}
    assert raw.target("GET", "/", headers).status_code == 404


@pytest.mark.parametrize("page", ["timer/none", "functions/none/invoke", "ai_bucket/none"])
def test_admin_page_of_unknown_thing_is_404(cloud: StandIn, raw: RawClient, page: str) -> None:
    before = cloud.admin("GET", "invocations")
    headers = {"host": "localhost", **cloud.admin_headers}
    assert raw.target("POST", f"/-/{page}", headers).status_code == 404
    assert cloud.admin("GET", "invocations") == before


def test_idle_cloud_reports_true(cloud: StandIn) -> None:
    assert cloud.admin("GET", "idle?timeout=20") is True
