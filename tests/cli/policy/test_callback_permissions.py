"""The callback may do what it does when a recording is replaced and comes back while its receipt is being closed.

Two processes seldom meet in that moment, so no flow shows it: here its requests are compared with its policy.
"""

from __future__ import annotations

import pytest

from cli.policy.diff import allowed_permissions, covers
from cli.policy.documents import function_policy
from shared.recordings.context import VersionedBuckets
from shared.recordings.models import Status
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, FakeCloud
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.permissions import build_permission, build_scope

KEY = "calls/1.mp3"
_SCOPE = build_scope({"INPUT_BUCKETS": INPUT_BUCKET, "OUTPUT_BUCKET": OUTPUT_BUCKET})


@pytest.mark.parametrize("is_versioned", [False, True])
def test_callback_may_start_again_when_content_comes_back(is_versioned: bool) -> None:
    cloud = FakeCloud()
    cloud.versioned.update([OUTPUT_BUCKET] if is_versioned else [])
    pipeline = InMemoryPipeline(cloud)
    for body in (b"first words", b"other words"):
        pipeline.upload_and_ingest(KEY, body)
        cloud.clock.advance(2)
    cloud.run_jobs()
    start, upload_requests = len(cloud.requests), 0

    def upload_first_again() -> None:
        nonlocal upload_requests
        before = len(cloud.requests)
        pipeline.upload_and_ingest(KEY, b"first words")
        pipeline.ctx.versioned_buckets = VersionedBuckets()  # the callback is another process
        upload_requests = len(cloud.requests) - before
        del cloud.requests[before:]

    cloud.before("PUT", "done/", upload_first_again)
    assert pipeline.notify_one("s1").status is Status.DEFERRED
    assert upload_requests
    granted = allowed_permissions(function_policy("callback", _SCOPE))
    needed = [build_permission(request, _SCOPE) for request in cloud.requests[start:]]
    missing = [permission for permission in needed if not any(covers(grant, permission) for grant in granted)]
    assert missing == []
