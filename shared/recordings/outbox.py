"""The notices that are on their way: stored before the work on a recording is closed, sent after it, and by the sweep.

    store       one object per target, before the receipt is closed: an invocation that is killed loses no notice
    send_now    one short attempt per target, after the receipt is closed
    send_due    the sweep: whatever is due, until the time runs out

A notice that was delivered has no object any more. An invocation that is killed between the two sends it again, with
the same id. The cost follows the open notices: one request if there are none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from shared.logger import Logger
from shared.notices.connection import FIRST_ATTEMPT_TIMEOUT_S
from shared.notices.delivery import MAX_FAILURES_IN_ROW, Delivery, TargetState, plan_messages
from shared.notices.models import Notice, NoticeType, Target
from shared.recordings.outbox_store import OutboxStore, Send
from shared.recordings.outbox_sweep import NoticeCounts, OutboxSweep
from shared.recordings.outbox_time import MIN_ATTEMPT_S
from shared.tencent.cos import CosClient

FIRST_ATTEMPT_LEASE_S = 30.0  # an invocation that stored a notice tries it within this time


class Outbox:
    """The open notices in one bucket, and the targets that they go to.

    `send` makes one attempt and raises nothing. `now` returns Unix seconds, `random` a number from 0 to 1.
    `first_attempt_lease_s` is how long the sweep leaves a notice to the invocation that stored it.
    `known` collects the states of targets: outboxes that share it respect a pause or a 410 in any of their buckets.
    Methods raise CloudError and DeadlineExceeded.
    """

    def __init__(
        self,
        cos: CosClient,
        bucket: str,
        state_prefix: str,
        targets: Iterable[Target],
        send: Send,
        log: Logger,
        *,
        now: Callable[[], float] = time.time,
        random: Callable[[], float] | None = None,
        deployment: str = "",
        first_attempt_lease_s: float = FIRST_ATTEMPT_LEASE_S,
        known: dict[str, TargetState] | None = None,
    ) -> None:
        self._targets = {target.name: target for target in targets}
        self._send = send
        self._first_attempt_lease_s = first_attempt_lease_s
        self._store = OutboxStore(
            cos,
            bucket,
            state_prefix,
            log,
            now=now,
            random=random or cos.client.random,
            deployment=deployment,
            known={} if known is None else known,
        )

    @property
    def bucket(self) -> str:
        """The bucket with the notices."""
        return self._store.bucket

    def store(self, notice: Notice, target_names: Sequence[str] | None = None) -> list[Delivery]:
        """Store a notice for the targets with these names, by default for the default ones, that want its type.

        A name that is no target adds the default targets, so that the notice is not lost. Call it before the receipt is
        closed. One request for each target. Storing it again changes nothing. A notice that the function's role may not
        store is logged and left out.
        """
        created = (
            self._store.create(notice, target.name) for target in self._select_targets(notice, target_names)
        )
        return [delivery for delivery in created if delivery]

    def _select_targets(self, notice: Notice, target_names: Sequence[str] | None) -> list[Target]:
        names = target_names or ()
        unknown = [name for name in names if name not in self._targets]
        if unknown:
            has_default = any(target.is_default for target in self._targets.values())
            log = self._store.log.warning if has_default else self._store.log.error
            log("notice_target_unknown", bucket=notice.bucket, key=notice.key, targets=unknown)
        uses_default = target_names is None or bool(unknown)
        return [
            target
            for target in self._targets.values()
            if (notice.type in target.types or notice.type is NoticeType.BUDGET)
            and ((target.is_default and uses_default) or target.name in names)
        ]

    def withdraw(self, deliveries: Iterable[Delivery]) -> None:
        """Delete stored notices, because another outcome of the recording was first."""
        for delivery in deliveries:
            self._store.delete(self._store.build_key(delivery))

    def send_now(self, deliveries: Iterable[Delivery], limit_s: float = FIRST_ATTEMPT_TIMEOUT_S) -> None:
        """Make one attempt each, within `limit_s` seconds for all of them. The sweep makes the next.

        A notice whose lease is over is left to the sweep, which may be sending it.

        One request for each target, one for a notice that is delivered, four for one that is not.
        """
        deadline_s = time.monotonic() + limit_s
        by_target: dict[str, list[Delivery]] = {}
        last_s = self._store.now() + FIRST_ATTEMPT_TIMEOUT_S
        for delivery in deliveries:
            if self._first_attempt_lease_s and last_s > delivery.created_s + self._first_attempt_lease_s:
                continue
            by_target.setdefault(delivery.target, []).append(delivery)
        for name, members in by_target.items():
            if deadline_s - time.monotonic() < MIN_ATTEMPT_S:
                return  # the sweep sends the others
            target, state = self._targets[name], self._store.load_state(name)
            for group in plan_messages(target, members):
                is_failing = state.failures_in_row >= MAX_FAILURES_IN_ROW
                timeout_s = deadline_s - time.monotonic()
                if is_failing or timeout_s < MIN_ATTEMPT_S or not state.may_send(target, self._store.now()):
                    break  # the sweep sends the others
                outcome = self._send(target, [each.notice for each in group], self._store.now(), timeout_s)
                state = self._store.note_state(target, state, outcome)
                keyed = [(self._store.build_key(each), each) for each in group]
                self._store.finish_attempt(target, keyed, outcome)

    def send_due(self, remaining_s: Callable[[], float]) -> NoticeCounts:
        """Send what is due, and give up what is older than three days, until the time runs out."""
        lease_s = self._first_attempt_lease_s
        sweep = OutboxSweep(
            self._store, self._targets, self._send, remaining_s, first_attempt_lease_s=lease_s
        )
        return sweep.run()
