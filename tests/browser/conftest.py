"""One browser for all tests of this folder, a context of its own for each test, and pages that the product wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import NAMES, find_chromium, start_chromium
from tests.browser.recordings import build_conversation, write_conversation, write_page
from tests.browser.transcript_page import INIT_SCRIPT, TIMEOUT_S, OpenPage, TranscriptPage

ROUNDS = 3  # long enough to scroll


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser. It ends with the last test of this folder: Playwright leaves a running event loop behind."""
    if not find_chromium():
        pytest.skip(f"no Chromium: none of {', '.join(NAMES)} is on PATH")
    with start_chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the conversation, with its recording beside it. Tests read it only."""
    transcript = build_conversation(ROUNDS)
    path = write_page(tmp_path_factory.mktemp("conversation"), transcript)
    write_conversation(path.with_suffix(""), ROUNDS)
    return path


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open pages; the options are those of a browser context. Each must end without an error of its own."""
    contexts, pages = [], []

    def open_page(path: Path | None = None, fragment: str = "", **options: Any) -> TranscriptPage:
        context = browser.new_context(
            **{"locale": "en-GB", "viewport": {"width": 1000, "height": 640}, **options}
        )
        context.set_default_timeout(TIMEOUT_S * 1000)
        context.add_init_script(INIT_SCRIPT)
        contexts.append(context)
        page = TranscriptPage(context.new_page())
        pages.append(page)
        if path is not None:
            page.open(path, fragment)
        return page

    yield open_page
    problems = [problem for page in pages for problem in page.problems]
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def reader(open_page: OpenPage, conversation: Path) -> TranscriptPage:
    """The page of the conversation, with its recording loaded."""
    page = open_page(conversation)
    page.wait_for_sound()
    return page
