"""A page of a transcript, open in a browser: what a reader does, sees and hears."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Dialog, Locator, Page

TIMEOUT_S = 10.0

# Runs before the page's own script. Violations of the content security policy are no console messages that a test can
# tell from others.
INIT_SCRIPT = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event => window.violations.push(
  `${event.violatedDirective}: ${event.blockedURI}`));
"""

_HIGHLIGHTED = """name => [...(CSS.highlights.get(name) ?? [])].map(part => {
  const range = new Range();
  range.setStart(part.startContainer, part.startOffset);
  range.setEnd(part.endContainer, part.endOffset);
  return range.toString();
})"""

_COLUMNS = """async ([picture, shares]) => {
  const bytes = Uint8Array.from(atob(picture), letter => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], {type: "image/png"}));
  const {width, height} = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const {data} = context.getImageData(0, 0, width, height);
  return shares.map(share => Array.from({length: height}, (_, y) => {
    const at = 4 * (y * width + Math.floor(width * share));
    return data.slice(at, at + 4).join();
  }));
}"""

_WORD_MIDDLE = """([sentence, word, skipped]) => {
  const walker = document.createTreeWalker(sentence, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (let at = node.data.indexOf(word); at >= 0; at = node.data.indexOf(word, at + 1)) {
      if (skipped-- > 0) continue;
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, at + word.length);
      const box = range.getClientRects()[0];
      return [box.x + box.width / 2, box.y + box.height / 2];
    }
  }
  return null;
}"""


