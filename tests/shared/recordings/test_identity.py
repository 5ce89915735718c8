"""The identity of a recording, and its id, which serves as a key, as UserData and as a position in a listing."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.recordings.keys import done_prefix, open_prefix, raw_result_key
from shared.recordings.receipt import MAX_SORTABLE_BYTES, Recording, is_receipt_id, sortable_key
from shared.settings import Settings

BUCKET = "media-1250000000"
LONGEST_BUCKET = "b" * 49 + "-" + "1" * 12  # what the settings accept at most
SETTINGS = Settings(input_buckets=(BUCKET,), callback_tokens=("t" * 16,), region="ap-chengdu")

# COS keys are UTF-8 of 1 to 850 bytes; small alphabets make shared beginnings likely.
characters = st.characters(exclude_categories=["Cs"])
close = st.text("\x00\x1f!-./09:=@AZ[_`az{~\x7f\x80é会🎙", min_size=1, max_size=12)
keys = (
    st.text(characters, min_size=1, max_size=250)
    | close
    | st.tuples(st.sampled_from(["k" * 178, "会" * 60, "/" * 181]), close).map("".join)
).filter(lambda key: len(key.encode()) <= 850)
etags = st.text("0123456789abcdef-", min_size=1, max_size=40)
buckets = st.sampled_from([BUCKET, "a-1250000000", LONGEST_BUCKET])


def identity(key: str, etag: str = "e1", bucket: str = BUCKET, size: int = 1) -> str:
    return Recording(bucket, key, etag, size).id


@given(key=keys, etag=etags, bucket=buckets)
@example(key="\x00" * 850, etag="e", bucket=LONGEST_BUCKET)
@example(key="会" * 283, etag="e", bucket=LONGEST_BUCKET)
@settings(max_examples=150, deadline=None)
def test_id_fits_into_keys_and_user_data(key: str, etag: str, bucket: str) -> None:
    receipt_id = identity(key, etag, bucket)
    assert receipt_id.isascii()
    assert receipt_id.isprintable()
    assert " " not in receipt_id
    assert len(receipt_id) < 700  # UserData takes 1,024
    assert is_receipt_id(receipt_id)
    longest_key = max(
        open_prefix(SETTINGS) + receipt_id,
        done_prefix(SETTINGS) + receipt_id,
        raw_result_key(SETTINGS, receipt_id) + ".detail",  # CI's second object
        key=len,
    )
    assert len(longest_key.encode()) < 850


@given(first=keys, second=keys)
@example(first="a", second="a!")
@example(first="a", second="a\x00")
@example(first="a/b", second="a-b")
@example(first="a" * 180, second="a" * 181)
@settings(max_examples=250, deadline=None)
def test_ids_sort_like_keys(first: str, second: str) -> None:
    lower, higher = sorted([first, second], key=str.encode)
    assert sortable_key(lower) <= sortable_key(higher)
    if sortable_key(lower) != sortable_key(higher):
        assert identity(lower) < identity(higher)
        assert identity(lower, "ffff") < identity(higher, "0000")
    else:
        assert lower == higher or lower.encode()[:180] == higher.encode()[:180]


@given(key=close, more=close, etag=etags, other=etags)
@settings(max_examples=150, deadline=None)
def test_prefix_of_a_key_sorts_first(key: str, more: str, etag: str, other: str) -> None:
    assert identity(key, etag) < identity(key + more, other)


@given(first=keys, second=keys)
@settings(max_examples=100, deadline=None)
def test_sortable_key_distinguishes_early_differences(first: str, second: str) -> None:
    heads = [key.encode()[:MAX_SORTABLE_BYTES] for key in (first, second)]
    assert (sortable_key(first) == sortable_key(second)) == (heads[0] == heads[1])


@given(key=keys, etag=etags, other=etags)
@settings(max_examples=100, deadline=None)
def test_new_content_is_a_new_recording(key: str, etag: str, other: str) -> None:
    assert (identity(key, etag) == identity(key, other)) == (etag == other)


@given(first=keys, second=keys)
@example(first="x" * 849, second="x" * 850)
@settings(max_examples=100, deadline=None)
def test_two_keys_have_two_ids(first: str, second: str) -> None:
    assert (identity(first) == identity(second)) == (first == second)


def test_same_key_in_another_bucket_is_another_recording() -> None:
    assert identity("a.mp3", bucket="a-1250000000") != identity("a.mp3", bucket="b-1250000000")


def test_id_is_stable_across_versions() -> None:
    """Stored receipts have it: a changed id would submit every recording a second time."""
    assert (
        identity("calls/a.mp3", "9a0364b9e99bb480dd25e1f0284c8555")
        == "media-1250000000/calls-2Fa-2Emp3!0485d1a0f83bdd9bf60d88c5c864b8f8"
    )
    assert sortable_key("Az09 /_~会") == "Az09-20-2F_5F~7E~E4~BC~9A"


def test_key_with_a_surrogate_has_an_id() -> None:
    assert is_receipt_id(identity("a\ud800b"))
    assert identity("a\ud800b") != identity("a\ud801b")


def test_size_is_not_part_of_the_id() -> None:
    assert identity("a.mp3", size=1) == identity("a.mp3", size=2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "u",
        "job-42",
        "media-1250000000/!" + "0" * 32,
        "media-1250000000/a!" + "0" * 31,
        "media-1250000000/a!" + "0" * 33,
        "media-1250000000/a!" + "G" * 32,
        "media-1250000000/a!" + "0" * 32 + "\n",
        "media-1250000000/a/b!" + "0" * 32,
        "media-1250000000/../x!" + "0" * 32,
        "Media-1250000000/a!" + "0" * 32,
        "../a!" + "0" * 32,
        "media-1250000000/a b!" + "0" * 32,
        "media-1250000000/会!" + "0" * 32,
        "media-1250000000/" + "a" * 601 + "!" + "0" * 32,
        " " + "media-1250000000/a!" + "0" * 32,
    ],
)
def test_other_text_is_not_a_receipt_id(text: str) -> None:
    assert not is_receipt_id(text)
