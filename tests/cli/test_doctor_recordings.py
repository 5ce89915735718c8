"""Recordings without a receipt are counted from listings that may end anywhere."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cli.doctor.recordings import Receipts, unheard_among
from shared.recordings.models import Recording

BUCKET = "recordings-1250000000"
KEYS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6), unique=True, max_size=8
)


def ids_of(keys: Sequence[str]) -> list[str]:
    """In the order of a listing: that of the keys' bytes."""
    return [Recording(BUCKET, key, "etag", 1).id for key in sorted(keys, key=str.encode)]


@given(KEYS, st.data())
def test_the_count_is_exact_where_all_is_listed_and_never_too_high(
    keys: list[str], data: st.DataObject
) -> None:
    known = data.draw(st.lists(st.sampled_from(keys), unique=True)) if keys else []
    is_open = {key: data.draw(st.booleans()) for key in known}
    kinds = [sorted(ids_of([key for key in known if is_open[key] is kind])) for kind in (True, False)]
    ends = [data.draw(st.integers(0, len(kind))) or len(kind) for kind in kinds]
    receipts = [Receipts(kind[:end], is_all=end == len(kind)) for kind, end in zip(kinds, ends, strict=True)]
    found = unheard_among(ids_of(keys), receipts)
    truth = len(keys) - len(known)
    assert found.count <= truth
    if found.is_all:
        assert found.count == truth
    assert found.is_all or not all(one.is_all for one in receipts)


def test_behind_the_last_receipt_that_was_listed_nothing_is_counted() -> None:
    ids = ids_of(["a", "b", "c", "d"])
    assert unheard_among(ids, [Receipts([ids[1]], is_all=False)]).count == 1
    assert not unheard_among(ids, [Receipts([ids[1]], is_all=False)]).is_all
    assert unheard_among(ids, [Receipts([ids[1]], is_all=True)]).count == 3


def test_keys_with_one_long_beginning_are_not_counted_where_their_receipts_are_cut_off() -> None:
    ids = ids_of(["x" * 200 + end for end in "abcdef"])
    listed = sorted(ids)[:3]
    assert unheard_among(ids, [Receipts(listed, is_all=False)]).count == 0
