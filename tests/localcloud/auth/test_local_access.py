"""The admin pages ask for the secret of the ready line, and no page of a web browser can use them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from localcloud.admin import create_admin_app
from localcloud.auth.local_access import has_page_signature, has_secret, sign_page
from tests.helpers.loopback import open_client
from tests.localcloud.clients import MakeApiClient, RawClient, parse_error
from tests.localcloud.functions import build_trigger, returning, write_functions
from tests.localcloud.scf.client import Scf, build_code
from tests.localcloud.stand_in import StandIn, StartCloud

pytestmark = pytest.mark.process

SECRET = "0123456789abcdef" * 4
HEADER_TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"))


def list_pages() -> list[tuple[str, str]]:
    """Method and path of every admin page."""
    unused: Any = None
    routes = [route for route in create_admin_app(unused).routes if isinstance(route, Route)]
    return [(method, route.path) for route in routes for method in sorted(route.methods or ())]


def send(
    cloud: StandIn, method: str, path: str, *headers: tuple[str, str], body: bytes = b""
) -> httpx.Response:
    """Send a request to the stand-in's own address; headers may repeat."""
    with open_client(timeout=20) as client:
        return client.request(method, f"{cloud.endpoint}{path}", headers=list(headers), content=body)


def build_secret_header(cloud: StandIn) -> tuple[str, str]:
    return ("x-localcloud-secret", cloud.admin_secret)


@pytest.mark.parametrize(("method", "path"), list_pages())
def test_page_without_the_secret_is_403(cloud: StandIn, method: str, path: str) -> None:
    response = send(cloud, method, path.replace("{name}", "x"), body=b"{}")
    assert response.status_code == 403
    assert method == "HEAD" or "admin_secret" in response.json()["error"]


@pytest.fixture(scope="module")
def echo(cloud: StandIn, make_api_client: MakeApiClient) -> str:
    """A function that returns its event."""
    return Scf(cloud, make_api_client(cloud)).create()


def test_refused_page_does_nothing(cloud: StandIn, echo: str) -> None:
    count = len(cloud.admin("GET", "invocations"))
    plan = cloud.admin("GET", "faults")
    assert send(cloud, "POST", "/-/keys").status_code == 403
    assert send(cloud, "POST", f"/-/functions/{echo}/invoke", body=b"{}").status_code == 403
    body = json.dumps({"rates": {"throttled": 1.0}}).encode()
    assert send(cloud, "PUT", "/-/faults", body=body).status_code == 403
    assert len(cloud.admin("GET", "invocations")) == count
    assert cloud.admin("GET", "faults") == plan
    assert cloud.admin_secret not in send(cloud, "GET", "/-/health").text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "127.0.0.1:1", "localhost:80"])
def test_every_loopback_name_asks_for_the_secret(cloud: StandIn, raw: RawClient, host: str) -> None:
    assert raw.target("GET", "/-/health", {"host": host}).status_code == 403
    assert raw.target("GET", "/", {"host": host}).status_code == 403
    assert raw.target("GET", f"http://{host}/-/health", {"host": "x.example"}).status_code == 403
    assert raw.target("GET", "/-/health", {"host": host, **cloud.admin_headers}).status_code == 200


def test_secret_can_be_a_bearer_token(cloud: StandIn) -> None:
    for scheme in ("Bearer", "bearer", "BEARER "):
        header = ("authorization", f"{scheme} {cloud.admin_secret}")
        assert send(cloud, "GET", "/-/health", header).status_code == 200
    for value in (cloud.admin_secret, f"Basic {cloud.admin_secret}", "Bearer", "Bearer x"):
        assert send(cloud, "GET", "/-/health", ("authorization", value)).status_code == 403


def test_secret_must_be_whole_and_the_only_one(cloud: StandIn) -> None:
    name, secret = build_secret_header(cloud)
    for value in ("", secret[:-1], secret + "0", secret.upper(), f"{secret}, {secret}", cloud.secret_key):
        assert send(cloud, "GET", "/-/health", (name, value)).status_code == 403
    assert send(cloud, "GET", "/-/health", (name, secret), (name, "x")).status_code == 403
    assert send(cloud, "GET", "/-/health", (name, "x"), (name, secret)).status_code == 403
    assert send(cloud, "GET", "/-/health", (name, secret), ("authorization", "Bearer x")).status_code == 403
    assert send(cloud, "GET", f"/-/health?{name}={secret}").status_code == 403


