"""A page of five hours is small and quick: 90,000 words of two speakers, in Chinese and English."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from tests.browser.recordings import build_long_transcript, write_page
from tests.browser.transcript_page import OpenPage, TranscriptPage

pytestmark = [pytest.mark.browser, pytest.mark.process]

Report = Callable[[str], None]

MAX_BYTES = 1_400_000
MAX_READY_MS = 400
MAX_SEARCH_MS = 30
# Other work on the machine makes a run slower, never faster: the best of these counts.
MAX_RUNS = 8

# Writes a query as a reader does, and returns the milliseconds until the hits are counted and marked. The layout is
# done before, as it is between two keys.
_SEARCH = """query => {
  const search = document.querySelector("[data-testid=search]");
  search.value = "";
  search.dispatchEvent(new Event("input", {bubbles: true}));
  document.body.getBoundingClientRect();
  const start = performance.now();
  search.value = query;
  search.dispatchEvent(new Event("input", {bubbles: true}));
  return performance.now() - start;
}"""


@pytest.fixture(scope="module")
def long_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transcript = build_long_transcript()
    assert sum(len(sentence.words) for sentence in transcript.sentences) >= 90_000
    return write_page(tmp_path_factory.mktemp("long"), transcript)


@pytest.fixture
def report(record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]) -> Report:
    """Print figures, also where pytest captures what tests print."""

    def write(figures: str) -> None:
        record_property("five hours", figures)
        with capsys.disabled():
            sys.stdout.write(f"\nfive hours: {figures}\n")

    return write


def test_page_of_five_hours_is_small(long_page: Path, report: Report) -> None:
    content = long_page.read_bytes()
    report(f"{len(content):,} bytes, {len(gzip.compress(content)):,} compressed")
    assert len(content) <= MAX_BYTES


class Opening(NamedTuple):
    """Milliseconds from the navigation until the page was ready, and processor time of its main thread."""

    ready_ms: float
    processor_ms: float


def measure_opening(page: Page, path: Path) -> Opening:
    """Open the page in a window that is empty."""
    page.goto("about:blank")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def read_processor_s() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))

    start_s = read_processor_s()
    page.goto(path.as_uri(), wait_until="domcontentloaded")
    processor_ms = (read_processor_s() - start_s) * 1000
    session.detach()
    ready_ms: float = page.evaluate("""Math.max(
        performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd,
        performance.getEntriesByName("ready")[0].startTime)""")
    return Opening(ready_ms, processor_ms)


def test_page_of_five_hours_is_ready_at_once(open_page: OpenPage, long_page: Path, report: Report) -> None:
    """On a machine that is busy, what counts is the processor time of the page, which includes its first picture."""
    page = open_page()
    runs: list[Opening] = []
    while len(runs) < 3 or (min(runs).ready_ms > MAX_READY_MS and len(runs) < MAX_RUNS):
        runs.append(measure_opening(page.page, long_page))
    best_ms, processor_ms = min(runs).ready_ms, min(run.processor_ms for run in runs)
    report(f"ready in {best_ms:.0f} ms, {processor_ms:.0f} ms of processor time, best of {len(runs)}")
    assert min(best_ms, processor_ms) <= MAX_READY_MS
    page.problems.clear()  # there is no recording beside the page


def open_long_page(open_page: OpenPage, path: Path) -> TranscriptPage:
    page = open_page(path)
    expect(page.part("message")).to_contain_text("Drop")
    page.forget_missing_recording()
    return page


def test_search_in_five_hours_is_quick(open_page: OpenPage, long_page: Path, report: Report) -> None:
    page = open_long_page(open_page, long_page)
    for query in ("the", "的", "nothing like this"):
        measured: list[float] = []
        while len(measured) < 3 or (min(measured) > MAX_SEARCH_MS and len(measured) < MAX_RUNS):
            measured.append(page.page.evaluate(_SEARCH, query))
        report(f"search for {query!r} in {min(measured):.1f} ms, {page.part('hits').inner_text()}")
        assert min(measured) <= MAX_SEARCH_MS


def test_words_at_the_end_of_five_hours_are_right(open_page: OpenPage, long_page: Path) -> None:
    """The times of words are coded as differences; none of them adds up to an error."""
    transcript = build_long_transcript()
    page = open_long_page(open_page, long_page)
    last = len(transcript.sentences) - 1
    word = transcript.sentences[last].words[-1]
    page.run(f"location.hash = '#t={(word.start_ms + word.end_ms) / 2000}'")
    page.wait_for_current(last)
    assert page.highlighted("word")[0].startswith(word.text)
    expect(page.sentence(last)).to_be_in_viewport()
