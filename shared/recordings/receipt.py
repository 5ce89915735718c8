"""A recording, and its receipt with its states.

A receipt is a COS object: below `open/` while work is in flight, below `done/` afterwards. Its states:

    create ──▶ SUBMITTING ──with_job──▶ SUBMITTED ──close──▶ TRANSCRIBED ──reopen──▶ SUBMITTED
                 │    ▲                  │     │
           defer │    │ next_attempt     │     └───close──▶ FAILED ──close──▶ TRANSCRIBED or SUPERSEDED
                 ▼    │                  │                    │             (a late result)
               DEFERRED ◀────restart─────┘◀──────restart──────┘

    FAILED ──reopen──▶ SUBMITTED          a result comes after GIVE_UP_AFTER

    any open state ──close──▶ FAILED      CI rejected the job, or GIVE_UP_AFTER passed
    any open state ──close──▶ SUPERSEDED  other content was uploaded under the key
    any open state ──close──▶ WAITING     the recording is in an archive, or MONTHLY_MINUTES has no room for it; its
                                          receipt is below `waiting/`

SUBMITTING, DEFERRED and SUBMITTED are open. A recording that waits no longer starts with a new receipt. `TRANSITIONS`
lists every allowed change, and only the methods of `Receipt` make them. docs/architecture.md says when each one
happens.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

from shared.options.combine import combine
from shared.options.model import DEFAULTS, OPTIONS, RecordingOptions, Value, list_changes
from shared.options.parse import METADATA_PREFIX, OPTION_PREFIX, parse_values
from shared.recordings.keys import NAME_KINDS
from shared.tencent.hosts import is_region

RECEIPT_VERSION = 4
MAX_SORTABLE_BYTES = 180  # of the key, in the readable part of an id
DIGEST_LENGTH = 32
# Of a recording whose jobs fail for want of money, hour after hour. A search for a lost job looks at newer ones only.
MAX_SUPERSEDED_JOBS = 50
MAX_EARLIER_NONCES = 50
BUDGET_CODE = "BudgetReached"  # the `refusal_code` of a receipt that waits for room in the budget
_LAST_VERSION_WITHOUT_SECRETS = 2
_LAST_VERSION_WITHOUT_SOURCES = 3
# The default of versions whose receipts did not have formats of their own that were the default.
_FORMATS_BEFORE_HTML = ("json", "txt", "srt", "vtt")
_OPTIONS_AS_MEMBERS = frozenset({"engine", "channels"})  # of the receipt, since its first version

# Bytes that represent themselves in an id. The escapes of all others begin with a character that sorts where the byte
# itself would, so ids sort exactly as keys do in a COS listing: recordings and receipts can be merged.
_ESCAPES = ((b"0", "-"), (b"A", "="), (b"a", "_"))
_ESCAPED_BYTE = re.compile(r"[-=_~]([0-9A-F]{2})")
_RECEIPT_ID = re.compile(r"[a-z0-9-]{3,64}/[0-9A-Za-z=_~-]{1,600}![0-9a-f]{32}")

# Member names of version 1, which is still read, as every later one is.
_VERSION_1_NAMES = {
    "lease_until_s": "lease_expires_s",
    "waiting": "deferred",
    "older_jobs": "superseded_job_ids",
}


class Recording(NamedTuple):
    """An uploaded object. `size` in bytes, `etag` without quotes.

    The identity is bucket, key and ETag: the same content under the same key is the same recording, however often an
    event reports it; new content is new work.
    """

    bucket: str
    key: str
    etag: str
    size: int

    @property
    def id(self) -> str:
        """Return the receipt's id: `<bucket>/<sortable key>!<digest>`, printable ASCII, under 700 characters."""
        identity = f"{self.bucket}\n{self.key}\n{self.etag}".encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(identity).hexdigest()[:DIGEST_LENGTH]
        return f"{self.bucket}/{sortable_key(self.key)}!{digest}"