@settings(max_examples=60, deadline=None)
@given(value=HEADER_TEXT, name=st.sampled_from(["x-localcloud-secret", "authorization"]))
def test_odd_header_never_opens_a_page(cloud: StandIn, name: str, value: str) -> None:
    headers = [(name.encode(), value.encode("latin-1"))]
    with open_client() as client:
        response = client.get(f"{cloud.endpoint}/-/health", headers=headers)
    assert response.status_code == 403


@given(
    st.text(),
    st.lists(st.tuples(st.sampled_from(["x-localcloud-secret", "authorization", "host"]), st.text())),
)
def test_only_the_exact_secret_is_accepted(value: str, headers: list[tuple[str, str]]) -> None:
    assert has_secret([("x-localcloud-secret", value)], SECRET) == (value == SECRET)
    assert not has_secret(headers, SECRET)


@given(st.text(), st.dictionaries(st.sampled_from(["expires", "signature"]), st.text()))
def test_odd_signature_never_opens_a_page(path: str, parameters: dict[str, str]) -> None:
    assert not has_page_signature(path, parameters, SECRET, 0)


def test_page_signature_ends_at_its_time() -> None:
    path, _, query = sign_page("/-/code/x.zip", SECRET, 1000).partition("?")
    parameters = dict(pair.split("=") for pair in query.split("&"))
    assert has_page_signature(path, parameters, SECRET, 1000)
    assert not has_page_signature(path, parameters, SECRET, 1000.5)
    assert not has_page_signature("/-/code/y.zip", parameters, SECRET, 1000)


@pytest.mark.parametrize(
    "header",
    [
        ("origin", "https://example.com"),
        ("origin", "http://127.0.0.1:1"),
        ("origin", "http://localhost"),
        ("origin", "null"),
        ("origin", ""),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "Cross-Site"),
        ("sec-fetch-site", "unknown"),
    ],
)
def test_web_page_is_refused_even_with_the_secret(cloud: StandIn, header: tuple[str, str]) -> None:
    count = len(cloud.admin("GET", "requests"))
    for method, path in (("POST", "/-/keys"), ("GET", "/-/requests"), ("OPTIONS", "/-/keys")):
        response = send(cloud, method, path, build_secret_header(cloud), header)
        assert response.status_code == 403
        assert not {name for name in response.headers if name.startswith("access-control-")}
    assert len(cloud.admin("GET", "requests")) == count


def test_own_pages_and_a_typed_address_are_no_web_page(cloud: StandIn) -> None:
    port = cloud.endpoint.rpartition(":")[2]
    own = ((f"http://127.0.0.1:{port}", "same-origin"), (f"http://localhost:{port}", "same-origin"))
    for origin, site in own:
        headers = (("origin", origin), ("sec-fetch-site", site))
        assert send(cloud, "GET", "/-/health", build_secret_header(cloud), *headers).status_code == 200
        assert send(cloud, "GET", "/-/health", *headers).status_code == 403
    typed = ("sec-fetch-site", "none")
    assert send(cloud, "GET", "/-/health", build_secret_header(cloud), typed).status_code == 200
    two = (("origin", own[0][0]), ("origin", "https://example.com"))
    assert send(cloud, "GET", "/-/health", build_secret_header(cloud), *two).status_code == 403


@pytest.mark.parametrize(
    "host",
    ["example.com", "127.0.0.1.example.com", "127.0.0.1.", "localhost.", "[::1]", "127.0.0.2"],
)
def test_other_host_name_has_no_admin_pages(cloud: StandIn, raw: RawClient, host: str) -> None:
    count = len(cloud.admin("GET", "requests"))
    for name in (host, f"{host}:{cloud.endpoint.rpartition(':')[2]}"):
        response = raw.target("POST", "/-/keys", {"host": name, **cloud.admin_headers})
        assert response.status_code == 403
        assert "secret_key" not in response.text
    assert len(cloud.admin("GET", "requests")) == count


