from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.recordings.receipt import TRANSCRIBED, BadReceipt, Receipt, receipt_from
from shared.recordings.recording import Recording

seconds = st.floats(0, 4e9)


def receipt_for(key: str, **members: Any) -> Receipt:
    recording = Recording("media-1250000000", key, "9a0364b9e99bb480dd25e1f0284c8555", 482113)
    known: dict[str, Any] = {
        "id": recording.id,
        "bucket": recording.bucket,
        "region": "ap-chengdu",
        "key": recording.key,
        "etag": recording.etag,
        "size": recording.size,
        "engine": "16k_zh",
        "channels": 1,
        "nonce": "n1",
        "attempt": 1,
        "created_s": 1_794_300_000.25,
        "lease_until_s": 1_794_300_120.25,
    }
    return Receipt(**{**known, **members})


@given(
    key=st.text(min_size=1, max_size=60),
    attempt=st.integers(1, 9),
    created_s=seconds,
    finished_s=seconds,
    job_id=st.text(max_size=40),
    older_jobs=st.lists(st.text(max_size=40), max_size=3).map(tuple),
)
@example(key="a\ud800b", attempt=1, created_s=0.0, finished_s=0.0, job_id="", older_jobs=())
@settings(max_examples=100, deadline=None)
def test_a_receipt_comes_back_as_it_was_written(key: str, **members: Any) -> None:
    written = receipt_for(key, outcome=TRANSCRIBED, **members)
    assert receipt_from(written.to_json()) == written


def test_a_receipt_is_readable_by_people() -> None:
    text = receipt_for("会议.mp3").to_json().decode()
    assert '"key": "会议.mp3"' in text
    assert text.count("\n") > 10
    assert json.loads(text)["version"] == 1


def test_members_of_a_later_version_are_left_out() -> None:
    raw = json.loads(receipt_for("a.mp3").to_json())
    body = json.dumps({**raw, "version": 2, "colour": "red", "nested": {"a": []}}).encode()
    assert receipt_from(body) == receipt_for("a.mp3")


def test_members_that_come_later_in_its_life_may_be_absent() -> None:
    raw = json.loads(receipt_for("a.mp3").to_json())
    for name in ("job_id", "outcome", "finished_s"):
        del raw[name]
    assert receipt_from(json.dumps(raw).encode()) == receipt_for("a.mp3")


def test_it_tells_which_recording_it_is_the_receipt_of() -> None:
    assert receipt_for("a.mp3").recording.id == receipt_for("a.mp3").id


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"7", b'"text"', b"[]", b"{}", b"\xff\xfe\x00", b"<Error/>",
        b"[" * 5000, b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_receipt_is_told_apart(body: bytes) -> None:
    with pytest.raises(BadReceipt, match="not a receipt"):
        receipt_from(body)


@pytest.mark.parametrize(
    "name",
    ["id", "bucket", "region", "key", "etag", "size", "engine", "channels", "nonce", "attempt", "created_s",
     "lease_until_s"],
)  # fmt: skip
@pytest.mark.parametrize("value", [None, [], {}])
def test_a_receipt_with_a_part_missing_or_of_another_kind_is_none(name: str, value: Any) -> None:
    raw = json.loads(receipt_for("a.mp3").to_json())
    without = {member: told for member, told in raw.items() if member != name}
    with pytest.raises(BadReceipt):
        receipt_from(json.dumps(without).encode())
    if name not in {"region", "engine", "nonce"}:  # free texts: whatever stands there is one
        with pytest.raises(BadReceipt):
            receipt_from(json.dumps({**raw, name: value}).encode())


@pytest.mark.parametrize("name", ["size", "channels", "attempt", "created_s", "lease_until_s"])
@pytest.mark.parametrize("number", ["1e999", "Infinity", "NaN", "1" * 5000, '"many"'])
def test_a_number_that_cannot_be_counted_with_makes_no_receipt(name: str, number: str) -> None:
    raw = json.loads(receipt_for("a.mp3").to_json())
    body = json.dumps({**raw, name: "@@"}).replace('"@@"', number).encode()
    with pytest.raises(BadReceipt):
        receipt_from(body)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "job-42"),
        ("id", "media-1250000000/a-2Emp3!" + "0" * 32),
        ("bucket", "other-1250000000"),
        ("key", "b.mp3"),
        ("etag", "0"),
    ],
)
def test_a_receipt_that_names_another_recording_than_its_id_is_not_believed(name: str, value: str) -> None:
    raw = json.loads(receipt_for("a.mp3").to_json())
    with pytest.raises(BadReceipt, match="does not belong"):
        receipt_from(json.dumps({**raw, name: value}).encode())


def test_the_size_may_be_corrected_without_changing_whose_it_is() -> None:
    raw = json.loads(receipt_for("a.mp3").to_json())
    assert receipt_from(json.dumps({**raw, "size": 1}).encode()).size == 1


@given(body=st.binary(max_size=80))
@settings(max_examples=100, deadline=None)
def test_no_bytes_whatever_raise_anything_else(body: bytes) -> None:
    with pytest.raises(BadReceipt):
        receipt_from(body)
