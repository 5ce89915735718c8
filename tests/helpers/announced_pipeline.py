"""A pipeline in memory whose functions announce what they did; the notices are collected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from shared.notices.models import DELIVERED, Notice, Outcome, Target
from shared.recordings.announcer import Announcer
from tests.helpers.fake_cloud import OUTPUT_BUCKET
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.notices import build_target

KEY, BODY = "a.mp3", b"very secret words"
WEBHOOK = build_target()


class AnnouncedPipeline(InMemoryPipeline):
    """A pipeline whose notices are collected: those that were delivered, with their target and id."""

    def __init__(self, *targets: Target, **settings: Any) -> None:
        super().__init__(**settings)
        self.notices: list[Notice] = []
        self.ids: list[str] = []
        self.receivers: list[str] = []
        self.sizes: list[int] = []
        self.timeouts: list[float] = []
        self.outcome = DELIVERED
        self.targets = targets or (WEBHOOK,)
        self.settings = {"targets": self.targets, **settings}
        self.begin()

    def begin(self) -> None:
        """Begin another invocation: what was pending in the last one is forgotten."""
        self.ctx = self.build_context(**self.settings)
        self.ctx.announcer = Announcer(self.targets, self.send)

    def send(self, target: Target, notices: Sequence[Notice], now_s: float, timeout_s: float) -> Outcome:
        self.sizes.append(len(notices))
        self.timeouts.append(timeout_s)
        if self.outcome is DELIVERED:
            self.notices += notices
            self.receivers.append(target.name)
            self.ids += [notice.build_id(target.name) for notice in notices]
        return self.outcome

    def list_open_notices(self) -> list[str]:
        return [key for key in self.cloud.buckets[OUTPUT_BUCKET] if "-msg_" in key]

    def upload_all(self, step: Callable[[], object]) -> None:
        self.upload_and_ingest(KEY, BODY)
        self.ctx.send_notices()  # as the upload function does
        step()
