"""Receivers of notices that behave badly on real sockets: they hang, drip, drop, redirect, slow down and refuse."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from datetime import datetime, timezone

from standardwebhooks import Webhook

from tests.helpers.fake_cloud import FakeCloud
from tests.helpers.notices import SECRET, ReceivedRequest

MAX_PER_MINUTE = 20
Reply = Callable[[socket.socket], object]


def answer(head: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def hang(connection: socket.socket) -> None:
    connection.recv(1)  # until the other side closes


def drip(connection: socket.socket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000:
        connection.sendall(bytes((byte,)))
        time.sleep(0.05)


def drop(connection: socket.socket) -> None:
    """Close the connection without a word."""


FAST_FAILURES = (
    answer("500 Internal Server Error"),
    answer("307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/"),
    answer("403 Forbidden"),
    answer("429 Too Many Requests\r\nRetry-After: 2"),
    answer("503 Service Unavailable\r\nRetry-After: 90"),
)


class WeComRobot:
    """Takes 20 messages a minute by the clock of the cloud, and refuses the others with status 200."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud = cloud
        self.times: list[float] = []
        self.accepted: list[int] = []  # the numbers of the requests
        self.number = 0

    def reply(self, connection: socket.socket) -> None:
        now_s = self.cloud.clock.now()
        self.times = [time_s for time_s in self.times if now_s - time_s < 60]
        document = {"errcode": 45009, "errmsg": "api freq out of limit"}
        if len(self.times) < MAX_PER_MINUTE:
            self.times.append(now_s)
            self.accepted.append(self.number)
            document = {"errcode": 0, "errmsg": "ok"}
        self.number += 1
        connection.sendall(answer("200 OK", json.dumps(document).encode()))


def is_signed(request: ReceivedRequest) -> bool:
    """Compare with the signature of the official library, whose check of the time needs the real clock."""
    notice_id, timestamp = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
    time_value = datetime.fromtimestamp(timestamp, timezone.utc)
    return request.headers["webhook-signature"] == Webhook(SECRET).sign(
        notice_id, time_value, request.body.decode()
    )


def count_recordings(request: ReceivedRequest) -> int:
    """Return how many recordings a message is about."""
    first_line = json.loads(request.body)["markdown"]["content"].split("\n")[0]
    return int(first_line.split("：")[1].split(" ")[0].replace(",", "")) if "条录音" in first_line else 1