def sortable_key(key: str) -> str:
    """Return the start of a key in printable ASCII that sorts like the UTF-8 bytes of keys."""
    start = key.encode("utf-8", "surrogatepass")[:MAX_SORTABLE_BYTES]
    return "".join(map(_ESCAPED.__getitem__, start))


def decode_sortable_key(text: str) -> bytes:
    """Return the bytes of a key that `sortable_key` wrote. Raises ValueError."""
    parts = _ESCAPED_BYTE.split(text)
    return b"".join(
        bytes.fromhex(part) if number % 2 else part.encode("ascii") for number, part in enumerate(parts)
    )


def _escape_byte(byte: int) -> str:
    char = bytes((byte,))
    if char.isalnum():
        return char.decode()
    lead = next((lead for bound, lead in _ESCAPES if char < bound), "~")
    return f"{lead}{byte:02X}"


_ESCAPED = tuple(map(_escape_byte, range(256)))  # an audit asks for millions of bytes


def is_receipt_id(text: str) -> bool:
    """Check whether a text, such as a job's UserData, has the form of a receipt's id."""
    return bool(_RECEIPT_ID.fullmatch(text))


class ReceiptState(Enum):
    """The states of a receipt; see the diagram above."""

    SUBMITTING = "submitting"  # an attempt may submit the job until its lease expires
    DEFERRED = "deferred"  # no job counts for this content; the sweep submits one
    SUBMITTED = "submitted"  # the job's id is recorded
    TRANSCRIBED = "transcribed"  # every transcript is written
    FAILED = "failed"  # the error object is written
    SUPERSEDED = "superseded"  # other content was uploaded under the key; it has a receipt of its own
    WAITING = "waiting"  # the recording is archived, or waits for a budget: it is submitted later


SUBMITTING, DEFERRED, SUBMITTED = ReceiptState.SUBMITTING, ReceiptState.DEFERRED, ReceiptState.SUBMITTED
TRANSCRIBED, FAILED, SUPERSEDED = ReceiptState.TRANSCRIBED, ReceiptState.FAILED, ReceiptState.SUPERSEDED
WAITING = ReceiptState.WAITING
OPEN_STATES = frozenset({SUBMITTING, DEFERRED, SUBMITTED})

TRANSITIONS: Mapping[ReceiptState, frozenset[ReceiptState]] = MappingProxyType(
    {
        SUBMITTING: frozenset({SUBMITTING, DEFERRED, SUBMITTED, FAILED, SUPERSEDED, WAITING}),
        DEFERRED: frozenset({SUBMITTING, DEFERRED, SUBMITTED, FAILED, SUPERSEDED, WAITING}),
        SUBMITTED: frozenset({SUBMITTED, DEFERRED, TRANSCRIBED, FAILED, SUPERSEDED}),
        TRANSCRIBED: frozenset({SUBMITTED}),
        FAILED: frozenset({SUBMITTED, DEFERRED, TRANSCRIBED, SUPERSEDED}),
        SUPERSEDED: frozenset(),
        WAITING: frozenset(),
    }
)


class InvalidTransition(ValueError):
    """The receipt's state does not allow this change."""


class InvalidReceipt(ValueError):
    """The object is not a receipt that this version can read."""