def test_path_of_admin_pages_is_a_key_on_a_bucket_host(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host = cloud.bucket_host(bucket)
    assert raw.send("PUT", host, "/-/health", body=b"x").status_code == 200
    assert raw.send("GET", host, "/-/health").content == b"x"
    assert (
        raw.send("GET", host, "/-/health", authorization="", unsigned=cloud.admin_headers).status_code == 403
    )


def test_web_page_cannot_call_a_function_url(tmp_path: Path, start_cloud: StartCloud) -> None:
    folder = tmp_path / "functions"
    public = {"enableExtranet": True, "enableIntranet": False}
    triggers = [build_trigger("http", "callback", authType="NONE", netConfig=public, enable=True)]
    write_functions(folder, {"callback": returning("{'statusCode': 200, 'body': 'called'}")}, triggers)
    cloud = start_cloud("--functions", str(folder))
    host = httpx.URL(cloud.ready()["functions"]["callback"]["url"]).host
    page = (("origin", "https://example.com"), ("sec-fetch-site", "cross-site"))
    for header in page:
        response = send(cloud, "POST", "/", ("host", host), header, body=b"{}")
        assert response.status_code == 403
    assert cloud.admin("GET", "invocations") == []
    assert send(cloud, "POST", "/", ("host", host), body=b"{}").text == "called"


def test_signed_request_of_a_web_page_to_cos_is_answered(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    page = {"origin": "https://example.com", "sec-fetch-site": "cross-site"}
    assert raw.send("PUT", cloud.bucket_host(bucket), "/a", body=b"x", unsigned=page).status_code == 200


@pytest.mark.parametrize(
    ("product", "version", "action"),
    [
        ("scf", "2018-04-16", "CreateFunction"),
        ("scf", "2018-04-16", "Invoke"),
        ("scf", "2018-04-16", "GetFunctionAddress"),
        ("cam", "2019-01-16", "CreateRole"),
        ("cam", "2019-01-16", "GetRole"),
        ("sts", "2018-08-13", "GetCallerIdentity"),
    ],
)
@pytest.mark.parametrize("is_direct", [True, False])
def test_api_needs_a_signature(
    cloud: StandIn, echo: str, *, product: str, version: str, action: str, is_direct: bool
) -> None:
    count = len(cloud.admin("GET", "invocations"))
    names = sorted(cloud.admin("GET", "deployed"))
    headers = (
        ("host", "127.0.0.1" if is_direct else f"{product}.tencentcloudapi.com"),
        ("content-type", "application/json"),
        ("x-tc-action", action),
        ("x-tc-version", version),
        ("x-tc-region", cloud.region),
    )
    params = {"FunctionName": "new" if action == "CreateFunction" else echo}
    if action == "CreateFunction":
        params |= {"Code": build_code({"index.py": "x = 1\n"})}  # type: ignore[dict-item]
    for more in ((), (build_secret_header(cloud),), (("authorization", "TC3-HMAC-SHA256 Credential=x"),)):
        response = send(cloud, "POST", "/", *headers, *more, body=json.dumps(params).encode())
        assert response.json()["Response"]["Error"]["Code"].startswith("AuthFailure.")
    assert len(cloud.admin("GET", "invocations")) == count
    assert sorted(cloud.admin("GET", "deployed")) == names


def test_cos_and_ci_need_a_signature(cloud: StandIn, raw: RawClient, speech_bucket: str) -> None:
    calls = (
        ("GET", cloud.bucket_host(speech_bucket), "/call.mp3"),
        ("GET", cloud.bucket_host(speech_bucket), "/"),
        ("PUT", cloud.bucket_host(speech_bucket), "/new"),
        ("DELETE", cloud.bucket_host(speech_bucket), "/call.mp3"),
        ("POST", cloud.bucket_host(speech_bucket), "/"),
        ("OPTIONS", cloud.bucket_host(speech_bucket), "/call.mp3"),
        ("GET", "service.cos.myqcloud.com", "/"),
        ("GET", cloud.ci_host(speech_bucket), "/asr_jobs"),
        ("POST", cloud.ci_host(speech_bucket), "/asr_jobs"),
        ("GET", f"ci.{cloud.region}.myqcloud.com", "/asrbucket"),
    )
    for method, host, path in calls:
        response = raw.send(method, host, path, authorization="", unsigned=cloud.admin_headers)
        expected = (401, "MissingAuthorization") if "ci." in host else (403, "AccessDenied")
        assert parse_error(response) == expected, (method, host, path)
    assert raw.send("GET", cloud.bucket_host(speech_bucket), "/call.mp3").status_code == 200
    assert raw.send("GET", cloud.bucket_host(speech_bucket), "/new").status_code == 404
