"""Write pictures of the tests' page to look at: `python -m tests.browser.screenshots FOLDER`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.browser.chromium import start_chromium
from tests.browser.recordings import build_conversation, write_conversation, write_page
from tests.browser.transcript_page import INIT_SCRIPT, TranscriptPage

ROUNDS = 3
WINDOW = {"width": 1100, "height": 800}
PHONE = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
PICTURES: Mapping[str, Mapping[str, Any]] = {
    "light": {"viewport": WINDOW, "color_scheme": "light"},
    "dark": {"viewport": WINDOW, "color_scheme": "dark"},
    "chinese": {"viewport": WINDOW, "locale": "zh-CN"},
    "phone": {**PHONE, "color_scheme": "light"},
    "phone-dark-chinese": {**PHONE, "color_scheme": "dark", "locale": "zh-CN"},
    "help": {"viewport": WINDOW},
    "no-recording": {"viewport": WINDOW},
}


def main() -> None:
    """Write a picture for each row of PICTURES, and the printed page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    path = write_page(folder, build_conversation(ROUNDS))
    with start_chromium() as browser:
        for name, options in PICTURES.items():
            sound = path.with_suffix("")
            sound.unlink(missing_ok=True)
            if name != "no-recording":
                write_conversation(sound, ROUNDS)
            context = browser.new_context(**{"locale": "en-GB", **options})
            context.add_init_script(INIT_SCRIPT)
            page = TranscriptPage(context.new_page())
            page.open(path)
            if name != "no-recording":
                page.wait_for_sound()
                page.part("search").fill("the")
                page.run("scrollTo(0, 200)")
                page.pause_at(27.5)
                page.wait_for_current(7)
            if name == "help":
                page.press("Escape", "Escape")
                page.part("help-button").click()
            page.wait_for_scroll_end()
            page.page.screenshot(path=folder / f"{name}.png", animations="disabled")
            if name == "light":
                page.page.pdf(path=folder / "print.pdf", format="A4")
                page.page.emulate_media(media="print")
                page.page.set_viewport_size({"width": 794, "height": 1123})
                page.page.screenshot(path=folder / "print.png")
            context.close()


if __name__ == "__main__":
    main()
