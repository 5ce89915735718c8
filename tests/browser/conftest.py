"""One browser for all tests of this folder, a context of its own for each test, and pages that the product wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, ViewportSize

from tests.browser.chromium import NAMES, find_chromium, start_chromium
from tests.browser.recordings import build_conversation, write_conversation, write_page
from tests.browser.transcript_page import INIT_SCRIPT, TIMEOUT_S, OpenPage, TranscriptPage

ROUNDS = 3  # long enough to scroll
VIEWPORT = {"width": 1000, "height": 640}
ColorScheme = Literal["light", "dark"]
ReducedMotion = Literal["reduce", "no-preference"]


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


class Pages:
    """Pages by the options of their browser context. A new context costs a second of processor time, so tests share."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._pages: dict[str, TranscriptPage] = {}

    def get(self, **options: Any) -> TranscriptPage:
        """Return the page with these options, which is empty."""
        key = repr(sorted(options.items()))
        if key not in self._pages:
            context = self._browser.new_context(**options)
            context.set_default_timeout(TIMEOUT_S * 1000)
            context.add_init_script(INIT_SCRIPT)
            self._pages[key] = TranscriptPage(context.new_page())
        return self._pages[key]

    def close(self) -> None:
        for page in self._pages.values():
            page.page.context.close()


@pytest.fixture(scope="package")
def pages(browser: Browser) -> Iterator[Pages]:
    pages = Pages(browser)
    yield pages
    pages.close()


@pytest.fixture
def open_page(pages: Pages) -> Iterator[OpenPage]:
    """Open pages in a language, a window, colours and motion of the test's choice. Each must end without an error."""
    opened: list[TranscriptPage] = []

    def open_page(
        path: Path | None = None,
        fragment: str = "",
        *,
        viewport: Mapping[str, int] = VIEWPORT,
        color_scheme: ColorScheme = "light",
        reduced_motion: ReducedMotion = "no-preference",
        locale: str = "en-GB",
        **options: Any,
    ) -> TranscriptPage:
        page = pages.get(locale=locale, permissions=["clipboard-read", "clipboard-write"], **options)
        opened.append(page)
        page.page.set_viewport_size(ViewportSize(width=viewport["width"], height=viewport["height"]))
        page.page.emulate_media(media="screen", color_scheme=color_scheme, reduced_motion=reduced_motion)
        if path is not None:
            page.open(path, fragment)
        return page

    yield open_page
    problems = [problem for page in opened for problem in page.problems]
    for page in opened:
        page.forget_everything()
    assert problems == []


@pytest.fixture
def reader(open_page: OpenPage, conversation: Path) -> TranscriptPage:
    """The page of the conversation, with its recording loaded."""
    page = open_page(conversation)
    page.wait_for_sound()
    return page
