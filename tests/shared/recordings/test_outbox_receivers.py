"""A thousand notices through receivers on real sockets that refuse, hang, redirect, drip and slow down."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, cycle, repeat

from shared.logger import Logger
from shared.notices.connection import create_notice_client
from shared.notices.models import Notice, Outcome, Target, TargetKind
from shared.notices.sender import send_notices
from shared.recordings.outbox import Outbox
from tests.helpers.fake_cloud import OUTPUT_BUCKET, FakeCloud
from tests.helpers.fakes import FakeCos
from tests.helpers.notices import OK, Receiver, build_failed_notice, build_notice, build_target, run_receiver
from tests.helpers.receivers import (
    FAST_FAILURES,
    Reply,
    WeComRobot,
    count_recordings,
    drip,
    drop,
    hang,
    is_signed,
)

COUNT = 1000
SWEEP_S = 300.0
MAX_DELAY_S = 3.0


def build_outbox(cloud: FakeCloud, webhook: Receiver, robot: Receiver, lines: list[str]) -> Outbox:
    targets = [
        build_target(url=f"http://127.0.0.1:{webhook.port}/"),
        build_target(TargetKind.WECOM, url=f"http://127.0.0.1:{robot.port}/"),
    ]
    client = create_notice_client(allows_loopback=True)

    def send(target: Target, notices: Sequence[Notice], now_s: float, timeout_s: float) -> Outcome:
        return send_notices(client, target, notices, now_s, timeout_s=timeout_s)

    log = Logger({}, lines.append)
    return Outbox(FakeCos(cloud), OUTPUT_BUCKET, ".scribe/", targets, send, log, now=cloud.clock.now)


def test_thousand_notices_reach_failing_receivers_once_by_their_ids() -> None:
    cloud = FakeCloud()
    robot = WeComRobot(cloud)
    results: list[bool] = []

    def send(response: bytes) -> Reply:
        return lambda connection: connection.sendall(response)

    good, bad = [send(OK)] * 2, [send(each) for each in FAST_FAILURES]
    replies: Iterator[Reply] = chain((hang, drip), cycle([*good, *bad, drop, *good]), repeat(drop))

    def reply(connection: socket.socket) -> None:
        chosen = next(replies)
        results.append(chosen in good)
        chosen(connection)

    lines: list[str] = []
    longest_s = 0.0
    with run_receiver(reply) as webhook, run_receiver(robot.reply) as wecom:
        outbox = build_outbox(cloud, webhook, wecom, lines)
        notices = [
            (build_failed_notice if number % 100 == 0 else build_notice)(
                key=f"{number}.mp3", job_id=f"s{number}"
            )
            for number in range(COUNT)
        ]
        for notice in notices:
            deliveries = outbox.store(notice)
            start_s = time.monotonic()
            outbox.send_now(deliveries)
            longest_s = max(longest_s, time.monotonic() - start_s)
            cloud.clock.advance(0.1)
        sweeps = 0
        while any("/msg_" in key or "-msg_" in key for key in cloud.buckets[OUTPUT_BUCKET]):
            cloud.clock.advance(SWEEP_S)
            outbox.send_due(lambda: 60.0)
            sweeps += 1
            assert sweeps < 3 * 86_400 / SWEEP_S

    assert longest_s < MAX_DELAY_S
    accepted = Counter(
        request.headers["webhook-id"]
        for request, is_accepted in zip(webhook.requests, results, strict=True)
        if is_accepted
    )
    assert accepted == Counter(notice.build_id("webhook") for notice in notices)
    assert all(map(is_signed, webhook.requests))
    messages = [wecom.requests[number] for number in robot.accepted]
    assert sum(map(count_recordings, messages)) == COUNT
    assert any(count_recordings(message) > 100 for message in messages)
    assert not any("notice_given_up" in line for line in lines)
    assert not any(key.startswith(".scribe/notices/") for key in cloud.buckets[OUTPUT_BUCKET])


def test_answer_that_is_lost_leads_to_the_same_notice_again() -> None:
    cloud = FakeCloud()
    replies: Iterator[Reply] = chain((drop,), repeat(lambda connection: connection.sendall(OK)))

    def reply(connection: socket.socket) -> None:
        next(replies)(connection)

    with run_receiver(reply) as webhook, run_receiver(WeComRobot(cloud).reply) as wecom:
        outbox = build_outbox(cloud, webhook, wecom, [])
        outbox.send_now(outbox.store(build_notice()))
        cloud.clock.advance(SWEEP_S)
        outbox.send_due(lambda: 60.0)
    first, second = webhook.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
