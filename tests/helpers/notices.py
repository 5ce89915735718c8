"""Made-up notices and targets, and a receiver on this machine."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any, NamedTuple

from shared.notices.models import Notice, NoticeType, Target, TargetKind

SECRET = "whsec_" + base64.b64encode(b"an example of 32 bytes, not real").decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"another example of 32 bytes here").decode()
ROBOT_SECRET = "demo-secret"
URLS = {
    TargetKind.WEBHOOK: "https://hooks.example.com/scribe?team=a",
    TargetKind.WECOM: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=11111111-2222-3333",
    TargetKind.FEISHU: "https://open.feishu.cn/open-apis/bot/v2/hook/44444444-5555-6666",
    TargetKind.DINGTALK: "https://oapi.dingtalk.com/robot/send?access_token=7777777788888888",
}
ROBOTS = (TargetKind.WECOM, TargetKind.FEISHU, TargetKind.DINGTALK)
NOW_S = 1_800_000_000.0
BUCKET = "media-1250000000"
PATIENCE_S = 20.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def build_notice(**members: Any) -> Notice:
    """Build the notice of a transcript that is done, with these members changed."""
    key = members.get("key", "calls/会议.mp3")
    notice = Notice(
        type=NoticeType.DONE,
        time_s=NOW_S,
        receipt_id=f"{BUCKET}/calls!0123456789abcdef0123456789abcdef",
        bucket=BUCKET,
        region="ap-chengdu",
        key=key,
        etag="9a0364b9e99bb480dd25e1f0284c8555",
        size=482113,
        job_id="s1",
        output_bucket=BUCKET,
        output_keys=tuple(f"transcripts/{key}.{extension}" for extension in ("json", "txt")),
        duration_ms=3_723_400,
        words=12_345,
        speakers=2,
    )
    return notice._replace(**members)


def build_failed_notice(**members: Any) -> Notice:
    """Build the notice of a recording that has failed, with these members changed."""
    error = {
        "kind": "recording",
        "message": "The recording is empty (0 bytes).",
        "message_zh": "录音文件为空（0 字节）。",
        "next_step": "Check the upload and send the recording again.",
        "next_step_zh": "请检查上传过程并重新上传。",
        "retryable": False,
        "code": "Empty",
    }
    failed = {"type": NoticeType.FAILED, "error": error, "duration_ms": None, "words": None, "speakers": None}
    return build_notice(**{**failed, **members})


def build_budget_notice(**members: Any) -> Notice:
    """Build the warning about a budget, with these members changed."""
    budget: dict[str, str | int] = {
        "month": "2026-11",
        "percent": 80,
        "budget_minutes": 6000,
        "finished_minutes": 4760,
        "in_flight_minutes": 45,
    }
    notice = Notice(NoticeType.BUDGET, NOW_S, "", BUCKET, "ap-chengdu", "", "", 0, budget=budget)
    return notice._replace(**members)


def build_target(kind: TargetKind = TargetKind.WEBHOOK, **members: Any) -> Target:
    """Build a target that gets every notice, with these members changed."""
    secrets = {TargetKind.WEBHOOK: (SECRET,), TargetKind.WECOM: ()}.get(kind, (ROBOT_SECRET,))
    defaults: dict[str, Any] = {
        "name": kind.value,
        "kind": kind,
        "url": URLS[kind],
        "secrets": secrets,
        "types": frozenset({NoticeType.DONE, NoticeType.FAILED}),
    }
    return Target(**{**defaults, **members})


class ReceivedRequest(NamedTuple):
    """A request as it came in. Names of headers are lower-case."""

    line: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Accepts connections on 127.0.0.1 one after the other. `reply` writes the response to a request."""

    def __init__(self, listener: socket.socket, reply: Callable[[socket.socket], object]) -> None:
        self.accepted = 0
        self.requests: list[ReceivedRequest] = []
        self.first_bytes: list[bytes] = []  # of each connection, also if it is not HTTP
        self._listener = listener
        self._reply = reply
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                with closing(connection), suppress(OSError):
                    request = self._read(connection)
                    if request:
                        self.requests.append(request)
                        self._reply(connection)

    def _read(self, connection: socket.socket) -> ReceivedRequest | None:
        connection.settimeout(PATIENCE_S)
        received = connection.recv(65536)
        self.first_bytes.append(received)
        if not received.startswith(b"POST "):
            return None
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        head, _, body = received.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
        while len(body) < int(headers["content-length"]):
            body += connection.recv(65536)
        return ReceivedRequest(line, headers, body)


@contextmanager
def run_receiver(reply: Callable[[socket.socket], object]) -> Iterator[Receiver]:
    """Run a receiver until the end of the block."""
    with ExitStack() as stack:
        listener = socket.create_server(("127.0.0.1", 0))
        receiver = Receiver(listener, reply)
        stack.callback(receiver.thread.join, PATIENCE_S)
        stack.callback(listener.close)
        stack.callback(listener.shutdown, socket.SHUT_RDWR)
        yield receiver


class FixedResolver:
    """Resolves every name to what a test says: one list of addresses for each call, the last one again and again."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.names: list[str] = []

    def resolve(self, host: str, port: int, timeout_s: float) -> list[str]:
        """Return the addresses of this call."""
        self.names.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def note_failure(self, address: str) -> None:
        """Do nothing."""

    def note_success(self, address: str) -> None:
        """Do nothing."""
