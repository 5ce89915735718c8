"""What Scribe wrote under other settings is never taken for a recording, and no recording for an output."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Throttled
from shared.recordings.audit import audit
from shared.recordings.filters import check_skipped
from shared.recordings.keys import OUTPUT_MARK, claim_key, is_output_key, raw_result_key
from shared.recordings.models import Status
from shared.recordings.receipt import Recording
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, raise_error
from tests.helpers.fakes import build_test_settings
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline

A = b"words of the recording"
MOVES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "to a bucket of its own": ({"output_bucket": ""}, {"output_bucket": OUTPUT_BUCKET}),
    "other transcripts": ({"output_bucket": ""}, {"output_bucket": "", "output_prefix": "text/"}),
    "other receipts": ({"output_bucket": ""}, {"output_bucket": "", "state_prefix": ".state/"}),
    "both": (
        {"output_bucket": "", "output_prefix": "a/b/", "state_prefix": "state/"},
        {"output_bucket": "", "output_prefix": "c/", "state_prefix": ".scribe/"},
    ),
    "back to the bucket of the recordings": (
        {"output_bucket": INPUT_BUCKET},
        {"output_bucket": OUTPUT_BUCKET, "output_prefix": "x/"},
    ),
}


def fill_bucket(pipeline: InMemoryPipeline) -> None:
    """Leave one object of every kind that Scribe and CI write: receipts, claims, cursors, outputs, raw results."""
    pipeline.upload_and_ingest("done.mp3", A)
    pipeline.upload_and_ingest("failed.mp3", NOT_AUDIO)
    pipeline.run_and_notify()
    pipeline.cloud.before("POST", "", raise_error(Throttled(resource="a", code="SlowDown")), times=1)
    pipeline.upload_and_ingest("open.mp3", A)
    pipeline.upload("archived.mp3", A)
    pipeline.cloud.change_object(INPUT_BUCKET, "archived.mp3", storage="ARCHIVE")
    pipeline.ingest("archived.mp3")
    ctx = pipeline.ctx
    receipt_id = Recording(INPUT_BUCKET, "done.mp3", hashlib.md5(A, usedforsecurity=False).hexdigest(), 1).id
    claims = (claim_key(ctx.settings, receipt_id, 2), claim_key(ctx.settings, receipt_id, "2.1794300000-n1"))
    raw = raw_result_key(ctx.settings, receipt_id)
    for key in (*claims, raw, raw + ".detail"):
        pipeline.upload(key, A)  # without a mark: CI writes the raw result
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.cloud.remaining_s = 10.0
    pipeline.sweep()
    audit(ctx)
    pipeline.cloud.remaining_s = 60.0


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("extensions", [("*",), ("mp3", "json", "txt")], ids=["any", "of outputs"])
def test_outputs_of_earlier_settings_are_no_recordings(move: str, extensions: tuple[str, ...]) -> None:
    before, after = MOVES[move]
    pipeline = InMemoryPipeline(**before)
    fill_bucket(pipeline)
    outputs = [key for key in pipeline.cloud.buckets[INPUT_BUCKET] if "/" in key]
    assert len(outputs) > 12
    assert {key.rpartition("-")[2] for key in outputs if key.endswith("-cursor")} == {"cursor"}
    pipeline.ctx = pipeline.build_context(**after, input_extensions=extensions)
    jobs = pipeline.count_jobs()
    pipeline.take_requests()
    for key in outputs:
        assert pipeline.ingest(key).status is Status.SKIPPED, key
    written = [request.key for request in pipeline.take_requests() if request.method in {"PUT", "DELETE"}]
    assert (written, pipeline.count_jobs()) == ([], jobs)
    pipeline.audit_when_due()
    submitted = {request.input_key for request in pipeline.cloud.job_requests[jobs:]}
    assert submitted <= {"done.mp3", "failed.mp3", "open.mp3"}


def test_receipts_that_were_copied_along_bill_nothing_again() -> None:
    pipeline = InMemoryPipeline(output_bucket="")
    for number in range(3):
        pipeline.upload_and_ingest(f"{number}.mp3", A)
    pipeline.run_and_notify()
    stored = pipeline.cloud.buckets[INPUT_BUCKET]
    copies = {key: item for key, item in stored.items() if key.startswith(".scribe/")}
    pipeline.cloud.buckets[OUTPUT_BUCKET].update(copies)
    pipeline.ctx = pipeline.build_context(output_bucket=OUTPUT_BUCKET, input_extensions=("*",))
    pipeline.cloud.clock.advance(DUE_S)
    audit(pipeline.ctx)
    assert pipeline.count_jobs() == 3
    assert pipeline.list_keys(".scribe/open/", OUTPUT_BUCKET) == []


def test_everything_that_scribe_writes_is_marked(pipeline: InMemoryPipeline) -> None:
    fill_bucket(pipeline)
    stored = pipeline.cloud.buckets[OUTPUT_BUCKET]
    assert len(stored) > 9
    assert {key for key, item in stored.items() if OUTPUT_MARK not in item.metadata} == set()
    marks = {item.metadata[OUTPUT_MARK] for item in stored.values()}
    assert marks == {"transcript s1", "error", "state"}


KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
PREFIXES = st.sampled_from([".scribe/", "a/b/", "state", "会/", "x/.scribe/"])


@given(
    key=KEYS,
    prefix=PREFIXES,
    name=st.sampled_from(["open/{}", "done/{}", "waiting/{}", "claim/{}.2", "raw/{}.txt"]),
)
@settings(max_examples=200, deadline=None)
def test_state_of_any_prefix_is_recognised_by_its_key(key: str, prefix: str, name: str) -> None:
    receipt_id = Recording(INPUT_BUCKET, key, "9a0364b9e99bb480dd25e1f0284c8555", 1).id
    result = check_skipped(
        build_test_settings(input_extensions=("*",)), INPUT_BUCKET, prefix + name.format(receipt_id)
    )
    assert result is not None
    assert result.reason == "an output of Scribe"


@given(key=KEYS, folder=st.sampled_from(["", "raw/", "done/calls/", "transcriptsx/", ".scribe2/", "out"]))
@settings(max_examples=200, deadline=None)
def test_recording_beside_the_folders_is_no_output(key: str, folder: str) -> None:
    chosen = build_test_settings(output_bucket="")
    full_key = f"{folder}{key}.mp3".lstrip("/")
    is_inside = full_key.startswith(("transcripts/", ".scribe/"))
    assert is_output_key(chosen, INPUT_BUCKET, full_key) is is_inside


@pytest.mark.parametrize("prefix", ["out", "transcripts", "outbound"])
def test_folder_of_outputs_hides_no_other_folder(prefix: str) -> None:
    pipeline = InMemoryPipeline(output_bucket="", output_prefix=f"{prefix}/")
    pipeline.upload_and_ingest(f"{prefix}-bound/2.wav", A)
    pipeline.upload_and_ingest(f"{prefix}2.wav", A)
    assert pipeline.count_jobs() == 2
    assert pipeline.upload_and_ingest(f"{prefix}/3.wav", A).status is Status.SKIPPED


def test_recording_of_a_user_with_other_metadata_is_a_recording(pipeline: InMemoryPipeline) -> None:
    assert pipeline.upload_and_ingest("a.mp3", A, scribe="output").status is Status.SUBMITTED
