"""The objects of open notices in one bucket, and of the states of their targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from shared.errors import NotFound, RequestRejected
from shared.logger import Logger
from shared.notices.delivery import (
    MAX_AGE_S,
    MAX_DELIVERY_BYTES,
    Action,
    Delivery,
    DeliveryKey,
    TargetState,
    after_target_marker,
    apply_outcome,
    delivery_key,
    notices_prefix,
    parse_delivery_key,
    target_state_key,
)
from shared.notices.models import InvalidNotice, Notice, Outcome, OutcomeKind, Target
from shared.recordings.receipt_store import CONTENT_TYPE, STATE_METADATA
from shared.tencent.client import TOO_LARGE
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import CosClient

MAX_FOREIGN_AGE_S = MAX_AGE_S + 86_400.0  # of another deployment's: a day more than it keeps its own
# Of one target in one sweep: how many are listed, in two stretches, and how many of them, the oldest, are kept.
MAX_LISTED, MAX_ENTRIES = 50_000, 5_000
_FORBIDDEN = 403  # CAM: the role is older than the notices

Send = Callable[[Target, Sequence[Notice], float, float], Outcome]  # with Unix seconds, and the time limit


class Entry(NamedTuple):
    """A listed notice: its key, what the key says, and when the object was written, in Unix seconds."""

    key: str
    parsed: DeliveryKey
    modified_s: float

    @property
    def created_s(self) -> float:
        """When the notice was made, as far as the listing says it: not before that."""
        return self.parsed.created_s or self.modified_s

    @property
    def waits_since_s(self) -> float:
        """When its next attempt was due."""
        return self.parsed.due_s or self.modified_s


class OutboxStore:
    """The stored notices of one bucket. `now` returns Unix seconds, `random` a number from 0 to 1.

    `known` has the states of targets that this invocation saw, also in other buckets.
    Methods raise CloudError and DeadlineExceeded.
    """

    def __init__(
        self,
        cos: CosClient,
        bucket: str,
        state_prefix: str,
        log: Logger,
        *,
        now: Callable[[], float],
        random: Callable[[], float],
        deployment: str,
        known: dict[str, TargetState],
    ) -> None:
        self.bucket = bucket
        self.log = log
        self.now = now
        self.random = random
        self._cos = cos
        self._prefix = state_prefix
        self._deployment = deployment
        self._known = known

    def create(self, notice: Notice, target_name: str) -> Delivery | None:
        """Store a notice for one target; None, with an error in the log, if the function's role may not store it.

        Then its recording is closed all the same: it would stay open until the role is changed.
        """
        delivery = Delivery(notice, target_name, self.now(), deployment=self._deployment)
        try:
            self._put(self.build_key(delivery), delivery.to_json())
        except RequestRejected as error:
            if error.status != _FORBIDDEN:
                raise
            self._log_not_stored(delivery, error)
            return None
        return delivery

    def _log_not_stored(self, delivery: Delivery, error: RequestRejected) -> None:
        self.log.error(
            "notice_not_stored",
            bucket=delivery.notice.bucket,
            key=delivery.notice.key,
            target=delivery.target,
            code=error.code or str(error.status),
            next_step="run scribe deploy, or scribe policy --create-role, so that the role allows it",
        )

    def build_key(self, delivery: Delivery) -> str:
        """Return the key of a notice."""
        return delivery_key(self._prefix, delivery)

    def delete(self, key: str) -> None:
        """Delete a notice, or the state of a target."""
        self._cos.delete(self.bucket, key)

    def sleep(self, seconds: float) -> None:
        """Wait for a pause that a target asked for."""
        self._cos.client.sleep(seconds)

    def list_due(self, first_attempt_lease_s: float) -> dict[str, list[Entry]]:
        """Return what is due of each target, what waits longest first. One request at least per target.

        A notice before its first attempt is left to the invocation that stored it for `first_attempt_lease_s` seconds.
        Those of another deployment are left out for MAX_FOREIGN_AGE_S. Of more than MAX_LISTED, each sweep sees others.
        """
        prefix, marker = notices_prefix(self._prefix), ""
        by_target: dict[str, list[Entry]] = {}
        listed: Counter[str] = Counter()
        while True:
            for item in self._cos.iter_objects(self.bucket, prefix=prefix, marker=marker):
                parsed = parse_delivery_key(self._prefix, item.key)
                if parsed is None:
                    continue
                listed[parsed.target] += 1
                if parsed.due_s > self.now() or listed[parsed.target] > MAX_LISTED:
                    marker = after_target_marker(self._prefix, parsed.target)
                    break
                entry = Entry(item.key, parsed, parse_timestamp(item.modified))
                if self.now() - entry.modified_s >= self._get_min_age_s(parsed, first_attempt_lease_s):
                    _add_oldest(by_target.setdefault(parsed.target, []), entry)
                if listed[parsed.target] == MAX_LISTED // 2:
                    marker = max(item.key, self._choose_marker(parsed.target))
                    break
            else:
                for entries in by_target.values():
                    entries.sort(key=lambda each: each.waits_since_s)
                return by_target

    def _choose_marker(self, target_name: str) -> str:
        """Choose a place among the notices of a target before their first attempt: ids are digests."""
        return f"{notices_prefix(self._prefix)}{target_name}/{0:010}-msg_{int(self.random() * 16**8):08x}"

    def _get_min_age_s(self, parsed: DeliveryKey, first_attempt_lease_s: float) -> float:
        """Return the age from which on this sweep takes a notice that is due."""
        if not parsed.may_be_of(self._deployment):
            return MAX_FOREIGN_AGE_S
        return 0.0 if parsed.due_s else first_attempt_lease_s

    def read(self, entry: Entry) -> Delivery | None:
        """Read a notice; None if it is gone, or none at all, which is logged, and deleted after MAX_FOREIGN_AGE_S."""
        try:
            body = self._cos.get(self.bucket, entry.key, max_bytes=MAX_DELIVERY_BYTES).body
            delivery = Delivery.from_json(body)
            if (delivery.target, delivery.id) != (entry.parsed.target, entry.parsed.id):
                raise InvalidNotice("not a notice: its key does not match it")  # noqa: TRY301 - as one that is read
        except NotFound:
            return None
        except (InvalidNotice, RequestRejected) as error:
            self.log.error("notice_unreadable", notice_id=entry.parsed.id, error=str(error))
            is_denied = isinstance(error, RequestRejected) and error.code != TOO_LARGE
            if not is_denied and self.now() - entry.modified_s >= MAX_FOREIGN_AGE_S:
                self.delete(entry.key)
            return None
        return delivery

    def is_own(self, delivery: Delivery) -> bool:
        """Check that a notice is not of another deployment."""
        return not (delivery.deployment and self._deployment and delivery.deployment != self._deployment)

    def finish_attempt(self, target: Target, group: list[tuple[str, Delivery]], outcome: Outcome) -> int:
        """Store what an attempt showed, and return how many notices were given up.

        The objects of a digest that failed stay as they are: the next sweep tries it again.
        """
        given_up = []
        for key, delivery in group:
            step = apply_outcome(delivery, outcome, self.now(), self.random())
            if step.action is Action.DELIVERED:
                self.delete(key)
                self.log.info("notice_delivered", **_describe(step.delivery))
            elif step.action is Action.GIVE_UP:
                given_up.append((key, step.delivery))
            elif len(group) == 1:
                self._put(self.build_key(step.delivery), step.delivery.to_json())
                self.delete(key)
        if outcome.kind is not OutcomeKind.DELIVERED:
            self.log.warning("notice_failed", target=target.name, notices=len(group), reason=outcome.reason)
        if given_up:
            self.note_given_up(target, len(given_up))
            self.give_up(given_up)
        return len(given_up)

    def give_up(self, group: Iterable[tuple[str, Delivery]]) -> None:
        """Delete notices that were not delivered, with an error in the log for each."""
        for key, delivery in group:
            self.log.error("notice_given_up", **_describe(delivery))
            self.delete(key)

    def note_given_up(self, target: Target, count: int) -> None:
        """Store that so many notices of a target are given up. Call it before `give_up`: none is left out then."""
        self._save_state(target.name, self._read_state(target.name).note_given_up(count, self.now()))

    def note_state(self, target: Target, state: TargetState, outcome: Outcome) -> TargetState:
        """Store the state of a target after an attempt, if it changed, and return it.

        `state` is that before the attempt. It is read again, because other invocations send to the target too.
        """
        is_delivered = outcome.kind is OutcomeKind.DELIVERED
        if is_delivered and not state.failures_in_row:
            return state
        current = self._read_state(target.name)
        if is_delivered and current != state and current.paused_until_s > self.now():
            return current  # the target asked for the pause after this attempt began
        after = self._known[target.name] = current.note_outcome(target, outcome, self.now())
        if after.is_clear:
            self.delete(self._build_state_key(target.name))
        else:
            self._save_state(target.name, after)
        if outcome.kind is OutcomeKind.GONE:
            self.log.error("notice_target_stopped", target=target.name, reason=outcome.reason)
        return after

    def load_state(self, target_name: str) -> TargetState:
        """Read the state of a target, with the pause and the stop that are known from other buckets."""
        state = self._read_state(target_name).respect(self._known.get(target_name, TargetState()))
        self._known[target_name] = state
        return state

    def _read_state(self, target_name: str) -> TargetState:
        """Read the state of a target. One that cannot be read stops nothing."""
        key = self._build_state_key(target_name)
        try:
            return TargetState.from_json(self._cos.get(self.bucket, key, max_bytes=MAX_DELIVERY_BYTES).body)
        except NotFound:
            return TargetState()
        except RequestRejected as error:
            self.log.warning("notice_state_unreadable", target=target_name, error=str(error))
            return TargetState()

    def _save_state(self, target_name: str, state: TargetState) -> None:
        self._put(self._build_state_key(target_name), state.to_json())

    def _build_state_key(self, target_name: str) -> str:
        return target_state_key(self._prefix, target_name, self._deployment)

    def _put(self, key: str, body: bytes) -> None:
        self._cos.put(self.bucket, key, body, content_type=CONTENT_TYPE, metadata=STATE_METADATA)


def _add_oldest(entries: list[Entry], entry: Entry) -> None:
    """Add an entry; of many, the MAX_ENTRIES oldest ones stay."""
    entries.append(entry)
    if len(entries) >= 2 * MAX_ENTRIES:
        entries.sort(key=lambda each: each.created_s)
        del entries[MAX_ENTRIES:]


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
