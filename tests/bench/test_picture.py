"""The pictures of docs/benchmarks.md show the figures of that page."""

from __future__ import annotations

import re

import pytest

from tests.bench.picture import PAGE, PICTURES, draw
from tests.bench.report import Metric, Section, build_page


@pytest.mark.parametrize("language", PICTURES)
def test_picture_is_drawn_from_the_page(language: str) -> None:
    picture = PICTURES[language].read_text("utf-8")
    assert draw(PAGE.read_text("utf-8"), language) == picture, "run `python -m tests.bench.picture`"


def test_longest_bar_is_the_largest_figure() -> None:
    picture = draw(PAGE.read_text("utf-8").replace("| 124 ms (", "| 538 ms (", 1), "en")
    widths = [float(width) for width in re.findall(r'<rect x="264" y="\d+" width="([\d.]+)"', picture)]
    assert widths[0] == 2 * widths[1] == 526.0
    assert ">538 ms</text>" in picture


def test_missing_row_is_named() -> None:
    with pytest.raises(ValueError, match="no row 'unpacked' below 'Package'"):
        draw(PAGE.read_text("utf-8").replace("| unpacked |", "| in all |"), "en")


def test_page_shows_the_picture() -> None:
    assert "](images/benchmarks.svg)" in PAGE.read_text("utf-8")
    page = build_page(
        [Section("Package", "", [Metric("zipped", "1 MiB")])], command="", date="", environment=()
    )
    assert "](images/benchmarks.svg)" in page
