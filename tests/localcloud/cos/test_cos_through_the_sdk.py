"""COS as used by Tencent's own Python client, unmodified."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.loopback import open_client
from tests.localcloud.clients import CosSdk, MakeSdk
from tests.localcloud.stand_in import StandIn

pytestmark = pytest.mark.process

CHINESE = "音频/会议 a+b%20~1.txt"


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def get_error(call: Callable[[], object]) -> tuple[int, str]:
    """Return status and code of the error that the SDK raises."""
    with pytest.raises(Exception, match=r".") as caught:
        call()
    error: Any = caught.value
    return error.get_status_code(), error.get_error_code()


def read_body(sdk: CosSdk, bucket: str, key: str, **more: Any) -> bytes:
    return bytes(sdk.get_object(bucket, key, **more)["Body"].get_raw_stream().read())


def test_object_comes_back_as_put(sdk: CosSdk, bucket: str) -> None:
    put = sdk.put_object(
        bucket,
        b"hello",
        CHINESE,
        ContentType="text/plain; charset=utf-8",
        CacheControl="no-store",
        Metadata={"x-cos-meta-lang": "zh"},
    )
    head = sdk.head_object(bucket, CHINESE)
    assert put["ETag"] == head["ETag"] == f'"{md5(b"hello")}"'
    assert (head["Content-Type"], head["Content-Length"]) == ("text/plain; charset=utf-8", "5")
    assert (head["x-cos-meta-lang"], head["Cache-Control"]) == ("zh", "no-store")
    assert read_body(sdk, bucket, CHINESE) == b"hello"


def test_deleting_object_twice_is_no_error(sdk: CosSdk, bucket: str) -> None:
    sdk.put_object(bucket, b"x", "a")
    sdk.delete_object(bucket, "a")
    sdk.delete_object(bucket, "a")
    assert get_error(lambda: sdk.get_object(bucket, "a")) == (404, "NoSuchKey")
    assert get_error(lambda: sdk.head_object(bucket, "a"))[0] == 404
    assert not sdk.object_exists(bucket, "a")


def test_error_has_resource_and_request_id(cloud: StandIn, sdk: CosSdk, bucket: str) -> None:
    with pytest.raises(Exception, match="NoSuchKey") as caught:
        sdk.get_object(bucket, "not/there")
    error: Any = caught.value
    assert error.get_resource_location() == f"{cloud.bucket_host(bucket)}/not/there"
    assert error.get_request_id()
    assert error.get_trace_id()


def test_bucket_is_created_listed_and_deleted_when_empty(cloud: StandIn, sdk: CosSdk) -> None:
    name = f"shortlived-{cloud.appid}"
    sdk.create_bucket(name)
    assert sdk.bucket_exists(name)
    assert name in {item["Name"] for item in sdk.list_buckets()["Buckets"]["Bucket"]}
    assert get_error(lambda: sdk.create_bucket(name)) == (409, "BucketAlreadyExists")
    sdk.put_object(name, b"x", "a")
    assert get_error(lambda: sdk.delete_bucket(name)) == (409, "BucketNotEmpty")
    sdk.delete_object(name, "a")
    sdk.delete_bucket(name)
    assert not sdk.bucket_exists(name)
    assert get_error(lambda: sdk.list_objects(name)) == (404, "NoSuchBucket")


def test_bucket_of_other_region_or_account_is_not_found(
    cloud: StandIn, make_sdk: MakeSdk, sdk: CosSdk, bucket: str
) -> None:
    elsewhere = make_sdk(cloud, Region="ap-shanghai")
    assert get_error(lambda: elsewhere.list_objects(bucket)) == (404, "NoSuchBucket")
    assert get_error(lambda: sdk.list_objects(bucket.replace(cloud.appid, "1259999999"))) == (
        404,
        "NoSuchBucket",
    )
    assert get_error(lambda: sdk.create_bucket("name-1259999999")) == (400, "InvalidBucketName")
    assert sdk.get_bucket_location(bucket)["LocationConstraint"] == cloud.region


def test_listing_pages_are_in_byte_order(sdk: CosSdk, bucket: str) -> None:
    keys = [f"录音/{number:02d} 号&<a>.mp3" for number in range(7)] + ["a b.txt", "z+1.txt", "é.txt"]
    for key in keys:
        sdk.put_object(bucket, key.encode(), key)
    listed_keys: list[str] = []
    marker, pages = "", 0
    while True:
        page = sdk.list_objects(bucket, Marker=marker, MaxKeys=3)
        listed_keys += [item["Key"] for item in page["Contents"]]
        pages += 1
        if page["IsTruncated"] == "false":
            break
        marker = page["NextMarker"]
    assert listed_keys == sorted(keys, key=str.encode)
    assert pages == 4


def test_listing_with_delimiter_returns_common_prefixes(sdk: CosSdk, bucket: str) -> None:
    for key in ("a/1", "a/2", "b/c/3", "top"):
        sdk.put_object(bucket, b"x", key)
    page = sdk.list_objects(bucket, Delimiter="/")
    assert [item["Prefix"] for item in page["CommonPrefixes"]] == ["a/", "b/"]
    assert [item["Key"] for item in page["Contents"]] == ["top"]
    inside = sdk.list_objects(bucket, Prefix="b/", Delimiter="/")
    assert [item["Prefix"] for item in inside["CommonPrefixes"]] == ["b/c/"]
    assert "Contents" not in inside


def test_large_file_is_uploaded_in_parts(sdk: CosSdk, bucket: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096 * 3 + b"the end"
    local = tmp_path / "call.wav"
    local.write_bytes(content)
    done = sdk.upload_file(bucket, "大/call.wav", str(local), PartSize=1, MAXThread=3)
    parts = [content[start : start + 1024 * 1024] for start in range(0, len(content), 1024 * 1024)]
    joined = md5(b"".join(bytes.fromhex(md5(part)) for part in parts))
    assert done["ETag"] == f'"{joined}-4"'
    target = tmp_path / "back.wav"
    sdk.download_file(bucket, "大/call.wav", str(target), PartSize=1)
    assert target.read_bytes() == content


def test_multipart_upload_is_listed_and_aborted(sdk: CosSdk, bucket: str) -> None:
    upload_id = sdk.create_multipart_upload(bucket, "a", ContentType="audio/mpeg")["UploadId"]
    part = sdk.upload_part(bucket, "a", b"x" * 10, 1, upload_id)
    listed = sdk.list_parts(bucket, "a", upload_id)
    assert [(item["PartNumber"], item["ETag"], item["Size"]) for item in listed["Part"]] == [
        ("1", part["ETag"], "10")
    ]
    assert [item["UploadId"] for item in sdk.list_multipart_uploads(bucket)["Upload"]] == [upload_id]
    sdk.abort_multipart_upload(bucket, "a", upload_id)
    assert get_error(lambda: sdk.list_parts(bucket, "a", upload_id)) == (404, "NoSuchUpload")
    assert "Upload" not in sdk.list_multipart_uploads(bucket)


def test_completed_upload_keeps_its_headers(sdk: CosSdk, bucket: str) -> None:
    upload_id = sdk.create_multipart_upload(bucket, "a", ContentType="audio/mpeg")["UploadId"]
    etag = sdk.upload_part(bucket, "a", b"first", 1, upload_id)["ETag"]
    sdk.complete_multipart_upload(bucket, "a", upload_id, {"Part": [{"PartNumber": 1, "ETag": etag}]})
    head = sdk.head_object(bucket, "a")
    assert (head["Content-Type"], head["Content-Length"]) == ("audio/mpeg", "5")
    assert head["ETag"].endswith('-1"')


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([(1, ""), (2, "")], "EntityTooSmall"),
        ([(2, ""), (1, "")], "InvalidPartOrder"),
        ([(1, "0" * 32)], "InvalidPart"),
        ([(9, "")], "InvalidPart"),
    ],
)
def test_complete_with_wrong_parts_is_rejected(
    sdk: CosSdk, bucket: str, parts: list[tuple[int, str]], code: str
) -> None:
    upload_id = sdk.create_multipart_upload(bucket, "a")["UploadId"]
    etags = {number: sdk.upload_part(bucket, "a", b"small", number, upload_id)["ETag"] for number in (1, 2)}
    part_list = {
        "Part": [{"PartNumber": number, "ETag": etag or etags.get(number, "x")} for number, etag in parts]
    }
    assert get_error(lambda: sdk.complete_multipart_upload(bucket, "a", upload_id, part_list)) == (400, code)


def test_copy_keeps_or_replaces_metadata(cloud: StandIn, sdk: CosSdk, bucket: str) -> None:
    sdk.put_object(bucket, b"words", CHINESE, ContentType="text/plain", Metadata={"x-cos-meta-lang": "zh"})
    source = {"Bucket": bucket, "Key": CHINESE, "Region": cloud.region}
    sdk.copy_object(bucket, "kept", source)
    sdk.copy_object(bucket, "replaced", source, CopyStatus="Replaced", ContentType="text/html")
    assert read_body(sdk, bucket, "kept") == read_body(sdk, bucket, "replaced") == b"words"
    kept, replaced = sdk.head_object(bucket, "kept"), sdk.head_object(bucket, "replaced")
    assert (kept["Content-Type"], kept["x-cos-meta-lang"]) == ("text/plain", "zh")
    assert replaced["Content-Type"] == "text/html"
    assert "x-cos-meta-lang" not in replaced
    missing = {**source, "Key": "missing"}
    assert get_error(lambda: sdk.copy_object(bucket, "b", missing)) == (404, "NoSuchKey")


def test_range_is_returned(sdk: CosSdk, bucket: str) -> None:
    sdk.put_object(bucket, b"0123456789", "a")
    assert read_body(sdk, bucket, "a", Range="bytes=2-4") == b"234"
    assert read_body(sdk, bucket, "a", Range="bytes=7-") == b"789"
    assert read_body(sdk, bucket, "a", Range="bytes=-3") == b"789"
    assert read_body(sdk, bucket, "a", Range="bytes=5-99") == b"56789"
    assert get_error(lambda: sdk.get_object(bucket, "a", Range="bytes=10-")) == (416, "InvalidRange")


def test_conditions_are_respected(sdk: CosSdk, bucket: str) -> None:
    etag = sdk.put_object(bucket, b"x", "a")["ETag"]
    assert read_body(sdk, bucket, "a", IfMatch=etag) == b"x"
    assert get_error(lambda: sdk.get_object(bucket, "a", IfMatch='"other"')) == (412, "PreconditionFailed")
    early = "Thu, 01 Jan 1998 00:00:00 GMT"
    assert get_error(lambda: sdk.get_object(bucket, "a", IfUnmodifiedSince=early)) == (
        412,
        "PreconditionFailed",
    )
    assert read_body(sdk, bucket, "a", IfModifiedSince=early) == b"x"


def test_tags_are_put_read_and_deleted(sdk: CosSdk, bucket: str) -> None:
    sdk.put_object(bucket, b"x", "a")
    tags = [{"Key": "team", "Value": "sales"}, {"Key": "语言", "Value": "zh"}]
    sdk.put_object_tagging(bucket, "a", {"TagSet": {"Tag": tags}})
    assert sdk.get_object_tagging(bucket, "a")["TagSet"]["Tag"] == tags
    sdk.delete_object_tagging(bucket, "a")
    assert not sdk.get_object_tagging(bucket, "a")["TagSet"]
    bad = {"TagSet": {"Tag": [{"Key": "cos:temporary", "Value": "x"}]}}
    assert get_error(lambda: sdk.put_object_tagging(bucket, "a", bad)) == (400, "InvalidTag")
    assert get_error(lambda: sdk.get_object_tagging(bucket, "missing")) == (404, "NoSuchKey")


def test_objects_are_deleted_in_one_call(sdk: CosSdk, bucket: str) -> None:
    keys = ["a", "b/c", "音 & <频>"]
    for key in keys:
        sdk.put_object(bucket, b"x", key)
    response = sdk.delete_objects(bucket, {"Object": [{"Key": key} for key in [*keys, "missing"]]})
    assert [item["Key"] for item in response["Deleted"]] == [*keys, "missing"]
    assert "Contents" not in sdk.list_objects(bucket)
    quiet = sdk.delete_objects(bucket, {"Object": [{"Key": "a"}], "Quiet": "true"})
    assert not quiet["DeleteResult"]


def test_presigned_url_works_without_key(cloud: StandIn, sdk: CosSdk, bucket: str) -> None:
    sdk.put_object(bucket, b"shared", CHINESE)
    url = sdk.get_presigned_url(
        bucket, CHINESE, "GET", Expired=60, Params={"response-content-type": "text/x-call"}
    )
    with open_client(proxy=cloud.endpoint) as client:
        response = client.get(url)
        assert (response.status_code, response.content) == (200, b"shared")
        assert response.headers["content-type"] == "text/x-call"
        assert client.get(url.replace("text%2F", "html%2F")).status_code == 403
        upload = sdk.get_presigned_url(bucket, "drop/here.txt", "PUT", Expired=60)
        assert client.put(upload, content=b"dropped").status_code == 200
    assert read_body(sdk, bucket, "drop/here.txt") == b"dropped"


def test_presigned_url_of_temporary_key_needs_token(
    cloud: StandIn, make_sdk: MakeSdk, sdk: CosSdk, bucket: str
) -> None:
    sdk.put_object(bucket, b"shared", "a")
    key = cloud.admin("POST", "keys")
    temporary = make_sdk(cloud, SecretId=key["secret_id"], SecretKey=key["secret_key"], Token=key["token"])
    token = {"x-cos-security-token": key["token"]}  # the client does not add it
    url = temporary.get_presigned_url(bucket, "a", "GET", Expired=60, Params=token)
    with open_client(proxy=cloud.endpoint) as client:
        assert client.get(url).content == b"shared"
        assert client.get(url.replace("x-cos-security-token", "x-other")).status_code == 403


def test_versions_are_kept_and_marked_deleted(sdk: CosSdk, bucket: str) -> None:
    sdk.put_object(bucket, b"before versioning", "a")
    assert not sdk.get_bucket_versioning(bucket).get("Status")
    sdk.put_bucket_versioning(bucket, "Enabled")
    assert sdk.get_bucket_versioning(bucket)["Status"] == "Enabled"
    first = sdk.put_object(bucket, b"one", "a")["x-cos-version-id"]
    second = sdk.put_object(bucket, b"two", "a")["x-cos-version-id"]
    assert read_body(sdk, bucket, "a") == b"two"
    assert read_body(sdk, bucket, "a", VersionId=first) == b"one"
    assert read_body(sdk, bucket, "a", VersionId="null") == b"before versioning"
    marker = sdk.delete_object(bucket, "a")["x-cos-version-id"]
    assert get_error(lambda: sdk.get_object(bucket, "a")) == (404, "NoSuchKey")
    assert "Contents" not in sdk.list_objects(bucket)
    listed = sdk.list_objects_versions(bucket)
    assert [item["VersionId"] for item in listed["Version"]] == [second, first, "null"]
    assert [item["IsLatest"] for item in listed["DeleteMarker"]] == ["true"]
    sdk.delete_object(bucket, "a", VersionId=marker)
    assert read_body(sdk, bucket, "a") == b"two"
    sdk.delete_object(bucket, "a", VersionId=second)
    assert read_body(sdk, bucket, "a") == b"one"


def test_suspended_versioning_keeps_one_null_version(sdk: CosSdk, bucket: str) -> None:
    sdk.put_bucket_versioning(bucket, "Enabled")
    first = sdk.put_object(bucket, b"one", "a")["x-cos-version-id"]
    sdk.put_bucket_versioning(bucket, "Suspended")
    sdk.put_object(bucket, b"two", "a")
    sdk.put_object(bucket, b"three", "a")
    assert read_body(sdk, bucket, "a") == b"three"
    assert read_body(sdk, bucket, "a", VersionId=first) == b"one"
    assert [item["VersionId"] for item in sdk.list_objects_versions(bucket)["Version"]] == ["null", first]


def test_version_listing_has_pages(sdk: CosSdk, bucket: str) -> None:
    sdk.put_bucket_versioning(bucket, "Enabled")
    created = [
        (key, sdk.put_object(bucket, b"x", key)["x-cos-version-id"]) for key in ("a", "a", "b", "c", "c")
    ]
    versions: list[tuple[str, str]] = []
    more: dict[str, str] = {}
    for _ in range(9):
        page = sdk.list_objects_versions(bucket, MaxKeys=2, **more)
        versions += [(item["Key"], item["VersionId"]) for item in page["Version"]]
        if page["IsTruncated"] == "false":
            break
        more = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    assert sorted(versions) == sorted(created)
    assert len(versions) == len(created)


def test_stream_of_unknown_length_is_put(sdk: CosSdk, bucket: str) -> None:
    sdk.put_object(bucket, io.BytesIO(b"stream"), "a")
    assert read_body(sdk, bucket, "a") == b"stream"


def test_wrong_md5_is_rejected(sdk: CosSdk, bucket: str) -> None:
    wrong = "AAAAAAAAAAAAAAAAAAAAAA=="
    assert get_error(lambda: sdk.put_object(bucket, b"x", "a", ContentMD5=wrong)) == (400, "InvalidDigest")
    assert not sdk.object_exists(bucket, "a")
    sdk.put_object(bucket, b"x", "a", EnableMD5=True)


def test_wrong_keys_are_rejected(cloud: StandIn, make_sdk: MakeSdk, bucket: str) -> None:
    stranger = make_sdk(cloud, SecretId="AKIDSTRANGER")
    assert get_error(lambda: stranger.list_objects(bucket)) == (403, "InvalidAccessKeyId")
    mistyped = make_sdk(cloud, SecretKey="wrong")
    assert get_error(lambda: mistyped.put_object(bucket, b"x", "a")) == (403, "SignatureDoesNotMatch")
    anonymous = make_sdk(cloud, SecretId=None, SecretKey=None, Anonymous=True)
    assert get_error(lambda: anonymous.list_objects(bucket)) == (403, "AccessDenied")


def test_temporary_key_works_with_token_until_it_expires(
    cloud: StandIn, make_sdk: MakeSdk, bucket: str
) -> None:
    key = cloud.admin("POST", "keys")
    temporary = {"SecretId": key["secret_id"], "SecretKey": key["secret_key"]}
    make_sdk(cloud, **temporary, Token=key["token"]).put_object(bucket, b"x", "a")
    assert get_error(lambda: make_sdk(cloud, **temporary).list_objects(bucket)) == (403, "AccessDenied")
    assert get_error(lambda: make_sdk(cloud, **temporary, Token="other").list_objects(bucket)) == (
        403,
        "AccessDenied",
    )
    ended = cloud.admin("POST", "keys?lifetime=-1")
    late = make_sdk(cloud, SecretId=ended["secret_id"], SecretKey=ended["secret_key"], Token=ended["token"])
    assert get_error(lambda: late.list_objects(bucket)) == (403, "ExpiredToken")
