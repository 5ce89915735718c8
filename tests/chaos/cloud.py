"""The stand-in cloud as chaos and load runs use it: its levers, and what it shows to an observer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cli.local.emulator import INPUT_BUCKET, LocalPipeline
from tests.helpers.permissions import build_scope, write_policies
from tests.helpers.pipeline import running_pipeline

Row = Mapping[str, Any]

RECONCILE, AUDIT = "reconcile", "audit"
LONGEST_CALL_SECONDS = 700.0  # a sweep may take 600 s (serverless.yml)
QUICK = ("--speech", "scripted", "--retry-delay", "0.2")


@dataclass(frozen=True, slots=True)
class Cloud:
    """A running pipeline and the stand-in's own pages below /-/. Every call raises httpx.HTTPError."""

    pipeline: LocalPipeline
    client: httpx.Client

    def upload(self, key: str, body: bytes) -> None:
        """Puts a recording with the operator's key, which suffers no faults."""
        self.pipeline.clients.cos.put(INPUT_BUCKET, key, body)

    def objects(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """Every object of a bucket below a prefix, with its bytes."""
        cos = self.pipeline.clients.cos
        return {item.key: cos.get(bucket, item.key).body for item in cos.iter_objects(bucket, prefix=prefix)}

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """The keys of a bucket below a prefix."""
        return [item.key for item in self.pipeline.clients.cos.iter_objects(bucket, prefix=prefix)]

    def empty(self, bucket: str) -> None:
        """Deletes every object of a bucket."""
        for key in self.keys(bucket):
            self.pipeline.clients.cos.delete(bucket, key)

    def sweep(self, message: str = RECONCILE) -> Row:
        """Runs the sweep now, as a timer would, and gives the invocation."""
        event = {"Type": "Timer", "TriggerName": message, "Time": "2026-11-21T01:15:00Z", "Message": message}
        return self._row("POST", "functions/sweep/invoke", event)

    def rests(self, seconds: float) -> bool:
        """Waits until no job is open, no notification due and no function at work; whether that came in time."""
        return bool(self._ask("GET", f"idle?timeout={seconds}"))

    def jobs(self) -> list[Row]:
        """Every job that CI ever took."""
        return self._rows("jobs")

    def invocations(self, since: int = 0) -> list[Row]:
        """What ran, after that number; the stand-in keeps the last 10,000."""
        return self._rows(f"invocations?since={since}")

    def requests(self, since: int = 0) -> list[Row]:
        """What was asked of COS and CI, after that number; the stand-in keeps the last 100,000."""
        return self._rows(f"requests?since={since}")

    def set_faults(self, plan: Row) -> None:
        """From now on these faults strike; an empty plan ends them."""
        self._ask("PUT", "faults", dict(plan))

    def struck(self) -> dict[str, int]:
        """How often each kind of fault struck so far."""
        return dict(self._row("GET", "faults")["struck"])

    def _rows(self, path: str) -> list[Row]:
        return list(self._ask("GET", path))

    def _row(self, method: str, path: str, body: Any = None) -> Row:
        return dict(self._ask(method, path, body))

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        return self.client.request(method, f"/-/{path}", json=body).raise_for_status().json()


@contextmanager
def running_cloud(
    data: Path, settings: Mapping[str, str] | None = None, arguments: Sequence[str] = QUICK
) -> Iterator[Cloud]:
    """A pipeline on a stand-in cloud until the block ends; the same folder again goes on where it ended.

    Its functions may do what their least policies say, so whatever a fault leads them to is granted, or found out.
    """
    policies = write_policies(data, build_scope(settings or {}))
    with (
        running_pipeline(data, [*arguments, "--policies", str(policies)], settings) as pipeline,
        httpx.Client(
            base_url=pipeline.emulator.endpoint, trust_env=False, timeout=LONGEST_CALL_SECONDS
        ) as client,
    ):
        yield Cloud(pipeline, client)
