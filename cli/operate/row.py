"""One recording with its state, as the operator's commands show it.

    open      a receipt in open/: also one that waits for room in the queue, or whose submit was refused
    waiting   a receipt in waiting/: its recording is in an archive, or held by the budget
    failed    a closed receipt in FAILED
    done      a closed receipt in TRANSCRIBED

One row for each bucket and key: open comes before waiting, and this before the newest of failed and done. What was
superseded by other content has no row of its own.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cli.language import _, choose_text
from cli.operate.times import format_time
from cli.operate.workspace import Workspace
from shared.errors import CloudError, NotFound, RequestRejected
from shared.recordings.keys import ERROR_EXTENSION, transcript_key
from shared.recordings.receipt import DEFERRED, SUBMITTED, Receipt

OPEN, WAITING, FAILED, DONE = "open", "waiting", "failed", "done"
STATES = (OPEN, WAITING, FAILED, DONE)  # in the order of a list
MAX_ERROR_BYTES = 65_536


class Row(NamedTuple):
    """A recording and its state. Times are Unix seconds, 0 if there is none.

    `since_s` is when the state began: for `open` when the work was due. `seconds` of speech were billed; None if not
    known. `note`, `code` and `next_step` say why it is not done. `next_at_s` is when it is tried again by itself.
    `receipt` is None if it was not read, or cannot be. `cloud_message` is what the cloud said about `code`.
    """

    bucket: str
    key: str
    state: str
    receipt_id: str
    since_s: float = 0.0
    seconds: int | None = None
    note: str = ""
    code: str = ""
    next_step: str = ""
    next_at_s: float = 0.0
    receipt: Receipt | None = None
    cloud_message: str = ""

    @property
    def name(self) -> tuple[str, str]:
        """The bucket and the key."""
        return self.bucket, self.key

    def as_json(self) -> dict[str, Any]:
        """Return the object for programs. No member is ever missing; null is what is not known."""
        receipt = self.receipt
        return {
            "bucket": self.bucket,
            "key": self.key,
            "state": self.state,
            "receipt_id": self.receipt_id,
            "size": receipt.size if receipt else None,
            "uploaded": format_time(receipt.modified_s) if receipt else "",
            "since": format_time(self.since_s),
            "minutes": None if self.seconds is None else round(self.seconds / 60, 2),
            "engine": receipt.engine if receipt else "",
            "job_id": receipt.job_id if receipt else "",
            "attempt": receipt.attempt if receipt else None,
            "note": self.note,
            "code": self.code,
            "next_step": self.next_step,
            "next_at": format_time(self.next_at_s),
        }


class Entry(NamedTuple):
    """A receipt in a listing. `key` is cut unless `is_whole`."""

    receipt_id: str
    bucket: str
    key: str
    is_whole: bool
    etag: str
    modified_s: float

    @property
    def name(self) -> tuple[str, str]:
        """The bucket and the key, or its start."""
        return self.bucket, self.key


class Scope(NamedTuple):
    """A state bucket, and with what the ids in it begin."""

    state_bucket: str
    id_prefix: str


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows to read. `bucket` and `prefix` "" for all; `limit` is for done ones; `since_s` 0 for all.

    `with_details`: read the receipts of done ones too. `done_since_s`: done ones are looked for in the index only, from
    this time on, also with a bucket or a prefix.
    """

    states: Collection[str] = STATES
    bucket: str = ""
    prefix: str = ""
    since_s: float = 0.0
    limit: int = 100
    with_details: bool = False
    done_since_s: float = 0.0

    @property
    def reads_closed(self) -> bool:
        """Whether closed receipts are read to find what is done, in place of the index."""
        return bool(self.bucket or self.prefix) and not self.done_since_s

    def is_wanted(self, row: Row) -> bool:
        """Check prefix and time. What has no time is shown."""
        return row.key.startswith(self.prefix) and not 0 < row.since_s < self.since_s


@dataclass(slots=True)
class Listing:
    """What was read. `has_more_done`: older ones were left out. `unread` closed receipts were not looked at.

    `is_partial`: what was closed before there was an index may be missing. `problems` has the state buckets that could
    not be read.
    """

    rows: list[Row] = field(default_factory=list)
    has_more_done: bool = False
    unread: int = 0
    is_partial: bool = False
    problems: list[tuple[str, CloudError]] = field(default_factory=list)


def read_error_object(workspace: Workspace, receipt: Receipt) -> Mapping[str, Any] | None:
    """Read the error object of this content; None if there is none. Raises CloudError."""
    settings = workspace.settings
    key = transcript_key(settings, receipt.bucket, receipt.key, ERROR_EXTENSION, receipt.output_name)
    bucket = settings.output_bucket_for(receipt.bucket)
    try:
        body = workspace.ctx.output_cos.get(bucket, key, max_bytes=MAX_ERROR_BYTES).body
        document = json.loads(body)
        recording = document["recording"]
        is_own = (recording["key"], recording["etag"]) == (receipt.key, receipt.etag)
    except (NotFound, ValueError, KeyError, TypeError, RecursionError):
        return None
    return document if is_own and isinstance(document, dict) else None


def build_open_row(workspace: Workspace, receipt: Receipt) -> Row:
    """Build the row of an open receipt. One request if its submit was refused, for the reason."""
    row = build_row(receipt, OPEN, receipt.waits_since_s or receipt.created_s)
    if receipt.state is SUBMITTED:
        return row._replace(note=_("job {job_id} was submitted", job_id=receipt.job_id))
    if receipt.state is not DEFERRED:
        return row._replace(note=_("it is being submitted"))
    if not receipt.refusals:
        return row._replace(note=_("no job yet: it is submitted when the speech queue has room"))
    refused = add_error(workspace, row, receipt)
    code = receipt.refusal_code or refused.code
    note = refused.note or _("The speech service refused it.")
    return refused._replace(code=code, note=note, next_at_s=receipt.retry_at_s)


def build_row(receipt: Receipt, state: str, since_s: float) -> Row:
    """Build the row of a receipt in this state."""
    return Row(receipt.bucket, receipt.key, state, receipt.id, since_s, receipt=receipt)


def add_error(workspace: Workspace, row: Row, receipt: Receipt) -> Row:
    """Add what the error object of the receipt says. One request."""
    try:
        error = read_error_object(workspace, receipt)
    except RequestRejected as rejected:
        return row._replace(note=_("the error object cannot be read: {error}", error=rejected))
    if error is None:
        return row
    note, code, next_step, cloud_message = (
        get_error_text(error, name) for name in ("message", "code", "next_step", "cloud_message")
    )
    return row._replace(note=note, code=code, next_step=next_step, cloud_message=cloud_message)


def get_error_text(error: Mapping[str, Any], name: str) -> str:
    """Return a member of an error object, in the language of the command if it has that; "" if it has none."""
    english, chinese = (str(error.get(member) or "") for member in (name, f"{name}_zh"))
    return choose_text(english, chinese)


def describe_code(code: str, cloud_message: str) -> str:
    """Put the cloud's code and its own message together; "" without both."""
    if code and cloud_message and code != cloud_message:
        return _("{code}: {message}", code=code, message=cloud_message.rstrip(". "))
    return code or cloud_message.rstrip(". ")


def add_code(message: str, code: str, cloud_message: str = "") -> str:
    """Add code and message of the cloud to a sentence: `It failed (Code: reason)`, without a full stop."""
    sentence, cause = message.rstrip(".。"), describe_code(code, cloud_message)
    return _("{sentence} ({cause})", sentence=sentence, cause=cause) if cause else sentence
