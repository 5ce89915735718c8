from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.recordings.receipt import TRANSCRIBED, InvalidReceipt, Receipt
from tests.helpers.receipts import RECORDING, build_receipt

seconds = st.floats(0, 4e9)


@given(
    key=st.text(min_size=1, max_size=60),
    attempt=st.integers(1, 9),
    created_s=seconds,
    finished_s=seconds,
    job_id=st.text(max_size=40),
    superseded_job_ids=st.lists(st.text(max_size=40), max_size=3).map(tuple),
)
@example(key="a\ud800b", attempt=1, created_s=0.0, finished_s=0.0, job_id="", superseded_job_ids=())
@settings(max_examples=100, deadline=None)
def test_receipt_survives_json(key: str, **members: Any) -> None:
    receipt = build_receipt(RECORDING._replace(key=key), outcome=TRANSCRIBED.value, **members)
    assert Receipt.from_json(receipt.to_json()) == receipt


def test_json_is_readable() -> None:
    text = build_receipt().to_json().decode()
    assert '"key": "calls/会议.mp3"' in text
    assert text.count("\n") > 10
    assert json.loads(text)["version"] == 4


def test_unknown_members_are_ignored() -> None:
    raw = json.loads(build_receipt().to_json())
    body = json.dumps({**raw, "version": 5, "colour": "red", "nested": {"a": []}}).encode()
    assert Receipt.from_json(body) == build_receipt()


def test_receipt_of_version_1_is_read() -> None:
    receipt = build_receipt(job_id="s1", deferred=True, superseded_job_ids=("s0",), modified_s=12.0)
    raw = json.loads(receipt.to_json())
    old_names = {
        "lease_expires_s": "lease_until_s",
        "deferred": "waiting",
        "superseded_job_ids": "older_jobs",
    }
    version_1 = {old_names.get(name, name): value for name, value in raw.items()} | {"version": 1}
    assert not version_1.keys() & old_names.keys()
    assert Receipt.from_json(json.dumps(version_1).encode()) == receipt


def test_optional_members_may_be_missing() -> None:
    raw = json.loads(build_receipt().to_json())
    for name in ("job_id", "outcome", "finished_s"):
        del raw[name]
    assert Receipt.from_json(json.dumps(raw).encode()) == build_receipt()


def test_recording_has_the_receipts_id() -> None:
    assert build_receipt().recording.id == build_receipt().id


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"7", b'"text"', b"[]", b"{}", b"\xff\xfe\x00", b"<Error/>",
        b"[" * 5000, b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)  # fmt: skip
def test_other_content_is_rejected(body: bytes) -> None:
    with pytest.raises(InvalidReceipt, match="not a receipt"):
        Receipt.from_json(body)


@pytest.mark.parametrize(
    "name",
    ["id", "bucket", "region", "key", "etag", "size", "engine", "channels", "nonce", "attempt", "created_s",
     "lease_expires_s"],
)  # fmt: skip
@pytest.mark.parametrize("value", [None, [], {}])
def test_missing_or_invalid_member_is_rejected(name: str, value: Any) -> None:
    raw = json.loads(build_receipt().to_json())
    without = {member: value for member, value in raw.items() if member != name}
    with pytest.raises(InvalidReceipt):
        Receipt.from_json(json.dumps(without).encode())
    if name not in {"region", "engine", "nonce"}:  # free text
        with pytest.raises(InvalidReceipt):
            Receipt.from_json(json.dumps({**raw, name: value}).encode())


@pytest.mark.parametrize("name", ["size", "channels", "attempt", "created_s", "lease_expires_s"])
@pytest.mark.parametrize("number", ["1e999", "Infinity", "NaN", "1" * 5000, '"many"'])
def test_invalid_number_is_rejected(name: str, number: str) -> None:
    raw = json.loads(build_receipt().to_json())
    body = json.dumps({**raw, name: "@@"}).replace('"@@"', number).encode()
    with pytest.raises(InvalidReceipt):
        Receipt.from_json(body)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "job-42"),
        ("id", RECORDING.id.partition("!")[0] + "!" + "0" * 32),
        ("bucket", "other-1250000000"),
        ("key", "b.mp3"),
        ("etag", "0"),
    ],
)
def test_id_of_another_recording_is_rejected(name: str, value: str) -> None:
    raw = json.loads(build_receipt().to_json())
    with pytest.raises(InvalidReceipt, match="does not match"):
        Receipt.from_json(json.dumps({**raw, name: value}).encode())


def test_size_is_not_part_of_the_identity() -> None:
    raw = json.loads(build_receipt().to_json())
    assert Receipt.from_json(json.dumps({**raw, "size": 1}).encode()).size == 1


@given(body=st.binary(max_size=80))
@settings(max_examples=100, deadline=None)
def test_any_bytes_raise_only_invalid_receipt(body: bytes) -> None:
    with pytest.raises(InvalidReceipt):
        Receipt.from_json(body)
