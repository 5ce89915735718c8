"""What the state buckets say about notices: how many are open for each target, and how its last attempts ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timezone
from enum import Enum
from typing import NamedTuple
from urllib.parse import urlsplit

from cli.language import _, ngettext
from cli.manifest.models import CALLBACK, Manifest
from shared.errors import NotFound, RequestRejected
from shared.notices.delivery import (
    MAX_DELIVERY_BYTES,
    Delivery,
    TargetState,
    after_target_marker,
    notices_prefix,
    parse_delivery_key,
    parse_target_state_key,
    target_state_key,
)
from shared.notices.models import InvalidNotice, Target
from shared.recordings.context import format_deployment
from shared.recordings.receipt_store import CONTENT_TYPE, STATE_METADATA
from shared.tencent.cos import CosClient

MAX_PAGES = 10  # of 1,000 notices, for one target in one bucket
MAX_READ_NOTICES = 5  # of one target: those that are due first


class NoticePlace(NamedTuple):
    """A bucket with notices, the client of its region, STATE_PREFIX, and the deployment whose notices are read."""

    cos: CosClient
    bucket: str
    prefix: str
    deployment: str


class Condition(Enum):
    """The state of a target in one word."""

    READY = "ready"
    FAILING = "failing"  # the last attempt failed
    PAUSED = "paused"  # the target asked for a pause
    STOPPED = "stopped"  # the target answered 410: it wants no more


class TargetNotices(NamedTuple):
    """The open notices of one target, and its state. Times in Unix seconds, 0 if there is none.

    `oldest_s` is when the oldest of the first MAX_READ_NOTICES was made, `next_s` when the first is due; without
    `is_complete` there are more open ones.
    """

    open: int = 0
    is_complete: bool = True
    oldest_s: float = 0.0
    next_s: float = 0.0
    state: TargetState = TargetState()

    def describe(self, target: Target, now_s: float) -> Condition:
        """Return the state in one word."""
        if self.state.is_stopped(target):
            return Condition.STOPPED
        if self.state.paused_until_s > now_s:
            return Condition.PAUSED
        return Condition.FAILING if self.state.failures_in_row else Condition.READY

    def add(self, other: TargetNotices) -> TargetNotices:
        """Add what another bucket has about the same target; the state that changed last counts."""
        older, newer = sorted((self.state, other.state), key=lambda state: state.changed_s)
        return TargetNotices(
            self.open + other.open,
            self.is_complete and other.is_complete,
            _find_first(self.oldest_s, other.oldest_s),
            _find_first(self.next_s, other.next_s),
            newer._replace(given_up=older.given_up + newer.given_up),
        )

    @property
    def open_text(self) -> str:
        """How many notices are open, in words."""
        if not self.is_complete:
            return _("more than {number:,} notices are open", number=self.open)
        return ngettext("{count} notice is open", "{count} notices are open", self.open)


NO_NOTICES = TargetNotices()


def find_deployment(manifest: Manifest) -> str:
    """Return the name of the deployment, as its functions compute it."""
    callback = manifest.functions[CALLBACK]
    return format_deployment(manifest.region, callback.namespace, callback.name)


def get_host(target: Target) -> str:
    """Return the host of a target with its port if it has one: the part of its address that is no secret."""
    return urlsplit(target.url).netloc


def read_notices(places: Iterable[NoticePlace], *, max_pages: int = MAX_PAGES) -> dict[str, TargetNotices]:
    """Read the notices of every target, by name. One request for each 1,000, and a few for each target.

    `max_pages` is for one target in one bucket. Raises CloudError.
    """
    notices: dict[str, TargetNotices] = {}
    for place in places:
        for name, found in _PlaceReader(place, max_pages).read().items():
            notices[name] = notices[name].add(found) if name in notices else found
    return notices


def reset_target(places: Iterable[NoticePlace], name: str) -> None:
    """Write the state of a target without failures, so that the next attempt is made as if none had failed.

    The deploying key may write there, but not delete. Raises CloudError.
    """
    for place in places:
        place.cos.put(
            place.bucket,
            target_state_key(place.prefix, name, place.deployment),
            TargetState().to_json(),
            content_type=CONTENT_TYPE,
            metadata=STATE_METADATA,
        )


def format_time(time_s: float) -> str:
    """Format Unix seconds; "" for 0."""
    try:
        return datetime.fromtimestamp(time_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if time_s else ""
    except (ValueError, OverflowError, OSError):
        return _("an unknown time")


class _PlaceReader:
    """Reads one bucket."""

    def __init__(self, place: NoticePlace, max_pages: int) -> None:
        self._place, self._max_pages = place, max_pages
        self._notices: dict[str, TargetNotices] = {}

    def read(self) -> dict[str, TargetNotices]:
        prefix, marker = notices_prefix(self._place.prefix), ""
        last_target, pages = "", 0
        while True:
            page = self._place.cos.list_objects(self._place.bucket, prefix=prefix, marker=marker)
            for item in page.objects:
                self._add(item.key)
            marker = page.next_marker
            if not marker:
                return self._notices
            parsed = parse_delivery_key(self._place.prefix, page.objects[-1].key) if page.objects else None
            target = parsed.target if parsed else ""
            pages = pages + 1 if target == last_target else 1
            last_target = target
            if target and pages >= self._max_pages:
                self._change(target, lambda found: found._replace(is_complete=False))
                marker = after_target_marker(self._place.prefix, target)

    def _add(self, key: str) -> None:
        parsed = parse_delivery_key(self._place.prefix, key)
        if parsed is None:
            name = parse_target_state_key(self._place.prefix, key, self._place.deployment)
            if name:
                state = TargetState.from_json(self._get(key))
                self._change(name, lambda found: found._replace(state=state))
            return
        if not parsed.may_be_of(self._place.deployment):
            return
        created_s = 0.0
        if self._notices.get(parsed.target, NO_NOTICES).open < MAX_READ_NOTICES:
            with suppress(InvalidNotice):
                created_s = Delivery.from_json(self._get(key)).created_s
        self._change(
            parsed.target,
            lambda found: found._replace(
                open=found.open + 1,
                oldest_s=_find_first(found.oldest_s, created_s),
                next_s=_find_first(found.next_s, parsed.due_s),
            ),
        )

    def _get(self, key: str) -> bytes:
        """Read an object; b"" if it is gone or too large."""
        try:
            return self._place.cos.get(self._place.bucket, key, max_bytes=MAX_DELIVERY_BYTES).body
        except (NotFound, RequestRejected):
            return b""

    def _change(self, name: str, change: Callable[[TargetNotices], TargetNotices]) -> None:
        self._notices[name] = change(self._notices.get(name, NO_NOTICES))


def _find_first(*times_s: float) -> float:
    return min((time_s for time_s in times_s if time_s), default=0.0)
