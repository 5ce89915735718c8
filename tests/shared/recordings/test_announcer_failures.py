"""No notice is lost and no recording is stuck when an invocation is killed, or when the notice cannot be stored."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.errors import CloudError, OutcomeUnknown, RequestRejected, Throttled
from shared.notices.models import DELIVERED, NoticeType, Outcome, OutcomeKind, TargetKind
from tests.helpers.announced_pipeline import BODY, KEY, WEBHOOK, AnnouncedPipeline
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, Killed, raise_error
from tests.helpers.in_memory_pipeline import DUE_S
from tests.helpers.notices import build_target

WECOM = build_target(TargetKind.WECOM)
FAILED = Outcome(OutcomeKind.FAILED, "status 500")


@pytest.mark.parametrize("body", [BODY, NOT_AUDIO, b""], ids=["done", "failed", "refused at once"])
def test_role_that_may_not_store_notices_keeps_no_recording_open(body: bytes) -> None:
    """The role was made before notices were switched on."""
    pipeline = AnnouncedPipeline(WEBHOOK, WECOM)
    denied = RequestRejected(resource="notices", status=403, code="AccessDenied", message="secret")
    pipeline.cloud.before("PUT", ".scribe/notices/", raise_error(denied), times=2)
    pipeline.upload_and_ingest(KEY, body)
    pipeline.run_and_notify()
    assert (pipeline.get_text(KEY) == BODY.decode()) == (body is BODY)
    assert (pipeline.get_error(KEY) is None) == (body is BODY)
    assert pipeline.list_open() == []
    assert len(pipeline.list_done()) == 1
    lines = [line for line in pipeline.log_lines if line["event"] == "notice_not_stored"]
    assert [(line["level"], line["bucket"], line["key"], line["target"], line["code"]) for line in lines] == [
        ("error", INPUT_BUCKET, KEY, "webhook", "AccessDenied"),
        ("error", INPUT_BUCKET, KEY, "wecom", "AccessDenied"),
    ]
    assert "secret" not in str(lines)
    assert pipeline.notices == []


@pytest.mark.parametrize(
    "error",
    [
        Throttled(resource="notices", status=503, code="SlowDown"),
        OutcomeUnknown(resource="notices", status=500, code="InternalError"),
        OutcomeUnknown(resource="notices", code="NoAnswer"),
        RequestRejected(resource="notices", status=400, code="InvalidArgument"),
    ],
    ids=lambda error: error.code,
)
def test_other_errors_while_a_notice_is_stored_keep_the_recording_open(error: CloudError) -> None:
    pipeline = AnnouncedPipeline()
    pipeline.upload_and_ingest(KEY, BODY)
    pipeline.cloud.before("PUT", ".scribe/notices/", raise_error(error))
    with pytest.raises(type(error)):
        pipeline.run_and_notify()
    assert len(pipeline.list_open()) == 1
    pipeline.begin()
    pipeline.sweep_when_due()
    assert pipeline.list_open() == []
    assert [notice.key for notice in pipeline.notices] == [KEY]


@pytest.mark.parametrize("body", [BODY, NOT_AUDIO], ids=["done", "failed"])
@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
def test_invocation_killed_at_any_request_loses_no_notice(body: bytes, is_before: bool) -> None:
    kind = NoticeType.DONE if body is BODY else NoticeType.FAILED
    for number in range(100):
        pipeline = AnnouncedPipeline()
        pipeline.upload_and_ingest(KEY, body)
        pipeline.cloud.run_jobs()
        hook = pipeline.cloud.before if is_before else pipeline.cloud.after
        hook("", "", raise_error(Killed()), skip=number)
        is_killed = False
        try:
            pipeline.notify("s1")
        except Killed:
            is_killed = True
        pipeline.cloud.clear_hooks()
        pipeline.begin()
        for _ in range(3):
            pipeline.cloud.clock.advance(DUE_S)
            pipeline.sweep()
        assert {notice.type for notice in pipeline.notices} == {kind}
        assert len(set(pipeline.ids)) == 1
        assert pipeline.list_open_notices() == []
        assert (pipeline.get_error(KEY) is None) == (kind is NoticeType.DONE)
        if not is_killed:
            assert number > 5
            return
    pytest.fail("it has too many requests")


INVOCATIONS: dict[str, tuple[bytes, Callable[[AnnouncedPipeline], object]]] = {
    "upload": (BODY, lambda pipeline: pipeline.ingest(KEY)),
    "upload of an empty file": (b"", lambda pipeline: pipeline.ingest(KEY)),
    "callback": (BODY, lambda pipeline: pipeline.notify("s1")),
    "callback of a failed job": (NOT_AUDIO, lambda pipeline: pipeline.notify("s1")),
    "sweep": (BODY, lambda pipeline: pipeline.sweep_when_due()),
    "sweep of a failed job": (NOT_AUDIO, lambda pipeline: pipeline.sweep_when_due()),
    "sweep with a notice that is due": (BODY, lambda pipeline: pipeline.sweep_when_due()),
}


@pytest.mark.parametrize("name", INVOCATIONS)
@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
def test_killed_upload_and_sweep_lose_no_notice_and_pay_once(name: str, is_before: bool) -> None:
    body, invoke = INVOCATIONS[name]
    for number in range(100):
        pipeline = AnnouncedPipeline(WEBHOOK, WECOM)
        pipeline.upload(KEY, body)
        if not name.startswith("upload"):
            pipeline.ingest(KEY)
            pipeline.cloud.run_jobs()
        if name.endswith("due"):
            pipeline.outcome = FAILED
            pipeline.notify("s1")
            pipeline.outcome = DELIVERED
        pipeline.begin()
        hook = pipeline.cloud.before if is_before else pipeline.cloud.after
        hook("", "", raise_error(Killed()), skip=number)
        is_killed = False
        try:
            invoke(pipeline)
            pipeline.ctx.send_notices()  # as the upload function does
        except Killed:
            is_killed = True
        pipeline.cloud.clear_hooks()
        for step in (
            pipeline.audit_when_due,
            pipeline.settle,
            pipeline.sweep_when_due,
            pipeline.sweep_when_due,
        ):
            pipeline.begin()
            step()
            pipeline.ctx.send_notices()
        kind = NoticeType.DONE if body == BODY else NoticeType.FAILED
        assert {notice.type for notice in pipeline.notices} == {kind}
        assert len(set(pipeline.ids)) == 2  # one for each target
        assert pipeline.list_open_notices() == []
        assert pipeline.count_jobs() == bool(body)
        assert len(pipeline.list_done()) == 1
        if not is_killed:
            assert number > 3
            return
    pytest.fail("it has too many requests")
