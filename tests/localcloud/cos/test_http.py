"""COS over plain HTTP: requests that the SDK never sends, and odd keys."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.localcloud.clients import MakeRaw, RawClient, Signing, parse_error, parse_xml, relative_to_now
from tests.localcloud.stand_in import StandIn, eventually

pytestmark = pytest.mark.process

ODD_KEYS = [
    "a/../b",
    "..",
    "a/..",
    "./x",
    "a//b",
    "/leading",
    "trailing/",
    "per%2Fcent",
    "per%cent",
    "&<>'\"",
    "line\nfeed",
    "carriage\rreturn",
    "tab\there",
    "null\0byte",
    "\x7f",
    "emoji 🎧.mp3",
    "a+b=c&d?e#f;g",
    "CON",
    "ends with dot.",
    "name:with*stars?",
    "back\\slash",
    "ü",
    "u\u0308",
    "x" * 300,
    "长" * 280,
    "tagging",
    "versions?delete",
]


def parse_keys(response: httpx.Response) -> list[str]:
    return [unquote(node.text or "") for node in parse_xml(response).findall("Contents/Key")]


def list_keys(cloud: StandIn, raw: RawClient, bucket: str, **query: str) -> list[str]:
    return parse_keys(raw.send("GET", cloud.bucket_host(bucket), "/", {"encoding-type": "url", **query}))


def test_odd_keys_are_stored_and_listed(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host = cloud.bucket_host(bucket)
    for key in ODD_KEYS:
        put = raw.send("PUT", host, f"/{key}", body=key.encode())
        assert put.status_code == 200, (key, put.text)
    for key in ODD_KEYS:
        assert raw.send("GET", host, f"/{key}").content == key.encode(), key
    assert list_keys(cloud, raw, bucket) == sorted(ODD_KEYS, key=str.encode)
    outside = [path for path in cloud.folder.iterdir() if path.name in ("b", "x", "leading")]
    assert not outside, "a key must never leave its folder"
    for key in ODD_KEYS:
        assert raw.send("DELETE", host, f"/{key}").status_code == 204
    assert list_keys(cloud, raw, bucket) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200),
    content=st.binary(max_size=50),
)
def test_any_text_can_be_key(cloud: StandIn, raw: RawClient, bucket: str, key: str, content: bytes) -> None:
    host = cloud.bucket_host(bucket)
    assert raw.send("PUT", host, f"/{key}", body=content).status_code == 200
    assert raw.send("GET", host, f"/{key}").content == content
    assert list_keys(cloud, raw, bucket, prefix=key)[:1] == [key]


def test_key_can_be_prefix_of_other_keys(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host = cloud.bucket_host(bucket)
    for key in ("a", "a/b", "c/d", "c", "c/d/e"):
        raw.send("PUT", host, f"/{key}", body=key.encode())
    for key in ("a", "a/b", "c/d", "c", "c/d/e"):
        assert raw.send("GET", host, f"/{key}").content == key.encode()
    raw.send("DELETE", host, "/a")
    assert raw.send("GET", host, "/a/b").content == b"a/b"


def test_keys_are_case_sensitive(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host = cloud.bucket_host(bucket)
    raw.send("PUT", host, "/Call.mp3", body=b"upper")
    raw.send("PUT", host, "/call.mp3", body=b"lower")
    assert raw.send("GET", host, "/Call.mp3").content == b"upper"
    assert raw.send("GET", host, "/call.mp3").content == b"lower"
    raw.send("PUT", host, "/call.mp3", body=b"again")
    raw.send("DELETE", host, "/Call.mp3")
    assert raw.send("GET", host, "/call.mp3").content == b"again"


def test_safe_key_is_plain_file(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    raw.send("PUT", cloud.bucket_host(bucket), "/calls/会议.txt", body=b"words")
    assert (cloud.folder / "buckets" / bucket / "calls" / "会议.txt").read_bytes() == b"words"
    raw.send("DELETE", cloud.bucket_host(bucket), "/calls/会议.txt")
    assert not (cloud.folder / "buckets" / bucket / "calls").exists()


@pytest.mark.parametrize("key", ["长" * 284, "x" * 851])
def test_key_over_850_bytes_is_rejected(cloud: StandIn, raw: RawClient, bucket: str, key: str) -> None:
    host = cloud.bucket_host(bucket)
    assert parse_error(raw.send("PUT", host, f"/{key}", body=b"x")) == (400, "InvalidURI")
    assert parse_error(raw.send("GET", host, f"/{key}")) == (400, "InvalidURI")


def test_concurrent_create_only_puts_have_one_winner(
    cloud: StandIn, make_raw: MakeRaw, raw: RawClient, bucket: str
) -> None:
    host, responses = cloud.bucket_host(bucket), []
    start = threading.Barrier(6)

    def race(name: str, client: RawClient) -> None:
        start.wait()
        headers = {"x-cos-forbid-overwrite": "true"}
        responses.append((client.send("PUT", host, "/receipt", {}, headers, name.encode()), name))

    threads = [threading.Thread(target=race, args=(f"n{number}", make_raw(cloud))) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [name for response, name in responses if response.status_code == 200]
    losers = [parse_error(response) for response, _ in responses if response.status_code != 200]
    assert len(winners) == 1
    assert losers == [(409, "FileAlreadyExists")] * 5
    assert raw.send("GET", host, "/receipt").content == winners[0].encode()


def test_create_only_applies_to_copies_and_completed_uploads(
    cloud: StandIn, raw: RawClient, bucket: str
) -> None:
    host, create_only = cloud.bucket_host(bucket), {"x-cos-forbid-overwrite": "true"}
    raw.send("PUT", host, "/present", body=b"x")
    copy = raw.send("PUT", host, "/present", {}, {**create_only, "x-cos-copy-source": f"{host}/present"})
    assert parse_error(copy) == (409, "FileAlreadyExists")
    started = raw.send("POST", host, "/present", {"uploads": ""})
    upload_id = parse_xml(started).findtext("UploadId", "")
    part = raw.send("PUT", host, "/present", {"partNumber": "1", "uploadId": upload_id}, body=b"new")
    body = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{part.headers['etag']}</ETag></Part></CompleteMultipartUpload>"
    ).encode()
    rejected = raw.send("POST", host, "/present", {"uploadId": upload_id}, create_only, body)
    assert parse_error(rejected) == (409, "FileAlreadyExists")
    assert raw.send("GET", host, "/present").content == b"x"
    assert raw.send("POST", host, "/present", {"uploadId": upload_id}, body=body).status_code == 200
    assert raw.send("GET", host, "/present").content == b"new"


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_create_only_has_no_effect_on_versioned_bucket(
    cloud: StandIn, raw: RawClient, bucket: str, status: str
) -> None:
    host = cloud.bucket_host(bucket)
    body = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>".encode()
    assert raw.send("PUT", host, "/", {"versioning": ""}, body=body).status_code == 200
    for _ in range(2):
        assert raw.send("PUT", host, "/a", {}, {"x-cos-forbid-overwrite": "true"}, b"x").status_code == 200


def test_if_none_match_is_ignored_on_put(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    for content in (b"one", b"two"):
        assert (
            raw.send("PUT", cloud.bucket_host(bucket), "/a", {}, {"if-none-match": "*"}, content).status_code
            == 200
        )
    assert raw.send("GET", cloud.bucket_host(bucket), "/a").content == b"two"


def test_unchanged_object_is_304(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host = cloud.bucket_host(bucket)
    etag = raw.send("PUT", host, "/a", body=b"x").headers["etag"]
    modified = raw.send("HEAD", host, "/a").headers["last-modified"]
    for header in ({"if-none-match": etag}, {"if-none-match": "*"}, {"if-modified-since": modified}):
        response = raw.send("GET", host, "/a", {}, header)
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", etag)
    # If both are present, only If-None-Match counts (RFC 9110, 13.2.2).
    both = {"if-none-match": '"other"', "if-modified-since": modified}
    assert raw.send("GET", host, "/a", {}, both).status_code == 200


def test_signature_over_host_without_port_is_valid(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host = cloud.bucket_host(bucket)
    headers = {"host": f"{host}:8080", "authorization": raw.sign("GET", "/", {}, {"host": host})}
    assert raw.target("GET", "/", headers).status_code == 200


@pytest.mark.parametrize("authorization", ["", "Basic eDp5"])
def test_invalid_authorization_is_403(
    cloud: StandIn, raw: RawClient, bucket: str, authorization: str
) -> None:
    response = raw.send("GET", cloud.bucket_host(bucket), authorization=authorization)
    assert parse_error(response) == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("signing", "code"),
    [
        ({"window": (-900, -1)}, "AccessDenied"),
        ({"window": (3600, 7200)}, "RequestTimeTooSkewed"),
        ({"window": (30, 600)}, "RequestTimeTooSkewed"),
        ({"secret_id": "AKIDUNKNOWN"}, "InvalidAccessKeyId"),
        ({"secret_key": "wrong"}, "SignatureDoesNotMatch"),
    ],
)
def test_invalid_signature_gets_service_code(
    cloud: StandIn, raw: RawClient, bucket: str, signing: Signing, code: str
) -> None:
    response = raw.send("GET", cloud.bucket_host(bucket), **relative_to_now(signing))
    assert parse_error(response) == (403, code)


def test_temporary_key_needs_its_signed_token(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host = cloud.bucket_host(bucket)
    key = cloud.admin("POST", "keys")
    temporary = {"secret_id": key["secret_id"], "secret_key": key["secret_key"]}
    token = {"x-cos-security-token": key["token"]}
    assert raw.send("GET", host, headers=token, **temporary).status_code == 200
    assert parse_error(raw.send("GET", host, unsigned=token, **temporary)) == (403, "AccessDenied")
    assert parse_error(raw.send("GET", host, **temporary)) == (403, "AccessDenied")


def test_head_error_has_no_body(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    response = raw.send("HEAD", cloud.bucket_host(bucket), "/missing")
    assert (response.status_code, response.content) == (404, b"")
    assert response.headers["x-cos-request-id"]


def test_every_response_has_service_headers(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    response = raw.send("GET", cloud.bucket_host(bucket))
    assert response.headers["server"] == "tencent-cos"
    assert response.headers["content-type"] == "application/xml"
    assert response.headers["date"]
    assert (b"Content-Type", b"application/xml") in response.headers.raw


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MalformedXML"),
        (b"<Delete>", "MalformedXML"),
        (b"not xml at all", "MalformedXML"),
        (b"\xff\xfe<Delete/>", "MalformedXML"),
        (b"<Other/>", "MalformedXML"),
        (b"<Delete/>", "MalformedXML"),
        (b"<a>" * 100 + b"</a>" * 100, "MalformedXML"),
        (b"x" * 3_000_000, "EntityTooLarge"),
    ],
)
def test_malformed_body_is_rejected(
    cloud: StandIn, raw: RawClient, bucket: str, body: bytes, code: str
) -> None:
    assert parse_error(raw.send("POST", cloud.bucket_host(bucket), "/", {"delete": ""}, body=body)) == (
        400,
        code,
    )


ENTITIES = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
ENTITY_BOMB = f'<!DOCTYPE Delete [<!ENTITY l0 "ha">{ENTITIES}]><Delete>&l11;</Delete>'
EXTERNAL_ENTITY = '<!DOCTYPE Delete [<!ENTITY x SYSTEM "file:///etc/hostname">]><Delete>&x;</Delete>'


@pytest.mark.parametrize("body", [ENTITY_BOMB, EXTERNAL_ENTITY], ids=["bomb", "external"])
def test_entity_is_rejected_quickly(cloud: StandIn, raw: RawClient, bucket: str, body: str) -> None:
    started_s = time.monotonic()
    response = raw.send("POST", cloud.bucket_host(bucket), "/", {"delete": ""}, body=body.encode())
    assert parse_error(response) == (400, "MalformedXML")
    assert time.monotonic() - started_s < 2


def test_header_limits(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host = cloud.bucket_host(bucket)
    big = {f"x-cos-meta-{number}": "v" * 500 for number in range(5)}
    assert parse_error(raw.send("PUT", host, "/a", {}, big, b"x")) == (400, "MetadataTooLarge")
    inject = {"response-content-type": "text/plain\r\nx-evil: 1"}
    raw.send("PUT", host, "/a", body=b"x")
    assert parse_error(raw.send("GET", host, "/a", inject)) == (400, "InvalidArgument")
    response = raw.send(
        "GET", host, "/a", {"response-content-disposition": 'attachment; filename="会议.txt"'}
    )
    assert response.headers.raw is not None
    assert 'filename="会议.txt"'.encode() in dict(response.headers.raw)[b"Content-Disposition"]


def test_put_stores_tagging_header(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    host = cloud.bucket_host(bucket)
    raw.send("PUT", host, "/a", {}, {"x-cos-tagging": "team=sales&lang=zh"}, b"x")
    tags = parse_xml(raw.send("GET", host, "/a", {"tagging": ""}))
    assert [node.text for node in tags.iter("Key")] == ["team", "lang"]
    eleven = "&".join(f"k{number}=v" for number in range(11))
    assert parse_error(raw.send("PUT", host, "/b", {}, {"x-cos-tagging": eleven}, b"x")) == (
        400,
        "BadRequest",
    )


@pytest.mark.parametrize(
    ("method", "path", "query", "status", "code"),
    [
        ("GET", "/", {"max-keys": "many"}, 400, "InvalidArgument"),
        ("GET", "/", {"encoding-type": "base64"}, 400, "InvalidArgument"),
        ("GET", "/", {"acl": ""}, 501, "NotImplemented"),
        ("PATCH", "/a", {}, 405, "MethodNotAllowed"),
        ("POST", "/a", {}, 405, "MethodNotAllowed"),
        ("GET", "/a", {"versionId": "unknown"}, 404, "NoSuchVersion"),
        ("PUT", "/a", {"uploadId": "unknown", "partNumber": "1"}, 404, "NoSuchUpload"),
        ("PUT", "/a", {"uploadId": "unknown", "partNumber": "0"}, 400, "InvalidArgument"),
    ],
)
def test_unsupported_request_gets_clear_error(
    cloud: StandIn,
    raw: RawClient,
    bucket: str,
    method: str,
    path: str,
    query: dict[str, str],
    status: int,
    code: str,
) -> None:
    assert parse_error(raw.send(method, cloud.bucket_host(bucket), path, query)) == (status, code)


def test_interrupted_body_leaves_nothing(
    cloud: StandIn, raw: RawClient, make_raw: MakeRaw, bucket: str
) -> None:
    host = cloud.bucket_host(bucket)
    interrupted = make_raw(cloud)
    headers = {
        "host": host,
        "authorization": raw.sign("PUT", "/cut", {}, {"host": host}),
        "content-length": "1000",
    }

    def half() -> Iterator[bytes]:
        yield b"x" * 500
        raise RuntimeError("the line breaks")

    with pytest.raises(RuntimeError, match="the line breaks"):
        interrupted.client.request(
            "PUT", cloud.endpoint, headers=headers, content=half(), extensions={"target": b"/cut"}
        )
    interrupted.client.close()
    # Parts of open uploads are in the same folder; their names have a number after a dot.
    eventually(lambda: not [file for file in (cloud.folder / "incoming").iterdir() if "." not in file.name])
    assert raw.send("GET", host, "/cut").status_code == 404


def test_large_object_is_stored_and_read_back(cloud: StandIn, raw: RawClient, bucket: str) -> None:
    content = hashlib.sha512(b"seed").digest() * 65_536
    response = raw.send("PUT", cloud.bucket_host(bucket), "/big", body=content)
    assert response.headers["etag"] == f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
    assert raw.send("GET", cloud.bucket_host(bucket), "/big").content == content
