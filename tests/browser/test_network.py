"""The page asks for its recording and for nothing else, and its security policy holds against what gets into it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.browser.transcript_page import AUDIO, OpenPage, TranscriptPage

pytestmark = [pytest.mark.browser, pytest.mark.process]


class FileHandler(SimpleHTTPRequestHandler):
    """Serves a folder with ranges of bytes, which browsers need to seek."""

    server: QuietServer

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        range_header = self.headers.get("Range", "")
        first, _, last = range_header.removeprefix("bytes=").partition("-")
        start, end = int(first or 0), int(last or len(content) - 1)
        self.send_response(206 if range_header else 200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - start + 1))
        if range_header:
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[start : end + 1])

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class QuietServer(ThreadingHTTPServer):
    """A server that does not report browsers that close a connection early; `requests` are the paths asked for."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(FileHandler, directory=str(folder)))
        self.requests: list[str] = []
        self.address = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[QuietServer]:
    """Serve a folder on the loopback interface."""
    server = QuietServer(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def use_everything(page: TranscriptPage) -> None:
    """Use each part of the page once."""
    page.wait_for_sound()
    page.click_word(4, "help")
    page.wait_until_playing()
    page.press("k", "j", "l", ",", ".", "<", ">", "?", "Escape", "/")
    page.page.keyboard.type("weather")
    page.press("Enter", "Escape", "n")
    page.part("speaker").first.click()
    page.press("x", "Enter")
    page.part("map").click()
    page.run("location.hash = '#t=12.4'")
    page.wait_for_position(12.4)
    page.page.emulate_media(media="print", color_scheme="dark")


def test_page_from_the_disk_asks_for_its_recording_only(reader: TranscriptPage, conversation: Path) -> None:
    use_everything(reader)
    assert set(reader.requests) == {conversation.as_uri(), quote_uri(conversation.with_suffix(""))}
    assert reader.violations == []


def quote_uri(path: Path) -> str:
    return "file://" + quote(str(path))


def test_page_from_a_server_asks_for_its_recording_only(open_page: OpenPage, conversation: Path) -> None:
    with serve(conversation.parent) as server:
        page = open_page()
        page.page.goto(f"{server.address}/{quote(conversation.name)}")
        use_everything(page)
        names = {quote(f"/{conversation.name}"), quote(f"/{conversation.with_suffix('').name}")}
        assert set(page.requests) == {server.address + name for name in names}
        # Chromium itself asks for an icon.
        assert set(server.requests) - {"/favicon.ico"} == names
        assert page.violations == []
        page.problems = [
            problem for problem in page.problems if "404" not in problem
        ]  # the browser's favicon.ico


def insert(html: str) -> str:
    """Return a script that writes markup into the page."""
    return f"document.body.insertAdjacentHTML('beforeend', `{html}`)"


def append(tag: str, **properties: str) -> str:
    """Return a script that appends an element to the page."""
    return f"document.body.append(Object.assign(document.createElement('{tag}'), {json.dumps(properties)}))"


# A server that the page must not reach takes the place of ELSEWHERE.
ATTACKS = {
    "img-src": append("img", src="ELSEWHERE/a.png"),
    "connect-src": "fetch('ELSEWHERE/a').catch(() => 0)",
    "script-src-elem": append("script", src="ELSEWHERE/a.js"),
    "script-src-elem inline": append("script", textContent="window.ran = 1"),
    "script-src-attr": insert('<p id="evil" onclick="window.ran = 1">') + ", evil.click()",
    "style-src-elem": insert("<style>p{background:url(ELSEWHERE/a)}</style>"),
    "style-src-attr": insert('<p style="background:url(ELSEWHERE/a)">'),
    "frame-src": insert('<iframe src="ELSEWHERE/"></iframe>'),
    "object-src": insert('<object data="ELSEWHERE/"></object>'),
    "media-src": f"{AUDIO}.src = 'ELSEWHERE/a.mp3'",
    "form-action": insert('<form id="evil" action="ELSEWHERE/"></form>') + ", evil.submit()",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_policy_blocks_what_gets_into_the_page(
    open_page: OpenPage, conversation: Path, tmp_path: Path, attack: str
) -> None:
    page = open_page(conversation)
    page.wait_for_sound()
    with serve(tmp_path) as server:
        page.run(f"({ATTACKS[attack]}, 0)".replace("ELSEWHERE", server.address))
        page.wait_for("window.violations.length")
        assert {violation.partition(":")[0] for violation in page.violations} == {attack.partition(" ")[0]}
        assert page.run("window.ran") is None
        assert server.requests == []
    page.problems.clear()  # the browser reports each violation
