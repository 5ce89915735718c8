"""One notice on its way to one target, and what to do after each attempt. Pure: no requests, no clock of its own.

    created ──attempt──▶ delivered                      the object is deleted
       ▲        │
       └─retry──┤        failed, rate limited, no time
                ├──▶ given up                           three days are over: the log and the doctor say so
                └──▶ target stopped                     410: nothing more goes to this address

Each `Delivery` is an object below STATE_PREFIX: `notices/<target>/<due>-<id>-<deployment>-<created>`. `due` has ten
digits, so that a listing has what is due first, and a sweep stops at the first that is not; `0000000000` before the
first attempt, so that the same notice has the same key when it is made twice. `deployment` is a digest, so that a sweep
need not read the notices of another deployment; it is left out if the deployment is not known. `created` is left out
before the first attempt: then it is when the object was written. `notices/<target>.<deployment>.json` is the state of
the target.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from shared.notices.models import (
    MAX_TIME_S,
    InvalidNotice,
    Notice,
    NoticeType,
    Outcome,
    OutcomeKind,
    Target,
    parse_seconds,
)

VERSION = 1
MAX_DELIVERY_BYTES = (
    256 * 1024
)  # more than a notice has with the longest keys and texts, each character escaped
MAX_AGE_S = 3 * 86_400.0
# After the first attempt, the second, ...; the last pause repeats. A pause is between half and the whole of it.
BACKOFF_S = (60.0, 300.0, 900.0, 1800.0, 3600.0)
MAX_SINGLE_MESSAGES = 5  # to a robot in one sweep; more become a digest. Every robot allows 20 a minute
MAX_DIGEST_NOTICES = 200  # each is an object to read and to delete
MAX_FAILURES_IN_ROW = 5  # after them, only the sweep tries a target, until an attempt succeeds

_FOLDER = "notices/"
_TIME_DIGITS = 10
_DEPLOYMENT_DIGITS = 8
_NAME = re.compile(r"[a-z0-9-]{1,64}")
_KEY = re.compile(
    rf"(?P<target>{_NAME.pattern})/(?P<due>[0-9]{{10}})-(?P<id>msg_[0-9a-f]{{32}})(?:-(?P<deployment>[0-9a-f]{{8}}))?"
    r"(?:-(?P<created>[0-9]{10}))?"
)


class Delivery(NamedTuple):
    """A notice for one target. Times in Unix seconds; `due_s` is 0 before the first attempt.

    `reason` is why the last attempt failed. `deployment` tells the notices of several deployments with one output
    bucket apart: each has targets of its own. "" is unknown.
    """

    notice: Notice
    target: str
    created_s: float
    due_s: float = 0.0
    attempts: int = 0
    reason: str = ""
    deployment: str = ""

    @property
    def id(self) -> str:
        """Return the id of the notice for this target."""
        return self.notice.build_id(self.target)

    def is_expired(self, now_s: float) -> bool:
        """Check whether the notice was on its way for three days."""
        return now_s - self.created_s >= MAX_AGE_S

    def to_json(self) -> bytes:
        """Return the bytes of the object."""
        document = {**self._asdict(), "version": VERSION, "notice": self.notice.as_document()}
        return json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")

    @classmethod
    def from_json(cls, body: bytes) -> Delivery:
        """Parse what `to_json` returned, of this version or a later one that reads alike. Raises InvalidNotice."""
        try:
            raw = json.loads(body)
            return cls(
                notice=Notice.from_document(raw["notice"]),
                target=str(raw["target"]),
                created_s=parse_seconds(raw["created_s"]),
                due_s=parse_seconds(raw["due_s"]),
                attempts=int(raw["attempts"]),
                reason=str(raw["reason"]),
                deployment=str(raw["deployment"]),
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise InvalidNotice(f"not a notice: {type(error).__name__}") from None


class DeliveryKey(NamedTuple):
    """What the key of a delivery says: its target, when it is due (Unix seconds), and the id of the notice.

    `deployment` is the digest of its deployment, "" if that is not known; `created_s` is when the notice was made, 0 if
    the key does not say it.
    """

    target: str
    due_s: int
    id: str
    deployment: str = ""
    created_s: int = 0

    def may_be_of(self, deployment: str) -> bool:
        """Check whether it can be a notice of this deployment."""
        return not deployment or self.deployment in {"", _digest_deployment(deployment)}


def notices_prefix(state_prefix: str) -> str:
    """Return the prefix of everything about notices."""
    return state_prefix + _FOLDER


def delivery_key(state_prefix: str, delivery: Delivery) -> str:
    """Return the key of a delivery."""
    ending = f"-{_digest_deployment(delivery.deployment)}" if delivery.deployment else ""
    due = _format_seconds(delivery.due_s)
    created = f"-{_format_seconds(delivery.created_s)}" if delivery.due_s else ""
    return f"{state_prefix}{_FOLDER}{delivery.target}/{due}-{delivery.id}{ending}{created}"


def _format_seconds(time_s: float) -> str:
    return f"{min(max(math.ceil(time_s), 0), MAX_TIME_S):0{_TIME_DIGITS}}"


def _digest_deployment(deployment: str) -> str:
    return hashlib.sha256(deployment.encode("utf-8", "surrogatepass")).hexdigest()[:_DEPLOYMENT_DIGITS]


def target_state_key(state_prefix: str, target_name: str, deployment: str) -> str:
    """Return the key of the state of a target of a deployment; "" is unknown."""
    return f"{state_prefix}{_FOLDER}{target_name}{_format_state_ending(deployment)}"


def parse_target_state_key(state_prefix: str, key: str, deployment: str) -> str:
    """Return the name of the target whose state of this deployment has the key; "" for another object."""
    prefix, ending = notices_prefix(state_prefix), _format_state_ending(deployment)
    name = key.removeprefix(prefix).removesuffix(ending)
    return name if _NAME.fullmatch(name) and key == f"{prefix}{name}{ending}" else ""


def _format_state_ending(deployment: str) -> str:
    return f".{_digest_deployment(deployment)}.json" if deployment else ".json"


def after_target_marker(state_prefix: str, target_name: str) -> str:
    """Return the marker after which a listing continues with the next target."""
    return f"{state_prefix}{_FOLDER}{target_name}0"  # the character after `/`


def parse_delivery_key(state_prefix: str, key: str) -> DeliveryKey | None:
    """Parse the key of a delivery; None for another object."""
    prefix = notices_prefix(state_prefix)
    match = _KEY.fullmatch(key.removeprefix(prefix)) if key.startswith(prefix) else None
    if match is None:
        return None
    due_s, created_s = int(match["due"]), int(match["created"] or 0)
    return DeliveryKey(match["target"], due_s, match["id"], match["deployment"] or "", created_s)


class Action(Enum):
    """What to do with a delivery after an attempt."""

    DELIVERED = "delivered"  # delete its object
    RETRY = "retry"  # write its object under the new key, then delete the one under the old key
    GIVE_UP = "give_up"  # delete its object, log it as an error


class Step(NamedTuple):
    """What to do with a delivery, which has its new state."""

    action: Action
    delivery: Delivery


def apply_outcome(delivery: Delivery, outcome: Outcome, now_s: float, random: float) -> Step:
    """Decide what to do after an attempt. `random` is from 0 to 1, and spreads the next attempts of many deliveries.

    The last attempt is made when the three days are over, not before.
    """
    attempted = delivery._replace(attempts=delivery.attempts + 1, reason=outcome.reason)
    if outcome.kind is OutcomeKind.DELIVERED:
        return Step(Action.DELIVERED, attempted)
    if outcome.kind is OutcomeKind.GONE or delivery.is_expired(now_s):
        return Step(Action.GIVE_UP, attempted)
    due_s = min(now_s + compute_backoff_s(attempted.attempts, random), delivery.created_s + MAX_AGE_S)
    due_s = max(due_s, now_s + outcome.retry_after_s)  # a target that asks for a pause gets it
    return Step(Action.RETRY, attempted._replace(due_s=due_s))


def compute_backoff_s(attempts: int, random: float) -> float:
    """Return the pause after this many attempts, in seconds, with jitter."""
    return BACKOFF_S[min(attempts, len(BACKOFF_S)) - 1] * (0.5 + random / 2)


class TargetState(NamedTuple):
    """What the last attempts to one target showed. Stored after a failure; deleted once it `is_clear` again.

    `stopped_fingerprint` is that of the address that answered 410. `given_up` counts notices that were never delivered,
    for the doctor.
    """

    failures_in_row: int = 0
    paused_until_s: float = 0.0
    stopped_fingerprint: str = ""
    reason: str = ""
    changed_s: float = 0.0
    given_up: int = 0

    def to_json(self) -> bytes:
        """Return the bytes of the object."""
        return json.dumps({"version": VERSION, **self._asdict()}, ensure_ascii=False, indent=1).encode(
            "utf-8", "replace"
        )

    @classmethod
    def from_json(cls, body: bytes) -> TargetState:
        """Parse what `to_json` returned. What cannot be read is a state without failures."""
        try:
            raw: Mapping[str, Any] = json.loads(body)
            return cls(
                failures_in_row=int(raw["failures_in_row"]),
                paused_until_s=parse_seconds(raw["paused_until_s"]),
                stopped_fingerprint=str(raw["stopped_fingerprint"]),
                reason=str(raw["reason"]),
                changed_s=parse_seconds(raw["changed_s"]),
                given_up=int(raw["given_up"]),
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return cls()

    @property
    def is_clear(self) -> bool:
        """Check that there is nothing to remember."""
        return not (self.failures_in_row or self.stopped_fingerprint or self.given_up)

    def is_stopped(self, target: Target) -> bool:
        """Check whether the target's address answered 410. Another address starts again."""
        return self.stopped_fingerprint == target.fingerprint

    def may_send(self, target: Target, now_s: float) -> bool:
        """Check whether an attempt may be made now: the target did not ask for a pause, or for an end."""
        return not self.is_stopped(target) and now_s >= self.paused_until_s

    def respect(self, other: TargetState) -> TargetState:
        """Return the state with the pause and the stop of `other` too: the state of the target in another bucket."""
        if not (other.paused_until_s or other.stopped_fingerprint):
            return self
        return self._replace(
            failures_in_row=max(self.failures_in_row, other.failures_in_row),
            paused_until_s=max(self.paused_until_s, other.paused_until_s),
            stopped_fingerprint=other.stopped_fingerprint or self.stopped_fingerprint,
            reason=other.reason,
        )

    def note_outcome(self, target: Target, outcome: Outcome, now_s: float) -> TargetState:
        """Return the state after an attempt. A failure ends no pause, and no stop of the same address."""
        if outcome.kind is OutcomeKind.DELIVERED:
            return TargetState(given_up=self.given_up, changed_s=now_s)
        paused_until_s = max(self.paused_until_s, now_s + outcome.retry_after_s)
        is_stopped = outcome.kind is OutcomeKind.GONE or self.is_stopped(target)
        return self._replace(
            failures_in_row=self.failures_in_row + 1,
            paused_until_s=paused_until_s if paused_until_s > now_s else 0.0,
            stopped_fingerprint=target.fingerprint if is_stopped else "",
            reason=outcome.reason,
            changed_s=now_s,
        )

    def note_given_up(self, count: int, now_s: float) -> TargetState:
        """Return the state after notices were given up."""
        return self._replace(given_up=self.given_up + count, changed_s=now_s)


def plan_messages(target: Target, deliveries: Sequence[Delivery]) -> list[tuple[Delivery, ...]]:
    """Group deliveries that are due for one target: each group is one attempt.

    A webhook gets each notice by itself. A robot gets up to MAX_SINGLE_MESSAGES by themselves; more become digests of
    recordings. If a digest fails, its deliveries keep their objects as they are: the state of the target has the pause.
    """
    if not target.kind.is_robot or len(deliveries) <= MAX_SINGLE_MESSAGES:
        return [(delivery,) for delivery in deliveries]
    alone = [each for each in deliveries if each.notice.type is NoticeType.BUDGET]
    others = [each for each in deliveries if each.notice.type is not NoticeType.BUDGET]
    starts = range(0, len(others), MAX_DIGEST_NOTICES)
    digests = [tuple(others[start : start + MAX_DIGEST_NOTICES]) for start in starts]
    return [*((delivery,) for delivery in alone), *digests]
