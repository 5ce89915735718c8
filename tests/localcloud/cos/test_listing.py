"""Listing, compared with a simple model: a sorted Python list of the keys."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.cos.backend import CosBackend, ObjectEvent
from localcloud.cos.models import list_page
from localcloud.store import Store

BUCKET = "b-1250000000"
KEYS = st.sets(st.text("ab/é🎧", min_size=1, max_size=5), max_size=12)


def expected_entries(keys: Iterable[str], prefix: str, delimiter: str) -> list[str]:
    """Return all entries of the listing: keys, and each common prefix once, in byte order."""
    entries: list[str] = []
    for key in sorted(keys, key=str.encode):
        if key.startswith(prefix):
            end = key.find(delimiter, len(prefix)) if delimiter else -1
            entry = key if end < 0 else key[: end + len(delimiter)]
            if entry not in entries or end < 0:
                entries.append(entry)
    return entries


async def one_byte() -> AsyncIterator[bytes]:
    yield b"x"


async def ignore_event(_created: ObjectEvent) -> None:
    """Do nothing."""


async def create_objects(store: Store, keys: Iterable[str]) -> CosBackend:
    cos = CosBackend(store, "1250000000", ignore_event)
    bucket = cos.buckets.create(BUCKET, "ap-guangzhou")
    for key in keys:
        await cos.put_object(bucket, key, await cos.receive_body(one_byte()), {}, event="Put", request_id="r")
    return cos


@settings(max_examples=60, deadline=None)
@given(KEYS, st.text("ab/é", max_size=2), st.sampled_from(["", "/", "a", "b/", "é"]), st.integers(1, 5))
def test_pages_join_to_whole_listing(keys: set[str], prefix: str, delimiter: str, limit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        cos = asyncio.run(create_objects(store, keys))
        entries: list[str] = []
        marker = ""
        for _ in range(len(keys) + 1):
            page = list_page(
                cos.objects, BUCKET, prefix=prefix, delimiter=delimiter, marker=marker, limit=limit
            )
            names = [item.key for item in page.objects] + list(page.prefixes)
            assert len(names) <= limit
            entries += sorted(names, key=str.encode)
            if not page.next_marker:
                break
            assert len(names) == limit
            marker = page.next_marker
        else:
            raise AssertionError("the pages have no end")
        store.close()
    assert entries == expected_entries(keys, prefix, delimiter)
