"""Recordings with their states: which rows there are, what they say, and how many requests they cost."""

from __future__ import annotations

import pytest

from cli.operate import rows as rows_module
from cli.operate.rows import DONE, FAILED, OPEN, WAITING, Listing, Query, Row, RowReader, read_failed
from shared.errors import NotFound
from shared.recordings.index import RecordingIndex
from shared.recordings.receipt import FAILED as FAILED_RECEIPT
from shared.tencent.speech_models import Queue
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, FakeCloud
from tests.helpers.fakes import FakeCos
from tests.helpers.operate import OperatedPipeline

EVERYTHING = Query()


def read(pipeline: OperatedPipeline, query: Query = EVERYTHING, **settings: object) -> Listing:
    return RowReader(pipeline.open_workspace(**settings)).read(query)


def list_states(listing: Listing) -> list[tuple[str, str]]:
    return [(row.state, row.key) for row in listing.rows]


ALL = [
    (OPEN, "calls/open.mp3"),
    (WAITING, "archive/old.mp3"),
    (FAILED, "calls/broken.mp3"),
    (DONE, "calls/完成.mp3"),
]


def test_each_state_has_its_rows() -> None:
    pipeline = OperatedPipeline.create_mixed()
    assert list_states(read(pipeline)) == ALL
    for state, key in ALL:
        assert list_states(read(pipeline, Query((state,)))) == [(state, key)]


def test_rows_say_what_programs_need() -> None:
    pipeline = OperatedPipeline.create_mixed()
    rows = [row.as_json() for row in read(pipeline, Query(with_details=True)).rows]
    assert [row["note"] for row in rows] == [
        "job s3 was submitted",
        "The recording is in an archive and cannot be read before it is restored.",
        "The speech service could not recognise this recording.",
        "",
    ]
    receipt = next(receipt for receipt in pipeline.list_done() if receipt.state is not FAILED_RECEIPT)
    assert rows[3] == {
        "bucket": INPUT_BUCKET,
        "key": "calls/完成.mp3",
        "state": "done",
        "receipt_id": receipt.id,
        "size": 4,
        "uploaded": "2026-11-10T08:40:00Z",
        "since": "2026-11-10T08:40:00Z",
        "minutes": 1.5,
        "engine": "16k_zh",
        "job_id": "s1",
        "attempt": 1,
        "note": "",
        "code": "",
        "next_step": "",
        "next_at": "",
    }
    assert (rows[2]["code"], rows[2]["next_step"][:12]) == ("FailedOperation.Unlisted", "Listen to it")
    assert all(row.keys() == rows[3].keys() for row in rows)


def test_requests_follow_what_is_shown() -> None:
    """Four listings and one of the closed ones; one receipt and one error object for each that is not done."""
    pipeline = OperatedPipeline.create_mixed()
    read(pipeline)
    requests = pipeline.take_requests()
    listings = [request.key for request in requests if request.method == "LIST"]
    failed_id = next(receipt.id for receipt in pipeline.list_done() if receipt.state is FAILED_RECEIPT)
    others = f".scribe/done/{failed_id.rpartition('!')[0]}!"
    folders = ["open/", "waiting/", "index/failed/", "done/"]
    assert sorted(listings) == sorted(
        [
            *(f".scribe/{folder}{INPUT_BUCKET}/" for folder in folders),
            ".scribe/index/finished/",
            others,
        ]
    )
    gets = [request for request in requests if request.method == "GET"]
    assert (len(gets), len(requests)) == (5, 11)  # open; waiting and failed with their error objects
    read(pipeline, Query((OPEN,)))
    assert len(pipeline.take_requests()) == 4  # three listings and a receipt


def test_what_is_read_again_costs_listings_only() -> None:
    pipeline = OperatedPipeline.create_mixed()
    reader = RowReader(pipeline.open_workspace())
    first = reader.read(Query()).rows
    pipeline.take_requests()
    assert reader.read(Query()).rows == first
    assert {request.method for request in pipeline.take_requests()} == {"LIST"}
    pipeline.run_and_notify()
    pipeline.write_index()
    assert (DONE, "calls/open.mp3") in list_states(reader.read(Query()))


