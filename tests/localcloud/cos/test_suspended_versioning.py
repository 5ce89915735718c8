"""Versioning that was enabled and is suspended: one null version, with or without its id in responses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.localcloud.clients import MakeSdk
from tests.localcloud.stand_in import StartCloud

pytestmark = pytest.mark.process


@pytest.fixture
def start_sdk(start_cloud: StartCloud, make_sdk: MakeSdk) -> Callable[..., Any]:
    """Start a cloud with the suspended buckets `old` and `state`, and return the SDK for it."""

    def start(*options: str) -> Any:
        return make_sdk(start_cloud("--suspended", "old", "state", *options))

    return start


BUCKET = "old-1250000000"


def test_suspended_option_creates_buckets(start_sdk: Callable[..., Any]) -> None:
    sdk = start_sdk("--versioned", "new")
    statuses = {
        name: sdk.get_bucket_versioning(f"{name}-1250000000")["Status"] for name in ("old", "state", "new")
    }
    assert statuses == {"old": "Suspended", "state": "Suspended", "new": "Enabled"}


@pytest.mark.parametrize(
    ("options", "version_id"),
    [
        ((), "null"),
        (("--suspended-version-id", "null"), "null"),
        (("--suspended-version-id", "absent"), None),
    ],
)
def test_version_id_of_null_version_is_an_option(
    start_sdk: Callable[..., Any], options: tuple[str, ...], version_id: str | None
) -> None:
    sdk = start_sdk(*options)
    created_only = {"x-cos-forbid-overwrite": "true"}
    answers = [
        sdk.put_object(BUCKET, b"one", "a"),
        sdk.put_object(BUCKET, b"two", "a", Metadata=created_only),
        sdk.head_object(BUCKET, "a"),
        sdk.get_object(BUCKET, "a"),
        sdk.delete_object(BUCKET, "a"),
    ]
    assert [answer.get("x-cos-version-id") for answer in answers] == [version_id] * 5
    assert answers[4]["x-cos-delete-marker"] == "true"


def test_real_version_keeps_its_id_while_versioning_is_suspended(start_sdk: Callable[..., Any]) -> None:
    sdk = start_sdk("--suspended-version-id", "absent")
    sdk.put_bucket_versioning(BUCKET, "Enabled")
    first = sdk.put_object(BUCKET, b"one", "a")["x-cos-version-id"]
    sdk.put_bucket_versioning(BUCKET, "Suspended")
    assert sdk.head_object(BUCKET, "a")["x-cos-version-id"] == first
    for content in (b"two", b"three"):
        assert "x-cos-version-id" not in sdk.put_object(BUCKET, content, "a")
    versions = sdk.list_objects_versions(BUCKET)["Version"]
    assert [item["VersionId"] for item in versions] == ["null", first]
