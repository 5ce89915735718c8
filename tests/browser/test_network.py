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

    def do_GET(self) -> None:
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
    """A server that does not report browsers that close a connection early."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on the loopback interface. Yields its address."""
    server = QuietServer(("127.0.0.1", 0), partial(FileHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
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
    with serve(conversation.parent) as address:
        page = open_page()
        page.page.goto(f"{address}/{quote(conversation.name)}")
        use_everything(page)
        recording = f"{address}/{quote(conversation.with_suffix('').name)}"
        assert set(page.requests) - {f"{address}/favicon.ico"} == {
            f"{address}/{quote(conversation.name)}",
            recording,
        }
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


ELSEWHERE = "http://127.0.0.1:9"
ATTACKS = {
    "img-src": append("img", src=f"{ELSEWHERE}/a.png"),
    "connect-src": f"fetch('{ELSEWHERE}/a').catch(() => 0)",
    "script-src-elem": append("script", src=f"{ELSEWHERE}/a.js"),
    "script-src-elem inline": append("script", textContent="window.ran = 1"),
    "script-src-attr": insert('<p id="evil" onclick="window.ran = 1">') + ", evil.click()",
    "style-src-elem": insert(f"<style>p{{background:url({ELSEWHERE}/a)}}</style>"),
    "style-src-attr": insert(f'<p style="background:url({ELSEWHERE}/a)">'),
    "frame-src": insert(f'<iframe src="{ELSEWHERE}/"></iframe>'),
    "object-src": insert(f'<object data="{ELSEWHERE}/"></object>'),
    "media-src": f"{AUDIO}.src = '{ELSEWHERE}/a.mp3'",
    "form-action": insert(f'<form id="evil" action="{ELSEWHERE}/"></form>') + ", evil.submit()",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_policy_blocks_what_gets_into_the_page(open_page: OpenPage, conversation: Path, attack: str) -> None:
    page = open_page(conversation)
    page.wait_for_sound()
    page.run(f"({ATTACKS[attack]}, 0)")
    page.wait_for("window.violations.length")
    assert {violation.partition(":")[0] for violation in page.violations} == {attack.partition(" ")[0]}
    assert page.run("window.ran") is None
    assert [address for address in page.requests if not address.startswith("file:")] == []
    page.problems.clear()  # the browser reports each violation
