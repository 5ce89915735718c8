"""The functions announce each outcome: once, and never before it is true."""

from __future__ import annotations

import pytest

from shared.notices.models import NoticeType, TargetKind
from shared.notices.webhook import build_body
from shared.recordings.ingest import ingest
from tests.helpers.announced_pipeline import BODY, KEY, WEBHOOK, AnnouncedPipeline
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, Killed, raise_error
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.notices import build_target

WECOM = build_target(TargetKind.WECOM)
SUPPORT = build_target(TargetKind.WECOM, name="wecom-support", is_default=False)


def test_transcript_is_announced_once_without_its_words() -> None:
    pipeline = AnnouncedPipeline()
    pipeline.upload_all(pipeline.run_and_notify)
    pipeline.run_and_notify()
    pipeline.sweep_when_due()
    (notice,) = pipeline.notices
    assert (notice.type, notice.key, notice.job_id) == (NoticeType.DONE, KEY, "s1")
    assert set(notice.output_keys) <= set(pipeline.cloud.buckets[OUTPUT_BUCKET])
    assert "secret" not in str(notice.as_document())
    assert pipeline.list_open_notices() == []


def test_failed_recording_is_announced_with_its_reason() -> None:
    pipeline = AnnouncedPipeline()
    pipeline.upload_and_ingest(KEY, NOT_AUDIO)
    pipeline.run_and_notify()
    (notice,) = pipeline.notices
    error = pipeline.get_error(KEY)
    assert error
    assert notice.type is NoticeType.FAILED
    assert notice.error["next_step_zh"] == error["next_step_zh"]


def test_recording_that_is_refused_at_once_is_announced() -> None:
    pipeline = AnnouncedPipeline()
    pipeline.upload_and_ingest(KEY, b"")
    pipeline.ctx.send_notices()
    assert [notice.type for notice in pipeline.notices] == [NoticeType.FAILED]


def test_recording_that_waits_for_the_operator_is_announced_once() -> None:
    pipeline = AnnouncedPipeline()
    pipeline.cloud.refused_keys.add(KEY)
    pipeline.upload_and_ingest(KEY, BODY)
    pipeline.ctx.send_notices()
    for _ in range(3):
        pipeline.cloud.clock.advance(7200)
        pipeline.sweep()
    (notice,) = pipeline.notices
    assert notice.error["retried_automatically"] is True
    pipeline.cloud.refused_keys.clear()
    pipeline.cloud.clock.advance(7200)
    pipeline.sweep()
    pipeline.run_and_notify()
    assert [each.type for each in pipeline.notices] == [NoticeType.FAILED, NoticeType.DONE]


def test_recording_can_switch_its_notices_off() -> None:
    pipeline = AnnouncedPipeline()
    pipeline.upload_and_ingest(KEY, BODY, **{"scribe-notify": "no"})
    pipeline.run_and_notify()
    assert pipeline.get_text(KEY) == BODY.decode()
    assert pipeline.notices == []


@pytest.mark.parametrize(
    ("notify", "receivers"),
    [
        ("yes", ["webhook", "wecom"]),
        ("no", []),
        ("wecom-support", ["wecom-support"]),
        ("webhook,wecom-support", ["webhook", "wecom-support"]),
        ("feishu-sales", ["webhook", "wecom"]),
        ("feishu-sales,wecom-support", ["webhook", "wecom", "wecom-support"]),
    ],
)
@pytest.mark.parametrize("body", [BODY, NOT_AUDIO], ids=["done", "failed"])
def test_recording_chooses_its_targets(notify: str, receivers: list[str], body: bytes) -> None:
    pipeline = AnnouncedPipeline(WEBHOOK, WECOM, SUPPORT)
    pipeline.upload_and_ingest(KEY, body, **{"scribe-notify": notify})
    pipeline.run_and_notify()
    assert pipeline.receivers == receivers
    # Once when the recording arrives, once when its notice is made.
    expected = ["notice_target_unknown"] * 2 if "feishu-sales" in notify else []
    assert [event for event in pipeline.get_events("warning") if "target" in event] == expected
    assert pipeline.list_open_notices() == []


def test_target_by_name_for_failures_gets_no_transcripts() -> None:
    only_failures = build_target(
        TargetKind.WECOM, name="wecom-support", types=frozenset({NoticeType.FAILED}), is_default=False
    )
    pipeline = AnnouncedPipeline(WEBHOOK, only_failures)
    for key, body in (("a.mp3", BODY), ("b.mp3", NOT_AUDIO)):
        pipeline.upload_and_ingest(key, body, **{"scribe-notify": "wecom-support"})
    pipeline.run_and_notify()
    assert [(notice.type, notice.key) for notice in pipeline.notices] == [(NoticeType.FAILED, "b.mp3")]


def test_other_targets_after_the_upload_make_no_new_work_and_no_notice() -> None:
    pipeline = AnnouncedPipeline(WEBHOOK, SUPPORT)
    pipeline.upload_all(pipeline.run_and_notify)
    written = [request for request in pipeline.cloud.requests if request.method == "PUT"]
    pipeline.upload_and_ingest(KEY, BODY, **{"scribe-notify": "wecom-support"})
    pipeline.run_and_notify()
    assert pipeline.count_jobs() == 1
    assert [request for request in pipeline.cloud.requests if request.method == "PUT"] == written
    assert pipeline.receivers == ["webhook"]


