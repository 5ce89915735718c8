"""The three functions on an in-memory cloud: what a test does to them, and what a user or an operator sees."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from shared.events import NotifiedJob
from shared.recordings.audit import audit
from shared.recordings.complete import process_notification
from shared.recordings.context import Context
from shared.recordings.ingest import ingest
from shared.recordings.keys import ERROR_EXTENSION, raw_result_key, transcript_key
from shared.recordings.models import Result, Status, Summary
from shared.recordings.receipt import Receipt, Recording
from shared.recordings.sweep import reconcile
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, REGION, FakeCloud, FakeRequest
from tests.helpers.fakes import build_test_context
from tests.helpers.receipts import build_receipt

DUE_S = 301.0  # longer than SWEEP_AFTER and than a lease


class InMemoryPipeline:
    """Uploads, events, notifications, sweeps; and the objects, jobs, requests and log lines that follow."""

    def __init__(self, cloud: FakeCloud | None = None, **settings: Any) -> None:
        self.cloud = cloud or FakeCloud()
        self.log_lines: list[dict[str, Any]] = []
        self.ctx = self.build_context(**settings)

    def build_context(self, **settings: Any) -> Context:
        """Build the context of another invocation in the same cloud."""
        return build_test_context(self.cloud, self.log_lines, **settings)

    def upload(self, key: str, body: bytes, **metadata: str) -> None:
        """Write a recording. The event comes with `ingest`."""
        self.cloud.put_object(INPUT_BUCKET, key, body, metadata)

    def delete(self, key: str) -> None:
        del self.cloud.buckets[INPUT_BUCKET][key]

    def touch(self, key: str) -> None:
        """Write an object again with the same content, as a copy onto itself does. The event comes with `ingest`."""
        self.cloud.clock.advance(2)
        modified_s = int(self.cloud.clock.now())
        self.cloud.change_object(INPUT_BUCKET, key, modified_s=modified_s)

    def ingest(self, key: str, *, is_restore: bool = False, is_upload: bool = True) -> Result:
        """Handle the event of an upload, unless it is one of a restore or a copy."""
        is_upload = is_upload and not is_restore
        return ingest(self.ctx, INPUT_BUCKET, key, is_restore=is_restore, is_upload=is_upload)

    def upload_and_ingest(self, key: str, body: bytes, **metadata: str) -> Result:
        self.upload(key, body, **metadata)
        return self.ingest(key)

    def notify(self, *job_ids: str) -> list[Result]:
        return process_notification(self.ctx, [NotifiedJob(job_id, "") for job_id in job_ids])

    def notify_one(self, job_id: str) -> Result:
        (result,) = self.notify(job_id)
        return result

    def run_and_notify(self) -> None:
        """Finish all jobs and report each of them."""
        self.cloud.run_jobs()
        self.notify(*self.cloud.jobs)

    def sweep(self) -> Summary:
        return reconcile(self.ctx)

    def sweep_when_due(self) -> Summary:
        """Wait until everything open is due, then sweep."""
        self.cloud.clock.advance(DUE_S)
        return self.sweep()

    def audit_when_due(self) -> Summary:
        self.cloud.clock.advance(DUE_S)
        return audit(self.ctx)

    def settle(self) -> None:
        """Run jobs and sweeps until nothing is open. No notification arrives."""
        for _ in range(6):
            self.cloud.run_jobs()
            self.sweep_when_due()
            if not self.list_open():
                return
        raise AssertionError(f"still open: {self.list_open()}")

    def count_jobs(self) -> int:
        """Count the jobs that were paid for."""
        return len(self.cloud.job_requests)

    def list_keys(self, prefix: str = "", bucket: str = OUTPUT_BUCKET) -> list[str]:
        return [key for key in self.cloud.buckets[bucket] if key.startswith(prefix)]

    def list_open(self) -> list[Receipt]:
        return self._load_receipts(".scribe/open/")

    def list_done(self) -> list[Receipt]:
        return self._load_receipts(".scribe/done/")

    def list_claims(self) -> list[str]:
        return self.list_keys(".scribe/claim/")

    def get_open(self) -> Receipt:
        """Return the only open receipt."""
        (receipt,) = self.list_open()
        return receipt

    def get_done(self) -> Receipt:
        (receipt,) = self.list_done()
        return receipt

    def _load_receipts(self, prefix: str) -> list[Receipt]:
        stored = self.cloud.buckets[OUTPUT_BUCKET]
        return [Receipt.from_json(stored[key].body) for key in self.list_keys(prefix)]

    def get_output(self, key: str, extension: str) -> bytes | None:
        """Return what is beside the transcripts of a recording, or None."""
        output_key = transcript_key(self.ctx.settings, INPUT_BUCKET, key, extension)
        stored = self.cloud.buckets[OUTPUT_BUCKET].get(output_key)
        return stored.body if stored else None

    def get_text(self, key: str) -> str | None:
        """Return the words of a recording's transcript, or None."""
        body = self.get_output(key, "txt")
        return body.decode().strip() if body is not None else None

    def get_error(self, key: str) -> dict[str, Any] | None:
        body = self.get_output(key, ERROR_EXTENSION)
        error: dict[str, Any] | None = json.loads(body) if body is not None else None
        return error

    def take_requests(self) -> list[FakeRequest]:
        """Return the requests since the last call."""
        requests = list(self.cloud.requests)
        self.cloud.requests.clear()
        return requests

    def get_events(self, level: str = "") -> list[str]:
        """Return the names of the log lines, of this level or of all."""
        return [line["event"] for line in self.log_lines if level in {"", line["level"]}]

    def put_open(self, receipt: Receipt) -> Receipt:
        """Store an open receipt, such as a dead attempt left."""
        self.cloud.put_object(OUTPUT_BUCKET, f".scribe/open/{receipt.id}", receipt.to_json())
        return receipt

    def put_raw_result(self, key: str, body: bytes, text: str = "") -> None:
        """Store what CI itself wrote when the job ended: the recording's words, or another text."""
        words = text or body.decode()
        raw_key = raw_result_key(self.ctx.settings, self.build_receipt(key, body).id)
        self.cloud.put_object(OUTPUT_BUCKET, raw_key, f"[0:0.000,0:1.500]  {words}\n".encode())
        ended_s = min((receipt.finished_s for receipt in self.list_done()), default=self.cloud.clock.now())
        self.cloud.change_object(OUTPUT_BUCKET, raw_key, modified_s=int(ended_s))

    def put_claim(self, receipt: Receipt) -> Receipt:
        """Store the claim of the next attempt, begun now, and return it."""
        lease_expires_s = self.cloud.clock.now() + self.ctx.settings.lease_s
        claim = receipt.next_attempt("other", receipt.attempt + 1, lease_expires_s)
        self.cloud.put_object(OUTPUT_BUCKET, f".scribe/claim/{claim.id}.{claim.attempt}", claim.to_json())
        return claim

    def build_receipt(self, key: str, body: bytes, **members: Any) -> Receipt:
        """Build the receipt of a first attempt that has begun now."""
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        recording = Recording(INPUT_BUCKET, key, etag, len(body))
        now_s = self.cloud.clock.now()
        first_attempt = build_receipt(
            recording,
            region=REGION,
            nonce="first",
            created_s=now_s,
            waits_since_s=now_s,
            lease_expires_s=now_s + self.ctx.settings.lease_s,
            modified_s=float(int(now_s)),
        )
        return first_attempt._replace(**members)


def count_statuses(summary: Summary) -> dict[Status, int]:
    return {Status(name): number for name, number in summary.counts.items()}
