"""The index moves with the receipts: what it knows of one input bucket, once however often it is copied."""

from __future__ import annotations

from cli.deploy.clients import Clients
from cli.deploy.receipts import MovedReceipts, ReceiptPlace, copy_missing_receipts
from shared.recordings.budget import read_usage
from shared.recordings.index import forgotten_key, is_forgotten, open_index
from shared.tencent.auth import Credentials
from shared.tencent.cos import CosClient
from tests.helpers.budgets import BudgetPipeline
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, REGION, FakeCloud
from tests.helpers.fakes import FakeCos

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


def test_finished_failed_forgotten_and_reserved_are_copied_of_this_bucket_only() -> None:
    pipeline = BudgetPipeline(60)
    pipeline.upload_minutes("a.mp3", 8)
    pipeline.finish("s1", 480)
    pipeline.upload_and_ingest("b.mp3", b"")
    pipeline.upload_minutes("c.mp3", 4)
    forgotten = pipeline.build_receipt("d.mp3", b"d")
    other = forgotten._replace(bucket="calls-1250000000")
    other = other._replace(id=other.recording.id)
    index = open_index(pipeline.ctx, INPUT_BUCKET)
    mark = forgotten_key(pipeline.ctx.settings, forgotten.recording)
    pipeline.cloud.put_object(OUTPUT_BUCKET, mark, b"")
    before = pipeline.list_keys(".scribe/index/")
    index.add_failed(other.id)
    index.add_finished(other, 1_794_000_000, 60)
    pipeline.cloud.put_object(OUTPUT_BUCKET, ".scribe/index/budget/2026-11.60.80", b"stored")
    pipeline.cloud.buckets[NEW_BUCKET] = {}

    clients = build_clients(pipeline.cloud)
    count = copy_missing_receipts(clients, MOVE)
    copied = [
        key.replace("state/", ".scribe/")
        for key in pipeline.cloud.buckets[NEW_BUCKET]
        if key.startswith("state/index/")
    ]
    assert sorted(copied) == sorted(before)
    assert count == len(pipeline.list_done()) + len(pipeline.list_open())

    moved = pipeline.build_context(output_bucket=NEW_BUCKET, state_prefix="state/", monthly_minutes=60)
    usage = read_usage(moved)
    assert (usage.finished_s, usage.reserved_s) == (480, 240)
    assert is_forgotten(moved, forgotten.recording, forgotten.modified_s)
    pipeline.take_requests()
    assert copy_missing_receipts(clients, MOVE) == 0
    assert [request for request in pipeline.take_requests() if request.method == "PUT"] == []