def test_error_of_the_bucket_while_notices_are_sent_stops_nothing() -> None:
    pipeline = AnnouncedPipeline()
    pipeline.upload_and_ingest(KEY, BODY)
    pipeline.cloud.run_jobs()
    pipeline.cloud.before("DELETE", "notices/", raise_error(RuntimeError("secret")))
    pipeline.notify("s1")
    assert pipeline.get_events("error") == ["notices_failed"]
    assert pipeline.get_text(KEY) == BODY.decode()


def test_notices_of_several_buckets_are_sent_and_each_bucket_keeps_its_own() -> None:
    buckets = ("b1-1250000000", "b2-1250000000")
    pipeline = AnnouncedPipeline(WECOM, output_bucket="", input_buckets=buckets)
    for bucket in buckets:
        pipeline.cloud.buckets.setdefault(bucket, {})
        pipeline.cloud.put_object(bucket, KEY, BODY, {})
        ingest(pipeline.ctx, bucket, KEY, is_restore=False, is_upload=True)
    pipeline.cloud.run_jobs()
    pipeline.begin()
    pipeline.sweep_when_due()
    assert [notice.bucket for notice in pipeline.notices] == list(buckets)
    left = [key for bucket in buckets for key in pipeline.cloud.buckets[bucket] if "notices/" in key]
    assert left == []


@pytest.mark.parametrize(("remaining_s", "limit_s"), [(2.2, 1.2), (60.0, 2.5), (1.1, 0.0)])
def test_first_attempt_ends_before_the_function_does(remaining_s: float, limit_s: float) -> None:
    pipeline = AnnouncedPipeline()
    pipeline.upload_and_ingest(KEY, b"")
    pipeline.cloud.remaining_s = remaining_s
    pipeline.ctx.send_notices()
    assert len(pipeline.timeouts) == bool(limit_s)
    assert all(limit_s - 0.2 < timeout_s <= limit_s for timeout_s in pipeline.timeouts)


def test_pipeline_without_targets_makes_no_requests_for_notices() -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest(KEY, BODY)
    pipeline.run_and_notify()
    pipeline.sweep_when_due()
    assert not [request for request in pipeline.cloud.requests if "notices" in request.key]


def test_failure_of_another_invocation_is_not_announced_for_a_transcript() -> None:
    """While one invocation writes the error object, another one transcribes the recording."""
    pipeline = AnnouncedPipeline(give_up_after_s=400)
    pipeline.upload_and_ingest(KEY, BODY)
    pipeline.cloud.clock.advance(500)
    other = AnnouncedPipeline(give_up_after_s=400)
    other.cloud = pipeline.cloud
    other.begin()

    def transcribe() -> None:
        pipeline.cloud.run_jobs()
        other.notify("s1")

    pipeline.cloud.after("PUT", "notices/", transcribe)
    pipeline.sweep()
    assert pipeline.get_text(KEY) == BODY.decode()
    assert pipeline.notices == []
    assert [notice.type for notice in other.notices] == [NoticeType.DONE]
    assert pipeline.get_error(KEY) is None


def test_notice_that_is_made_twice_has_the_same_body() -> None:
    pipeline = AnnouncedPipeline()
    pipeline.upload_and_ingest(KEY, BODY)
    pipeline.cloud.run_jobs()
    pipeline.cloud.before("PUT", ".scribe/done/", raise_error(Killed()))
    with pytest.raises(Killed):
        pipeline.notify("s1")
    pipeline.cloud.clear_hooks()
    pipeline.begin()
    pipeline.cloud.clock.advance(31)
    assert pipeline.ctx.announcer
    pipeline.ctx.announcer.send_due(pipeline.ctx, [OUTPUT_BUCKET])
    pipeline.sweep_when_due()
    assert len(pipeline.notices) == 2
    assert len(set(pipeline.ids)) == 1
    assert len({build_body(notice) for notice in pipeline.notices}) == 1


def test_second_upload_that_fails_for_another_reason_has_another_id() -> None:
    pipeline = AnnouncedPipeline()
    for metadata in ({"scribe-engine": "foo bar"}, {"scribe-speakers": "99"}):
        pipeline.upload_and_ingest(KEY, BODY, **metadata)
        pipeline.ctx.send_notices()
        pipeline.cloud.clock.advance(3600)
    assert len(set(pipeline.ids)) == 2


def test_withdrawn_failure_leaves_that_of_another_recording() -> None:
    pipeline = AnnouncedPipeline()
    pipeline.upload_and_ingest("a.mp3", b"")
    first = pipeline.get_done()
    pipeline.upload_and_ingest("b.mp3", b"")
    assert pipeline.ctx.announcer
    pipeline.ctx.announcer.withdraw_failed(first)
    pipeline.ctx.send_notices()
    assert [notice.key for notice in pipeline.notices] == ["b.mp3"]
    assert pipeline.list_open_notices() == []


def test_region_of_a_bucket_keeps_the_announcer() -> None:
    pipeline = AnnouncedPipeline()
    assert pipeline.ctx.for_region("ap-beijing").announcer is pipeline.ctx.announcer
    assert INPUT_BUCKET in pipeline.cloud.buckets
