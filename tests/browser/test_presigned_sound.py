"""A page whose recording is at a presigned address: it is heard, and the page may ask that bucket for nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.config import Commands
from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET
from cli.local.samples import SAMPLES
from cli.operate.pages import load_page, save_page
from cli.operate.presign import build_origin
from cli.operate.workspace import Workspace
from shared.logger import Logger
from shared.recordings.context import build_context
from shared.settings import load_settings
from tests.browser.transcript_page import AUDIO, OpenPage
from tests.helpers.loopback import open_client
from tests.helpers.pipeline import running_pipeline

pytestmark = [pytest.mark.browser, pytest.mark.process]

KEY = "通话/support #1 100% a&b's.wav"


class Opened(NamedTuple):
    """A page that `scribe open` saved, the same without its bucket in the policy, and the proxy to the local cloud."""

    path: Path
    without_policy: Path
    origin: str
    proxy: str


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("pages")
    with (
        running_pipeline(tmp_path_factory.mktemp("cloud"), ["--speech", "scripted"]) as pipeline,
        open_client(base_url=pipeline.emulator.endpoint, timeout=60) as client,
    ):
        body = (SAMPLES / "support-call.wav").read_bytes()
        pipeline.clients.cos.put(INPUT_BUCKET, KEY, body, content_type="audio/wav")
        headers = pipeline.emulator.admin_headers
        assert client.get("/-/idle?timeout=60", headers=headers).json() is True
        cos_client = pipeline.clients.cos.client
        settings = load_settings(
            {
                "REGION": "ap-guangzhou",
                "INPUT_BUCKETS": INPUT_BUCKET,
                "OUTPUT_BUCKET": OUTPUT_BUCKET,
                "CALLBACK_TOKEN": "not-needed-by-this-test",
            }
        )
        ctx = build_context(cos_client, settings, Logger(write=lambda _: None))
        page = load_page(Workspace(ctx, Commands(), {}), INPUT_BUCKET, KEY, 3600)
        assert page.problem == ""
        path = save_page(folder, page)
        origin = build_origin(cos_client, INPUT_BUCKET, "ap-guangzhou")
        without = folder / "without.html"
        without.write_bytes(page.body.replace(f"blob: {origin}".encode(), b"blob:", 1))
        yield Opened(path, without, origin, pipeline.emulator.endpoint)


def test_recording_is_heard_from_its_presigned_address(open_page: OpenPage, opened: Opened) -> None:
    page = open_page(opened.path, proxy={"server": opened.proxy})
    page.wait_for_sound()
    page.press("k")
    page.wait_until_playing()
    page.press("k", "l", "j")
    assert {request.partition("?")[0] for request in page.requests if not request.startswith("file:")} == {
        page.run(f"{AUDIO}.src").partition("?")[0]
    }
    assert page.violations == []


def test_the_policy_is_what_allows_it(open_page: OpenPage, opened: Opened) -> None:
    page = open_page(opened.without_policy, proxy={"server": opened.proxy})
    page.wait_for("window.violations.length")
    assert {violation.partition(":")[0] for violation in page.violations} == {"media-src"}
    page.problems.clear()  # the browser reports it


@pytest.mark.parametrize(
    ("attack", "directive"),
    [
        ("fetch('ORIGIN/a').catch(() => 0)", "connect-src"),
        ("document.body.insertAdjacentHTML('beforeend', '<img src=ORIGIN/a.png>')", "img-src"),
        ("document.body.insertAdjacentHTML('beforeend', '<iframe src=ORIGIN></iframe>')", "frame-src"),
        (f"{AUDIO}.src = 'https://evil.example/a.mp3'", "media-src"),
    ],
)
def test_the_bucket_is_allowed_for_media_and_no_other_host(
    open_page: OpenPage, opened: Opened, attack: str, directive: str
) -> None:
    page = open_page(opened.path, proxy={"server": opened.proxy})
    page.wait_for_sound()
    page.run(f"({attack}, 0)".replace("ORIGIN", opened.origin))
    page.wait_for("window.violations.length")
    assert {violation.partition(":")[0] for violation in page.violations} == {directive}
    page.problems.clear()
