"""The notices that are on their way: stored before the work on a recording is closed, sent after it, and by the sweep.

    store       one object per target, before the receipt is closed: an invocation that is killed loses no notice
    send_now    one short attempt per target, after the receipt is closed
    send_due    the sweep: whatever is due, until the time runs out

A notice that was delivered has no object any more. An invocation that is killed between the two sends it again, with
the same id. The cost follows the open notices: one request if there are none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from shared.errors import NotFound, RequestRejected
from shared.logger import Logger
from shared.notices.connection import FIRST_ATTEMPT_TIMEOUT_S, TOTAL_TIMEOUT_S
from shared.notices.delivery import (
    MAX_AGE_S,
    MAX_DELIVERY_BYTES,
    MAX_DIGEST_NOTICES,
    MAX_FAILURES_IN_ROW,
    Action,
    Delivery,
    DeliveryKey,
    TargetState,
    after_target_marker,
    apply_outcome,
    delivery_key,
    notices_prefix,
    parse_delivery_key,
    plan_messages,
    target_state_key,
)
from shared.notices.models import InvalidNotice, Notice, NoticeType, Outcome, OutcomeKind, Target
from shared.recordings.outbox_sweep import MIN_ATTEMPT_S, SUSPECT_TIMEOUT_S, OutboxSweep, OutOfTime
from shared.recordings.receipt_store import CONTENT_TYPE, STATE_METADATA
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import CosClient

FIRST_ATTEMPT_LEASE_S = 30.0  # an invocation that stored a notice tries it within this time
# Of one target in one sweep, one after the other: then its other notices wait for the next sweep.
MAX_FAILURES_PER_SWEEP, MAX_FAILED_S = 10, 10.0
MAX_ROBOT_NOTICES = 5 * MAX_DIGEST_NOTICES  # to one robot in one sweep
MAX_FOREIGN_AGE_S = MAX_AGE_S + 86_400.0  # of another deployment's: a day more than it keeps its own
MAX_LISTED = 10_000  # of one target in one sweep

Send = Callable[[Target, Sequence[Notice], float, float], Outcome]  # with Unix seconds, and the time limit


class NoticeCounts(NamedTuple):
    """What a sweep did with notices: how many were delivered, failed and are kept, or were given up."""

    delivered: int = 0
    failed: int = 0
    given_up: int = 0
    stopped_early: bool = False


class _Entry(NamedTuple):
    key: str
    parsed: DeliveryKey
    modified: str


class Outbox:
    """The open notices in one bucket, and the targets that they go to.

    `send` makes one attempt and raises nothing. `now` returns Unix seconds, `random` a number from 0 to 1.
    `first_attempt_lease_s` is how long the sweep leaves a notice to the invocation that stored it. Methods raise
    CloudError and DeadlineExceeded.
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
    ) -> None:
        self._cos = cos
        self._bucket = bucket
        self._prefix = state_prefix
        self._targets = {target.name: target for target in targets}
        self._send = send
        self._log = log
        self._now = now
        self._random = random or cos.client.random
        self._deployment = deployment
        self._first_attempt_lease_s = first_attempt_lease_s

    @property
    def bucket(self) -> str:
        """The bucket with the notices."""
        return self._bucket

    def store(self, notice: Notice, target_names: Sequence[str] | None = None) -> list[Delivery]:
        """Store a notice for the targets with these names, by default for the default ones, that want its type.

        A name that is no target adds the default targets, so that the notice is not lost. Call it before the receipt is
        closed. One request for each target. Storing it again changes nothing.
        """
        deliveries = []
        for target in self._select_targets(notice, target_names):
            delivery = Delivery(notice, target.name, self._now(), deployment=self._deployment)
            self._put(delivery_key(self._prefix, delivery), delivery.to_json())
            deliveries.append(delivery)
        return deliveries

    def _select_targets(self, notice: Notice, target_names: Sequence[str] | None) -> list[Target]:
        names = target_names or ()
        unknown = [name for name in names if name not in self._targets]
        if unknown:
            has_default = any(target.is_default for target in self._targets.values())
            log = self._log.warning if has_default else self._log.error
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
            self._cos.delete(self._bucket, delivery_key(self._prefix, delivery))

    def send_now(self, deliveries: Iterable[Delivery], limit_s: float = FIRST_ATTEMPT_TIMEOUT_S) -> None:
        """Make one attempt each, within `limit_s` seconds for all of them. The sweep makes the next.

        A notice whose lease is over is left to the sweep, which may be sending it.

        One request for each target, one for a notice that is delivered, three for one that is not.
        """
        deadline_s = time.monotonic() + limit_s
        by_target: dict[str, list[Delivery]] = {}
        last_s = self._now() + FIRST_ATTEMPT_TIMEOUT_S
        for delivery in deliveries:
            if self._first_attempt_lease_s and last_s > delivery.created_s + self._first_attempt_lease_s:
                continue
            by_target.setdefault(delivery.target, []).append(delivery)
        for name, members in by_target.items():
            if deadline_s - time.monotonic() < MIN_ATTEMPT_S:
                return  # the sweep sends the others
            target, state = self._targets[name], self._load_state(name)
            for group in plan_messages(target, members):
                is_failing = state.failures_in_row >= MAX_FAILURES_IN_ROW
                timeout_s = deadline_s - time.monotonic()
                if is_failing or timeout_s < MIN_ATTEMPT_S or not state.may_send(target, self._now()):
                    break  # the sweep sends the others
                outcome = self._send(target, [each.notice for each in group], self._now(), timeout_s)
                state = self._note_state(target, state, outcome)
                keyed = [(delivery_key(self._prefix, each), each) for each in group]
                self._finish_attempt(target, state, keyed, outcome)

    def send_due(self, remaining_s: Callable[[], float]) -> NoticeCounts:
        """Send what is due, and give up what is older than three days, until the time runs out.

        The targets share the time, and another one is the first each time: none waits for one that is slow.
        """
        sweep = OutboxSweep(remaining_s)
        by_target = self._list_due()
        names = list(by_target)
        start = min(int(self._random() * len(names)), max(len(names) - 1, 0))
        for position, name in enumerate(names[start:] + names[:start]):
            sweep.begin_target(len(names) - position)
            try:
                self._send_due_to(name, by_target[name], sweep)
            except OutOfTime:
                sweep.stopped_early = True
                self._log.warning("notices_stopped_early", target=name)
                if sweep.is_over:
                    break
        return NoticeCounts(sweep.delivered, sweep.failed, sweep.given_up, sweep.stopped_early)

    def _list_due(self) -> dict[str, list[_Entry]]:
        """Return what is due of each target, the oldest first. One request at least per target."""
        prefix, marker = notices_prefix(self._prefix), ""
        by_target: dict[str, list[_Entry]] = {}
        while True:
            for item in self._cos.iter_objects(self._bucket, prefix=prefix, marker=marker):
                parsed = parse_delivery_key(self._prefix, item.key)
                if parsed is None:
                    continue
                listed = len(by_target.get(parsed.target, ()))
                if parsed.due_s > self._now() or listed >= MAX_LISTED:
                    marker = after_target_marker(self._prefix, parsed.target)
                    break
                age_s = self._now() - parse_timestamp(item.modified)
                if parsed.due_s or age_s >= self._first_attempt_lease_s:
                    by_target.setdefault(parsed.target, []).append(_Entry(item.key, parsed, item.modified))
            else:
                return by_target

    def _send_due_to(self, name: str, entries: Iterable[_Entry], sweep: OutboxSweep) -> None:
        target = self._targets.get(name)
        if target is None:
            self._expire_unknown(entries, sweep)
            return
        state = self._load_state(name)
        if state.is_stopped(target):
            self._give_up_stopped(target, state, entries, sweep)
        elif target.kind.is_robot:
            self._send_to_robot(target, state, entries, sweep)
        else:
            self._send_one_by_one(target, state, entries, sweep)

    def _send_one_by_one(
        self, target: Target, state: TargetState, entries: Iterable[_Entry], sweep: OutboxSweep
    ) -> None:
        failures, failed_s = 0, 0.0
        for key, delivery in self._read_all(entries, sweep):
            is_failing = failures >= MAX_FAILURES_PER_SWEEP or failed_s >= MAX_FAILED_S
            if is_failing or not self._wait_for(target, state, sweep):
                if not delivery.is_expired(self._now()):
                    return
                state = self._give_up(target, state, key, delivery, sweep)
                continue
            start_s = time.monotonic()
            state = self._attempt(target, state, [(key, delivery)], sweep)
            failures = failures + 1 if state.failures_in_row else 0
            failed_s = failed_s + time.monotonic() - start_s if failures else 0.0

    def _wait_for(self, target: Target, state: TargetState, sweep: OutboxSweep) -> bool:
        """Check whether an attempt may be made, if necessary after a short pause."""
        pause_s = state.paused_until_s - self._now()
        if pause_s > 0 and not state.is_stopped(target) and sweep.may_wait(pause_s):
            self._cos.client.sleep(pause_s)
        return state.may_send(target, self._now())

    def _send_to_robot(
        self, target: Target, state: TargetState, entries: Iterable[_Entry], sweep: OutboxSweep
    ) -> None:
        """Send digests, each before the next one is read.

        After a failure that is not a limit of the robot's, one notice goes by itself, then twice as many each time: a
        notice that the robot refuses holds up the others of its digest for a short time only.
        """
        if not self._wait_for(target, state, sweep):
            return
        deliveries = islice(self._read_all(entries, sweep), MAX_ROBOT_NOTICES)
        size = 1 if state.failures_in_row and not state.paused_until_s else MAX_DIGEST_NOTICES
        while due := self._read_some(deliveries, size, sweep):
            keys = {delivery.id: key for key, delivery in due}
            for group in plan_messages(target, [delivery for _, delivery in due]):
                state = self._attempt(target, state, [(keys[each.id], each) for each in group], sweep)
                if state.failures_in_row:
                    self._give_up_expired(target, state, deliveries, sweep)
                    return
            size = min(2 * size, MAX_DIGEST_NOTICES)

    def _read_some(
        self, deliveries: Iterator[tuple[str, Delivery]], size: int, sweep: OutboxSweep
    ) -> list[tuple[str, Delivery]]:
        """Read the next notices: at most `size`, and no more than half of the target's time allows."""
        half_s = sweep.check_time() / 2
        some = []
        for item in islice(deliveries, size):
            some.append(item)
            if sweep.check_time() < half_s:
                break
        return some

    def _give_up_expired(
        self,
        target: Target,
        state: TargetState,
        deliveries: Iterable[tuple[str, Delivery]],
        sweep: OutboxSweep,
    ) -> None:
        for key, delivery in deliveries:
            if not delivery.is_expired(self._now()):
                return
            state = self._give_up(target, state, key, delivery, sweep)

    def _attempt(
        self, target: Target, state: TargetState, group: list[tuple[str, Delivery]], sweep: OutboxSweep
    ) -> TargetState:
        """Make one attempt, and return the state after it."""
        limit_s = SUSPECT_TIMEOUT_S if state.failures_in_row else TOTAL_TIMEOUT_S
        timeout_s = min(limit_s, sweep.check_time())
        outcome = self._send(target, [delivery.notice for _, delivery in group], self._now(), timeout_s)
        after = self._note_state(target, state, outcome)
        given_up = self._finish_attempt(target, after, group, outcome)
        if outcome.kind is OutcomeKind.DELIVERED:
            sweep.delivered += len(group)
        else:
            sweep.given_up += given_up
            sweep.failed += len(group) - given_up
        return after.note_given_up(given_up, self._now()) if given_up else after

    def _finish_attempt(
        self, target: Target, state: TargetState, group: list[tuple[str, Delivery]], outcome: Outcome
    ) -> int:
        """Store what an attempt showed, and return how many notices were given up.

        The objects of a digest that failed stay as they are: the next sweep tries it again.
        """
        given_up = []
        for key, delivery in group:
            step = apply_outcome(delivery, outcome, self._now(), self._random())
            if step.action is Action.DELIVERED:
                self._cos.delete(self._bucket, key)
                self._log.info("notice_delivered", **_describe(step.delivery))
            elif step.action is Action.GIVE_UP:
                given_up.append((key, step.delivery))
            elif len(group) == 1:
                self._put(delivery_key(self._prefix, step.delivery), step.delivery.to_json())
                self._cos.delete(self._bucket, key)
        if outcome.kind is not OutcomeKind.DELIVERED:
            self._log.warning("notice_failed", target=target.name, notices=len(group), reason=outcome.reason)
        if given_up:
            self._delete_given_up(given_up)
            self._save_state(target.name, state.note_given_up(len(given_up), self._now()))
        return len(given_up)

    def _give_up(
        self, target: Target, state: TargetState, key: str, delivery: Delivery, sweep: OutboxSweep
    ) -> TargetState:
        """Give a notice up without an attempt, and return the state after it."""
        self._delete_given_up([(key, delivery)])
        sweep.given_up += 1
        after = state.note_given_up(1, self._now())
        self._save_state(target.name, after)
        return after

    def _delete_given_up(self, group: list[tuple[str, Delivery]]) -> None:
        for key, delivery in group:
            self._log.error("notice_given_up", **_describe(delivery))
            self._cos.delete(self._bucket, key)

    def _give_up_stopped(
        self, target: Target, state: TargetState, entries: Iterable[_Entry], sweep: OutboxSweep
    ) -> None:
        for key, delivery in self._read_all(entries, sweep):
            state = self._give_up(target, state, key, delivery._replace(reason=state.reason), sweep)

    def _expire_unknown(self, entries: Iterable[_Entry], sweep: OutboxSweep) -> None:
        """Keep notices of a target that is not set, because it may be another deployment's, for three days only."""
        old = (entry for entry in entries if self._now() - parse_timestamp(entry.modified) >= MAX_AGE_S)
        for key, delivery in self._read_all(old, sweep):
            self._delete_given_up([(key, delivery._replace(reason="the target is not set"))])
            sweep.given_up += 1

    def _read_all(self, entries: Iterable[_Entry], sweep: OutboxSweep) -> Iterator[tuple[str, Delivery]]:
        """Yield keys and notices of one target, each notice once.

        A notice has two objects if an invocation was killed while it moved it to its next time.
        """
        ids = set()
        for entry in entries:
            if entry.parsed.id in ids:
                self._cos.delete(self._bucket, entry.key)
                continue
            delivery = self._read(entry, sweep)
            if delivery:
                ids.add(delivery.id)
                yield entry.key, delivery

    def _read(self, entry: _Entry, sweep: OutboxSweep) -> Delivery | None:
        """Read a notice; None if it is gone, of another deployment, or none at all, which is logged.

        Another deployment gives its notices up itself; what it left is deleted a day later.
        """
        sweep.check_time()
        try:
            body = self._cos.get(self._bucket, entry.key, max_bytes=MAX_DELIVERY_BYTES).body
            delivery = Delivery.from_json(body)
            if (delivery.target, delivery.id) != (entry.parsed.target, entry.parsed.id):
                raise InvalidNotice("not a notice: its key does not match it")  # noqa: TRY301 - as one that is read
        except NotFound:
            return None
        except (InvalidNotice, RequestRejected) as error:
            self._log.error("notice_unreadable", notice_id=entry.parsed.id, error=str(error))
            return None
        if not (delivery.deployment and self._deployment and delivery.deployment != self._deployment):
            return delivery
        if self._now() - delivery.created_s >= MAX_FOREIGN_AGE_S:
            self._delete_given_up([(entry.key, delivery._replace(reason="its deployment is gone"))])
            sweep.given_up += 1
        return None

    def _note_state(self, target: Target, state: TargetState, outcome: Outcome) -> TargetState:
        """Store the state of a target after an attempt, if it changed, and return it."""
        after = state.note_outcome(target, outcome, self._now())
        if after.is_clear:
            if not state.is_clear:
                self._cos.delete(self._bucket, target_state_key(self._prefix, target.name))
        elif outcome.kind is not OutcomeKind.DELIVERED or state.failures_in_row:
            self._save_state(target.name, after)
        if outcome.kind is OutcomeKind.GONE:
            self._log.error("notice_target_stopped", target=target.name, reason=outcome.reason)
        return after

    def _load_state(self, target_name: str) -> TargetState:
        """Read the state of a target. One that cannot be read stops nothing."""
        key = target_state_key(self._prefix, target_name)
        try:
            return TargetState.from_json(self._cos.get(self._bucket, key, max_bytes=MAX_DELIVERY_BYTES).body)
        except NotFound:
            return TargetState()
        except RequestRejected as error:
            self._log.warning("notice_state_unreadable", target=target_name, error=str(error))
            return TargetState()

    def _save_state(self, target_name: str, state: TargetState) -> None:
        self._put(target_state_key(self._prefix, target_name), state.to_json())

    def _put(self, key: str, body: bytes) -> None:
        self._cos.put(self._bucket, key, body, content_type=CONTENT_TYPE, metadata=STATE_METADATA)


def _describe(delivery: Delivery) -> dict[str, str | int]:
    """Return the fields of a log line about a notice."""
    return {
        "notice_id": delivery.id,
        "type": delivery.notice.type.value,
        "target": delivery.target,
        "bucket": delivery.notice.bucket,
        "key": delivery.notice.key,
        "attempts": delivery.attempts,
        "reason": delivery.reason,
    }
