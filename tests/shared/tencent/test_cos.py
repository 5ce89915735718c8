"""COS calls as they are sent, and responses as COS writes them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import AlreadyExists, NotFound, OutcomeUnknown, RequestRejected
from shared.tencent.auth import Credentials
from shared.tencent.client import TOO_LARGE, TencentClient
from shared.tencent.cos import CosClient, ObjectMetadata, ObjectSummary, PutResult
from tests.helpers.fake_server import FakeServer, MakeClient

BUCKET = "media-1250000000"
HOST = f"{BUCKET}.cos.ap-chengdu.myqcloud.com"


@pytest.fixture
def cos(client: TencentClient) -> CosClient:
    return CosClient(client, "ap-chengdu")


def contents(key: str, *, etag: str = '"e1"', size: str = "3") -> str:
    return (
        f"<Contents><Owner><ID>o</ID><DisplayName>o</DisplayName></Owner><ETag>{etag}</ETag>"
        f"<Key>{quote(key, safe='')}</Key><Size>{size}</Size><StorageClass>STANDARD</StorageClass>"
        "<LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>"
    )


def listing(*parts: str, truncated: bool = False, next_marker: str | None = None) -> httpx.Response:
    marker = "" if next_marker is None else f"<NextMarker>{quote(next_marker, safe='')}</NextMarker>"
    return httpx.Response(
        200,
        text="<?xml version='1.0' encoding='utf-8' ?><ListBucketResult><Name>media-1250000000</Name>"
        f"<EncodingType>url</EncodingType><Prefix/><Marker/><MaxKeys>1000</MaxKeys>{marker}"
        f"<IsTruncated>{str(truncated).lower()}</IsTruncated>{''.join(parts)}</ListBucketResult>",
    )


def test_put_sends_digest_type_and_length(cos: CosClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(200, headers={"ETag": '"abc"'})]
    assert cos.put(BUCKET, "out/会议.txt", b"hello", content_type="text/plain; charset=utf-8") == PutResult(
        "abc"
    )
    request = server.last_request
    assert (request.method, request.headers["host"], unquote(server.last_target)) == (
        "PUT",
        HOST,
        "/out/会议.txt",
    )
    digest = hashlib.md5(b"hello", usedforsecurity=False).digest()
    assert request.headers["content-md5"] == base64.b64encode(digest).decode()
    assert request.headers["content-type"] == "text/plain; charset=utf-8"
    assert request.headers["content-length"] == "5"
    assert "x-cos-forbid-overwrite" not in request.headers
    assert request.read() == b"hello"


def test_create_only_header_is_sent_and_signed(cos: CosClient, server: FakeServer) -> None:
    cos.put(BUCKET, "k", b"", create_only=True)
    headers = server.last_request.headers
    assert headers["x-cos-forbid-overwrite"] == "true"
    assert "x-cos-forbid-overwrite" in headers["authorization"].split("q-header-list=")[1].split("&")[0]
    assert headers["content-length"] == "0"


def test_create_only_on_existing_object_raises_already_exists(cos: CosClient, server: FakeServer) -> None:
    body = "<Error><Code>FileAlreadyExists</Code><Message>m</Message><Resource>/k</Resource></Error>"
    server.replies = [httpx.Response(409, text=body)]
    with pytest.raises(AlreadyExists, match="media-1250000000/k"):
        cos.put(BUCKET, "k", b"", create_only=True)
    assert len(server.requests) == 1


metadata_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(value=metadata_texts)
@example("  a ")
@example(" ")
@settings(max_examples=100, deadline=None)
def test_metadata_of_any_text_survives(value: str) -> None:
    stored: dict[str, str] = {}

    def store(request: httpx.Request) -> httpx.Response:
        headers = request.headers.items()
        stored.update({name: text for name, text in headers if name.startswith("x-cos-meta-")})
        return httpx.Response(200, headers={**stored, "Content-Length": "0"})

    cos = CosClient(
        TencentClient(
            Credentials("id", "key"), http_client=lambda: httpx.Client(transport=httpx.MockTransport(store))
        ),
        "ap-chengdu",
    )
    cos.put(BUCKET, "k", b"", metadata={"Title": value})
    assert cos.head(BUCKET, "k").metadata == {"title": value}
    assert stored["x-cos-meta-title"].isascii()


def test_head_returns_size_etag_type_time_and_metadata(cos: CosClient, server: FakeServer) -> None:
    server.replies = [
        httpx.Response(
            200,
            headers={
                "ETag": '"9a0364b9e99bb480dd25e1f0284c8555"',
                "Content-Length": "482113",
                "Content-Type": "audio/mpeg",
                "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT",
                "X-Cos-Meta-Engine": "16k_en",
                "x-cos-meta-title": "%E4%BC%9A",
                "x-cos-hash-crc64ecma": "1",
            },
        )
    ]
    assert cos.head(BUCKET, "a.mp3") == ObjectMetadata(
        etag="9a0364b9e99bb480dd25e1f0284c8555",
        size=482113,
        content_type="audio/mpeg",
        modified_s=1767323045.0,
        metadata={"engine": "16k_en", "title": "会"},
    )
    assert server.last_request.method == "HEAD"


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 99 Jan 2026 03:04:05 GMT"])
def test_unreadable_date_is_zero(cos: CosClient, server: FakeServer, date: str) -> None:
    server.replies = [httpx.Response(200, headers={"Last-Modified": date, "Content-Length": "5"})]
    assert cos.head(BUCKET, "a.mp3").modified_s == 0.0


def test_head_without_size_is_outcome_unknown(cos: CosClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(200, headers={"ETag": "e"})]
    with pytest.raises(OutcomeUnknown, match="NoLength"):
        cos.head(BUCKET, "a.mp3")


def test_missing_object_is_not_found(cos: CosClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(404)]
    with pytest.raises(NotFound, match=r"media-1250000000/calls/a\.mp3"):
        cos.head(BUCKET, "calls/a.mp3")


def test_get_returns_exact_bytes(cos: CosClient, server: FakeServer) -> None:
    body = bytes(range(256))
    server.replies = [httpx.Response(200, content=body, headers={"ETag": '"e"'})]
    stored = cos.get(BUCKET, "k")
    assert (stored.body, stored.head.size, stored.head.etag) == (body, 256, "e")


def test_deleting_missing_object_is_no_error(cos: CosClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(204)]
    cos.delete(BUCKET, "k")
    assert (server.last_request.method, server.last_target) == ("DELETE", "/k")


def test_bucket_is_created_by_put(cos: CosClient, server: FakeServer) -> None:
    cos.create_bucket(BUCKET)
    assert (server.last_request.method, server.last_request.headers["host"], server.last_target) == (
        "PUT",
        HOST,
        "/",
    )


def test_listing_requests_encoded_names(cos: CosClient, server: FakeServer) -> None:
    server.replies = [listing()]
    page = cos.list_objects(BUCKET, prefix="通话/ +", delimiter="/", marker="a&b")
    assert (page.objects, page.prefixes, page.next_marker) == ((), (), "")
    target = urlsplit(server.last_target)
    assert target.path == "/"
    assert dict(parse_qsl(target.query, keep_blank_values=True)) == {
        "prefix": "通话/ +", "delimiter": "/", "marker": "a&b", "max-keys": "1000", "encoding-type": "url",
    }  # fmt: skip


@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_listed_key_is_read_exactly(key: str) -> None:
    client = httpx.Client(
        transport=httpx.MockTransport(lambda _: listing(contents(key), contents(key + "!")))
    )
    page = CosClient(
        TencentClient(Credentials("id", "key"), http_client=lambda: client), "ap-chengdu"
    ).list_objects(BUCKET)
    assert [item.key for item in page.objects] == [key, key + "!"]


def test_listed_object_has_etag_and_time(cos: CosClient, server: FakeServer) -> None:
    server.replies = [listing(contents("a.mp3", etag="&quot;e-2&quot;", size="482113"))]
    assert cos.list_objects(BUCKET).objects == (
        ObjectSummary("a.mp3", "e-2", 482113, "2026-01-02T03:04:05.000Z", "STANDARD"),
    )


def test_one_or_many_folders_are_listed(cos: CosClient, server: FakeServer) -> None:
    first = "<CommonPrefixes><Prefix>a%2F</Prefix></CommonPrefixes>"
    second = "<CommonPrefixes><Prefix>%E4%BC%9A%2F</Prefix></CommonPrefixes>"
    server.replies = [listing(first), listing(first, contents("k"), second)]
    assert cos.list_objects(BUCKET, delimiter="/").prefixes == ("a/",)
    assert cos.list_objects(BUCKET, delimiter="/").prefixes == ("a/", "会/")


def list_markers(server: FakeServer) -> list[str]:
    queries = [urlsplit(request.extensions["target"]).query.decode() for request in server.requests]
    return [dict(parse_qsl(query, keep_blank_values=True))["marker"] for query in queries]


def test_long_listing_is_read_page_by_page(cos: CosClient, server: FakeServer) -> None:
    server.replies = [
        listing(contents("a"), contents("b +"), truncated=True, next_marker="b +"),
        listing(contents("c"), truncated=True),  # NextMarker may be missing
        listing(contents("d")),
    ]
    assert [item.key for item in cos.iter_objects(BUCKET, prefix="")] == ["a", "b +", "c", "d"]
    assert list_markers(server) == ["", "b +", "c"]


def test_pages_are_requested_lazily(cos: CosClient, server: FakeServer) -> None:
    server.replies = [listing(contents("a"), truncated=True, next_marker="a"), listing(contents("b"))]
    assert next(cos.iter_objects(BUCKET)).key == "a"
    assert len(server.requests) == 1


@pytest.mark.parametrize("next_marker", ["b", "a", None])
def test_listing_that_does_not_advance_is_no_end(
    cos: CosClient, server: FakeServer, next_marker: str | None
) -> None:
    """A bucket whose end was not reached must not look as if the rest of it were empty."""
    parts = [] if next_marker is None else [contents("a")]
    server.replies = [
        listing(contents("b"), truncated=True),
        listing(*parts, truncated=True, next_marker=next_marker),
    ]
    keys: list[str] = []
    with pytest.raises(OutcomeUnknown) as caught:
        keys.extend(item.key for item in cos.iter_objects(BUCKET))
    assert (caught.value.code, len(server.requests)) == ("BadListing", 2)


def test_folder_may_be_the_marker(cos: CosClient, server: FakeServer) -> None:
    folder = "<CommonPrefixes><Prefix>a%2F</Prefix></CommonPrefixes>"
    server.replies = [listing(folder, truncated=True, next_marker="a/")]
    assert cos.list_objects(BUCKET, delimiter="/").next_marker == "a/"
    server.replies = [listing(folder, truncated=True)]
    with pytest.raises(OutcomeUnknown, match="BadListing"):
        cos.list_objects(BUCKET, delimiter="/")


MD5 = "9a0364b9e99bb480dd25e1f0284c8555"


@pytest.mark.parametrize(
    ("etag", "expected"),
    [
        (f'"{MD5}"', MD5),
        (MD5, MD5),
        (f'"{MD5.upper()}"', MD5),
        (f'W/"{MD5}"', MD5),
        (f'w/"{MD5.upper()}"', MD5),
        (f' "{MD5}" ', MD5),
        (f'W/"{MD5.upper()}-12"', f"{MD5}-12"),
        ('"Not-Hex"', "Not-Hex"),
        ('""', ""),
    ],
)
def test_etag_reads_the_same_wherever_it_is_from(
    cos: CosClient, server: FakeServer, etag: str, expected: str
) -> None:
    """Otherwise the same recording would count as another one, and be paid for twice."""
    server.replies = [httpx.Response(200, headers={"ETag": etag, "Content-Length": "0"})]
    assert cos.head(BUCKET, "k").etag == cos.get(BUCKET, "k").head.etag == expected
    assert cos.put(BUCKET, "k", b"").etag == expected
    server.replies = [listing(contents("k", etag=etag.replace('"', "&quot;")))]
    assert cos.list_objects(BUCKET).objects[0].etag == expected


def test_head_without_etag_and_time_has_neither(cos: CosClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(200, headers={"Content-Length": "5"})]
    head = cos.head(BUCKET, "k")
    assert (head.etag, head.modified_s, head.size) == ("", 0.0, 5)


class CountedBody(httpx.SyncByteStream):
    """A body of many pieces, which counts those that were read."""

    def __init__(self, pieces: int = 1000) -> None:
        self.pieces, self.read, self.is_closed = pieces, 0, False

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.pieces):
            self.read += 1
            yield b"x" * 100

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize(("headers", "pieces_read"), [({}, 11), ({"Content-Length": "100000"}, 0)])
def test_object_that_is_too_large_is_not_read(
    cos: CosClient, server: FakeServer, headers: dict[str, str], pieces_read: int
) -> None:
    body = CountedBody()
    server.replies = [httpx.Response(200, headers=headers, stream=body)]
    with pytest.raises(RequestRejected, match="more than 1,000 bytes") as caught:
        cos.get(BUCKET, "k", max_bytes=1000)
    assert (caught.value.code, body.read, body.is_closed, len(server.requests)) == (
        TOO_LARGE,
        pieces_read,
        True,
        1,
    )


def test_object_of_the_largest_size_is_read(cos: CosClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(200, stream=CountedBody(10))]
    assert len(cos.get(BUCKET, "k", max_bytes=1000).body) == 1000


def test_write_with_an_endless_response_may_have_happened(cos: CosClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(200, headers={"Content-Length": "99999999"}, stream=CountedBody())]
    with pytest.raises(OutcomeUnknown, match=TOO_LARGE):
        cos.put(BUCKET, "k", b"")
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", ["", "<html>", "hello", "<html><body>busy</body></html>", "<Response/>"])
def test_invalid_listing_is_not_an_empty_bucket(cos: CosClient, server: FakeServer, body: str) -> None:
    server.replies = [httpx.Response(200, text=body)]
    with pytest.raises(OutcomeUnknown, match="media-1250000000"):
        cos.list_objects(BUCKET)


def test_empty_list_element_is_an_empty_bucket(cos: CosClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(200, text="<ListBucketResult/>")]
    assert cos.list_objects(BUCKET).objects == ()


@pytest.mark.parametrize("region", ["ap-chengdu", "eu-frankfurt"])
def test_host_has_bucket_and_region(make_client: MakeClient, server: FakeServer, region: str) -> None:
    CosClient(make_client(), region).get("text-1250000001", "k")
    assert server.last_request.headers["host"] == f"text-1250000001.cos.{region}.myqcloud.com"


def test_delete_without_key_raises(client: TencentClient, server: FakeServer) -> None:
    with pytest.raises(ValueError, match="remove the bucket"):
        CosClient(client, "ap-chengdu").delete("media-1250000000", "")
    assert not server.requests


RESTORED = 'ongoing-request="false", expiry-date="Fri, 01 Jan 2027 00:00:00 GMT"'
STORAGES: list[tuple[dict[str, str], bool, bool]] = [
    ({}, False, False),
    ({"x-cos-storage-class": "STANDARD_IA"}, False, False),
    ({"x-cos-storage-class": "ARCHIVE"}, True, False),
    ({"x-cos-storage-class": "DEEP_ARCHIVE"}, True, False),
    ({"x-cos-storage-class": "archive"}, True, False),
    ({"x-cos-storage-class": "ARCHIVE", "x-cos-restore": 'ongoing-request="true"'}, True, False),
    ({"x-cos-storage-class": "ARCHIVE", "x-cos-restore": RESTORED}, False, True),
    ({"x-cos-storage-class": "INTELLIGENT_TIERING", "x-cos-storage-tier": "FREQUENT"}, False, False),
    ({"x-cos-storage-class": "INTELLIGENT_TIERING", "x-cos-storage-tier": "ARCHIVE"}, True, False),
    ({"x-cos-storage-class": "INTELLIGENT_TIERING", "x-cos-storage-tier": "DEEP_ARCHIVE"}, True, False),
]


@pytest.mark.parametrize(("headers", "is_archived", "was_restored"), STORAGES)
def test_head_says_whether_an_object_can_be_read(
    cos: CosClient, server: FakeServer, headers: dict[str, str], is_archived: bool, was_restored: bool
) -> None:
    server.replies = [httpx.Response(200, headers={"Content-Length": "2100", "ETag": '"e1"', **headers})]
    head = cos.head(BUCKET, "a.mp3")
    assert (head.is_archived, head.was_restored) == (is_archived, was_restored)


@pytest.mark.parametrize(
    ("element", "is_versioned"),
    [
        ("", False),
        ("<Status>Enabled</Status>", True),
        ("<Status>Suspended</Status>", True),
        ("<Status/>", False),
    ],
)
def test_versioning_counts_also_when_it_is_suspended(
    cos: CosClient, server: FakeServer, element: str, is_versioned: bool
) -> None:
    server.replies = [
        httpx.Response(200, text=f"<VersioningConfiguration>{element}</VersioningConfiguration>")
    ]
    assert cos.has_versioning(BUCKET) is is_versioned
    assert server.last_target == "/?versioning="


@pytest.mark.parametrize(
    "body", ["", "<html><body>busy</body></html>", "<VersioningConfiguration>", "<Response/>"]
)
def test_invalid_answer_about_versioning_is_not_none(cos: CosClient, server: FakeServer, body: str) -> None:
    """Two processes with different answers would both submit."""
    server.replies = [httpx.Response(200, text=body)]
    with pytest.raises(OutcomeUnknown, match=BUCKET) as caught:
        cos.has_versioning(BUCKET)
    assert caught.value.code == "BadVersioning"


@pytest.mark.parametrize("status", [400, 403])
def test_refused_head_names_the_action_that_it_needs(cos: CosClient, server: FakeServer, status: int) -> None:
    server.replies = [httpx.Response(status, headers={"x-cos-request-id": "r1"})]
    with pytest.raises(RequestRejected) as caught:
        cos.head(BUCKET, "a.mp3")
    assert (caught.value.status, caught.value.request_id) == (status, "r1")
    assert ("cos:HeadObject" in str(caught.value)) is (status == 403)
