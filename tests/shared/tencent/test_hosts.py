"""Host names: only checked parts become one, and nothing is signed for another host."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import RequestRejected
from shared.tencent.client import Request, TencentClient
from shared.tencent.cos import CosClient
from shared.tencent.hosts import (
    COS_SERVICE_HOST,
    INVALID_ADDRESS,
    build_ci_account_host,
    build_ci_host,
    build_cos_host,
    is_bucket,
    is_host,
    is_region,
)
from shared.tencent.speech import SpeechClient
from shared.tencent.speech_models import JobFilter, JobRequest, Queue
from tests.helpers.fake_server import FakeServer, MakeClient

BUCKET, REGION = "media-1250000000", "ap-chengdu"
JOB = JobRequest("in/a.mp3", BUCKET, REGION, "raw/a.txt", "16k_zh")
NOT_REGIONS = [
    "",
    "evil.example/x?",
    "ap-chengdu.evil.example",
    "ap-chengdu.myqcloud.com.evil.example/",
    "evil.example#",
    "evil.example\\",
    "a@evil.example",
    "ap-chengdu:8080",
    "ap-chengdu\n",
    "ap-chengdu ",
    "ap-chéngdu",
    "ap-\u0430bc",  # a Cyrillic letter
    "AP-CHENGDU",
    "accelerate",
    "accelerate-overseas",
    "ap-" + "x" * 80,
]
NOT_BUCKETS = [
    "",
    "media",
    "evil.example/x-1250000000",
    "evil.example#-1",
    "a.b-1250000000",
    "-1250000000",
    "Media-1250000000",
    "media-1250000000\n",
    "media-12５",  # a full-width digit
    "../media-1250000000",
    "m" * 60 + "-1250000000",
]


def test_hosts_are_those_of_the_documents() -> None:
    assert build_cos_host(BUCKET, REGION) == "media-1250000000.cos.ap-chengdu.myqcloud.com"
    assert build_ci_host(BUCKET, REGION) == "media-1250000000.ci.ap-chengdu.myqcloud.com"
    assert build_ci_account_host("ap-shanghai-fsi") == "ci.ap-shanghai-fsi.myqcloud.com"
    for host in (
        build_cos_host(BUCKET, REGION),
        build_ci_host(BUCKET, REGION),
        build_ci_account_host(REGION),
        COS_SERVICE_HOST,
    ):
        assert is_host(host)


@pytest.mark.parametrize("region", NOT_REGIONS)
def test_anything_but_a_region_becomes_no_host(region: str) -> None:
    assert not is_region(region)
    builders: list[Callable[[], str]] = [
        lambda: build_cos_host(BUCKET, region),
        lambda: build_ci_host(BUCKET, region),
        lambda: build_ci_account_host(region),
    ]
    for build in builders:
        with pytest.raises(RequestRejected) as caught:
            build()
        assert caught.value.code == INVALID_ADDRESS
        assert len(str(caught.value)) < 250


@pytest.mark.parametrize("bucket", NOT_BUCKETS)
def test_anything_but_a_bucket_becomes_no_host(bucket: str) -> None:
    assert not is_bucket(bucket)
    for build in (build_cos_host, build_ci_host):
        with pytest.raises(RequestRejected) as caught:
            build(bucket, REGION)
        assert caught.value.code == INVALID_ADDRESS


CALLS: list[Callable[[TencentClient, str, str], object]] = [
    lambda client, bucket, region: CosClient(client, region).head(bucket, "k"),
    lambda client, bucket, region: CosClient(client, region).get(bucket, "k"),
    lambda client, bucket, region: CosClient(client, region).put(bucket, "k", b""),
    lambda client, bucket, region: CosClient(client, region).delete(bucket, "k"),
    lambda client, bucket, region: CosClient(client, region).list_objects(bucket),
    lambda client, bucket, region: CosClient(client, region).has_versioning(bucket),
    lambda client, bucket, region: CosClient(client, "ap-beijing").for_region(region).create_bucket(bucket),
    lambda client, bucket, region: SpeechClient(client, region).create_job(bucket, JOB),
    lambda client, bucket, region: SpeechClient(client, region).get_jobs(bucket, ["s1"]),
    lambda client, bucket, region: SpeechClient(client, region).list_jobs(bucket, JobFilter()),
    lambda client, bucket, region: SpeechClient(client, region).list_queues(bucket),
    lambda client, bucket, region: SpeechClient(client, region).update_queue(bucket, Queue("p1", "q", "Active")),
    lambda client, bucket, region: SpeechClient(client, region).enable_bucket(bucket),
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_no_call_sends_its_token_to_another_host(
    make_client: MakeClient, server: FakeServer, call: Callable[[TencentClient, str, str], object]
) -> None:
    for bucket, region in ((BUCKET, "evil.example/x?"), ("evil.example/x?-1", REGION)):
        with pytest.raises(RequestRejected, match="nothing was sent"):
            call(make_client("the-session-token"), bucket, region)
    assert not server.requests
    with pytest.raises(RequestRejected, match="nothing was sent"):
        SpeechClient(make_client("the-session-token"), "evil.example/x?").list_buckets()
    assert not server.requests


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example/x.cos.ap-chengdu.myqcloud.com",
        "media-1250000000.cos.ap-chengdu.myqcloud.com.evil.example",
        "media-1250000000.cos.ap-chengdu.myqcloud.com\n",
        "a@media-1250000000.cos.ap-chengdu.myqcloud.com",
        "media-1250000000.cos.ap-chengdu.myqcloud.com:8080",
        "scf.ap-chengdu.myqcloud.com",
        "",
    ],
)
def test_no_request_is_signed_for_a_host_that_was_built_elsewhere(
    make_client: MakeClient, server: FakeServer, host: str
) -> None:
    with pytest.raises(RequestRejected) as caught:
        make_client("the-session-token").send(Request("GET", host, "/k", "media-1250000000/k"))
    assert (caught.value.code, server.requests) == (INVALID_ADDRESS, [])


ALLOWED = re.compile(r"([a-z0-9-]+-[0-9]+)\.cos\.([a-z]{2,3}-[a-z0-9-]+)\.myqcloud\.com")
part_texts = st.one_of(
    st.text(max_size=30),
    st.from_regex(r"[a-z0-9.-]{1,20}-[0-9]{1,5}", fullmatch=True),
    st.from_regex(r"[a-z]{2,3}-[a-z0-9./?#@:-]{2,10}", fullmatch=True),
)


@given(bucket=part_texts, region=part_texts)
@settings(max_examples=300, deadline=None)
def test_every_host_has_exactly_its_parts(bucket: str, region: str) -> None:
    try:
        host = build_cos_host(bucket, region)
    except RequestRejected:
        return
    match = ALLOWED.fullmatch(host)
    assert match is not None
    assert match.groups() == (bucket, region)
