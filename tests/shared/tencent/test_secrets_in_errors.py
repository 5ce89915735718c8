"""No error shows a credential or a header, whatever characters they hold and whatever a response says."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import CloudError, OutcomeUnknown, RequestRejected, ScribeError, SettingsError
from shared.tencent.auth import ID_NAME, KEY_NAME, TOKEN_NAME, Credentials, load_credentials
from shared.tencent.client import CANNOT_BE_SENT, Request, TencentClient
from shared.tencent.clock import ServerClock
from shared.tencent.cos import CosClient
from shared.tencent.speech import SpeechClient
from shared.tencent.speech_models import JobRequest
from shared.tencent.transport import Transport, create_http_client
from tests.helpers.fake_server import FakeServer, MakeClient

PRIVATE = "confidential"
BUCKET, REGION = "media-1250000000", "ap-chengdu"
JOB = JobRequest("in/a.mp3", BUCKET, REGION, "raw/a.txt", "16k_zh")
ODD = ["\n", "\r\n", "\0", "\t", " ", "\x7f", "\x1b[31m", "é", "\u2028", "\ud800", "\udcff", ":", ""]
texts = st.one_of(st.sampled_from(ODD), st.text(max_size=3), st.characters(categories=["Cc", "Cs", "Zs"]))
private_texts = st.builds(lambda start, end: f"{start}{PRIVATE}{end}", texts, texts)


class Handler(BaseHTTPRequestHandler):
    """Accepts every request. Its HTTP version keeps connections."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.do_PUT()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def http_client() -> Iterator[httpx.Client]:
    with create_http_client(Transport()) as client:
        yield client


def show(error: BaseException) -> str:
    """Return everything that a log or a stack trace could show of an error, and of those behind it."""
    behind = error.__cause__ or error.__context__
    shown = f"{traceback.format_exception_only(type(error), error)} {error!r} {vars(error)!r}"
    return shown + (show(behind) if behind else "")


@given(
    secret_id=private_texts, key=private_texts, token=private_texts, name=private_texts, value=private_texts
)
@example("a", "b", f"{PRIVATE}\n", "n", "v")
@example("a", "b", "c", f"{PRIVATE}: x\r\nx", "v")
@example("a", "b", f"{PRIVATE}\ud800", "n", "v")
@example("a", "b", "c", "n", f"{PRIVATE}\ud800")
@settings(max_examples=200, deadline=None)
def test_odd_characters_in_headers_are_not_quoted(
    endpoint: str, http_client: httpx.Client, secret_id: str, key: str, token: str, name: str, value: str
) -> None:
    client = TencentClient(
        Credentials(secret_id, key, token),
        endpoint,
        http_client=lambda: http_client,
        sleep=lambda _: None,
        clock=ServerClock(),
    )
    cos, speech = CosClient(client, REGION), SpeechClient(client, REGION)
    for send in (
        lambda: cos.put(BUCKET, "k", b"words", metadata={name: value}),
        lambda: speech.create_job(BUCKET, JOB),
    ):
        assert PRIVATE not in show_error(send)


def show_error(call: Callable[[], object]) -> str:
    """Return what could be shown of the error that a call raises, "" if it raises none."""
    try:
        call()
    except ScribeError as error:
        return show(error)
    return ""


@pytest.mark.parametrize("character", ["\n", "\r\n", "\0", " ", "\x7f", "\x1b", "\ud800"])
def test_line_break_in_a_token_is_refused_before_anything_is_sent(
    endpoint: str, http_client: httpx.Client, character: str
) -> None:
    client = TencentClient(
        Credentials("AKIDEXAMPLE", "example-key", f"{PRIVATE}{character}"),
        endpoint,
        http_client=lambda: http_client,
    )
    with pytest.raises(RequestRejected) as caught:
        CosClient(client, REGION).put(BUCKET, "k", b"")
    assert caught.value.code == CANNOT_BE_SENT
    assert PRIVATE not in show(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        httpx.LocalProtocolError(f"Illegal header value b'{PRIVATE}'"),
        httpx.UnsupportedProtocol(f"Request URL {PRIVATE}"),
        httpx.RemoteProtocolError(f"illegal header line: b'{PRIVATE}'"),
    ],
)
def test_text_of_a_library_is_not_quoted(
    client: TencentClient, server: FakeServer, error: httpx.TransportError
) -> None:
    server.replies = [error]
    with pytest.raises(CloudError) as caught:
        CosClient(client, REGION).head(BUCKET, "k")
    assert PRIVATE not in str(caught.value)


@pytest.mark.parametrize("status", [400, 403, 500])
def test_response_that_quotes_the_request_shows_no_secret(
    make_client: MakeClient, server: FakeServer, status: int
) -> None:
    token, key = "the-session-token", "example-key"
    client = make_client(token)

    def quote_headers(request: httpx.Request) -> httpx.Response:
        quoted = f"{request.headers['authorization']} {request.headers['x-cos-security-token']} {key}"
        body = f"<Error><Code>Bad-{token}</Code><Message>{quoted.replace('&', '&amp;')}</Message></Error>"
        return httpx.Response(status, text=body)

    http_client = httpx.Client(transport=httpx.MockTransport(quote_headers))
    client.http_client = lambda: http_client
    with pytest.raises(CloudError) as caught:
        client.send(Request("GET", f"{BUCKET}.cos.{REGION}.myqcloud.com", "/k", f"{BUCKET}/k"))
    shown = show(caught.value)
    assert "q-sign-algorithm" in shown
    assert not [secret for secret in (token, key) if secret in shown]
    assert "q-signature=***" in shown


def test_unreadable_response_is_not_quoted(client: TencentClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(200, text=f"<Response>{PRIVATE}<x y={PRIVATE}")]
    with pytest.raises(OutcomeUnknown) as caught:
        SpeechClient(client, REGION).list_queues(BUCKET)
    assert PRIVATE not in str(caught.value)


@given(texts=st.lists(private_texts, min_size=3, max_size=3))
@settings(max_examples=200, deadline=None)
def test_credentials_with_odd_characters_are_refused_by_name(texts: list[str]) -> None:
    names = (ID_NAME, KEY_NAME, TOKEN_NAME)
    wrong = [
        name for name, text in zip(names, texts, strict=True) if not text.isascii() or not _is_visible(text)
    ]
    environ = dict(zip(names, texts, strict=True))
    if not wrong:
        assert load_credentials({}, environ).token == texts[2]
        return
    with pytest.raises(SettingsError) as caught:
        load_credentials({}, environ)
    assert PRIVATE not in show(caught.value)
    assert [mistake.split()[0] for mistake in caught.value.mistakes] == wrong


def _is_visible(text: str) -> bool:
    return text.isprintable() and " " not in text
