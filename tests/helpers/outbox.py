"""An outbox in an empty bucket in memory, and a network that answers as a test says."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from shared.logger import Logger
from shared.notices.delivery import TargetState, target_state_key
from shared.notices.models import DELIVERED, Notice, Outcome, OutcomeKind, Target, TargetKind
from shared.recordings.outbox import Outbox
from shared.recordings.outbox_sweep import NoticeCounts
from tests.helpers.fake_cloud import OUTPUT_BUCKET, FakeCloud
from tests.helpers.fakes import FakeCos
from tests.helpers.notices import build_target

PREFIX = ".scribe/"
SWEEP_S = 300.0
WEBHOOK, WECOM = build_target(), build_target(TargetKind.WECOM)
CRM = build_target(name="webhook-crm", is_default=False)
FAILED = Outcome(OutcomeKind.FAILED, "status 500")
GONE = Outcome(OutcomeKind.GONE, "status 410")
BUSY = Outcome(OutcomeKind.RATE_LIMITED, "status 429", 120.0)


class Network:
    """Answers attempts as `respond` says; it keeps what was delivered, and every attempt."""

    def __init__(self, respond: Callable[[Target], Outcome] = lambda _: DELIVERED) -> None:
        self.respond = respond
        self.attempts: list[tuple[str, int]] = []  # target, and how many notices
        self.delivered: list[str] = []
        self.timeouts: list[float] = []
        self.refused: set[str] = set()  # ids that fail every message

    def send(self, target: Target, notices: Sequence[Notice], now_s: float, timeout_s: float) -> Outcome:
        self.attempts.append((target.name, len(notices)))
        self.timeouts.append(timeout_s)
        ids = {notice.build_id(target.name) for notice in notices}
        outcome = self.respond(target) if self.refused.isdisjoint(ids) else FAILED
        if outcome.kind is OutcomeKind.DELIVERED:
            self.delivered += [notice.build_id(target.name) for notice in notices]
        return outcome


class Setup:
    """An outbox in an empty bucket."""

    def __init__(self, *targets: Target, network: Network | None = None, **members: Any) -> None:
        self.cloud = FakeCloud()
        self.network = network or Network()
        self.lines: list[dict[str, Any]] = []
        self.outbox = self.build(*(targets or (WEBHOOK,)), **members)

    def build(self, *targets: Target, **members: Any) -> Outbox:
        log = Logger({}, lambda line: self.lines.append(json.loads(line)))
        cos, clock = FakeCos(self.cloud), self.cloud.clock
        return Outbox(cos, OUTPUT_BUCKET, PREFIX, targets, self.network.send, log, now=clock.now, **members)

    def store_and_send(self, notice: Notice) -> None:
        self.outbox.send_now(self.outbox.store(notice))

    def sweep(self, after_s: float = SWEEP_S) -> NoticeCounts:
        self.cloud.clock.advance(after_s)
        return self.outbox.send_due(lambda: self.cloud.remaining_s)

    def list_keys(self) -> list[str]:
        return sorted(self.cloud.buckets[OUTPUT_BUCKET])

    def list_open(self) -> list[str]:
        return [key for key in self.list_keys() if not key.endswith(".json")]

    def load_state(self, target: Target = WEBHOOK) -> TargetState:
        stored = self.cloud.buckets[OUTPUT_BUCKET].get(target_state_key(PREFIX, target.name, ""))
        return TargetState.from_json(stored.body) if stored else TargetState()

    def list_events(self) -> list[str]:
        return [line["event"] for line in self.lines]
