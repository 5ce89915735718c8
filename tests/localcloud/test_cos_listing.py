"""Listing against a plain model: what a sorted Python list of the keys would give."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.cos.backend import CosBackend, ObjectCreatedEvent
from localcloud.cos.models import list_page
from localcloud.store import Store

BUCKET = "b-1250000000"
KEYS = st.sets(st.text("ab/é🎧", min_size=1, max_size=5), max_size=12)


def model(keys: Iterable[str], prefix: str, delimiter: str) -> list[str]:
    """Every entry of the whole listing: keys, and folders once, in byte order."""
    entries: list[str] = []
    for key in sorted(keys, key=str.encode):
        if key.startswith(prefix):
            end = key.find(delimiter, len(prefix)) if delimiter else -1
            entry = key if end < 0 else key[: end + len(delimiter)]
            if entry not in entries or end < 0:
                entries.append(entry)
    return entries


async def no_body() -> AsyncIterator[bytes]:
    yield b"x"


async def told(_created: ObjectCreatedEvent) -> None:
    """Nobody listens."""


async def filled(store: Store, keys: Iterable[str]) -> CosBackend:
    cos = CosBackend(store, "1250000000", told)
    bucket = cos.buckets.create(BUCKET, "ap-guangzhou")
    for key in keys:
        await cos.put_object(bucket, key, await cos.receive_body(no_body()), {}, event="Put", request_id="r")
    return cos


@settings(max_examples=60, deadline=None)
@given(KEYS, st.text("ab/é", max_size=2), st.sampled_from(["", "/", "a", "b/", "é"]), st.integers(1, 5))
def test_pages_of_any_size_join_to_the_whole_listing(
    keys: set[str], prefix: str, delimiter: str, limit: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        cos = asyncio.run(filled(store, keys))
        entries: list[str] = []
        marker = ""
        for _ in range(len(keys) + 1):
            found = list_page(
                cos.objects, BUCKET, prefix=prefix, delimiter=delimiter, marker=marker, limit=limit
            )
            here = [item.key for item in found.objects] + list(found.prefixes)
            assert len(here) <= limit
            entries += sorted(here, key=str.encode)
            if not found.next_marker:
                break
            assert len(here) == limit
            marker = found.next_marker
        else:
            raise AssertionError("the pages have no end")
        store.close()
    assert entries == model(keys, prefix, delimiter)