def test_open_comes_before_what_the_key_was_before() -> None:
    pipeline = OperatedPipeline.create_mixed()
    for key in ("calls/完成.mp3", "calls/broken.mp3"):
        pipeline.cloud.clock.advance(60)
        pipeline.upload_and_ingest(key, b"new content of " + key.encode())
    expected = [
        (OPEN, "calls/broken.mp3"),
        (OPEN, "calls/完成.mp3"),
        (OPEN, "calls/open.mp3"),
        (WAITING, "archive/old.mp3"),
    ]
    assert list_states(read(pipeline)) == expected
    assert list_states(read(pipeline, Query((DONE,)))) == []
    assert list_states(read(pipeline, Query((FAILED,)))) == []
    assert list_states(read(pipeline, Query(prefix="calls/"))) == expected[:3]


@pytest.mark.parametrize("query", [Query(), Query(bucket=INPUT_BUCKET), Query(prefix="a.")])
def test_of_two_closed_contents_the_newer_one_counts(query: Query) -> None:
    pipeline = OperatedPipeline()
    pipeline.transcribe("a.mp3", NOT_AUDIO)
    pipeline.cloud.clock.advance(60)
    pipeline.transcribe("a.mp3", b"good")
    assert list_states(read(pipeline, query)) == [(DONE, "a.mp3")]
    assert read_failed(pipeline.open_workspace(), "", "") == []
    pipeline.cloud.clock.advance(60)
    pipeline.transcribe("a.mp3", NOT_AUDIO + b"!")
    assert list_states(read(pipeline, query)) == [(FAILED, "a.mp3")]
    assert list_states(read(pipeline, Query((DONE,)))) == []
    (row,) = read_failed(pipeline.open_workspace(), "", "")
    assert row.receipt
    assert row.receipt.size == len(NOT_AUDIO) + 1


def test_entry_of_a_failure_that_is_no_more_does_no_harm() -> None:
    pipeline = OperatedPipeline.create_mixed()
    failed_id = next(receipt.id for receipt in pipeline.list_done() if receipt.state is FAILED_RECEIPT)
    del pipeline.cloud.buckets[OUTPUT_BUCKET][f".scribe/done/{failed_id}"]
    done = next(receipt for receipt in pipeline.list_done())
    index = RecordingIndex(FakeCos(pipeline.cloud), pipeline.ctx.settings, OUTPUT_BUCKET)
    index.add_failed(done.id)
    pipeline.cloud.put_object(OUTPUT_BUCKET, ".scribe/index/failed/no-receipt", b"")
    assert list_states(read(pipeline)) == [ALL[0], ALL[1], ALL[3]]


def test_prefix_selects_by_the_bytes_of_the_key() -> None:
    pipeline = OperatedPipeline.create_mixed()
    assert list_states(read(pipeline, Query(prefix="calls/完"))) == [ALL[3]]
    assert list_states(read(pipeline, Query(prefix="archive/"))) == [ALL[1]]
    assert list_states(read(pipeline, Query(prefix="call"))) == [ALL[0], ALL[2], ALL[3]]
    assert read(pipeline, Query(prefix="none/")).rows == []
    assert read(pipeline, Query(prefix="calls/完")).rows[0].seconds == 90


def test_long_keys_are_read_from_their_receipts() -> None:
    pipeline = OperatedPipeline()
    keys = [f"{'长' * 70}/{number}.mp3" for number in range(3)]
    for key in keys[:2]:
        pipeline.transcribe(key, key.encode())
    pipeline.upload_and_ingest(keys[2], b"open")
    expected = {(OPEN, keys[2]), (DONE, keys[0]), (DONE, keys[1])}
    assert set(list_states(read(pipeline))) == expected
    assert list_states(read(pipeline, Query((DONE,), prefix=keys[1]))) == [(DONE, keys[1])]


