"""A receiver of webhooks on this machine, for `scribe demo --notify`: verifies signatures and keeps what it verified.

It shares no code with what sends: it checks what the specification Standard Webhooks 1.0 says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

TOLERANCE_S = 300.0  # as the libraries of Standard Webhooks have it
MAX_BODY_BYTES = 64 * 1024
_SECRET_PREFIX, _SIGNATURE_PREFIX = "whsec_", "v1,"
_SECRET_BYTES = 32


class InvalidWebhook(ValueError):
    """The request is not signed with the secret, or is too old."""


class ReceivedNotice(NamedTuple):
    """A verified notice. `words` is None unless a transcript is done; `message` is why there is none."""

    id: str
    type: str
    key: str
    words: int | None
    message: str


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> str:
    """Return the id of a signed request. Names of headers are lower-case. Raises InvalidWebhook."""
    notice_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not notice_id or not (timestamp.isascii() and timestamp.isdecimal()):
        raise InvalidWebhook("webhook-id or webhook-timestamp is missing")  # not translated
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise InvalidWebhook("the timestamp is too old or too new")  # not translated
    key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX))
    content = f"{notice_id}.{timestamp}.".encode() + body
    expected = _SIGNATURE_PREFIX + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    signatures = headers.get("webhook-signature", "").split(" ")
    if not any(hmac.compare_digest(expected.encode(), each.encode()) for each in signatures):
        raise InvalidWebhook("no signature matches")  # not translated
    return notice_id


class NoticeReceiver:
    """What came in. `refused` counts requests that were not signed."""

    def __init__(self) -> None:
        self.secret = _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        self.refused = 0
        self.repeated = 0
        self.url = ""
        self._notices: dict[str, ReceivedNotice] = {}
        self._arrived = threading.Condition()

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a deployment that sends everything here."""
        return {
            "NOTIFY_WEBHOOK": self.url,
            "NOTIFY_WEBHOOK_SECRET": self.secret,
            "NOTIFY_ON": "done,failed",
        }

    def receive(self, headers: Mapping[str, str], body: bytes) -> HTTPStatus:
        """Verify a request, keep its notice once, and return the status of the response."""
        try:
            notice_id = verify_webhook(self.secret, headers, body, time.time())
            notice = _parse_notice(notice_id, body)
        except InvalidWebhook:
            with self._arrived:
                self.refused += 1
            return HTTPStatus.UNAUTHORIZED
        with self._arrived:
            self.repeated += notice_id in self._notices
            self._notices.setdefault(notice_id, notice)
            self._arrived.notify_all()
        return HTTPStatus.NO_CONTENT

    def wait_for(self, count: int, timeout_s: float) -> list[ReceivedNotice]:
        """Wait until so many different notices came in, or the time is over. Return them in their order."""
        with self._arrived:
            self._arrived.wait_for(lambda: len(self._notices) >= count, timeout_s)
            return list(self._notices.values())


@contextmanager
def run_notice_receiver() -> Iterator[NoticeReceiver]:
    """Run a receiver on a free port of 127.0.0.1 until the end of the block."""
    receiver = NoticeReceiver()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _build_handler(receiver))
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}/notices"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _build_handler(receiver: NoticeReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # seconds, for a request that does not end

        def do_POST(self) -> None:
            """Receive one notice."""
            length = self.headers.get("content-length", "")
            if not (length.isascii() and length.isdecimal()) or int(length) > MAX_BODY_BYTES:
                status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            else:
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver.receive(headers, self.rfile.read(int(length)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    return Handler


def _parse_notice(notice_id: str, body: bytes) -> ReceivedNotice:
    """Parse a verified body. Raises InvalidWebhook."""
    try:
        document = json.loads(body)
        data = document["data"]
        return ReceivedNotice(
            notice_id,
            str(document["type"]),
            str(data["recording"]["key"]),
            data.get("words"),
            str(data.get("error", {}).get("message", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidWebhook("the body is not that of a notice") from None  # not translated