class Receipt(NamedTuple):
    """The state of one recording. Times are Unix seconds.

    `nonce` identifies the attempt that wrote it: the digest of its secret (proof.py). `earlier_nonces` are those of
    attempts that may have left a job; `has_plain_user_data`: one of them may have been of a version without secrets.
    `modified_s` is when the recording was written, by COS's clock, in whole seconds. `outcome` is "" while the receipt
    is open. `superseded_job_ids` are earlier jobs with this receipt's id, from before this content was uploaded again:
    they may have read other content, so their results are not used. `refusals` counts how often the submit was refused
    in a row, with `refusal_code` at last, and `retry_at_s` is when the sweep tries again. `waits_since_s` is when the
    work was first due; after a long wait the error object says so once (`is_wait_reported`).
    `versioned`: the receipt was created in a bucket with versioning, where claims have names of their own.
    `deployment` tells the receipts of several deployments with one output bucket apart; "" is unknown.
    `options` are those beside `engine` and `channels` that differ from their defaults, by name; `recording_options` has
    them all. `sources` has the place of each option that rules, metadata or a sidecar chose, by name; what is not there
    is of the settings or a default. `output_name` is how its outputs are named (keys.py); "" is the full name.
    """

    id: str
    bucket: str
    region: str
    key: str
    etag: str
    size: int
    engine: str
    channels: int
    nonce: str
    attempt: int
    created_s: float
    lease_expires_s: float
    modified_s: float = 0.0
    job_id: str = ""
    deferred: bool = False
    outcome: str = ""
    finished_s: float = 0.0
    superseded_job_ids: tuple[str, ...] = ()
    refusals: int = 0
    refusal_code: str = ""
    retry_at_s: float = 0.0
    versioned: bool = False
    earlier_nonces: tuple[str, ...] = ()
    has_plain_user_data: bool = False
    waits_since_s: float = 0.0
    is_wait_reported: bool = False
    deployment: str = ""
    options: Mapping[str, Value | list[str]] = MappingProxyType({})
    sources: Mapping[str, str] = MappingProxyType({})
    output_name: str = ""

    @property
    def recording_options(self) -> RecordingOptions:
        """Return every option of the recording."""
        return _parse_options(self.options)._replace(engine=self.engine, channels=self.channels)

    def with_options(self, options: RecordingOptions, sources: Mapping[str, str]) -> Receipt:
        """Return the receipt with these options. Of the formats it keeps only a choice of its own."""
        if "formats" not in sources:
            options = options._replace(formats=DEFAULTS.formats)
        return self._replace(
            engine=options.engine,
            channels=options.channels,
            options=select_options(options, sources),
            sources=MappingProxyType(dict(sources)),
        )

    @property
    def recording(self) -> Recording:
        """Return the recording of this receipt."""
        return Recording(self.bucket, self.key, self.etag, self.size)

    @property
    def all_job_ids(self) -> tuple[str, ...]:
        """Return the id of every job recorded for this recording, oldest first."""
        return (*self.superseded_job_ids, self.job_id) if self.job_id else self.superseded_job_ids

    @property
    def state(self) -> ReceiptState:
        """Return the state. A SUBMITTING receipt whose lease has expired belongs to a dead attempt."""
        if self.outcome:
            return ReceiptState(self.outcome)
        if self.job_id:
            return SUBMITTED
        return DEFERRED if self.deferred else SUBMITTING

    @property
    def is_open(self) -> bool:
        """Check whether work is in flight."""
        return not self.outcome

    def with_job(self, job_id: str) -> Receipt:
        """Record the job's id (SUBMITTED). A closed receipt keeps its state: the job's late result closes it again."""
        if self.outcome:
            return self._replace(job_id=job_id)
        return self._change(SUBMITTED, job_id=job_id, deferred=False)

    def select_job(self, job_id: str) -> Receipt:
        """Make this the receipt's job; every other job of the receipt counts as superseded.

        A closed receipt stays closed; a job makes an open one SUBMITTED.
        """
        other_ids = tuple(other_id for other_id in self.all_job_ids if other_id != job_id)
        return self._replace(job_id=job_id, superseded_job_ids=other_ids)

    def defer(self, now_s: float) -> Receipt:
        """Leave the submit to the sweep (DEFERRED): no job is running, so the lease ends now."""
        return self._change(DEFERRED, lease_expires_s=now_s, deferred=True)

    def defer_until(self, retry_at_s: float, now_s: float, refusal_code: str) -> Receipt:
        """Leave the submit to a later sweep (DEFERRED), because the service refused it with this code."""
        return self.defer(now_s)._replace(
            refusals=self.refusals + 1, refusal_code=refusal_code, retry_at_s=retry_at_s
        )

    def next_attempt(self, nonce: str, attempt: int, lease_expires_s: float) -> Receipt:
        """Start another attempt (SUBMITTING) after a dead or deferred one, which may have left a job."""
        earlier = tuple(filter(None, (*self.earlier_nonces, self.nonce)))
        return self._change(
            SUBMITTING,
            nonce=nonce,
            earlier_nonces=earlier[-MAX_EARLIER_NONCES:],
            attempt=attempt,
            lease_expires_s=lease_expires_s,
            deferred=False,
        )

    def close(self, outcome: ReceiptState, now_s: float) -> Receipt:
        """End the work as TRANSCRIBED, FAILED, SUPERSEDED or WAITING."""
        return self._change(outcome, outcome=outcome.value, deferred=False, finished_s=now_s)

    def reopen(self, modified_s: float, now_s: float) -> Receipt:
        """Reopen a closed receipt with its paid job (SUBMITTED), so that its transcripts are written, or once more."""
        return self._change(
            SUBMITTED,
            outcome="",
            finished_s=0.0,
            created_s=now_s,
            waits_since_s=now_s,
            modified_s=modified_s,
        )

    def restart(self, modified_s: float, now_s: float) -> Receipt:
        """Start new work on the same content (DEFERRED); the jobs so far may have read other content."""
        return self._change(
            DEFERRED,
            job_id="",
            superseded_job_ids=self.all_job_ids[-MAX_SUPERSEDED_JOBS:],
            nonce="",
            earlier_nonces=(),
            has_plain_user_data=False,
            modified_s=modified_s,
            created_s=now_s,
            waits_since_s=now_s,
            is_wait_reported=False,
            lease_expires_s=now_s,
            deferred=True,
            outcome="",
            finished_s=0.0,
            refusals=0,
            refusal_code="",
            retry_at_s=0.0,
        )

    def _change(self, new_state: ReceiptState, **changes: Any) -> Receipt:
        """Return the changed receipt. Raises InvalidTransition."""
        changed = self._replace(**changes)
        is_as_named = changed.state is new_state and changed.is_open == (new_state in OPEN_STATES)
        if new_state not in TRANSITIONS[self.state] or not is_as_named:
            raise InvalidTransition(
                f"a receipt cannot change from {self.state.value} to {new_state.value}: {self.id}"
            )
        return changed

    def to_json(self) -> bytes:
        """Return the object's bytes."""
        document = {"version": RECEIPT_VERSION, **self._asdict()}
        for name, members in (("options", self.options), ("sources", self.sources)):
            document[name] = dict(members)
            if not members:
                del document[name]  # an earlier version reads nearly every receipt as its own
        if not self.output_name:
            del document["output_name"]
        return json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")

    @classmethod
    def from_json(cls, body: bytes) -> Receipt:
        """Parse what `to_json` wrote, in this version or an earlier one. Unknown members are ignored.

        Raises InvalidReceipt, also for a region of another form: it becomes a part of an address.
        """
        try:
            raw = {_VERSION_1_NAMES.get(name, name): value for name, value in json.loads(body).items()}
            receipt = cls(
                id=str(raw["id"]),
                bucket=str(raw["bucket"]),
                region=str(raw["region"]),
                key=str(raw["key"]),
                etag=str(raw["etag"]),
                size=int(raw["size"]),
                engine=str(raw["engine"]),
                channels=int(raw["channels"]),
                nonce=str(raw["nonce"]),
                attempt=int(raw["attempt"]),
                modified_s=_parse_seconds(raw.get("modified_s", 0)),
                created_s=_parse_seconds(raw["created_s"]),
                lease_expires_s=_parse_seconds(raw["lease_expires_s"]),
                job_id=str(raw.get("job_id", "")),
                deferred=bool(raw.get("deferred", False)),
                outcome=str(raw.get("outcome", "")),
                finished_s=_parse_seconds(raw.get("finished_s", 0)),
                superseded_job_ids=tuple(map(str, raw.get("superseded_job_ids", ()))),
                refusals=int(raw.get("refusals", 0)),
                refusal_code=str(raw.get("refusal_code", "")),
                retry_at_s=_parse_seconds(raw.get("retry_at_s", 0)),
                versioned=bool(raw.get("versioned", False)),
                earlier_nonces=tuple(map(str, raw.get("earlier_nonces", ()))),
                has_plain_user_data=bool(
                    raw.get(
                        "has_plain_user_data", int(raw.get("version", 1)) <= _LAST_VERSION_WITHOUT_SECRETS
                    )
                ),
                waits_since_s=_parse_seconds(raw.get("waits_since_s", raw["created_s"])),
                is_wait_reported=bool(raw.get("is_wait_reported", False)),
                deployment=str(raw.get("deployment", "")),
                options=_read_options(raw),
                sources=_parse_sources(raw),
                output_name=str(raw.get("output_name", "")),
            )
            if receipt.output_name not in NAME_KINDS:
                raise ValueError(receipt.output_name)  # noqa: TRY301 - as an unknown outcome
            if receipt.is_open != (receipt.state in OPEN_STATES):
                raise ValueError(receipt.outcome)  # noqa: TRY301 - an unknown outcome raises it too
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise InvalidReceipt(f"not a receipt: {type(error).__name__}") from None
        if not is_receipt_id(receipt.id) or receipt.id != receipt.recording.id:
            raise InvalidReceipt("not a receipt: its id does not match its recording")
        if not is_region(receipt.region):
            raise InvalidReceipt("not a receipt: its region has not the form of a region")
        return receipt


