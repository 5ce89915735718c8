"""From the upload of a recording with options to its page, by the whole pipeline and real speech recognition."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import expect

from cli.local.emulator import OUTPUT_BUCKET
from cli.local.samples import SAMPLES, Upload
from tests.browser.transcript_page import OpenPage
from tests.helpers.pipeline import running_pipeline

pytestmark = [pytest.mark.browser, pytest.mark.process]

CALL, INTERVIEW = "support-call.wav", "采访 王老师.mp3"
# Words of the call, which is recognised; of the interview the text is in a file, and only the times are measured.
HEARD = {CALL: (1, "receive", "Caller"), INTERVIEW: (3, "提问", "王老师")}


@pytest.fixture(scope="module")
def pages_of_uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both recordings, and with what the pipeline wrote for them."""
    folder, data = tmp_path_factory.mktemp("downloads"), tmp_path_factory.mktemp("cloud")
    for name in (CALL, INTERVIEW):
        shutil.copy(SAMPLES / name, folder)
    lines = (SAMPLES / f"{INTERVIEW}.transcript.txt").read_text("utf-8").splitlines()
    (folder / f"{INTERVIEW}.transcript.txt").write_text(
        "".join(f"[{number % 2}] {line}\n" for number, line in enumerate(lines)), "utf-8"
    )
    metadata = {
        CALL: {"engine": "8k_en", "channels": "2", "speaker-names": "Caller,Agent"},
        INTERVIEW: {"engine": "16k_zh", "speakers": "2", "speaker-names": quote("记者,王老师")},
    }
    with (
        running_pipeline(data, ["--speech", "pocketsphinx"], {"FORMATS": "json,html"}) as pipeline,
        httpx.Client(
            base_url=pipeline.emulator.endpoint,
            headers=pipeline.emulator.admin_headers,
            trust_env=False,
            timeout=90,
        ) as client,
    ):
        for name, options in metadata.items():
            headers = {f"scribe-{option}": value for option, value in options.items()}
            pipeline.upload(Upload(folder / name, name, headers))
        assert client.get("/-/idle?timeout=80").json() is True
        for name in metadata:
            for ending in ("json", "html"):
                body = pipeline.clients.cos.get(OUTPUT_BUCKET, f"transcripts/{name}.{ending}").body
                (folder / f"{name}.{ending}").write_bytes(body)
    return folder


@pytest.mark.parametrize("name", [CALL, INTERVIEW])
def test_page_plays_what_was_uploaded(open_page: OpenPage, pages_of_uploads: Path, name: str) -> None:
    number, text, speaker = HEARD[name]
    document = json.loads((pages_of_uploads / f"{name}.json").read_text("utf-8"))
    sentence = document["sentences"][number]
    word = next(word for word in sentence["words"] if word["text"] == text)
    page = open_page(pages_of_uploads / f"{name}.html")
    page.wait_for_sound()
    expect(page.part("sentence")).to_have_count(len(document["sentences"]))
    page.record_jumps()
    page.click_word(number, text)
    page.wait_until_playing()
    assert page.jumps == [pytest.approx(word["start_ms"] / 1000, abs=0.05)]
    page.wait_for_current(number)
    expect(page.part("speaker").filter(has_text=speaker)).to_be_visible()
