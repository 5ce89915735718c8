"""File names of keys: which keys are safe file names, and that no file is outside its bucket's folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.cos.storage import FileStorage, is_safe_key
from localcloud.store import Store


@pytest.mark.parametrize(
    "key", ["a.mp3", "calls/2026/a b+c.mp3", ".scribe/open/x", "会议/录音.m4a", "a" * 200]
)
def test_ordinary_key_is_safe_file_name(key: str) -> None:
    assert is_safe_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        ".",
        "..",
        "a/../b",
        "/a",
        "a/",
        "a//b",
        "a\\b",
        "c:d",
        "nul",
        "CON.txt",
        "a.",
        "a ",
        "a\nb",
        "a\0",
        "a" * 201,
    ],
)
def test_unsafe_key_is_detected(key: str) -> None:
    assert not is_safe_key(key)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_safe_key_stays_below_its_folder(key: str) -> None:
    if is_safe_key(key):
        root = Path("/data/buckets/b")
        assert (root / key).relative_to(root).as_posix() == key
        assert ".." not in (root / key).parts


def test_symlink_in_bucket_folder_is_not_followed(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    outside = tmp_path / "outside"
    outside.mkdir()
    (store.buckets / "b").mkdir()
    (store.buckets / "b" / "link").symlink_to(outside)
    body = store.temporary_file()
    body.write_bytes(b"x")
    name = FileStorage(store).store(body, "b", "link/file")
    assert name.startswith("hashed/")
    assert not list(outside.iterdir())
    store.close()
