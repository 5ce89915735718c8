"""A notice, the place it is sent to, and the outcome of an attempt to send it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

# Members of the error object that a notice repeats; the recording and the job are members of the notice itself.
ERROR_MEMBERS = (
    *("kind", "message", "message_zh", "next_step", "next_step_zh", "retryable", "retried_automatically"),
    *("code", "cloud_message", "request_id", "attempts"),
)
MAX_ERROR_TEXT_LENGTH = 500  # characters of one member of the error
MAX_TIME_S = 10**10 - 1  # Unix seconds
_IDENTITY_MEMBERS = ("retried_automatically", "code", "message")  # of an error
_ID_LENGTH = 32


class NoticeType(Enum):
    """What happened. The values are the `type` of a webhook."""

    DONE = "transcript.done"
    FAILED = "transcript.failed"
    BUDGET = "budget.warning"  # a part of MONTHLY_MINUTES is used
    TEST = "notice.test"  # `scribe notify --test`


class InvalidNotice(ValueError):
    """The stored notice cannot be read."""


class Notice(NamedTuple):
    """The outcome of one recording. `time_s` is when the attempt began, in Unix seconds.

    `output_keys` are the objects that were written to `output_bucket`. `duration_ms`, `words` and `speakers` are None
    where they are not known. `variant` tells apart what is written with other options under the same keys; it is not
    sent. `error` has members of the error object, and is empty unless the recording failed. `budget` has the numbers of
    a warning about the budget, which is about no recording: its key is empty.
    """

    type: NoticeType
    time_s: float
    receipt_id: str
    bucket: str
    region: str
    key: str
    etag: str
    size: int
    job_id: str = ""
    output_bucket: str = ""
    output_keys: tuple[str, ...] = ()
    duration_ms: int | None = None
    words: int | None = None
    speakers: int | None = None
    variant: str = ""
    error: Mapping[str, Any] = MappingProxyType({})
    budget: Mapping[str, str | int] = MappingProxyType({})

    def build_id(self, target_name: str) -> str:
        """Return the id of this notice for one target: the same on each attempt, and when it is made twice.

        The same outcome of the same job has the same id. The next job of the recording has another one, and so have
        transcripts in other formats or with other texts around the words, and a failure for another reason or, without
        a job, of another attempt or another upload.
        """
        parts = [self.receipt_id, self.type.value, self.job_id, target_name]
        if self.type is NoticeType.DONE:
            parts += [*self.output_keys, self.variant]
        if self.type is NoticeType.FAILED:
            parts += [str(self.error.get(name, "")) for name in _IDENTITY_MEMBERS]
            # Without a job, nothing else tells attempts and uploads apart.
            parts += [] if self.job_id else [str(self.error.get("attempts", "")), repr(self.time_s)]
        if self.type is NoticeType.BUDGET:
            parts += [str(self.budget.get(name, "")) for name in ("month", "percent", "budget_minutes")]
        identity = json.dumps(parts)
        digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
        return f"msg_{digest[:_ID_LENGTH]}"

    @property
    def time_text(self) -> str:
        """Return the time in ISO 8601, UTC."""
        time = datetime.fromtimestamp(self.time_s, timezone.utc)
        return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def as_document(self) -> dict[str, Any]:
        """Return the notice as a JSON value, for `from_document`."""
        return {
            **self._asdict(),
            "type": self.type.value,
            "output_keys": list(self.output_keys),
            "error": dict(self.error),
            "budget": dict(self.budget),
        }

    @classmethod
    def from_document(cls, raw: Any) -> Notice:
        """Parse what `as_document` returned. Unknown members are ignored. Raises InvalidNotice."""
        try:
            return cls(
                type=NoticeType(raw["type"]),
                time_s=parse_seconds(raw["time_s"]),
                receipt_id=str(raw["receipt_id"]),
                bucket=str(raw["bucket"]),
                region=str(raw["region"]),
                key=str(raw["key"]),
                etag=str(raw["etag"]),
                size=int(raw["size"]),
                job_id=str(raw["job_id"]),
                output_bucket=str(raw["output_bucket"]),
                output_keys=tuple(map(str, raw["output_keys"])),
                duration_ms=_parse_count(raw["duration_ms"]),
                words=_parse_count(raw["words"]),
                speakers=_parse_count(raw["speakers"]),
                variant=str(raw.get("variant", "")),
                error=select_error_members(dict(raw["error"].items())),
                budget=_parse_budget(raw.get("budget", {})),
            )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise InvalidNotice(f"not a notice: {type(error).__name__}") from None


def parse_seconds(value: Any) -> float:
    """Parse Unix seconds of at most ten digits. Raises ValueError, TypeError or OverflowError."""
    seconds = float(value)
    if not 0 <= seconds <= MAX_TIME_S:  # also Infinity and NaN, which JSON allows
        raise ValueError(value)
    return seconds


def _parse_count(value: Any) -> int | None:
    if value is None:
        return None
    if not 0 <= int(value) <= MAX_TIME_S:
        raise ValueError(value)
    return int(value)


def _parse_budget(raw: Mapping[str, Any]) -> Mapping[str, str | int]:
    return MappingProxyType(
        {name: str(value) if name == "month" else int(value) for name, value in raw.items()}
    )


def select_error_members(error_object: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a notice repeats of an error object, its texts cut to MAX_ERROR_TEXT_LENGTH."""
    members = {name: error_object[name] for name in ERROR_MEMBERS if name in error_object}
    for name, value in members.items():
        if isinstance(value, str):
            members[name] = value[:MAX_ERROR_TEXT_LENGTH]
    return MappingProxyType(members)


class TargetKind(Enum):
    """How a target is spoken to."""

    WEBHOOK = "webhook"  # Standard Webhooks
    WECOM = "wecom"
    FEISHU = "feishu"  # also Lark
    DINGTALK = "dingtalk"

    @property
    def is_robot(self) -> bool:
        """Check whether people read the messages in a chat."""
        return self is not TargetKind.WEBHOOK


@dataclass(frozen=True)
class Target:
    """Where notices are sent. The address of a robot is a secret too, and is never printed.

    `is_default`: it receives the notices of every recording that does not name its targets.
    """

    name: str
    kind: TargetKind
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    types: frozenset[NoticeType] = frozenset({NoticeType.FAILED})
    language: str = "zh"  # or "en"
    is_default: bool = True

    @property
    def fingerprint(self) -> str:
        """Return a short digest of the address, to see whether it was changed."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class NoticeRequest:
    """One POST request. Its address, headers and body may hold secrets, so they are not printed."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class NoticeResponse(NamedTuple):
    """The start of a response: `body` has at most 4 KB, and is empty if it was not read."""

    status: int
    retry_after: str = ""
    body: bytes = b""


class OutcomeKind(Enum):
    """The outcome of one attempt."""

    DELIVERED = "delivered"
    GONE = "gone"  # 410: the receiver wants no more notices
    RATE_LIMITED = "rate_limited"  # the target takes no more for some time
    FAILED = "failed"


class Outcome(NamedTuple):
    """The outcome of one attempt. `retry_after_s`: the target asked for at least this pause.

    `reason` can be logged: it has no secret.
    """

    kind: OutcomeKind
    reason: str = ""
    retry_after_s: float = 0.0


DELIVERED = Outcome(OutcomeKind.DELIVERED)
