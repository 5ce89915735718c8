"""Only the page of the console itself, in the browser that opened the address, can use the console."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cli.console.answers import ApiError
from cli.console.pages import load_file
from cli.console.security import HEADERS, Session
from tests.helpers.console import ADDRESS, PORT, Browser
from tests.helpers.operate import OperatedPipeline

BUCKET = "recordings-1250000000"
UPLOAD = f"/api/upload?bucket={BUCKET}&key=a.mp3"


@pytest.fixture
def browser() -> Browser:
    return Browser.open(OperatedPipeline())


def test_address_gives_the_cookie_once(browser: Browser) -> None:
    path = browser.session.address.removeprefix(ADDRESS)
    assert path == f"/?token={browser.session.token}"
    again = browser.send("GET", path, headers={"Cookie": None})
    assert again.status_code == 403
    assert "set-cookie" not in again.headers
    known = browser.send("GET", path)
    assert (known.status_code, known.headers["location"]) == (303, "/")


def test_cookie_is_for_this_page_and_this_port_only() -> None:
    session = Session(PORT)
    assert session.format_cookie().endswith("; HttpOnly; SameSite=Strict; Path=/")
    assert session.format_cookie().startswith(f"scribe-console-{PORT}=")
    assert not session.has_cookie(Session(PORT).format_cookie())


@pytest.mark.parametrize(
    "query", ["token=", "token=wrong", "token=%00", "token={token}x", "token={token}&token=a"]
)
def test_wrong_token_opens_nothing_and_uses_nothing_up(query: str) -> None:
    browser = Browser.open(OperatedPipeline())
    session = Session(PORT)
    assert not session.use_token(query.format(token=session.token).partition("=")[2])
    assert session.use_token(session.token)
    refused = browser.send("GET", f"/?{query.format(token='a')}", headers={"Cookie": None})
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize(
    "path", ["/", "/console.js", "/page/ticket", "/api/recordings", "/api/events", "/api/nothing"]
)
@pytest.mark.parametrize("cookie", [None, "", "other=1", f"scribe-console-{PORT}=wrong", "\x7f;=;;"])
def test_without_the_cookie_nothing_is_shown(browser: Browser, path: str, cookie: str | None) -> None:
    response = browser.send("GET", path, headers={"Cookie": cookie})
    assert response.status_code == 403
    if path.startswith("/api/"):
        assert response.json()["error"] == "no_session"
    else:
        assert "scribe console" in response.text
        assert "令牌" in response.text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"evil.example:{PORT}",
        "127.0.0.1",
        "127.0.0.1:1",
        f"127.0.0.2:{PORT}",
        f"[::1]:{PORT}",
        "",
    ],
)
def test_other_host_is_refused(browser: Browser, host: str) -> None:
    for method, path in (("GET", "/"), ("GET", "/api/session"), ("PUT", UPLOAD), ("GET", "/api/sound/a")):
        response = browser.send(method, path, headers={"Host": host})
        assert (response.status_code, response.json()["error"]) == (403, "wrong_host")


def test_name_localhost_is_the_same_console(browser: Browser) -> None:
    host = {"Host": f"localhost:{PORT}"}
    assert browser.send("GET", "/api/session", headers=host).status_code == 200
    own = browser.send(
        "PUT",
        "/api/language",
        json={"language": "en"},
        headers={**host, "Origin": f"http://localhost:{PORT}"},
    )
    assert own.status_code == 204


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "http://127.0.0.1:1",
        f"https://127.0.0.1:{PORT}",
        f"http://localhost:{PORT}",
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/session"), ("POST", "/api/retry"), ("PUT", UPLOAD)]
)
def test_other_origin_is_refused(browser: Browser, origin: str, method: str, path: str) -> None:
    response = browser.send(method, path, headers={"Origin": origin})
    assert (response.status_code, response.json()["error"]) == (403, "wrong_origin")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_page_of_another_port_reads_nothing(browser: Browser, site: str) -> None:
    response = browser.send("GET", "/api/recordings", headers={"Sec-Fetch-Site": site})
    assert (response.status_code, response.json()["error"]) == (403, "wrong_origin")
    assert browser.send("GET", "/api/sound/a", headers={"Sec-Fetch-Site": site}).status_code == 404
    own = browser.send("GET", "/api/recordings", headers={"Sec-Fetch-Site": "same-origin"})
    assert own.status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/retry"), ("PUT", UPLOAD), ("DELETE", "/api/session")]
)
def test_unsafe_method_needs_an_origin(browser: Browser, method: str, path: str) -> None:
    response = browser.send(method, path, headers={"Origin": None})
    assert (response.status_code, response.json()["error"]) == (403, "wrong_origin")
    assert browser.pipeline.list_keys("", BUCKET) == []


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("PUT", UPLOAD, {"content": b"speech"}),
        ("POST", "/api/retry", {"json": {"bucket": BUCKET, "key": "a.mp3"}}),
        ("DELETE", "/api/recordings", {}),
        ("PATCH", "/api/session", {}),
    ],
)
def test_console_that_reads_only_changes_nothing(method: str, path: str, options: Any) -> None:
    browser = Browser.open(OperatedPipeline(), can_write=False)
    response = browser.send(method, path, **options)
    assert (response.status_code, response.json()["error"]) == (403, "read_only")
    assert "`scribe console --write`" in response.json()["message"]
    assert browser.pipeline.take_requests() == []
    assert browser.send("PUT", "/api/language", json={"language": "en"}).status_code == 204
    assert browser.send("POST", "/api/refresh").status_code == 204


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/api/session", 200), ("/api/nothing", 404), ("/api/story?key=", 400), ("/../x", 404)],
)
def test_every_response_has_the_headers(browser: Browser, path: str, status: int) -> None:
    response = browser.send("GET", path)
    assert response.status_code == status
    assert {name: response.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in response.headers["content-security-policy"]
    refused = browser.send("GET", path, headers={"Cookie": None})
    assert {name: refused.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    "name", ["..%2Fapp.py", ".hidden", "app.py", "%2Fetc%2Fpasswd", "index.html%00", "none.js"]
)
def test_only_files_of_the_page_are_sent(browser: Browser, name: str) -> None:
    response = browser.send("GET", f"/{name}")
    assert response.status_code == 404, response.text
    assert response.json()["error"] == "unknown_address"


def test_name_that_leads_out_of_the_folder_is_no_file_of_the_page() -> None:
    for name in ("../page/console.js", "/console.js", "./console.js", "console.js/", "CONSOLE.JS"):
        with pytest.raises(ApiError, match="no such address"):
            load_file(name)


def test_bug_becomes_an_answer_without_its_text(browser: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise KeyError("internal detail")

    browser.pipeline.cloud.before("", "", fail)
    response = browser.send("GET", "/api/recordings")
    assert (response.status_code, response.json()["error"]) == (500, "internal")
    assert "internal detail" not in response.text
    assert "internal detail" in capsys.readouterr().err


@pytest.mark.parametrize(
    "others", ['theme={"a": "b"}; x[1]=2', "\x7f;=;;", f"scribe-console-{PORT}=theirs", "token; a,b=c"]
)
def test_cookies_of_other_programs_on_this_machine_lock_no_one_out(browser: Browser, others: str) -> None:
    for cookie in (f"{others}; {browser.cookie}", f"{browser.cookie}; {others}"):
        assert browser.send("GET", "/api/session", headers={"Cookie": cookie}).status_code == 200
    assert browser.send("GET", "/api/session", headers={"Cookie": others}).status_code == 403


def test_sender_that_is_gone_is_no_bug(browser: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    headers = {"host": f"127.0.0.1:{PORT}", "origin": ADDRESS, "cookie": browser.cookie}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/retry",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        pass

    asyncio.run(browser.app(scope, receive, send))  # type: ignore[arg-type]  # messages are plain dictionaries
    assert (messages, capsys.readouterr().err) == ([], "")
