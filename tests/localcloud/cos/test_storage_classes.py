"""Archived objects: how they are read, restored and copied, as Tencent's own Python client sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.localcloud.clients import CosSdk, MakeSdk, RawClient, parse_xml
from tests.localcloud.speech_queue import build_job_body
from tests.localcloud.stand_in import StandIn, StartCloud, eventually

pytestmark = pytest.mark.process

RESTORE = {"Days": 2, "CASJobParameters": {"Tier": "Standard"}}
ARCHIVED = ("ARCHIVE", "DEEP_ARCHIVE")


def get_error(call: Callable[[], Any]) -> tuple[int, str]:
    """Return status and code of the error that the SDK raises."""
    with pytest.raises(Exception, match=r".") as caught:
        call()
    error: Any = caught.value
    return error.get_status_code(), error.get_error_code()


def read_body(sdk: CosSdk, bucket: str, key: str) -> bytes:
    return bytes(sdk.get_object(bucket, key)["Body"].get_raw_stream().read())


def copy(sdk: CosSdk, cloud: StandIn, bucket: str, source: str, target: str, **more: Any) -> Any:
    place = {"Bucket": bucket, "Key": source, "Region": cloud.region}
    return sdk.copy_object(bucket, target, place, **more)


def change(cloud: StandIn, bucket: str, key: str, **members: Any) -> None:
    cloud.admin("PUT", "objects", {"bucket": bucket, "key": key, **members})


@pytest.mark.parametrize("storage_class", ["STANDARD_IA", "ARCHIVE"])
def test_class_of_an_upload_is_in_head_and_listing(sdk: CosSdk, bucket: str, storage_class: str) -> None:
    sdk.put_object(bucket, b"x", "a", StorageClass=storage_class)
    sdk.put_object(bucket, b"x", "b", StorageClass="STANDARD")
    assert sdk.head_object(bucket, "a")["x-cos-storage-class"] == storage_class
    assert "x-cos-storage-class" not in sdk.head_object(bucket, "b")
    listed = {item["Key"]: item["StorageClass"] for item in sdk.list_objects(bucket)["Contents"]}
    assert listed == {"a": storage_class, "b": "STANDARD"}
    versions = sdk.list_objects_versions(bucket)["Version"]
    assert {item["Key"]: item["StorageClass"] for item in versions} == listed


def test_class_of_a_multipart_upload_is_kept(sdk: CosSdk, bucket: str) -> None:
    upload_id = sdk.create_multipart_upload(bucket, "a", StorageClass="ARCHIVE")["UploadId"]
    part = {"PartNumber": 1, "ETag": sdk.upload_part(bucket, "a", b"x", 1, upload_id)["ETag"]}
    sdk.complete_multipart_upload(bucket, "a", upload_id, {"Part": [part]})
    assert sdk.head_object(bucket, "a")["x-cos-storage-class"] == "ARCHIVE"


@pytest.mark.parametrize("storage_class", ARCHIVED)
def test_archived_object_can_be_read_after_a_restore(
    cloud: StandIn, sdk: CosSdk, bucket: str, storage_class: str
) -> None:
    sdk.put_object(bucket, b"old words", "a", StorageClass=storage_class)
    assert sdk.head_object(bucket, "a")["Content-Length"] == "9"
    assert get_error(lambda: sdk.get_object(bucket, "a")) == (403, "InvalidObjectState")
    sdk.restore_object(bucket, "a", RESTORE)
    assert sdk.head_object(bucket, "a")["x-cos-restore"] == 'ongoing-request="true"'
    assert get_error(lambda: sdk.get_object(bucket, "a")) == (403, "InvalidObjectState")
    assert get_error(lambda: sdk.restore_object(bucket, "a", RESTORE)) == (409, "RestoreAlreadyInProgress")
    eventually(lambda: "false" in sdk.head_object(bucket, "a")["x-cos-restore"])
    restore = sdk.head_object(bucket, "a")["x-cos-restore"]
    assert restore.startswith('ongoing-request="false", expiry-date="')
    assert restore.endswith(' GMT"')
    assert read_body(sdk, bucket, "a") == b"old words"
    assert sdk.head_object(bucket, "a")["x-cos-storage-class"] == storage_class
    sdk.restore_object(bucket, "a", RESTORE)  # prolongs the copy
    cloud.wait_idle()


def test_restore_is_refused_where_it_makes_no_sense(
    cloud: StandIn, raw: RawClient, sdk: CosSdk, bucket: str
) -> None:
    sdk.put_object(bucket, b"x", "standard")
    sdk.put_object(bucket, b"x", "deep", StorageClass="DEEP_ARCHIVE")
    assert get_error(lambda: sdk.restore_object(bucket, "standard", RESTORE)) == (403, "InvalidObjectState")
    assert get_error(lambda: sdk.restore_object(bucket, "missing", RESTORE)) == (404, "NoSuchKey")
    quick = {"Days": 1, "CASJobParameters": {"Tier": "Expedited"}}
    assert get_error(lambda: sdk.restore_object(bucket, "deep", quick)) == (400, "InvalidArgument")
    assert get_error(lambda: sdk.restore_object(bucket, "deep", {"Days": 0})) == (400, "InvalidArgument")
    body = b"<Restore><Days>1</Days></Restore>"
    wrong = raw.send("POST", cloud.bucket_host(bucket), "/deep", {"restore": ""}, body=body)
    assert "<Code>MalformedXML</Code>" in wrong.text


def test_admin_side_finishes_a_slow_restore(start_cloud: StartCloud, make_sdk: MakeSdk) -> None:
    cloud = start_cloud("--restore-delay-ms", "600000")
    sdk, bucket = make_sdk(cloud), f"b-{cloud.appid}"
    sdk.create_bucket(bucket)
    sdk.put_object(bucket, b"x", "a", StorageClass="ARCHIVE")
    sdk.restore_object(bucket, "a", RESTORE)
    assert cloud.admin("GET", "idle") is False
    change(cloud, bucket, "a", restored=True)
    assert read_body(sdk, bucket, "a") == b"x"
    cloud.wait_idle()


def test_restore_continues_after_a_restart(start_cloud: StartCloud, make_sdk: MakeSdk) -> None:
    first = start_cloud("--restore-delay-ms", "3000")
    sdk, bucket = make_sdk(first), f"b-{first.appid}"
    sdk.create_bucket(bucket)
    sdk.put_object(bucket, b"x", "a", StorageClass="ARCHIVE")
    sdk.restore_object(bucket, "a", RESTORE)
    assert first.stop() == 0
    again = make_sdk(start_cloud())
    assert again.head_object(bucket, "a")["x-cos-restore"]
    eventually(lambda: "false" in again.head_object(bucket, "a")["x-cos-restore"])


def test_replaced_object_has_no_restore(sdk: CosSdk, bucket: str) -> None:
    sdk.put_object(bucket, b"x", "a", StorageClass="ARCHIVE")
    sdk.restore_object(bucket, "a", RESTORE)
    sdk.put_object(bucket, b"new", "a")
    assert "x-cos-restore" not in sdk.head_object(bucket, "a")
    assert read_body(sdk, bucket, "a") == b"new"


def test_archived_object_is_copied_only_when_restored(cloud: StandIn, sdk: CosSdk, bucket: str) -> None:
    sdk.put_object(bucket, b"x", "a", StorageClass="ARCHIVE", ContentType="audio/mpeg")
    assert get_error(lambda: copy(sdk, cloud, bucket, "a", "b")) == (403, "InvalidObjectState")
    sdk.restore_object(bucket, "a", RESTORE)
    change(cloud, bucket, "a", restored=True)
    copy(sdk, cloud, bucket, "a", "b")
    head = sdk.head_object(bucket, "b")
    assert (head["Content-Type"], head.get("x-cos-storage-class")) == ("audio/mpeg", None)
    copy(sdk, cloud, bucket, "b", "c", StorageClass="STANDARD_IA")
    assert sdk.head_object(bucket, "c")["x-cos-storage-class"] == "STANDARD_IA"


@pytest.mark.parametrize("tier", ["ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"])
def test_tiered_object_can_be_in_an_archive_tier(cloud: StandIn, sdk: CosSdk, bucket: str, tier: str) -> None:
    sdk.put_object(bucket, b"x", "a", StorageClass="INTELLIGENT_TIERING")
    assert sdk.head_object(bucket, "a")["x-cos-storage-tier"] == "FREQUENT"
    assert read_body(sdk, bucket, "a") == b"x"
    change(cloud, bucket, "a", tier=tier)
    head = sdk.head_object(bucket, "a")
    assert (head["x-cos-storage-class"], head["x-cos-storage-tier"]) == ("INTELLIGENT_TIERING", tier)
    assert sdk.list_objects(bucket)["Contents"][0]["StorageTier"] == tier
    assert get_error(lambda: sdk.get_object(bucket, "a")) == (403, "InvalidObjectState")
    sdk.restore_object(bucket, "a", RESTORE)
    change(cloud, bucket, "a", restored=True)
    assert read_body(sdk, bucket, "a") == b"x"
    change(cloud, bucket, "a", tier="")
    assert sdk.head_object(bucket, "a")["x-cos-storage-tier"] == "FREQUENT"


def test_admin_side_refuses_impossible_changes(cloud: StandIn, sdk: CosSdk, bucket: str) -> None:
    sdk.put_object(bucket, b"x", "a")

    def put(**members: Any) -> int:
        return cloud.send_admin("PUT", "objects", json={"bucket": bucket, "key": "a", **members}).status_code

    assert put(tier="ARCHIVE_ACCESS") == 400
    assert put(restored=True) == 400
    assert put(color="red") == 400
    assert put(key="missing", restored=True) in {400, 404}
    assert put(key="not yet uploaded", denied=True) == 200


def test_copy_onto_itself_changes_the_time_and_not_the_etag(cloud: StandIn, sdk: CosSdk, bucket: str) -> None:
    sdk.put_object(bucket, b"x", "a", Metadata={"x-cos-meta-lang": "zh"})
    before = sdk.head_object(bucket, "a")

    def touch() -> bool:
        new = {"x-cos-meta-lang": "en"}
        copy(sdk, cloud, bucket, "a", "a", CopyStatus="Replaced", Metadata=new)
        return bool(sdk.head_object(bucket, "a")["Last-Modified"] != before["Last-Modified"])

    eventually(touch)
    after = sdk.head_object(bucket, "a")
    assert (after["ETag"], after["x-cos-meta-lang"]) == (before["ETag"], "en")


def test_copy_onto_itself_keeps_the_etag_of_a_multipart_upload(
    cloud: StandIn, sdk: CosSdk, bucket: str
) -> None:
    upload_id = sdk.create_multipart_upload(bucket, "a")["UploadId"]
    part = {"PartNumber": 1, "ETag": sdk.upload_part(bucket, "a", b"x", 1, upload_id)["ETag"]}
    etag = sdk.complete_multipart_upload(bucket, "a", upload_id, {"Part": [part]})["ETag"]
    copied = copy(sdk, cloud, bucket, "a", "a", CopyStatus="Replaced", StorageClass="STANDARD_IA")
    assert etag.endswith('-1"')
    assert copied["ETag"] == sdk.head_object(bucket, "a")["ETag"] == etag


@pytest.mark.parametrize("storage_class", ARCHIVED)
def test_job_on_an_archived_recording_fails(
    cloud: StandIn, raw: RawClient, sdk: CosSdk, speech_bucket: str, storage_class: str
) -> None:
    sdk.put_object(speech_bucket, b"words", "old.mp3", StorageClass=storage_class)
    body = build_job_body(speech_bucket, input_xml="<Object>old.mp3</Object>")
    submitted = raw.send("POST", cloud.ci_host(speech_bucket), "/asr_jobs", body=body)
    job_id = parse_xml(submitted).findtext("JobsDetail/JobId", "")

    def find_failed() -> Any:
        jobs = cloud.admin("GET", "jobs")
        return next((job for job in jobs if job["job_id"] == job_id and job["state"] == "Failed"), None)

    failed = eventually(find_failed)
    assert failed["code"] == "FailedOperation.ErrorDownFile"
    assert "InvalidObjectState" in failed["message"]