def test_since_and_limit_leave_out_older_ones() -> None:
    pipeline = OperatedPipeline()
    for number in range(5):
        pipeline.transcribe(f"{number}.mp3", b"%d" % number)
        pipeline.cloud.clock.advance(60)
    now_s = pipeline.cloud.clock.now()
    for query in (Query(limit=2), Query(limit=2, bucket=INPUT_BUCKET)):
        listing = read(pipeline, query)
        assert list_states(listing) == [(DONE, "4.mp3"), (DONE, "3.mp3")]
        assert listing.has_more_done
    pipeline.cloud.page_size = 1
    pipeline.take_requests()
    read(pipeline, Query((DONE,), limit=2))
    assert len(pipeline.take_requests()) == 3 + 3  # not all pages of the index
    listing = read(pipeline, Query(since_s=now_s - 181))
    assert [row.key for row in listing.rows] == ["4.mp3", "3.mp3", "2.mp3"]
    assert not listing.has_more_done


@pytest.mark.parametrize("bucket", ["", INPUT_BUCKET])
def test_deployment_from_before_the_index_is_listed_too(bucket: str) -> None:
    pipeline = OperatedPipeline.create_mixed()
    pipeline.drop_index()
    listing = read(pipeline, Query(bucket=bucket))
    assert list_states(listing) == ALL
    assert (listing.is_partial, listing.rows[-1].seconds) == (False, None)
    assert [row.key for row in read_failed(pipeline.open_workspace(), "", "calls/")] == ["calls/broken.mp3"]


def test_large_deployment_from_before_the_index_says_that_something_may_be_missing() -> None:
    pipeline = OperatedPipeline.create_mixed()
    pipeline.drop_index()
    pipeline.cloud.page_size = 1
    assert read(pipeline, Query((FAILED,))).is_partial
    assert not read(pipeline, Query((OPEN,))).is_partial
    assert list_states(read(pipeline, Query((FAILED,), INPUT_BUCKET))) == [ALL[2]]


def test_closed_receipts_below_a_prefix_are_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MAX_CLOSED_READ", 2)
    pipeline = OperatedPipeline()
    pipeline.transcribe("0.mp3", NOT_AUDIO)
    for number in range(1, 5):
        pipeline.cloud.clock.advance(60)
        pipeline.transcribe(f"{number}.mp3", b"%d" % number)
    listing = read(pipeline, Query((FAILED,), INPUT_BUCKET))
    assert (list_states(listing), listing.unread) == ([(FAILED, "0.mp3")], 2)
    pipeline.drop_index()
    listing = read(pipeline, Query((FAILED,), INPUT_BUCKET))
    assert (list_states(listing), listing.unread) == ([], 3)


def test_refused_and_deferred_ones_are_open_and_say_why() -> None:
    pipeline = OperatedPipeline(
        FakeCloud(queues=[Queue("p1", "queue", "Active", max_size=1, max_concurrent=1)])
    )
    pipeline.cloud.refused_keys.add("refused.mp3")
    pipeline.upload_and_ingest("refused.mp3", b"refused")
    pipeline.upload_and_ingest("first.mp3", b"first")
    pipeline.upload_and_ingest("second.mp3", b"second")
    rows = {row.key: row for row in read(pipeline).rows}
    assert rows["second.mp3"].note == "no job yet: it is submitted when the speech queue has room"
    refused = rows["refused.mp3"]
    assert (refused.state, refused.code) == (OPEN, "ResourceAccessDenied")
    assert refused.note == "The speech service may not read the recording."
    assert refused.next_at_s == pytest.approx(pipeline.cloud.clock.now() + 300)
    assert refused.next_step.startswith("Grant the service role CI_QCSRole access to the bucket")


def test_object_that_is_no_receipt_does_not_hide_the_others() -> None:
    pipeline = OperatedPipeline.create_mixed()
    open_id = pipeline.get_open().id
    other_id = open_id.replace("!", "!0")[:-1]
    pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/open/{other_id}", b"{}")
    pipeline.cloud.put_object(OUTPUT_BUCKET, ".scribe/open/something", b"{}")
    pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/waiting/{other_id}", b"[]")
    notes = [row.note for row in read(pipeline, Query((OPEN, WAITING))).rows]
    assert "its receipt cannot be read: not a receipt: KeyError" in notes
    assert len(notes) == 3


