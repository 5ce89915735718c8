"""The README of each language has the figures of the pages behind it, and pictures that are there and small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_PICTURE_BYTES = 80_000
BENCHMARKS = (ROOT / "docs/benchmarks.md").read_text("utf-8")
BENCHMARK_ROWS = (
    "Scribe / SDK handler, each as shipped",
    "Scribe / SDK handler, both with bytecode",
    "Scribe, peak memory on top",
    "SDK, peak memory on top",
    "zipped",
)
COST = (ROOT / "docs/cost.md").read_text("utf-8")

each_readme = pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
each_drawing = pytest.mark.parametrize("name", ["flow", "benchmarks"])


@each_readme
def test_figures_are_those_of_the_benchmarks_and_the_costs(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    for row in BENCHMARK_ROWS:
        match = re.search(rf"^\| {re.escape(row)} \| ([^|]+) \|", BENCHMARKS, re.MULTILINE)
        assert match, row
        assert match[1] in text, f"{name} has another figure than docs/benchmarks.md: {row}"
    for figure in ("1,095", "18,120", "0.15", "1.75", "12.80"):
        assert figure in text, name
        assert figure in COST


@each_readme
def test_pictures_are_there_small_and_described(name: str) -> None:
    pictures = re.findall(r"!\[([^]]*)\]\(([^)]+)\)", (ROOT / name).read_text("utf-8"))
    assert len(pictures) > 1
    for description, path in pictures:
        assert len(description) > 20, path
        assert 0 < (ROOT / path).stat().st_size <= MAX_PICTURE_BYTES, path


@each_drawing
def test_drawings_of_both_languages_differ_in_their_words_only(name: str) -> None:
    english, chinese = (
        re.sub(r">[^<]*<", "><", (ROOT / f"docs/images/{name}{suffix}.svg").read_text("utf-8")).replace(
            ' xml:lang="zh-CN"', ""
        )
        for suffix in ("", ".zh")
    )
    assert english == chinese
