"""A thousand recordings whose notices go to receivers that misbehave: none is lost, and no transcript waits for one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain, cycle

import pytest

from shared.notices.models import Target, TargetKind
from shared.notices.sender import create_sender
from shared.recordings.announcer import Announcer
from tests.helpers.fake_cloud import NOT_AUDIO, OUTPUT_BUCKET
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.notices import OK, ROBOT_SECRET, ReceivedRequest, Receiver, build_target, run_receiver
from tests.helpers.receivers import (
    FAST_FAILURES,
    Reply,
    WeComRobot,
    answer,
    count_recordings,
    drip,
    drop,
    hang,
    is_signed,
)

COUNT = 1000
GROUPS = (1, 4, 15)  # jobs that one notification reports
MAX_DELAY_S = 3.0
SWEEP_S = 300.0
MAX_SWEEPS = 3 * 86_400 / SWEEP_S


class Ids:
    """A receiver that keeps the ids of notices: it takes each once, and misbehaves in most of its answers."""

    def __init__(self) -> None:
        self.is_taken: list[bool] = []  # of each request
        self.next_is_slow = False
        good, bad = [self.accept] * 2, [self.refuse(each) for each in FAST_FAILURES]
        self._replies: Iterator[Reply] = chain(
            (hang, drip), cycle([*good, *bad, drop, self.accept_without_an_answer, *good])
        )

    @staticmethod
    def refuse(response: bytes) -> Reply:
        return lambda connection: connection.sendall(response)

    @staticmethod
    def accept(connection: socket.socket) -> None:
        connection.sendall(OK)

    @staticmethod
    def accept_without_an_answer(connection: socket.socket) -> None:
        """Take the notice; the answer is lost."""

    def reply(self, connection: socket.socket) -> None:
        reply = hang if self.next_is_slow else next(self._replies)
        self.next_is_slow = False
        self.is_taken.append(reply in (self.accept, self.accept_without_an_answer))
        reply(connection)

    def list_taken(self, receiver: Receiver) -> list[ReceivedRequest]:
        taken = [each for each, is_taken in zip(receiver.requests, self.is_taken, strict=True) if is_taken]
        return list({request.headers["webhook-id"]: request for request in taken}.values())


def reply_gone(connection: socket.socket) -> None:
    connection.sendall(answer("410 Gone"))


def reply_as_feishu(connection: socket.socket) -> None:
    connection.sendall(answer("200 OK", b'{"code":0,"msg":"success"}'))


def find_closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


class Office(InMemoryPipeline):
    """A pipeline with targets. Each invocation has an announcer of its own, and its transcripts are timed."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[Target] = []
        self.sweeps = 0
        self.send = create_sender(allows_loopback=True)
        self.slowest_transcript_s = self.slowest_invocation_s = self._last_output_s = 0.0
        self.cloud.after("PUT", "transcripts/", self._note_output, times=-1)

    def _note_output(self) -> None:
        self._last_output_s = time.monotonic()

    def invoke(self, step: Callable[[], object]) -> None:
        """Run a function, and note when its last output was written, and when it ended."""
        self.ctx = self.build_context()
        self.ctx.announcer = Announcer(self.targets, self.send)
        self._last_output_s = start_s = time.monotonic()
        step()
        self.slowest_transcript_s = max(self.slowest_transcript_s, self._last_output_s - start_s)
        self.slowest_invocation_s = max(self.slowest_invocation_s, time.monotonic() - start_s)

    def count_open_notices(self) -> int:
        return sum("-msg_" in key for key in self.cloud.buckets[OUTPUT_BUCKET])


def is_signed_for_feishu(request: ReceivedRequest) -> bool:
    """Compute the signature as Feishu's page says it: the key is time and secret, and the message is empty."""
    document = json.loads(request.body)
    key = f"{document['timestamp']}\n{ROBOT_SECRET}".encode()
    signature: str = document["sign"]
    return signature == base64.b64encode(hmac.new(key, digestmod=hashlib.sha256).digest()).decode()


def count_in_card(request: ReceivedRequest) -> int:
    title = json.loads(request.body)["card"]["header"]["title"]["content"]
    return int(title.split("：")[1].split(" ")[0].replace(",", "")) if "条录音" in title else 1


