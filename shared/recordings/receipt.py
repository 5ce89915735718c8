"""The receipt of a recording: proof that its work is begun, by which attempt, and with which job."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

from shared.recordings.recording import Recording, is_id

VERSION = 1

TRANSCRIBED, FAILED, SUPERSEDED = "transcribed", "failed", "superseded"


class BadReceipt(ValueError):
    """The object is not a receipt that this version can read."""


class Receipt(NamedTuple):
    """One recording's state. Times are Unix seconds.

    `nonce` belongs to the attempt that wrote it. Without a `job_id` the attempt is under way until `lease_until_s`;
    after that it is dead and another may take over. `waiting` says that it surely submitted nothing. `outcome` is ""
    while open, then TRANSCRIBED, FAILED or SUPERSEDED. `older_jobs` bear this id too, from before this content was put
    here anew: they may have heard other content, and what they say does not count.
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
    lease_until_s: float
    modified_s: float = (
        0.0  # when COS says that the recording was written, by COS's own clock, in whole seconds
    )
    job_id: str = ""
    waiting: bool = False
    outcome: str = ""
    finished_s: float = 0.0
    older_jobs: tuple[str, ...] = ()

    @property
    def recording(self) -> Recording:
        """What it is the receipt of."""
        return Recording(self.bucket, self.key, self.etag, self.size)

    @property
    def all_jobs(self) -> tuple[str, ...]:
        """Every job that was noted for this recording, the oldest first."""
        return (*self.older_jobs, self.job_id) if self.job_id else self.older_jobs

    def to_json(self) -> bytes:
        """The object's bytes."""
        return json.dumps({"version": VERSION, **self._asdict()}, ensure_ascii=False, indent=1).encode(
            "utf-8", "surrogatepass"
        )


def receipt_from(body: bytes) -> Receipt:
    """Reads what `to_json` wrote; members of later versions are left out. Raises BadReceipt."""
    try:
        raw = json.loads(body)
        receipt = Receipt(
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
            modified_s=_seconds(raw.get("modified_s", 0)),
            created_s=_seconds(raw["created_s"]),
            lease_until_s=_seconds(raw["lease_until_s"]),
            job_id=str(raw.get("job_id", "")),
            waiting=bool(raw.get("waiting", False)),
            outcome=str(raw.get("outcome", "")),
            finished_s=_seconds(raw.get("finished_s", 0)),
            older_jobs=tuple(map(str, raw.get("older_jobs", ()))),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BadReceipt(f"not a receipt: {type(error).__name__}") from None
    if not is_id(receipt.id) or receipt.id != receipt.recording.id:
        raise BadReceipt("not a receipt: its id does not belong to its recording")
    return receipt


def _seconds(value: Any) -> float:
    """JSON knows Infinity and NaN, which no clock shows."""
    seconds = float(value)
    if not math.isfinite(seconds):
        raise ValueError(value)
    return seconds