def test_error_object_of_other_content_is_not_shown() -> None:
    pipeline = OperatedPipeline.create_mixed()
    key = "transcripts/calls/broken.mp3.error.json"
    body = pipeline.cloud.buckets[OUTPUT_BUCKET][key].body
    for other in (body.replace(b'"etag": "', b'"etag": "0'), b"[]", b"{", b'{"recording": 1}'):
        pipeline.cloud.put_object(OUTPUT_BUCKET, key, other)
        (row,) = read(pipeline, Query((FAILED,))).rows
        assert (row.note, row.code) == ("", "")
    pipeline.cloud.change_object(OUTPUT_BUCKET, key, refused=403)
    (row,) = read(pipeline, Query((FAILED,))).rows
    assert row.note.startswith("the error object cannot be read: ")


def test_bucket_that_cannot_be_read_is_named_beside_what_the_others_have() -> None:
    cloud = FakeCloud()
    cloud.buckets["calls-1250000000"] = {}
    pipeline = OperatedPipeline(cloud, output_bucket="", input_buckets=(INPUT_BUCKET, "calls-1250000000"))
    pipeline.upload_and_ingest("a.mp3", b"a")
    cloud.regions["calls-1250000000"] = "ap-beijing"
    listing = read(pipeline)
    assert list_states(listing) == [(OPEN, "a.mp3")]
    ((bucket, error),) = listing.problems
    assert (bucket, error.code) == ("calls-1250000000", "NoSuchBucket")
    with pytest.raises(NotFound):
        read_failed(pipeline.open_workspace(), "", "")


def test_other_deployments_of_the_output_bucket_are_not_listed() -> None:
    pipeline = OperatedPipeline.create_mixed()
    cloud = pipeline.cloud
    cloud.buckets["calls-1250000000"] = {}
    both = (INPUT_BUCKET, "calls-1250000000")
    other = OperatedPipeline(cloud, input_buckets=("calls-1250000000",))
    assert read(other).rows == []
    assert len(read(pipeline, input_buckets=both).rows) == 4
    assert read(pipeline, Query(bucket="calls-1250000000"), input_buckets=both).rows == []


def test_forgotten_recording_has_no_row() -> None:
    pipeline = OperatedPipeline.create_mixed()
    receipt = pipeline.list_done()[0]
    index = RecordingIndex(FakeCos(pipeline.cloud), pipeline.ctx.settings, OUTPUT_BUCKET)
    forgotten = receipt._replace(id=f"{INPUT_BUCKET}/-00!{'0' * 32}")
    index.add_finished(forgotten, pipeline.cloud.clock.now(), 60)
    assert list_states(read(pipeline)) == ALL


def test_failed_ones_have_their_receipts_newest_first() -> None:
    pipeline = OperatedPipeline()
    for key in ("a.mp3", "calls/b.mp3", "calls/c.mp3"):
        pipeline.transcribe(key, NOT_AUDIO + key.encode())
        pipeline.cloud.clock.advance(60)
    workspace = pipeline.open_workspace()

    def keys(found: list[Row]) -> list[str]:
        assert all(row.receipt and row.receipt.state is FAILED_RECEIPT for row in found)
        return [row.key for row in found]

    assert keys(read_failed(workspace, "", "")) == ["calls/c.mp3", "calls/b.mp3", "a.mp3"]
    assert keys(read_failed(workspace, INPUT_BUCKET, "calls/")) == ["calls/c.mp3", "calls/b.mp3"]
    assert keys(read_failed(workspace, INPUT_BUCKET, "")) == ["calls/c.mp3", "calls/b.mp3", "a.mp3"]
    assert keys(read_failed(workspace, "calls-1250000000", "")) == []
