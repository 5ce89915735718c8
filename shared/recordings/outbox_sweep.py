"""The sweep through the notices of one bucket: it sends what is due, until its time runs out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from shared.notices.connection import TOTAL_TIMEOUT_S
from shared.notices.delivery import MAX_AGE_S, MAX_DIGEST_NOTICES, Delivery, TargetState, plan_messages
from shared.notices.models import OutcomeKind, Target
from shared.recordings.outbox_store import MAX_FOREIGN_AGE_S, Entry, OutboxStore, Send
from shared.recordings.outbox_time import SUSPECT_TIMEOUT_S, OutOfTime, SweepTime, rotate
from shared.tencent.clock import parse_timestamp

# Of one target in one sweep, one after the other: then its other notices wait for the next sweep.
MAX_FAILURES_PER_SWEEP, MAX_FAILED_S = 10, 10.0
MAX_ROBOT_NOTICES = 5 * MAX_DIGEST_NOTICES  # to one robot in one sweep


class NoticeCounts(NamedTuple):
    """What a sweep did with notices: how many were delivered, failed and are kept, or were given up."""

    delivered: int = 0
    failed: int = 0
    given_up: int = 0
    stopped_early: bool = False


class OutboxSweep:
    """One sweep. The targets share the time, and another one is the first each time: none waits for one that is slow.

    `remaining_s` returns the seconds that are left for it. A notice before its first attempt is left alone for
    `first_attempt_lease_s`. Raises CloudError and DeadlineExceeded.
    """

    def __init__(
        self,
        store: OutboxStore,
        targets: Mapping[str, Target],
        send: Send,
        remaining_s: Callable[[], float],
        *,
        first_attempt_lease_s: float,
    ) -> None:
        self._store = store
        self._targets = targets
        self._send = send
        self._time = SweepTime(remaining_s)
        self._first_attempt_lease_s = first_attempt_lease_s
        self._delivered = self._failed = self._given_up = 0

    def run(self) -> NoticeCounts:
        """Send what is due, and give up what is older than three days."""
        stopped_early = False
        by_target = self._store.list_due(self._first_attempt_lease_s)
        for position, name in enumerate(rotate(list(by_target), self._store.random())):
            self._time.begin_target(len(by_target) - position)
            try:
                self._send_due_to(name, by_target[name])
            except OutOfTime:
                stopped_early = True
                self._store.log.warning("notices_stopped_early", target=name)
                if self._time.is_over:
                    break
        return NoticeCounts(self._delivered, self._failed, self._given_up, stopped_early)

    def _send_due_to(self, name: str, entries: Iterable[Entry]) -> None:
        target = self._targets.get(name)
        if target is None:
            self._expire_unknown(entries)
            return
        state = self._store.load_state(name)
        if state.is_stopped(target):
            self._give_up_stopped(target, state, entries)
        elif target.kind.is_robot:
            self._send_to_robot(target, state, entries)
        else:
            self._send_one_by_one(target, state, entries)

    def _send_one_by_one(self, target: Target, state: TargetState, entries: Iterable[Entry]) -> None:
        failures, failed_s = 0, 0.0
        for key, delivery in self._read_all(entries):
            is_failing = failures >= MAX_FAILURES_PER_SWEEP or failed_s >= MAX_FAILED_S
            if is_failing or not self._wait_for(target, state):
                if not delivery.is_expired(self._store.now()):
                    return
                state = self._give_up(target, state, key, delivery)
                continue
            start_s = time.monotonic()
            state = self._attempt(target, state, [(key, delivery)])
            failures = failures + 1 if state.failures_in_row else 0
            failed_s = failed_s + time.monotonic() - start_s if failures else 0.0

    def _wait_for(self, target: Target, state: TargetState) -> bool:
        """Check whether an attempt may be made, if necessary after a short pause."""
        pause_s = state.paused_until_s - self._store.now()
        if pause_s > 0 and not state.is_stopped(target) and self._time.may_wait(pause_s):
            self._store.sleep(pause_s)
        return state.may_send(target, self._store.now())

    def _send_to_robot(self, target: Target, state: TargetState, entries: Iterable[Entry]) -> None:
        """Send digests, each before the next one is read.

        After a failure that is not a limit of the robot's, one notice goes by itself, then twice as many each time: a
        notice that the robot refuses holds up the others of its digest for a short time only.
        """
        if not self._wait_for(target, state):
            return
        deliveries = islice(self._read_all(entries), MAX_ROBOT_NOTICES)
        size = 1 if state.failures_in_row and not state.paused_until_s else MAX_DIGEST_NOTICES
        while due := self._read_some(deliveries, size):
            keys = {delivery.id: key for key, delivery in due}
            for group in plan_messages(target, [delivery for _, delivery in due]):
                state = self._attempt(target, state, [(keys[each.id], each) for each in group])
                if state.failures_in_row:
                    self._give_up_expired(target, state, deliveries)
                    return
            size = min(2 * size, MAX_DIGEST_NOTICES)

    def _read_some(self, deliveries: Iterator[tuple[str, Delivery]], size: int) -> list[tuple[str, Delivery]]:
        """Read the next notices: at most `size`, and no more than half of the target's time allows."""
        half_s = self._time.check() / 2
        some = []
        for item in islice(deliveries, size):
            some.append(item)
            if self._time.check() < half_s:
                break
        return some

    def _give_up_expired(
        self,
        target: Target,
        state: TargetState,
        deliveries: Iterable[tuple[str, Delivery]],
    ) -> None:
        for key, delivery in deliveries:
            if not delivery.is_expired(self._store.now()):
                return
            state = self._give_up(target, state, key, delivery)

    def _attempt(self, target: Target, state: TargetState, group: list[tuple[str, Delivery]]) -> TargetState:
        """Make one attempt, and return the state after it."""
        limit_s = SUSPECT_TIMEOUT_S if state.failures_in_row else TOTAL_TIMEOUT_S
        timeout_s = min(limit_s, self._time.check())
        outcome = self._send(target, [delivery.notice for _, delivery in group], self._store.now(), timeout_s)
        after = self._store.note_state(target, state, outcome)
        given_up = self._store.finish_attempt(target, after, group, outcome)
        if outcome.kind is OutcomeKind.DELIVERED:
            self._delivered += len(group)
        else:
            self._given_up += given_up
            self._failed += len(group) - given_up
        return after.note_given_up(given_up, self._store.now()) if given_up else after

    def _give_up(self, target: Target, state: TargetState, key: str, delivery: Delivery) -> TargetState:
        """Give a notice up without an attempt, and return the state after it."""
        self._store.give_up([(key, delivery)])
        self._given_up += 1
        return self._store.note_given_up(target, state, 1)

    def _give_up_stopped(self, target: Target, state: TargetState, entries: Iterable[Entry]) -> None:
        for key, delivery in self._read_all(entries):
            state = self._give_up(target, state, key, delivery._replace(reason=state.reason))

    def _expire_unknown(self, entries: Iterable[Entry]) -> None:
        """Keep notices of a target that is not set, because it may be another deployment's, for three days only."""
        old = (entry for entry in entries if self._store.now() - parse_timestamp(entry.modified) >= MAX_AGE_S)
        for key, delivery in self._read_all(old):
            self._store.give_up([(key, delivery._replace(reason="the target is not set"))])
            self._given_up += 1

    def _read_all(self, entries: Iterable[Entry]) -> Iterator[tuple[str, Delivery]]:
        """Yield keys and notices of one target, each notice once.

        A notice has two objects if an invocation was killed while it moved it to its next time.
        """
        ids = set()
        for entry in entries:
            if entry.parsed.id in ids:
                self._store.delete(entry.key)
                continue
            delivery = self._read(entry)
            if delivery:
                ids.add(delivery.id)
                yield entry.key, delivery

    def _read(self, entry: Entry) -> Delivery | None:
        """Read a notice; None if there is none to send. What a deployment left that is gone is given up."""
        self._time.check()
        delivery = self._store.read(entry)
        if delivery is None or self._store.is_own(delivery):
            return delivery
        if self._store.now() - delivery.created_s >= MAX_FOREIGN_AGE_S:
            self._store.give_up([(entry.key, delivery._replace(reason="its deployment is gone"))])
            self._given_up += 1
        return None
