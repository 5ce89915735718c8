"""Writes the pictures of the README: `python -m tests.screenshots` takes the page of a transcript and the console.

Everything runs on this machine: the local cloud with Scribe deployed to it, recordings made of samples/, and the
Chromium of this machine. The pictures are WebP, a quarter of the size of PNG. `--only page` leaves the console out.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import subprocess
import sys
import tempfile
import wave
from array import array
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import miniaudio
from playwright.sync_api import Browser, Page, ViewportSize, expect

from cli.config import PROJECT_FOLDER
from cli.local.emulator import OUTPUT_BUCKET, LocalPipeline, deploy_local_pipeline
from cli.local.live import AdminClient
from cli.local.samples import SAMPLES, Upload
from tests.browser.chromium import start_chromium
from tests.browser.transcript_page import TranscriptPage

IMAGES = PROJECT_FOLDER / "docs" / "images"
SIZE = ViewportSize(width=1000, height=640)
LOCALES = {"en": "en-GB", "zh": "zh-CN"}
HTML_LANGUAGES = {"en": "en", "zh": "zh-CN"}
SUFFIXES = {"en": "", "zh": ".zh"}
MAX_BYTES = 80_000
QUALITY = 88  # of 100; the letters stay sharp
SAMPLE_RATE = 16_000
PAUSE_MS = 700


class Part(NamedTuple):
    """A piece of a sample, in milliseconds, and who speaks in it."""

    sample: str
    start_ms: int
    end_ms: int
    speaker: int


class Recording(NamedTuple):
    """A recording made of samples: its key, its parts, its text with the number of the speaker, and its options."""

    key: str
    parts: tuple[Part, ...]
    lines: tuple[str, ...]
    options: Mapping[str, str]
    is_stereo: bool = False


_MEETING, _BROADCAST, _INTERVIEW = "会议 recording 01.mp3", "校园 广播.mp3", "采访 王老师.mp3"
RECORDINGS = {
    "en": Recording(
        "meetings/Monday meeting.wav",
        (
            Part("welcome.wav", 0, 4_200, 0),
            Part(_MEETING, 0, 4_200, 1),
            Part(_MEETING, 4_200, 8_100, 0),
            Part(_MEETING, 8_100, 11_500, 1),
            Part("support-call.wav", 0, 2_100, 0),
            Part("support-call.wav", 2_100, 4_200, 1),
            Part("support-call.wav", 4_200, 6_700, 0),
        ),
        (
            "[0] Welcome to the meeting.",
            "[0] We will start in a few minutes.",
            "[1] The weather was cold, and the road was covered with snow.",
            "[0] We need to talk about the plan for the next three months.",
            "[1] The meeting will start at nine in the morning.",
            "[0] How can I help you today?",
            "[1] I did not receive my order.",
            "[0] We will send you a new one tomorrow.",
        ),
        {"engine": "8k_en", "channels": "2", "speaker-names": "Chair,Guest", "title": "Monday meeting"},
        is_stereo=True,
    ),
    "zh": Recording(
        "采访/校园广播.wav",
        (Part(_BROADCAST, 0, 18_600, 0), Part(_INTERVIEW, 0, 14_600, 1)),
        (
            *(
                f"[0] {line}"
                for line in (SAMPLES / f"{_BROADCAST}.transcript.txt").read_text("utf-8").split()
            ),
            *(
                f"[{1 + number % 2}] {line}"
                for number, line in enumerate(
                    (SAMPLES / f"{_INTERVIEW}.transcript.txt").read_text("utf-8").split()
                )
            ),
        ),
        {"engine": "16k_zh", "speakers": "3", "speaker-names": "广播,记者,王老师", "title": "校园广播"},
    ),
}
# The samples themselves, in folders as a team would have them. The last one is no recording, so it fails.
OTHERS = (
    Upload(SAMPLES / "support-call.wav", "calls/support-call.wav", {"engine": "8k_en", "channels": "2"}),
    Upload(SAMPLES / _MEETING, f"meetings/{_MEETING}", {}),
    Upload(SAMPLES / _INTERVIEW, f"采访/{_INTERVIEW}", {"engine": "16k_zh"}),
    Upload(SAMPLES / "welcome.wav", "welcome.wav", {}),
    Upload(SAMPLES / "not-audio.mp3", "calls/not-audio.mp3", {}),
)


def main() -> None:
    """Take the pictures and write them to docs/images."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("--only", choices=("page", "console"), help="take only these pictures")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory(prefix="scribe-pictures-") as temporary:
        folder = Path(temporary)
        with deploy_local_pipeline(folder / "cloud", ["--speech", "pocketsphinx"]) as pipeline:
            _upload_all(pipeline, folder)
            with start_chromium() as browser:
                for language in LOCALES:
                    if only != "console":
                        _take_page(browser, pipeline, folder, language)
                    if only != "page":
                        _take_console(browser, folder / "cloud" / ".env", language)


