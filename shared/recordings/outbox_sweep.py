"""The sweep through the notices of one bucket: it sends what is due, until its time runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from shared.notices.connection import TOTAL_TIMEOUT_S
from shared.notices.delivery import MAX_AGE_S, MAX_DIGEST_NOTICES, Delivery, TargetState, plan_messages
from shared.notices.models import OutcomeKind, Target
from shared.recordings.outbox_store import MAX_FOREIGN_AGE_S, Entry, OutboxStore, Send
from shared.recordings.outbox_time import MIN_ATTEMPT_S, SUSPECT_TIMEOUT_S, OutOfTime, SweepTime, rotate

Deliveries = Iterator[tuple[str, Delivery]]  # with their keys

# Of one target in one sweep, one after the other: then its other notices wait for the next sweep.
MAX_FAILURES_PER_SWEEP, MAX_FAILED_S = 10, 10.0
MAX_ROBOT_NOTICES = 5 * MAX_DIGEST_NOTICES  # to one robot in one sweep
MAX_GIVEN_UP = 500  # of one target in one sweep, each without an attempt


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
        self._ids: set[str] = set()  # of the notices of one target that were read
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
        self._ids = set()
        if target is None:  # it may be another deployment's, so its notices stay for three days
            self._give_up(None, filter(self._is_expired, entries), "the target is not set")
            return
        state, rest = self._store.load_state(name), iter(entries)
        if not state.is_stopped(target):
            send = self._send_to_robot if target.kind.is_robot else self._send_one_by_one
            state = send(target, state, self._read_all(rest))
        if state.is_stopped(target):
            self._give_up(target, rest, state.reason)
        elif state.failures_in_row:
            self._give_up(target, filter(self._is_expired, rest))

    def _is_expired(self, entry: Entry) -> bool:
        """Check, by the listing, whether a notice was on its way for three days."""
        return self._store.now() - entry.created_s >= MAX_AGE_S

    def _send_one_by_one(self, target: Target, state: TargetState, deliveries: Deliveries) -> TargetState:
        """Send notices until too many fail, and return the state of the target after it."""
        failures, failed_s = 0, 0.0
        max_failed_s = min(MAX_FAILED_S, self._time.check() / 2)  # the rest is for what is given up
        while failures < MAX_FAILURES_PER_SWEEP and failed_s < max_failed_s and self._wait_for(target, state):
            due = next(deliveries, None)
            if due is None:
                break
            left_s = self._time.left_s
            state = self._attempt(target, state, [due])
            failures = failures + 1 if state.failures_in_row else 0
            failed_s = failed_s + left_s - self._time.left_s if failures else 0.0
        return state

    def _wait_for(self, target: Target, state: TargetState) -> bool:
        """Check whether an attempt may be made, if necessary after a short pause."""
        pause_s = state.paused_until_s - self._store.now()
        if pause_s > 0 and not state.is_stopped(target) and self._time.may_wait(pause_s):
            self._store.sleep(pause_s)
        return state.may_send(target, self._store.now())

    def _send_to_robot(self, target: Target, state: TargetState, deliveries: Deliveries) -> TargetState:
        """Send digests, each before the next one is read, and return the state of the target after it.

        After a failure that is not a limit of the robot's, one notice goes by itself, then twice as many each time: a
        notice that the robot refuses holds up the others of its digest for a short time only.
        """
        if not self._wait_for(target, state):
            return state
        deliveries = islice(deliveries, MAX_ROBOT_NOTICES)
        size = 1 if state.failures_in_row and not state.paused_until_s else MAX_DIGEST_NOTICES
        while due := self._read_some(deliveries, size):
            keys = {delivery.id: key for key, delivery in due}
            for group in plan_messages(target, [delivery for _, delivery in due]):
                state = self._attempt(target, state, [(keys[each.id], each) for each in group])
                if state.failures_in_row:
                    return state
            size = min(2 * size, MAX_DIGEST_NOTICES)
        return state

    def _read_some(self, deliveries: Deliveries, size: int) -> list[tuple[str, Delivery]]:
        """Read the next notices: at most `size`, and no more than half of the target's time allows."""
        half_s = self._time.check() / 2
        some = []
        for item in islice(deliveries, size):
            some.append(item)
            if self._time.check() < half_s:
                break
        return some

    def _attempt(self, target: Target, state: TargetState, group: list[tuple[str, Delivery]]) -> TargetState:
        """Make one attempt, and return the state after it."""
        timeout_s = min(TOTAL_TIMEOUT_S, self._time.check())
        if state.failures_in_row:  # half of the time is for what is given up
            timeout_s = min(SUSPECT_TIMEOUT_S, max(timeout_s / 2, MIN_ATTEMPT_S))
        outcome = self._send(target, [delivery.notice for _, delivery in group], self._store.now(), timeout_s)
        after = self._store.note_state(target, state, outcome)
        given_up = self._store.finish_attempt(target, group, outcome)
        if outcome.kind is OutcomeKind.DELIVERED:
            self._delivered += len(group)
        else:
            self._given_up += given_up
            self._failed += len(group) - given_up
        return after

    def _give_up(self, target: Target | None, entries: Iterable[Entry], reason: str = "") -> None:
        """Give notices up without an attempt, at most MAX_GIVEN_UP: the next sweep goes on."""
        deliveries = islice(self._read_all(entries), MAX_GIVEN_UP)
        while some := self._read_some(deliveries, MAX_DIGEST_NOTICES):
            if target:
                self._store.note_given_up(target, len(some))
            self._store.give_up([(key, each._replace(reason=reason or each.reason)) for key, each in some])
            self._given_up += len(some)

    def _read_all(self, entries: Iterable[Entry]) -> Deliveries:
        """Yield keys and notices of one target, each notice once.

        A notice has two objects if an invocation was killed while it moved it to its next time.
        """
        for entry in entries:
            if entry.parsed.id in self._ids:
                self._store.delete(entry.key)
                continue
            delivery = self._read(entry)
            if delivery:
                self._ids.add(delivery.id)
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
