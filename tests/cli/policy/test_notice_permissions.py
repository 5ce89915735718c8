"""The roles may do what notices need, below STATE_PREFIX only; without targets they may not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cli.manifest.loader import load_manifest
from cli.policy.diff import Permission, allowed_permissions, covers
from cli.policy.documents import (
    MAX_DOCUMENT_LENGTH,
    function_policy,
    role_policies,
    serialize_document,
)
from cli.policy.permissions import FUNCTIONS
from shared.notices.models import DELIVERED, Notice, NoticeType, Outcome, OutcomeKind, Target, TargetKind
from shared.recordings.announcer import Announcer
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.notices import SECRET, URLS, build_target
from tests.helpers.permissions import UIN, build_permission, build_scope

ROOT = Path(__file__).resolve().parents[3]
BUCKETS = {"INPUT_BUCKETS": INPUT_BUCKET, "OUTPUT_BUCKET": OUTPUT_BUCKET}
WECOM = {"NOTIFY_WECOM": URLS[TargetKind.WECOM]}
EVERY_TYPE = frozenset({NoticeType.DONE, NoticeType.FAILED})
GONE = Outcome(OutcomeKind.GONE, "status 410")
FAILED = Outcome(OutcomeKind.FAILED, "status 500")


def refuse(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest("empty.mp3", b"")
    pipeline.ctx.send_notices()


def notify(pipeline: InMemoryPipeline) -> None:
    pipeline.run_and_notify()


def sweep(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.clock.advance(90_000)
    pipeline.sweep()


@pytest.mark.parametrize("outcome", [DELIVERED, FAILED, GONE], ids=lambda outcome: outcome.kind.value)
@pytest.mark.parametrize(
    ("function", "step"),
    [("upload", refuse), ("callback", notify), ("sweep", sweep)],
    ids=["upload", "callback", "sweep"],
)
def test_function_may_store_and_send_its_notices(
    function: str, step: Callable[[InMemoryPipeline], None], outcome: Outcome
) -> None:
    sent: list[Notice] = []

    def send(target: Target, notices: Sequence[Notice], now_s: float, timeout_s: float) -> Outcome:
        sent.extend(notices)
        return outcome

    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest("a.mp3", b"words")
    pipeline.ctx.announcer = Announcer([build_target(types=EVERY_TYPE)], send)
    start = len(pipeline.cloud.requests)
    step(pipeline)
    assert sent
    scope = build_scope({**BUCKETS, **WECOM})
    granted = allowed_permissions(function_policy(function, scope))
    needed = [
        build_permission(request, scope)
        for request in pipeline.cloud.requests[start:]
        if "/notices/" in f"/{request.key}" or request.method == "LIST"
    ]
    assert any("/notices/" in permission.resource for permission in needed)
    missing = [permission for permission in needed if not any(covers(grant, permission) for grant in granted)]
    assert missing == []


@pytest.mark.parametrize("function", ["upload", "callback"])
def test_without_targets_a_function_may_not_touch_notices(function: str) -> None:
    notice = f"qcs::cos:ap-guangzhou:uid/1250000000:{OUTPUT_BUCKET}/.scribe/notices/webhook/0-x"
    for settings, expected in ((BUCKETS, []), ({**BUCKETS, **WECOM}, ["Delete", "Get", "Put"])):
        granted = allowed_permissions(function_policy(function, build_scope(settings)))
        assert [
            action
            for action in ("Delete", "Get", "Put")
            if any(covers(grant, Permission(f"cos:{action}Object", notice)) for grant in granted)
        ] == expected


def test_roles_of_a_deployment_with_a_named_target_on_this_machine_have_them() -> None:
    config = {
        "SCRIBE_STAGE": "prod",
        "SCF_ROLE_NAME": "r",
        "REGION": "ap-guangzhou",
        **BUCKETS,
        "CALLBACK_TOKEN": "made-up-token-0001",
        "CLOUD_ENDPOINT": "http://127.0.0.1:9000",
        "NOTIFY_WEBHOOK_TEST": "http://127.0.0.1:8080/",
        "NOTIFY_WEBHOOK_TEST_SECRET": SECRET,
    }
    documents = role_policies(load_manifest(ROOT, config), UIN)
    assert "/.scribe/notices/*" in serialize_document(documents["r-upload"])
    assert "/.scribe/notices/*" in serialize_document(documents["r-callback"])


def test_ten_buckets_with_notices_fit_into_a_policy() -> None:
    ten = ",".join(f"recordings-{number}-1250000000" for number in range(10))
    for output in (OUTPUT_BUCKET, ""):
        scope = build_scope({"INPUT_BUCKETS": ten, "OUTPUT_BUCKET": output, **WECOM})
        for function in FUNCTIONS:
            document = function_policy(function, scope)
            assert len(serialize_document(document)) <= MAX_DOCUMENT_LENGTH
            for bucket in scope.output_buckets:
                notice = f"qcs::cos:ap-guangzhou:uid/1250000000:{bucket}/.scribe/notices/webhook.json"
                assert any(
                    covers(grant, Permission("cos:PutObject", notice))
                    for grant in allowed_permissions(document)
                )
