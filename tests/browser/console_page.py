"""The page of `scribe console`, open in a browser, and a console that runs on a pipeline of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Locator, Page

from cli.config import PROJECT_FOLDER
from cli.local.emulator import SETTINGS
from tests.browser.transcript_page import INIT_SCRIPT
from tests.helpers.flow import Flow
from tests.helpers.loopback import open_client
from tests.helpers.pipeline import running_pipeline

TIMEOUT_S = 20.0
WINDOW = {"width": 1100, "height": 800}
PHONE = {"width": 360, "height": 740}

_DROP = """([name, text]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([text], name, {type: "audio/mpeg"}));
  return transfer;
}"""


class ConsolePage:
    """The page, and what went wrong in it: `problems` has errors of scripts and messages in the browser's console."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        page.set_default_timeout(TIMEOUT_S * 1000)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("console", self._note_message)
        page.on("dialog", self._close_dialog)

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text}")

    def _close_dialog(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def part(self, test_id: str) -> Locator:
        """Return the elements with this data-testid."""
        return self.page.get_by_test_id(test_id)

    def recording(self, key: str, state: str = "") -> Locator:
        """Return the row of a recording, in this state."""
        return self.page.locator(_select("recording", key, state))

    def upload(self, key: str, state: str = "") -> Locator:
        """Return the line of an upload, in this state."""
        return self.page.locator(_select("upload", key, state))

    def choose(self, name: str, content: bytes) -> None:
        """Choose a file with the button."""
        self.part("file").set_input_files({"name": name, "mimeType": "audio/mpeg", "buffer": content})

    def drop(self, name: str, text: str) -> None:
        """Drop a file on the page."""
        transfer = self.page.evaluate_handle(_DROP, [name, text])
        for event in ("dragenter", "dragover", "drop"):
            self.part("drop").dispatch_event(event, {"dataTransfer": transfer})

    def run(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        return self.page.evaluate(expression)

    def wait_for(self, condition: str) -> None:
        """Wait until a JavaScript expression is true. The page's security policy forbids Playwright's own way."""
        held = self.run(f"""(async () => {{
            const end = performance.now() + {TIMEOUT_S * 1000};
            while (!({condition})) {{
                if (performance.now() > end) return false;
                await new Promise(resolve => setTimeout(resolve, 10));
            }}
            return true;
        }})()""")
        assert held, f"not within {TIMEOUT_S} s: {condition}"

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is true that requests of the page change."""
        end_s = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < end_s, f"not within {TIMEOUT_S} s"
            self.page.wait_for_timeout(10)

    @property
    def violations(self) -> list[str]:
        """What the content security policy has refused."""
        violations: list[str] = self.run("window.violations")
        return violations


def _select(test_id: str, key: str, state: str) -> str:
    condition = f'[data-testid={test_id}][data-key="{key}"]'
    return f'{condition}[data-state="{state}"]' if state else condition


@contextmanager
def new_page(browser: Browser, **options: Any) -> Iterator[ConsolePage]:
    """Open an empty page in a context of its own, which costs a second: tests share it."""
    context = browser.new_context(**{"viewport": WINDOW, "locale": "en-GB", **options})
    context.add_init_script(INIT_SCRIPT)
    try:
        yield ConsolePage(context.new_page())
    finally:
        context.close()


@dataclass(frozen=True)
class RunningConsole:
    """A console at an address that works once, and the pipeline that it shows."""

    address: str
    flow: Flow


@contextmanager
def running_console(folder: Path) -> Iterator[RunningConsole]:
    """Run a pipeline with made-up speech, and `scribe console --write` for it, until the block ends."""
    settings = {"FORMATS": "json,srt,html"}
    with (
        running_pipeline(folder / "cloud", ["--speech", "scripted"], settings) as pipeline,
        open_client(base_url=pipeline.emulator.endpoint, timeout=60) as client,
    ):
        emulator = pipeline.emulator
        (folder / ".env").touch()
        command = ["console", "--write", "--no-open", "--env-file", str(folder / ".env")]
        environment = {
            **os.environ,
            **SETTINGS,
            **settings,
            "PYTHONPATH": str(PROJECT_FOLDER),
            "LANG": "C.UTF-8",
            "CLOUD_ENDPOINT": emulator.endpoint,
            "TENCENTCLOUD_SECRET_ID": emulator.secret_id,
            "TENCENTCLOUD_SECRET_KEY": emulator.secret_key,
        }
        with subprocess.Popen(
            [sys.executable, "-m", "cli.main", *command],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
        ) as process:
            assert process.stdout
            try:
                yield RunningConsole(process.stdout.readline().strip(), Flow(pipeline, client))
            finally:
                process.terminate()