@pytest.fixture
def targets(office: Office, ids: Ids, robot: WeComRobot) -> Iterator[dict[str, Receiver]]:
    """Run the receivers. Feishu's is not there at first: its address refuses connections."""
    with ExitStack() as stack:
        replies = {
            "webhook": ids.reply,
            "webhook-old": reply_gone,
            "wecom": robot.reply,
            "feishu": reply_as_feishu,
        }
        receivers = {name: stack.enter_context(run_receiver(reply)) for name, reply in replies.items()}
        for name, receiver in receivers.items():
            port = find_closed_port() if name == "feishu" else receiver.port
            kind = TargetKind(name.partition("-")[0])
            office.targets.append(build_target(kind, name=name, url=f"http://127.0.0.1:{port}/hook"))
        yield receivers


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def ids() -> Ids:
    return Ids()


@pytest.fixture
def robot(office: Office) -> WeComRobot:
    return WeComRobot(office.cloud)


@pytest.mark.timeout(400)  # half a minute, on a busy machine several
def test_thousand_recordings_are_announced_once_and_no_transcript_waits(
    office: Office, ids: Ids, robot: WeComRobot, targets: dict[str, Receiver]
) -> None:
    keys = [f"calls/{number}.mp3" for number in range(COUNT)]
    failed = set(keys[::20])
    sizes, first = cycle(GROUPS), 0
    next_sweep_s = office.cloud.clock.now() + 2 * SWEEP_S
    while first < COUNT:
        group = keys[first : first + next(sizes)]
        for key in group:
            office.upload_and_ingest(key, NOT_AUDIO + key.encode() if key in failed else key.encode())
        job_ids = [f"s{number + 1}" for number in range(first, first + len(group))]
        office.cloud.run_jobs(*job_ids)
        is_lost = (
            len(group) == 4 and first % 3 == 0
        )  # the notification does not come: the sweep writes the transcripts
        if not is_lost:
            office.invoke(lambda job_ids=job_ids: office.notify(*job_ids))  # type: ignore[misc]
        first += len(group)
        office.cloud.clock.advance(5)
        if office.cloud.clock.now() >= next_sweep_s:
            next_sweep_s += SWEEP_S
            ids.next_is_slow = not office.sweeps
            office.invoke(office.sweep)
            office.sweeps += 1

    # The operator sets an address of Feishu that works.
    feishu = office.targets.pop()
    office.targets.append(
        build_target(
            TargetKind.FEISHU, name=feishu.name, url=f"http://127.0.0.1:{targets['feishu'].port}/hook"
        )
    )
    for _ in range(int(MAX_SWEEPS)):
        office.cloud.clock.advance(SWEEP_S)
        office.invoke(office.sweep)
        if not office.count_open_notices():
            break

    assert office.count_open_notices() == 0
    assert office.slowest_transcript_s < MAX_DELAY_S
    assert office.count_jobs() == COUNT
    assert not office.list_open()

    taken = ids.list_taken(targets["webhook"])
    documents = [json.loads(request.body) for request in taken]
    assert Counter(each["data"]["recording"]["key"] for each in documents) == Counter(keys)
    assert {
        each["data"]["recording"]["key"] for each in documents if each["type"] == "transcript.failed"
    } == failed
    assert all(map(is_signed, targets["webhook"].requests))
    assert len(targets["webhook"].requests) > 1.5 * COUNT  # most attempts were needed

    messages = [targets["wecom"].requests[number] for number in robot.accepted]
    assert sum(map(count_recordings, messages)) == COUNT
    assert len(messages) < len(targets["wecom"].requests)  # some were above its limit
    assert all(map(is_signed_for_feishu, targets["feishu"].requests))
    assert sum(map(count_in_card, targets["feishu"].requests)) == COUNT
    assert max(map(count_in_card, targets["feishu"].requests)) > 100

    assert len(targets["webhook-old"].requests) == 1
    given_up = [line for line in office.log_lines if line["event"] == "notice_given_up"]
    assert {line["target"] for line in given_up} == {"webhook-old"}
    assert len(given_up) == COUNT
