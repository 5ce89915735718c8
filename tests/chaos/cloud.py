"""The local cloud as chaos and load runs use it: uploads, sweeps, faults, its admin pages, and repairs."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET, REGION, LocalPipeline
from shared.recordings.keys import OUTPUT_MARK, STATE_MARK
from shared.tencent.client import Request
from tests.helpers.loopback import open_client
from tests.helpers.permissions import build_scope, write_policies
from tests.helpers.pipeline import running_pipeline

Row = Mapping[str, Any]

RECONCILE, AUDIT = "reconcile", "audit"
CALL_TIMEOUT_S = 700.0  # a sweep may take 600 s (serverless.yml)
FAST_OPTIONS = ("--speech", "scripted", "--retry-delay", "0.2")
_REPAIR_TIMEOUT_S = 150.0  # what was refused several times waits for up to a minute
_REPAIR_PAUSE_S = 0.3  # with SWEEP_AFTER 0 a dead attempt keeps its lease for 2 seconds
_CUSTOMER_KEY = bytes(32)
_RESTORE = b"<RestoreRequest><Days>2</Days></RestoreRequest>"


@dataclass(frozen=True, slots=True)
class Cloud:
    """A running pipeline and the admin pages (/-/) of its local cloud. Every method raises httpx.HTTPError."""

    pipeline: LocalPipeline
    client: httpx.Client

    def upload(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str = "audio/mpeg",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Upload a recording with the operator's key, whose requests have no faults."""
        headers = {"Content-Type": content_type, **(headers or {})}
        self._request_object("PUT", INPUT_BUCKET, key, headers=headers, body=body)

    def touch(self, key: str, *, storage_class: str = "STANDARD") -> None:
        """Copy a recording onto itself: the same content and ETag, new metadata and a new time."""
        headers = {
            "x-cos-metadata-directive": "Replaced",
            "Content-Type": "audio/mpeg",
            "x-cos-meta-touched": "1",
            "x-cos-storage-class": storage_class,
        }
        self._copy_object(INPUT_BUCKET, key, key, headers)

    def restore(self, key: str) -> None:
        """Start to restore an archived recording."""
        self._request_object("POST", INPUT_BUCKET, key, parameters=(("restore", ""),), body=_RESTORE)

    def deny(self, key: str) -> None:
        """Let every read of a recording be denied, also if it is uploaded later."""
        self._request("PUT", "objects", {"bucket": INPUT_BUCKET, "key": key, "denied": True})

    def copy_folder(self, bucket: str, prefix: str, new_prefix: str) -> None:
        """Copy every object below a prefix to another one, with the mark that `scribe deploy` gives its copies."""
        headers = {"x-cos-metadata-directive": "Replaced", f"x-cos-meta-{OUTPUT_MARK}": STATE_MARK}
        for key in self.list_keys(bucket, prefix):
            self._copy_object(bucket, key, new_prefix + key.removeprefix(prefix), headers)

    def _copy_object(self, bucket: str, key: str, new_key: str, headers: Mapping[str, str]) -> None:
        source = f"{bucket}.cos.{REGION}.myqcloud.com/{quote(key)}"
        self._request_object("PUT", bucket, new_key, headers={"x-cos-copy-source": source, **headers})

    def _request_object(
        self,
        method: str,
        bucket: str,
        key: str,
        *,
        parameters: tuple[tuple[str, str], ...] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        host = f"{bucket}.cos.{REGION}.myqcloud.com"
        request = Request(method, host, "/" + key, f"{bucket}/{key}", parameters, headers or {}, body)
        self.pipeline.clients.cos.client.send(request)

    def read_objects(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """Return the content of every object below a prefix, by key."""
        cos = self.pipeline.clients.cos
        return {item.key: cos.get(bucket, item.key).body for item in cos.iter_objects(bucket, prefix=prefix)}

    def list_keys(self, bucket: str, prefix: str = "") -> list[str]:
        """List the keys of a bucket below a prefix."""
        return [item.key for item in self.pipeline.clients.cos.iter_objects(bucket, prefix=prefix)]

    def delete_objects(self, bucket: str) -> None:
        """Delete every object of a bucket."""
        for key in self.list_keys(bucket):
            self.pipeline.clients.cos.delete(bucket, key)

    def sweep(self, message: str = RECONCILE) -> Row:
        """Run the sweep now, as its timer does; return the invocation."""
        return self._request_row("POST", "functions/sweep/invoke", build_timer_event(message))

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no job is open, no notification is due and no function runs. Return False after the timeout."""
        return bool(self._request("GET", f"idle?timeout={timeout_s}"))

    def jobs(self) -> list[Row]:
        """Return every job that CI accepted."""
        return self._request_rows("jobs")

    def invocations(self, since: int = 0) -> list[Row]:
        """Return the invocations after a number; the local cloud keeps the last 10,000."""
        return self._request_rows(f"invocations?since={since}")

    def requests(self, since: int = 0) -> list[Row]:
        """Return the requests to COS and CI after a number; the local cloud keeps the last 100,000."""
        return self._request_rows(f"requests?since={since}")

    def set_faults(self, plan: Row) -> None:
        """Replace the fault plan; an empty plan means no faults."""
        self._request("PUT", "faults", dict(plan))

    def count_faults(self) -> dict[str, int]:
        """Return how often each kind of fault was injected so far."""
        return dict(self._request_row("GET", "faults")["struck"])

    def refuse_submits(self, status: int, code: str, body: str) -> None:
        """Let CI refuse every submit of the account until `end_refusals`. `body` is xml, html or empty."""
        self._request("PUT", "refuse", {"status": status, "code": code, "body": body})

    def fail_jobs(self) -> None:
        """Let every job fail for want of money until `end_refusals`."""
        self._request("PUT", "fail_jobs", {})

    def end_refusals(self) -> None:
        """Let CI accept submits again, and jobs succeed."""
        for page in ("refuse", "fail_jobs"):
            self._request("DELETE", page)

    def forget_jobs(self) -> None:
        """Let CI forget the jobs that have ended."""
        self._request("DELETE", "jobs")

    def issue_key(self, policy: Row) -> Row:
        """Issue a temporary key that may do only what a policy allows."""
        return self._request_row("POST", "keys", {"policies": [policy]})

    def stop_instances(self) -> None:
        """End the functions' processes: the next event of each function is a cold start."""
        self._request("DELETE", "instances")

    def _request_rows(self, path: str) -> list[Row]:
        return list(self._request("GET", path))

    def _request_row(self, method: str, path: str, body: Any = None) -> Row:
        return dict(self._request(method, path, body))

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        headers = self.pipeline.emulator.admin_headers
        response = self.client.request(method, f"/-/{path}", json=body, headers=headers)
        return response.raise_for_status().json()


@contextmanager
def running_cloud(
    data: Path, settings: Mapping[str, str] | None = None, arguments: Sequence[str] = FAST_OPTIONS
) -> Iterator[Cloud]:
    """Run a pipeline on a local cloud until the block ends. The same folder continues where it stopped.

    The functions have only their minimal permissions, so a fault that makes one do more is noticed.
    """
    policies = write_policies(data, build_scope(settings or {}))
    with (
        running_pipeline(data, [*arguments, "--policies", str(policies)], settings) as pipeline,
        open_client(base_url=pipeline.emulator.endpoint, timeout=CALL_TIMEOUT_S) as client,
    ):
        yield Cloud(pipeline, client)


def build_timer_event(message: str) -> dict[str, str]:
    """Build the event of the sweep's timer (RECONCILE) or the audit's (AUDIT)."""
    return {"Type": "Timer", "TriggerName": message, "Time": "2026-11-21T01:15:00Z", "Message": message}


def build_customer_key_headers() -> dict[str, str]:
    """Build the headers of an upload that is encrypted with a key of the customer (SSE-C)."""
    prefix = "x-cos-server-side-encryption-customer-"
    digest = hashlib.md5(_CUSTOMER_KEY, usedforsecurity=False).digest()
    return {
        f"{prefix}algorithm": "AES256",
        f"{prefix}key": base64.b64encode(_CUSTOMER_KEY).decode(),
        f"{prefix}key-md5": base64.b64encode(digest).decode(),
    }


def repair(
    cloud: Cloud,
    idle_timeout_s: float,
    bucket: str = OUTPUT_BUCKET,
    state_prefix: str = ".scribe/",
    is_planted: Callable[[str], bool] = lambda _name: False,
) -> str:
    """Sweep and audit until a round changes nothing. Return "", or why the repair did not end.

    `is_planted` tells which objects below the state prefix, by their name there, are no work of Scribe's.
    """

    def list_etags() -> dict[str, str]:
        objects = cloud.pipeline.clients.cos.iter_objects(bucket)
        etags = {item.key: item.etag for item in objects}
        return {key: etags[key] for key in etags if not is_planted(key.removeprefix(state_prefix))}

    cloud.wait_until_idle(idle_timeout_s)
    deadline_s = time.monotonic() + _REPAIR_TIMEOUT_S
    etags = list_etags()
    while True:
        calls = []
        for message in (RECONCILE, AUDIT):
            calls.append(cloud.sweep(message))
            if not cloud.wait_until_idle(idle_timeout_s):
                return "the pipeline does not become idle"
        etags_before, etags = etags, list_etags()
        open_receipts = [key for key in etags if key.startswith(state_prefix + "open/")]
        if not open_receipts and etags_before == etags and all(call["outcome"] == "ok" for call in calls):
            return ""
        if time.monotonic() > deadline_s:
            break
        if open_receipts:
            time.sleep(_REPAIR_PAUSE_S)
    results = [call["error"] or call["result"] for call in calls]
    return f"the repair does not end, {len(open_receipts)} receipts are open; the last results are {results}"
