"""Receipts as objects: one owner, one claim for each attempt, and a receipt that is never in neither place."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import AlreadyExists, CloudError, OutcomeUnknown, RequestRejected, Throttled
from shared.recordings.receipt import SUPERSEDED, TRANSCRIBED, InvalidReceipt, Receipt
from shared.recordings.receipt_store import MAX_DEAD_CLAIMS, MAX_RECEIPT_BYTES, OpenReceipt, ReceiptStore
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, START_S, Killed, raise_error
from tests.helpers.in_memory_pipeline import InMemoryPipeline

LEASE_S = 120.0
BODY = b"hello"


@pytest.fixture
def store(pipeline: InMemoryPipeline) -> ReceiptStore:
    return pipeline.ctx.receipts(INPUT_BUCKET)


@pytest.fixture
def receipt(pipeline: InMemoryPipeline) -> Receipt:
    return pipeline.build_receipt("a.mp3", BODY)


def own_write_error() -> AlreadyExists:
    """Build the error after a write whose first response was lost: the retry met the object of the first try."""
    error = AlreadyExists(resource="a", status=409, code="FileAlreadyExists")
    error.possibly_own_write = True
    return error


def test_first_attempt_owns_the_receipt(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    assert store.create(receipt, START_S)
    assert store.get_open(receipt.id) == receipt
    assert store.get_done(receipt.id) is None
    assert [request.method for request in pipeline.cloud.requests] == ["PUT", "GET", "GET", "GET"]


def test_second_attempt_does_not_own_it_and_costs_one_request(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    store.create(receipt, START_S)
    pipeline.take_requests()
    assert not store.create(receipt._replace(nonce="second"), START_S)
    assert len(pipeline.take_requests()) == 1
    assert store.get_open(receipt.id) == receipt


def test_attempt_owns_its_receipt_after_a_lost_response(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    pipeline.cloud.after("PUT", "open/", raise_error(own_write_error()))
    assert store.create(receipt, START_S)


def test_receipt_of_another_attempt_is_not_owned_after_a_retry(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    store.create(receipt, START_S)
    pipeline.cloud.before("PUT", "open/", raise_error(own_write_error()))
    assert not store.create(receipt._replace(nonce="second"), START_S)


def test_of_two_writers_that_both_win_only_the_last_owns_the_receipt(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    second = receipt._replace(nonce="second")
    pipeline.cloud.before("GET", "open/", lambda: pipeline.put_open(second))
    assert not store.create(receipt, START_S)


def test_receipt_that_vanished_is_not_owned(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    pipeline.cloud.before("GET", "open/", pipeline.cloud.buckets[OUTPUT_BUCKET].clear)
    assert not store.create(receipt, START_S)


@pytest.mark.parametrize("is_suspended", [False, True])
def test_on_a_versioned_bucket_an_attempt_that_sees_another_gives_up(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt, is_suspended: bool
) -> None:
    pipeline.cloud.versioned.add(OUTPUT_BUCKET)
    if is_suspended:
        pipeline.cloud.suspended.add(OUTPUT_BUCKET)
    second = receipt._replace(nonce="second")

    def create_second() -> None:
        with pytest.raises(Throttled, match="ClaimedByAnother"):
            store.create(second, START_S)

    pipeline.cloud.before("LIST", ".scribe/claim/", create_second)
    assert store.create(receipt, START_S) == store.get_open(receipt.id) == receipt._replace(versioned=True)
    assert len(pipeline.list_claims()) == 1


def test_on_a_versioned_bucket_a_later_attempt_leaves_the_receipt_as_it_is(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    pipeline.cloud.versioned.add(OUTPUT_BUCKET)
    created = store.create(receipt, START_S)
    assert created == receipt._replace(versioned=True)
    after_lease_s = receipt.lease_expires_s + 1
    second = receipt._replace(nonce="second", lease_expires_s=after_lease_s + 120)
    assert store.create(second, after_lease_s) is None
    assert store.get_open(receipt.id) == created


def test_versioning_that_was_switched_on_a_moment_ago_leaves_the_submit_to_the_sweep(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    # The process still believes that the bucket has none, but the PUT returns a version id.
    unaware = ReceiptStore(pipeline.ctx.output_cos, pipeline.ctx.settings, OUTPUT_BUCKET, lambda _: False)
    pipeline.cloud.versioned.add(OUTPUT_BUCKET)
    assert unaware.create(receipt, START_S) is None
    assert store.get_open(receipt.id) == receipt


def test_close_moves_the_receipt_to_done(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    store.create(receipt, START_S)
    closed = receipt.with_job("s1").close(TRANSCRIBED, 1.0)
    store.close(closed)
    assert store.get_open(receipt.id) is None
    assert store.get_done(receipt.id) == closed
    assert pipeline.list_keys() == [f".scribe/done/{receipt.id}"]


@pytest.mark.parametrize("number", range(3))
def test_killed_close_leaves_the_receipt_in_open_or_done(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt, number: int
) -> None:
    second_attempt = pipeline.put_claim(receipt)
    pipeline.put_open(second_attempt)
    closed = second_attempt.close(SUPERSEDED, 1.0)
    pipeline.cloud.kill_before(number)
    with pytest.raises(Killed):
        store.close(closed)
    assert store.get_open(receipt.id) or store.get_done(receipt.id) == closed
    store.close(closed)
    assert pipeline.list_keys() == [f".scribe/done/{receipt.id}"]


def test_reader_during_the_close_finds_the_receipt_at_any_moment(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    store.create(receipt, START_S)
    seen: list[bool] = []

    def look() -> None:
        seen.append(bool(store.get_open(receipt.id) or store.get_done(receipt.id)))

    pipeline.cloud.before("PUT", "done/", look)
    pipeline.cloud.before("DELETE", "open/", look)
    store.close(receipt.close(SUPERSEDED, 1.0))
    look()
    assert seen == [True, True, True]


def test_claim_takes_the_next_number(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    claim = store.claim_next_attempt(receipt, "n2", 1000.0, LEASE_S)
    assert claim == receipt.next_attempt("n2", 2, 1000.0 + LEASE_S)
    assert pipeline.list_claims() == [f".scribe/claim/{receipt.id}.2"]


def test_only_one_of_two_claims_wins(store: ReceiptStore, receipt: Receipt) -> None:
    assert store.claim_next_attempt(receipt, "n2", 1000.0, LEASE_S)
    assert store.claim_next_attempt(receipt, "n3", 1001.0, LEASE_S) is None


def test_claim_of_a_dead_attempt_is_passed_over(store: ReceiptStore, receipt: Receipt) -> None:
    store.claim_next_attempt(receipt, "n2", 1000.0, LEASE_S)
    claim = store.claim_next_attempt(receipt, "n3", 1000.0 + LEASE_S, LEASE_S)
    assert claim is not None
    assert (claim.nonce, claim.attempt) == ("n3", 3)


def test_claim_is_alive_until_its_lease_expires(store: ReceiptStore, receipt: Receipt) -> None:
    store.claim_next_attempt(receipt, "n2", 1000.0, LEASE_S)
    assert store.claim_next_attempt(receipt, "n3", 1000.0 + LEASE_S - 0.1, LEASE_S) is None


def test_claim_with_a_lease_of_other_settings_is_passed_over(store: ReceiptStore, receipt: Receipt) -> None:
    store.claim_next_attempt(receipt, "n2", 1000.0, LEASE_S)
    claim = store.claim_next_attempt(receipt, "n3", 1001.0, 2.0)
    assert claim is not None
    assert claim.attempt == 3


def test_claim_is_own_after_a_lost_response(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    pipeline.cloud.after("PUT", "claim/", raise_error(own_write_error()))
    claim = store.claim_next_attempt(receipt, "n2", 1000.0, LEASE_S)
    assert claim is not None
    assert claim.attempt == 2


def test_claim_that_was_just_released_is_left_to_the_next_sweep(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    claim = store.claim_next_attempt(receipt, "n2", 1000.0, LEASE_S)
    assert claim is not None
    pipeline.cloud.before("GET", "claim/", lambda: store.release_claim(claim))
    assert store.claim_next_attempt(receipt, "n3", 1001.0, LEASE_S) is None
    assert pipeline.list_claims() == []


def test_claims_end_after_many_dead_attempts(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    for number in range(MAX_DEAD_CLAIMS):
        assert store.claim_next_attempt(receipt, f"n{number}", 1000.0 * number, LEASE_S)
    assert store.claim_next_attempt(receipt, "last", 1e9, LEASE_S) is None
    assert len(pipeline.list_claims()) == MAX_DEAD_CLAIMS


def test_claims_are_deleted_with_the_receipt(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    store.create(receipt, START_S)
    store.claim_next_attempt(receipt, "n2", 1000.0, LEASE_S)
    claim = store.claim_next_attempt(receipt, "n3", 2000.0, LEASE_S)
    assert claim is not None
    store.delete_open(claim)
    assert pipeline.list_keys() == []


def test_receipt_of_any_attempt_is_deleted_with_few_requests(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    store.create(receipt, START_S)
    pipeline.cloud.requests.clear()
    store.delete_open(receipt._replace(attempt=10**18))
    assert len(pipeline.cloud.requests) == 2
    assert pipeline.list_keys() == []


def test_receipt_is_unchanged_until_another_attempt_writes_it(store: ReceiptStore, receipt: Receipt) -> None:
    store.create(receipt, START_S)
    assert store.is_unchanged(receipt)
    store.update(receipt.with_job("s1"))
    assert not store.is_unchanged(receipt)
    store.delete_open(receipt)
    assert not store.is_unchanged(receipt)


def test_other_content_of_the_key_is_listed_from_open_and_done(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    in_work = pipeline.put_open(pipeline.build_receipt("a.mp3", b"second"))
    finished = pipeline.build_receipt("a.mp3", b"third").close(SUPERSEDED, 1.0)
    store.close(finished)
    store.create(receipt, START_S)
    store.create(pipeline.build_receipt("a.mp3x", b"other key"), START_S)
    pipeline.take_requests()
    assert list(store.iter_other_content(receipt)) == [in_work, finished]
    assert len(pipeline.take_requests()) == 2 + 2


def test_another_long_key_with_the_same_start_is_other_work(
    pipeline: InMemoryPipeline, store: ReceiptStore
) -> None:
    first = pipeline.put_open(pipeline.build_receipt("k" * 200 + "1", BODY))
    second = pipeline.put_open(pipeline.build_receipt("k" * 200 + "2", BODY))
    assert first.id.rpartition("!")[0] == second.id.rpartition("!")[0]
    assert list(store.iter_other_content(first)) == []


@pytest.mark.parametrize("read", [ReceiptStore.get_open, ReceiptStore.get_done])
@pytest.mark.parametrize("body", [b"{}", bytes(MAX_RECEIPT_BYTES + 1)], ids=["no members", "large"])
def test_object_that_is_no_receipt_is_an_error(
    pipeline: InMemoryPipeline,
    store: ReceiptStore,
    receipt: Receipt,
    read: Callable[[ReceiptStore, str], object],
    body: bytes,
) -> None:
    for prefix in ("open", "done"):
        pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/{prefix}/{receipt.id}", body)
    with pytest.raises(InvalidReceipt):
        read(store, receipt.id)


@pytest.mark.parametrize(
    "error",
    [
        OutcomeUnknown(resource="a", code="NoAnswer"),
        RequestRejected(resource="a", status=403, code="AccessDenied"),
    ],
    ids=["lost", "denied"],
)
def test_failed_read_is_an_error_and_not_a_missing_receipt(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt, error: CloudError
) -> None:
    store.create(receipt, START_S)
    pipeline.cloud.before("GET", "open/", raise_error(error))
    with pytest.raises(type(error)):
        store.get_open(receipt.id)


keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(names=st.sets(keys, max_size=12), page_size=st.integers(1, 4), skipped=st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_open_receipts_are_listed_in_the_order_of_their_keys(
    names: set[str], page_size: int, skipped: int
) -> None:
    pipeline = InMemoryPipeline()
    pipeline.cloud.page_size = page_size
    store = pipeline.ctx.receipts(INPUT_BUCKET)
    expected = [
        pipeline.put_open(pipeline.build_receipt(name, BODY)).id for name in sorted(names, key=str.encode)
    ]
    assert [entry.id for entry in store.list_open()] == expected
    if skipped < len(expected):
        assert [entry.id for entry in store.list_open(expected[skipped])] == expected[skipped + 1 :]


def test_listing_says_when_a_receipt_was_written(
    pipeline: InMemoryPipeline, store: ReceiptStore, receipt: Receipt
) -> None:
    store.create(receipt, START_S)
    assert list(store.list_open()) == [
        OpenReceipt(receipt.id, "2026-11-10T08:40:00.000Z", len(receipt.to_json()))
    ]
