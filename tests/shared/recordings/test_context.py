"""The context of an invocation: regions, times, and settings that are wrong."""

from __future__ import annotations

import json

import pytest

from shared.errors import SettingsError
from shared.logger import Logger
from shared.notices.models import TargetKind
from shared.recordings.context import (
    DEFAULT_TIME_LIMIT_MS,
    RESPONSE_MARGIN_S,
    build_context,
    create_context,
    create_logger,
)
from shared.tencent.clock import parse_timestamp
from tests.helpers.fake_cloud import CALLBACK_TOKEN, INPUT_BUCKET, OUTPUT_BUCKET, REGION, FakeCloud
from tests.helpers.fakes import FakeCos, build_test_context, build_test_settings
from tests.helpers.notices import URLS, build_target

SHANGHAI = "ap-shanghai"
ENVIRONMENT = {
    "INPUT_BUCKETS": INPUT_BUCKET,
    "CALLBACK_TOKEN": CALLBACK_TOKEN,
    "REGION": REGION,
    "TENCENTCLOUD_SECRETID": "AKIDEXAMPLE",
    "TENCENTCLOUD_SECRETKEY": "a-secret-key",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize("region", ["", REGION])
def test_own_region_keeps_the_context(region: str) -> None:
    ctx = build_test_context(FakeCloud())
    assert ctx.for_region(region) is ctx


def test_bucket_of_another_region_is_read_there_and_its_outputs_stay() -> None:
    cloud = FakeCloud(regions={INPUT_BUCKET: SHANGHAI})
    cloud.put_object(INPUT_BUCKET, "a.mp3", b"words")
    ctx = build_test_context(cloud).for_region(SHANGHAI)
    assert ctx.input_cos.head(INPUT_BUCKET, "a.mp3").size == 5
    assert ctx.speech.list_queues(INPUT_BUCKET).total == 1
    ctx.output_cos.put(OUTPUT_BUCKET, "a.txt", b"words")
    assert (ctx.input_cos.region, ctx.speech.region, ctx.output_cos.region) == (SHANGHAI, SHANGHAI, REGION)
    assert ctx.now() == cloud.clock.now()


def test_own_outputs_of_a_bucket_are_in_its_region() -> None:
    ctx = build_test_context(FakeCloud(), output_bucket="").for_region(SHANGHAI)
    assert ctx.output_cos.region == SHANGHAI


def test_output_region_is_that_of_the_settings() -> None:
    settings = build_test_settings(output_region=SHANGHAI, jobs_path="jobs")
    ctx = build_context(FakeCloud().client, settings, Logger())
    assert (ctx.input_cos.region, ctx.output_cos.region, ctx.speech.region) == (REGION, SHANGHAI, REGION)
    assert (ctx.speech.jobs_path, ctx.for_region(SHANGHAI).speech.jobs_path) == ("jobs", "jobs")


def test_notices_are_sent_if_there_are_targets() -> None:
    cloud = FakeCloud()
    target = build_target(TargetKind.WECOM)
    with_target = build_context(cloud.client, build_test_settings(targets=(target,)), Logger())
    assert with_target.announcer is not None
    assert with_target.for_region(SHANGHAI).announcer is with_target.announcer
    assert build_context(cloud.client, build_test_settings(), Logger()).announcer is None


def test_invocation_sends_notices_to_the_targets_of_its_environment(
    environment: pytest.MonkeyPatch,
) -> None:
    assert create_context({}, Logger()).announcer is None
    environment.setenv("NOTIFY_WECOM", URLS[TargetKind.WECOM])
    assert create_context({}, Logger()).announcer is not None


def test_receipts_are_in_the_output_bucket_or_in_the_recordings_own() -> None:
    for output_bucket, expected in ((OUTPUT_BUCKET, OUTPUT_BUCKET), ("", INPUT_BUCKET)):
        cloud = FakeCloud()
        ctx = build_test_context(cloud, output_bucket=output_bucket)
        ctx.receipts(INPUT_BUCKET).get_open("x")
        assert [request.bucket for request in cloud.requests] == [expected]


@pytest.mark.parametrize(("age_s", "is_due"), [(0, False), (299, False), (300, True), (10_000, True)])
def test_work_is_due_after_sweep_after(age_s: float, is_due: bool) -> None:
    cloud = FakeCloud()
    cloud.put_object(INPUT_BUCKET, "a.mp3", b"")
    (item,) = FakeCos(cloud).list_objects(INPUT_BUCKET).objects
    cloud.clock.now_s = int(cloud.clock.now_s) + age_s
    assert build_test_context(cloud).is_due(item.modified) is is_due


def test_everything_is_due_with_sweep_after_0() -> None:
    cloud = FakeCloud()
    cloud.put_object(INPUT_BUCKET, "a.mp3", b"")
    (item,) = FakeCos(cloud).list_objects(INPUT_BUCKET).objects
    assert build_test_context(cloud, sweep_after_s=0).is_due(item.modified)


@pytest.mark.parametrize(("age_s", "is_expired"), [(0, False), (86_400, False), (86_401, True)])
def test_work_expires_after_give_up_after(age_s: float, is_expired: bool) -> None:
    cloud = FakeCloud()
    assert build_test_context(cloud).is_expired(cloud.clock.now() - age_s) is is_expired


@pytest.mark.parametrize("age_s", [0, 1, 86_401, 1e9])
def test_work_never_expires_with_give_up_after_0(age_s: float) -> None:
    cloud = FakeCloud()
    assert build_test_context(cloud, give_up_after_s=0).is_expired(cloud.clock.now() - age_s) is False


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-10T08:40:00.000Z", 1_794_300_000.0),
        ("2026-11-10T08:40:00Z", 1_794_300_000.0),
        ("2026-11-10T16:40:00+08:00", 1_794_300_000.0),
        ("2026-11-10T08:40:00", 1_794_300_000.0),
        ("yesterday", 0.0),
        ("", 0.0),
    ],
)
def test_time_of_a_listing_is_read_as_utc(text: str, seconds: float) -> None:
    assert parse_timestamp(text) == seconds


