"""Waiting for results: progress, timeouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from cli.local.emulator import Emulator, EmulatorError
from cli.local.live import (
    STALL_TIMEOUT_S,
    AdminClient,
    JobStatus,
    ProgressClock,
    parse_statuses,
    wait_for_results,
)
from cli.local.results import UploadResult
from cli.local.samples import Upload
from shared.settings import DEFAULT_FORMATS
from shared.tencent.cos import CosClient, ObjectContent, ObjectMetadata, ObjectSummary
from tests.helpers.fake_server import FakeServer

EMULATOR = Emulator("http://127.0.0.1:9000", "ap-guangzhou", "1250000000", "id", "key", "", "admin")

SUBMITTED, RUNNING, ENDED = JobStatus("Submitted"), JobStatus("Running", 0, 60_000), JobStatus("Success")


class TimedOutputs:
    """An output bucket whose transcripts appear at a time, a clock, and jobs that make progress until a time."""

    def __init__(self, complete_s: Mapping[str, float], progress_until_s: Mapping[str, float]) -> None:
        self.now_s = 0.0
        self._complete_s, self._progress_until_s = complete_s, progress_until_s

    def sleep(self, seconds: float) -> None:
        self.now_s += max(seconds, 1.0)

    def load_statuses(self) -> dict[str, JobStatus]:
        return {
            key: JobStatus("Running", round(min(self.now_s, until_s) * 1000), 10_000_000)
            for key, until_s in self._progress_until_s.items()
        }

    def iter_objects(self, _bucket: str, *, prefix: str) -> Iterator[ObjectSummary]:
        for key, complete_s in self._complete_s.items():
            if self.now_s >= complete_s:
                for suffix in DEFAULT_FORMATS:
                    yield ObjectSummary(f"{prefix}{key}.{suffix}", "", 0, "")

    def get(self, _bucket: str, key: str) -> ObjectContent:
        return ObjectContent(ObjectMetadata("", 0, ""), key.encode())

    def wait(self, *keys: str) -> dict[str, UploadResult]:
        uploads = {Upload(Path(key), key): 0.0 for key in keys}
        results = wait_for_results(
            cast("CosClient", self), self.load_statuses, uploads, now=lambda: self.now_s, sleep=self.sleep
        )
        return {result.upload.key: result for result in results}


def test_recording_that_makes_progress_never_times_out() -> None:
    cloud = TimedOutputs({"long.mp3": 5_000}, {"long.mp3": 4_950})
    result = cloud.wait("long.mp3")["long.mp3"]
    assert result.complete
    assert result.seconds >= 5_000


def test_recording_without_progress_times_out() -> None:
    cloud = TimedOutputs({}, {"stuck.mp3": 300})
    result = cloud.wait("stuck.mp3")["stuck.mp3"]
    assert not result.complete
    assert 300 + STALL_TIMEOUT_S <= result.seconds < 302 + STALL_TIMEOUT_S


def test_recording_that_waits_for_others_does_not_time_out() -> None:
    cloud = TimedOutputs({"long.mp3": 1_000, "waits.mp3": 1_010}, {"long.mp3": 990, "waits.mp3": 0})
    assert {key: result.complete for key, result in cloud.wait("long.mp3", "waits.mp3").items()} == {
        "long.mp3": True,
        "waits.mp3": True,
    }


def test_recording_with_a_job_that_ended_waits_for_its_own_result_only() -> None:
    clock = ProgressClock(timeout_s=150)
    for second in range(200):
        clock.note("lost.mp3", ENDED, second)
        clock.note("long.mp3", JobStatus("Running", second), second)
    assert clock.has_stalled("lost.mp3", 200)
    assert not clock.has_stalled("long.mp3", 200)


def test_change_of_the_state_is_progress() -> None:
    clock = ProgressClock(timeout_s=10)
    for now_s, status in ((0, None), (9, SUBMITTED), (18, RUNNING), (27, ENDED)):
        clock.note("a.mp3", status, now_s)
        assert not clock.has_stalled("a.mp3", now_s + 9.9)
    assert clock.has_stalled("a.mp3", 37)


def test_last_job_of_a_recording_counts() -> None:
    job: dict[str, Any] = {"bucket": "recordings-1250000000", "object": "a.mp3", "state": "Failed"}
    jobs = [
        job,
        {**job, "state": "Running", "progress": {"done_ms": 1, "duration_ms": None}},
        {**job, "object": "b.mp3", "progress": None},
        {**job, "bucket": "other-1250000000"},
    ]
    assert parse_statuses(jobs) == {"a.mp3": JobStatus("Running", 1), "b.mp3": JobStatus("Failed")}


def test_busy_local_cloud_is_read_again() -> None:
    server = FakeServer([httpx.ReadTimeout("busy"), httpx.Response(503), httpx.Response(200, json=[])])
    client = AdminClient(EMULATOR, httpx.MockTransport(server))
    assert client.load_statuses() == {}
    assert server.last_request.headers["x-localcloud-secret"] == "admin"
    assert str(server.last_request.url) == "http://127.0.0.1:9000/-/jobs"


def test_local_cloud_that_has_ended_is_an_error() -> None:
    server = FakeServer([httpx.ConnectError("refused")])
    with pytest.raises(EmulatorError, match=r"127.0.0.1:9000 does not respond any more \(refused\)"):
        AdminClient(EMULATOR, httpx.MockTransport(server)).get("jobs")
