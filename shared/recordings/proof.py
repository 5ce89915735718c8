"""Which job is a recording's own: what makes a job ours is decided here, from what a stranger cannot know or set.

A receipt's id is public: anyone who knows bucket, key and ETag can compute it, and set it as the UserData of a job of
their own. So each attempt creates a random secret. The receipt and the claims hold only its digest, the nonce; the
secret itself appears first in the job, as `<receipt id>#<secret>`. A job is the recording's own if the receipt notes
its id, or if its secret has the digest of an attempt of this receipt. From then on others can read it in the list of
jobs, and copy it: so the job's whole request must be the same as Scribe's, and a job that is not noted changes nothing
before the sweep has noted it: the first job with the secret (resume.py).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import NamedTuple

from shared.recordings.receipt import DIGEST_LENGTH, Receipt, is_receipt_id
from shared.tencent.speech_models import TAG, Job

_SEPARATOR = "#"  # in no receipt id
_RAW_FOLDER, _RAW_EXTENSION = "raw/", ".txt"


class JobLabel(NamedTuple):
    """What Scribe's jobs carry as UserData. Jobs of earlier versions have no secret."""

    receipt_id: str
    secret: str = ""


def create_secret() -> str:
    """Return the random secret of an attempt."""
    return secrets.token_hex(16)


def compute_nonce(secret: str) -> str:
    """Return the digest of a secret, which the receipt and the claims may show to anyone who can read them."""
    return hashlib.sha256(secret.encode()).hexdigest()[:DIGEST_LENGTH]


def format_user_data(receipt_id: str, secret: str) -> str:
    """Return the UserData of a job: printable ASCII, under 800 characters."""
    return f"{receipt_id}{_SEPARATOR}{secret}"


def parse_user_data(user_data: str) -> JobLabel | None:
    """Parse the UserData of any job in the bucket; None if Scribe did not write it. Anyone may write what it says."""
    receipt_id, _, secret = user_data.partition(_SEPARATOR)
    return JobLabel(receipt_id, secret) if is_receipt_id(receipt_id) else None


def is_own_job(receipt: Receipt, job: Job) -> bool:
    """Check that this is a job of this receipt: the noted one, or one with the secret of an attempt."""
    if receipt.job_id and receipt.job_id == job.job_id:
        return _has_key_and_tag(receipt, job)
    return _has_secret(receipt, job) and _has_key_and_tag(receipt, job) and _has_same_request(receipt, job)


def _has_secret(receipt: Receipt, job: Job) -> bool:
    label = parse_user_data(job.user_data)
    if label is None or label.receipt_id != receipt.id:
        return False
    if not label.secret:
        return receipt.has_plain_user_data
    nonce = compute_nonce(label.secret)
    return any(hmac.compare_digest(nonce, own) for own in (receipt.nonce, *receipt.earlier_nonces))


def _has_key_and_tag(receipt: Receipt, job: Job) -> bool:
    """Responses sometimes show the key with a leading slash, and never with white space at its ends."""
    is_same_key = _normalize_key(job.input_key) == _normalize_key(receipt.key)
    return is_same_key and job.tag in {"", TAG}


def _has_same_request(receipt: Receipt, job: Job) -> bool:
    """Compare what the response shows of the request: another engine or output would not be Scribe's."""
    raw_key = f"{_RAW_FOLDER}{receipt.id}{_RAW_EXTENSION}"
    is_same_engine = job.engine in {"", receipt.engine}
    is_same_channels = job.channels in {1, receipt.channels}  # 1 also if the response does not show it
    # The response may show what a template has; hot words are in a template, too.
    has_template = not {"template", "hot-words"}.isdisjoint(receipt.options)
    return (has_template or (is_same_engine and is_same_channels)) and (
        not job.output_key or job.output_key.endswith(raw_key)
    )


def _normalize_key(key: str) -> str:
    return key.strip().removeprefix("/")