def select_options(
    options: RecordingOptions, sources: Collection[str] = ()
) -> Mapping[str, Value | list[str]]:
    """Return what a receipt has in `options`: formats of its own too, if they are the default ones of today."""
    changes = list_changes(options)
    if "formats" in sources:
        changes["formats"] = list(options.formats)
    return MappingProxyType({name: changes[name] for name in changes if name not in _OPTIONS_AS_MEMBERS})


def _read_options(raw: Mapping[str, Any]) -> Mapping[str, Value | list[str]]:
    sources = _parse_sources(raw)
    members = raw.get("options", {})
    options = _parse_options(members)
    if "formats" in sources and "formats" not in members:
        options = options._replace(formats=_FORMATS_BEFORE_HTML)
    return select_options(options, sources)


def _parse_options(raw: Any) -> RecordingOptions:
    """Parse the member `options`. Raises InvalidOption, which is a ValueError, also for a name of a later version."""
    if not _OPTIONS_AS_MEMBERS.isdisjoint(raw):
        raise ValueError(raw)
    return combine(parse_values("receipt", raw, is_operator=True)).options


def _parse_sources(raw: Mapping[str, Any]) -> Mapping[str, str]:
    """Parse the member `sources`. Before it existed, every option but the engine could only be one of the metadata."""
    sources = raw.get("sources", {})
    if int(raw.get("version", 1)) <= _LAST_VERSION_WITHOUT_SOURCES:
        names = [name for name in OPTIONS if name in raw.get("options", {})]
        names += ["channels"] if int(raw["channels"]) != DEFAULTS.channels else []
        sources = {name: METADATA_PREFIX + OPTION_PREFIX + name for name in names}
    if not sources.keys() <= OPTIONS.keys() or not all(isinstance(each, str) for each in sources.values()):
        raise ValueError(sources)
    return MappingProxyType(dict(sources))


def _parse_seconds(value: Any) -> float:
    """Parse Unix seconds. JSON allows Infinity and NaN, which are no times."""
    seconds = float(value)
    if not math.isfinite(seconds):
        raise ValueError(value)
    return seconds