def _upload_all(pipeline: LocalPipeline, folder: Path) -> None:
    """Upload every recording and wait until nothing is open."""
    own = [_write_recording(folder, recording) for recording in RECORDINGS.values()]
    for upload in (*OTHERS, *own):
        metadata = {f"scribe-{name}": quote(value, safe=" ,") for name, value in upload.metadata.items()}
        pipeline.upload(Upload(upload.path, upload.key, metadata))
    with closing(AdminClient(pipeline.emulator)) as admin:
        if admin.get("idle?timeout=25") is not True:
            raise RuntimeError("the local cloud has not finished in 25 s")


def _write_recording(folder: Path, recording: Recording) -> Upload:
    """Write the sound and the text beside it, which the local cloud returns."""
    path = folder / recording.key
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = 2 if recording.is_stereo else 1
    silence = array("h", bytes(2 * channels * SAMPLE_RATE * PAUSE_MS // 1000))
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, SAMPLE_RATE, 0, "NONE", ""))
        for part in recording.parts:
            samples = _decode(part)
            if recording.is_stereo:
                both = array("h", bytes(4 * len(samples)))
                both[part.speaker :: 2] = samples
                samples = both
            file.writeframes((samples + silence).tobytes())
    path.with_name(f"{path.name}.transcript.txt").write_text("\n".join(recording.lines) + "\n", "utf-8")
    return Upload(path, recording.key, recording.options)


def _decode(part: Part) -> array[int]:
    sound = miniaudio.decode(
        (SAMPLES / part.sample).read_bytes(),
        output_format=miniaudio.SampleFormat.SIGNED16,
        nchannels=1,
        sample_rate=SAMPLE_RATE,
    )
    start, end = (time_ms * SAMPLE_RATE // 1000 for time_ms in (part.start_ms, part.end_ms))
    return array("h", sound.samples[start:end])


def _take_page(browser: Browser, pipeline: LocalPipeline, folder: Path, language: str) -> None:
    """Take the page that Scribe wrote, with its recording beside it, while a sentence is heard."""
    recording = RECORDINGS[language]
    path = folder / f"{recording.key}.html"
    path.write_bytes(pipeline.clients.cos.get(OUTPUT_BUCKET, f"transcripts/{recording.key}.html").body)
    with _open_page(browser, language) as opened:
        page = TranscriptPage(opened)
        page.open(path)
        page.wait_for_sound()
        page.pause_at(9.0)
        page.wait_for_scroll_end()
        _save(opened, f"page{SUFFIXES[language]}")


def _take_console(browser: Browser, env_file: Path, language: str) -> None:
    """Take the console's list of recordings: all done, and one failed."""
    with _running_console(env_file, language) as address, _open_page(browser, language) as page:
        page.goto(address)
        expect(page.get_by_test_id("recording")).to_have_count(len(OTHERS) + len(RECORDINGS))
        html = page.locator("html")
        if html.get_attribute("lang") != HTML_LANGUAGES[language]:
            page.get_by_test_id("language").click()
        expect(html).to_have_attribute("lang", HTML_LANGUAGES[language])
        expect(page.get_by_test_id("recording").first).to_have_attribute("data-state", "failed")
        expect(page.get_by_test_id("cost")).to_have_text(re.compile(r"\d"))  # loaded after the list
        _save(page, f"console{SUFFIXES[language]}")


@contextmanager
def _running_console(env_file: Path, language: str) -> Iterator[str]:
    """Run `scribe console` until the block ends. Yields the address that it prints."""
    command = [sys.executable, "-m", "cli.main", "--lang", language, "console", "--no-open", "--write"]
    process = subprocess.Popen(
        [*command, "--env-file", str(env_file)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        lines = (re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", line) for line in process.stdout)
        yield next(match[0] for match in lines if match)
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def _open_page(browser: Browser, language: str) -> Iterator[Page]:
    with closing(
        browser.new_context(viewport=SIZE, locale=LOCALES[language], color_scheme="light")
    ) as context:
        yield context.new_page()


def _save(page: Page, name: str) -> None:
    session = page.context.new_cdp_session(page)
    picture = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    content = base64.b64decode(picture["data"])
    if len(content) > MAX_BYTES:
        raise RuntimeError(f"{name}.webp has {len(content):,} bytes, more than {MAX_BYTES:,}")
    (IMAGES / f"{name}.webp").write_bytes(content)
    sys.stdout.write(f"{IMAGES / name}.webp: {len(content):,} bytes\n")


if __name__ == "__main__":
    main()