class TranscriptPage:
    """A page and what it did: `requests` are the addresses that it asked for, `problems` what went wrong."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.problems: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("console", self._note_message)
        page.on("dialog", self._close_dialog)

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console: {message.text}")

    def _close_dialog(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, path: Path, fragment: str = "") -> None:
        """Open a file from the disk."""
        self.page.goto(path.as_uri() + fragment)

    def forget_everything(self) -> None:
        """Leave the page, without what it kept and what it did."""
        if not self.page.url.startswith("about:"):
            self.run("localStorage.clear()")
        self.page.goto("about:blank")
        self.requests.clear()
        self.problems.clear()

    def part(self, test_id: str) -> Locator:
        """Return the element with this data-testid."""
        return self.page.get_by_test_id(test_id)

    def sentence(self, number: int) -> Locator:
        """Return a sentence; 0 is the first."""
        return self.part("sentence").nth(number)

    def run(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        return self.page.evaluate(expression)

    def wait_for(self, condition: str, timeout_s: float = TIMEOUT_S) -> None:
        """Wait until a JavaScript expression is true.

        Not Playwright's wait_for_function, because that uses eval(), which the page's security policy forbids.
        """
        held = self.run(f"""(async () => {{
            const end = performance.now() + {timeout_s * 1000};
            while (!({condition})) {{
                if (performance.now() > end) return false;
                await new Promise(resolve => setTimeout(resolve, 10));
            }}
            return true;
        }})()""")
        assert held, f"not within {timeout_s} s: {condition}; {self.describe()}"

    def describe(self) -> str:
        """Return what a failure is explained by."""
        state = self.run(f"""({{
            position: {AUDIO}.currentTime, paused: {AUDIO}.paused, speed: {AUDIO}.playbackRate,
            ready: {AUDIO}.readyState, focus: document.activeElement.outerHTML.slice(0, 120)}})""")
        return json.dumps(state, ensure_ascii=False)

    def wait_for_sound(self) -> None:
        """Wait until the recording is loaded, and the page knows."""
        self.wait_for(f"{AUDIO}.readyState >= 1 && document.body.dataset.sound === 'ready'")

    def wait_for_position(self, seconds: float, within: float = 0.3) -> None:
        """Wait until the recording is near this position, and is not on its way to another."""
        self.wait_for(
            f"!{AUDIO}.seeking && Math.abs({AUDIO}.currentTime - {seconds}) <= {within}",
        )

    @property
    def position_s(self) -> float:
        return float(self.run(f"{AUDIO}.currentTime"))

    @property
    def is_playing(self) -> bool:
        return bool(self.run(f"!{AUDIO}.paused"))

    @property
    def speed(self) -> float:
        return float(self.run(f"{AUDIO}.playbackRate"))

    def focus_sentence(self, number: int) -> None:
        """Move the focus to a sentence by keys: Tab reaches one of them, the arrows the others."""
        self.part("transcript").locator("[tabindex='0']").first.focus()
        for _ in range(100):
            focused = self.run(f"{SENTENCES}.indexOf(document.activeElement)")
            if focused == number:
                return
            self.press("ArrowDown" if focused < number else "ArrowUp")
        raise AssertionError(f"the arrows do not reach sentence {number}; {self.describe()}")

    def record_jumps(self) -> None:
        """Keep the positions that the recording is moved to from now on, for `jumps`."""
        self.run(
            f"window.jumps = [], {AUDIO}.addEventListener('seeking', event => "
            "window.jumps.push(event.target.currentTime)), 0"
        )

    @property
    def jumps(self) -> list[float]:
        positions: list[float] = self.run("window.jumps")
        return positions

    def wait_until_playing(self, seconds: float = 0.2) -> None:
        """Wait until the sound has moved on by this much."""
        start_s = self.position_s
        self.wait_for(f"!{AUDIO}.paused && {AUDIO}.currentTime > {start_s + seconds}")

    def pause_at(self, seconds: float) -> None:
        """Stop the sound at a position, as the browser's own controls do."""
        self.run(f"{AUDIO}.pause(), {AUDIO}.currentTime = {seconds}")
        self.wait_for_position(seconds, within=0.01)

    def click_word(self, number: int, word: str, skipped: int = 0) -> None:
        """Click on a word of a sentence: its first occurrence, or the one after some that are skipped."""
        self.page.mouse.click(*self.find_word(number, word, skipped))

    def find_word(
        self, number: int, word: str, skipped: int = 0, *, scrolls: bool = True
    ) -> tuple[float, float]:
        """Return the middle of a word in the window, where the page is scrolled to the sentence first."""
        sentence = self.sentence(number)
        if scrolls:
            sentence.evaluate("item => item.scrollIntoView({block: 'center', behavior: 'instant'})")
        middle: list[float] | None = self.page.evaluate(
            _WORD_MIDDLE, [sentence.element_handle(), word, skipped]
        )
        assert middle is not None, f"{word!r} is not in {sentence.inner_text()!r}"
        return middle[0], middle[1]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def highlighted(self, name: str) -> list[str]:
        """Return the texts that have a CSS highlight: `word`, `hit` or `current-hit`."""
        texts: list[str] = self.page.evaluate(_HIGHLIGHTED, name)
        return texts

    def find_current(self) -> int | None:
        """Return the number of the sentence that is being spoken."""
        numbers: list[int] = self.run(
            f'{SENTENCES}.flatMap((item, at) => item.closest("[aria-current=true]") ? [at] : [])'
        )
        assert len(numbers) <= 1
        return numbers[0] if numbers else None

    def wait_for_current(self, number: int) -> None:
        """Wait until this sentence is the one being spoken."""
        self.wait_for(f'{SENTENCES}[{number}].matches("[aria-current=true]")')

    def is_in_view(self, number: int) -> bool:
        """Check whether a whole sentence is inside the window."""
        return bool(
            self.run(f"""(box => box.top >= 0 && box.bottom <= innerHeight)(
                {SENTENCES}[{number}].getBoundingClientRect())""")
        )

    def forget_missing_recording(self) -> None:
        """Take the one expected problem away: the browser reports that there is no recording beside the page."""
        missing = [problem for problem in self.problems if "ERR_FILE_NOT_FOUND" in problem]
        assert len(missing) <= 1
        self.problems = [problem for problem in self.problems if problem not in missing]

    def wait_for_scroll_end(self) -> float:
        """Wait until the page no longer scrolls. Returns its position."""
        top: float = self.run("""(async () => {
            let last = -1;
            while (last !== scrollY) {
                last = scrollY;
                await new Promise(resolve => setTimeout(resolve, 100));
            }
            return last;
        })()""")
        return top

    def read_columns(self, part: Locator, shares: Sequence[float]) -> list[list[str]]:
        """Return the colours of an element as it is shown, from top to bottom, at these shares of its width."""
        picture = base64.b64encode(part.screenshot()).decode()
        columns: list[list[str]] = self.page.evaluate(_COLUMNS, [picture, shares])
        return columns

    @property
    def violations(self) -> list[str]:
        """What the content security policy has refused."""
        violations: list[str] = self.run("window.violations")
        return violations


OpenPage = Callable[..., TranscriptPage]

AUDIO = 'document.querySelector("[data-testid=audio]")'
SENTENCES = '[...document.querySelectorAll("[data-testid=sentence]")]'
