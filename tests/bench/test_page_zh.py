"""The Chinese page about benchmarks is the English one in other words."""

from __future__ import annotations

from string import Formatter

import pytest

from tests.bench import long_result
from tests.bench.page_zh import CHINESE_PAGE, TEXTS, translate_page
from tests.bench.picture import PAGE
from tests.bench.report import Metric, Section, Stats, build_page


def test_page_is_translated_from_the_english_one() -> None:
    chinese = translate_page(PAGE.read_text("utf-8"))
    assert CHINESE_PAGE.read_text("utf-8") == chinese, "run `python -m tests.bench.page_zh`"


def test_new_figures_of_a_measurement_are_taken_over() -> None:
    metrics = [
        Metric.ratio("Scribe / SDK handler, a request", 3, 2, 1.2),
        Metric("floor, 8 requests", Stats(7.25, 6.0, 8.5).format("ms", 1)),
    ]
    section = Section("Warm event", long_result.IF_MISSED, metrics)
    environment = ["machine: unknown processor; Linux", "Scribe 9, package ab; sdk==1"]
    page = translate_page(build_page([section], command="make bench", date="today", environment=environment))
    assert "- Scribe 9，部署包 ab；sdk==1\n" in page
    assert "| Scribe / SDK 版函数，每个请求 | 1.50 | 不超过 1.20 | **未达到** |\n" in page
    assert "| 下限，8 个请求 | 7.2 ms（6.0 到 8.5） |  |  |\n" in page


@pytest.mark.parametrize(("old", "new"), [("| zipped |", "| squeezed |"), ("## Package", "## Parcel")])
def test_text_without_a_translation_is_named(old: str, new: str) -> None:
    with pytest.raises(ValueError, match=f"page_zh.py: '{new.strip('| ')}'"):
        translate_page(PAGE.read_text("utf-8").replace(old, new))


def test_translations_have_the_same_fields() -> None:
    assert [
        english for english, chinese in TEXTS.items() if list_fields(english) != list_fields(chinese)
    ] == []


def list_fields(template: str) -> list[str]:
    return sorted(field for _, field, _, _ in Formatter().parse(template) if field)
