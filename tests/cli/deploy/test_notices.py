"""A deployment with targets of notices: what its plan shows, what has no place, and what moves to another place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.deploy.clients import Clients
from cli.deploy.preflight import PreflightFailed, check_preconditions
from cli.deploy.receipts import MovedReceipts, ReceiptPlace, copy_open_notices
from cli.deploy.steps import copy_late_receipts_step, copy_receipts_step, diff_fields
from shared.notices.delivery import Delivery, TargetState, delivery_key, target_state_key
from shared.notices.models import Target, TargetKind
from shared.tencent.auth import Credentials
from shared.tencent.cos import CosClient
from tests.helpers.deployment import build_target as build_deploy_target
from tests.helpers.deployment import deployed_state
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, REGION, FakeCloud
from tests.helpers.fakes import FakeCos
from tests.helpers.notices import SECRET, URLS, build_notice, build_target

WEBHOOK = {"NOTIFY_WEBHOOK": URLS[TargetKind.WEBHOOK], "NOTIFY_WEBHOOK_SECRET": SECRET}


def test_plan_shows_no_address_and_no_secret() -> None:
    before = {**WEBHOOK, "NOTIFY_FEISHU_SALES": URLS[TargetKind.FEISHU], "NOTIFY_ON": "failed"}
    after = {
        "NOTIFY_WEBHOOK": "https://other.example.com/hook",
        "NOTIFY_WEBHOOK_SECRET": f"{SECRET} {SECRET}",
        "NOTIFY_WECOM": URLS[TargetKind.WECOM],
        "NOTIFY_ON": "done",
    }
    assert [(each.field, each.before, each.after) for each in diff_fields(before, after)] == [
        ("NOTIFY_WEBHOOK", "set", "another value"),
        ("NOTIFY_WEBHOOK_SECRET", "set", "another value"),
        ("NOTIFY_WECOM", "", "set"),
        ("NOTIFY_ON", "failed", "done"),
        ("NOTIFY_FEISHU_SALES", "set", ""),
    ]


@pytest.mark.parametrize(("length", "fits"), [(700, True), (970, False)])
def test_address_of_the_notifications_of_jobs_needs_room_too(length: int, fits: bool) -> None:
    hooks = {f"NOTIFY_WEBHOOK_{letter * 9}": f"https://a.example.com/{'a' * length}" for letter in "ABCD"}
    target = build_deploy_target()
    functions = {
        key: replace(spec, variables={**spec.variables, **hooks})
        for key, spec in target.manifest.functions.items()
    }
    target = replace(target, manifest=replace(target.manifest, functions=functions), job_callback=True)
    state = deployed_state(target)
    if fits:
        check_preconditions(target, state, create_buckets=False, with_roles=True)
        return
    with pytest.raises(PreflightFailed) as caught:
        check_preconditions(target, state, create_buckets=False, with_roles=True)
    upload, sweep = caught.value.problems
    assert "-upload, with CALLBACK_URL, has 42" in upload
    assert "bytes; SCF accepts 4096: shorten the longest, which are NOTIFY_WEBHOOK_AAAAAAAAA 1016" in upload
    assert "-sweep, " in sweep
    # Without it, there is room.
    check_preconditions(replace(target, job_callback=False), state, create_buckets=False, with_roles=True)


NEW_BUCKET = "texts-1250000000"
MOVE = MovedReceipts(
    ReceiptPlace(INPUT_BUCKET, OUTPUT_BUCKET, REGION, ".scribe/"),
    ReceiptPlace(INPUT_BUCKET, NEW_BUCKET, REGION, "state/"),
)


def build_clients(cloud: FakeCloud) -> Clients:
    class FakeClients(Clients):
        def cos(self, region: str) -> CosClient:
            return FakeCos(cloud, region)

    return FakeClients.create(Credentials("AKIDEXAMPLE", "a-secret-key"), REGION)


def put_notice(cloud: FakeCloud, target: Target, bucket: str, job_id: str) -> Delivery:
    delivery = Delivery(build_notice(bucket=bucket, job_id=job_id), target.name, 1.0, due_s=2.0)
    cloud.put_object(OUTPUT_BUCKET, delivery_key(".scribe/", delivery), delivery.to_json())
    return delivery


def test_notices_that_are_still_to_be_sent_move_with_the_receipts() -> None:
    cloud = FakeCloud()
    cloud.buckets[NEW_BUCKET] = {}
    webhook, wecom = build_target(), build_target(TargetKind.WECOM)
    own = [put_notice(cloud, target, INPUT_BUCKET, "s1") for target in (webhook, wecom)]
    put_notice(cloud, webhook, "calls-1250000000", "s2")  # moves with the receipts of that bucket
    state = TargetState(failures_in_row=3)
    cloud.put_object(OUTPUT_BUCKET, target_state_key(".scribe/", webhook.name, ""), state.to_json())
    clients = build_clients(cloud)
    assert copy_open_notices(clients, MOVE) == 3
    assert set(cloud.buckets[NEW_BUCKET]) == {
        *(delivery_key("state/", delivery) for delivery in own),
        target_state_key("state/", webhook.name, ""),
    }
    cos = clients.cos(REGION)
    for delivery in own:
        copied = cos.get(NEW_BUCKET, delivery_key("state/", delivery))
        assert Delivery.from_json(copied.body) == delivery
        assert copied.head.metadata == {"scribe-output": "state"}
    assert copy_open_notices(clients, MOVE) == 3  # again, after an interruption: the same objects
    assert len(cloud.buckets[NEW_BUCKET]) == 3


def test_notices_are_copied_once_the_functions_use_the_new_place() -> None:
    """Copied earlier, one that the functions deliver in between would arrive twice."""
    cloud = FakeCloud()
    cloud.buckets[NEW_BUCKET] = {}
    delivery = put_notice(cloud, build_target(), INPUT_BUCKET, "s1")
    clients = build_clients(cloud)
    copy_receipts_step(MOVE, 1).apply(clients)
    assert list(cloud.buckets[NEW_BUCKET]) == []
    copy_late_receipts_step(MOVE).apply(clients)
    assert list(cloud.buckets[NEW_BUCKET]) == [delivery_key("state/", delivery)]
