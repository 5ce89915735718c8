"""The Chromium of this machine: Debian's package, or Google's Chrome. Playwright downloads none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str:
    """Return the path of the first browser on PATH, or ""."""
    return next(filter(None, map(shutil.which, NAMES)), "")


@contextmanager
def start_chromium() -> Iterator[Browser]:
    """Run the browser until the block ends. Raises RuntimeError without one."""
    path = find_chromium()
    if not path:
        raise RuntimeError(f"needs one of these on PATH: {', '.join(NAMES)}")
    with sync_playwright() as playwright:
        # Chromium refuses to start its sandbox as root.
        browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=os.geteuid() != 0)
        try:
            yield browser
        finally:
            browser.close()