def test_remaining_time_is_that_of_the_client() -> None:
    cloud = FakeCloud(remaining_s=12.5)
    assert build_test_context(cloud).remaining_s() == 12.5


@pytest.mark.parametrize(
    ("limit_ms", "expected_s"),
    [(300_000, 300), (4000, 4), (None, DEFAULT_TIME_LIMIT_MS / 1000), ("300000", 60), (0, 60), (-5, 60)],
)
def test_remaining_time_counts_down_from_the_functions_limit(
    environment: pytest.MonkeyPatch, limit_ms: object, expected_s: float
) -> None:
    ctx = create_context({"time_limit_in_ms": limit_ms}, Logger())
    first = ctx.remaining_s()
    assert expected_s - RESPONSE_MARGIN_S - 1 < first <= expected_s - RESPONSE_MARGIN_S
    assert ctx.remaining_s() < first


@pytest.mark.parametrize("context", [None, "text", [], {}])
def test_context_of_another_form_is_accepted(environment: pytest.MonkeyPatch, context: object) -> None:
    assert create_context(context, Logger()).settings.input_buckets == (INPUT_BUCKET,)


def test_functions_of_one_deployment_have_a_name_in_common(environment: pytest.MonkeyPatch) -> None:
    """The sweep recognises receipts of the upload function's deployment, and of no other one."""

    def get_deployment(name: object, namespace: object = "default") -> str:
        return create_context({"namespace": namespace, "function_name": name}, Logger()).deployment

    own = get_deployment("t-test-scribe-upload")
    assert own == get_deployment("t-test-scribe-sweep") == f"{REGION}/default/t-test-scribe-"
    assert own not in {
        get_deployment("t-prod-scribe-upload"),
        get_deployment("t-test-scribe-upload", "other"),
    }
    environment.setenv("REGION", SHANGHAI)
    assert get_deployment("t-test-scribe-upload") != own
    assert [get_deployment(None), get_deployment("t-test-scribe-upload", None)] == ["", ""]


def test_wrong_settings_are_logged_once_and_raised(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("INPUT_BUCKETS", "no-appid")
    environment.setenv("CALLBACK_TOKEN", "short-secret")
    lines: list[str] = []
    with pytest.raises(SettingsError) as raised:
        create_context({}, Logger({}, lines.append))
    (line,) = [json.loads(line) for line in lines]
    assert (line["level"], line["event"], line["error"]) == (
        "error",
        "invalid_configuration",
        str(raised.value),
    )
    assert "INPUT_BUCKETS" in line["error"]
    assert "CALLBACK_TOKEN" in line["error"]
    assert "short-secret" not in line["error"]


@pytest.mark.parametrize(
    ("context", "request_id"), [({"request_id": "r1"}, "r1"), ({}, ""), (None, ""), ({"request_id": 7}, "7")]
)
def test_every_line_names_function_and_request(
    context: object, request_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    create_logger("upload", context).info("upload_processed")
    line = json.loads(capsys.readouterr().out)
    assert (line["function"], line["request_id"]) == ("upload", request_id)
