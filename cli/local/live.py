"""Follows the local cloud while it transcribes: the progress of each job, and each result when it is complete.

wait_for_results ─┬─ the output bucket ──▶ UploadResult, when all files are there
                  └─ /-/jobs ────────────▶ JobStatus ──▶ on_status (the screen)
                                                    └──▶ ProgressClock (the timeout)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import httpx

from cli.language import _
from cli.local.emulator import (
    ERROR_SUFFIX,
    INPUT_BUCKET,
    OUTPUT_BUCKET,
    OUTPUT_PREFIX,
    Emulator,
    EmulatorError,
)
from cli.local.results import SUFFIXES, UploadResult, output_key
from cli.local.samples import Upload
from shared.recordings.keys import get_extension
from shared.tencent.cos import CosClient

STALL_TIMEOUT_S = 300.0  # half a minute of speech can take minutes with a large model
POLL_INTERVAL_S = 0.25
REQUEST_TIMEOUT_S = 30.0
MAX_ATTEMPTS = 3
_OPEN_STATES = ("Submitted", "Running")


class JobStatus(NamedTuple):
    """The last job of a recording. `done_ms` of `duration_ms` is recognised; None is not known."""

    state: str
    done_ms: int | None = None
    duration_ms: int | None = None

    @property
    def is_running(self) -> bool:
        """Whether it is being recognised."""
        return self.state == "Running"


class AdminClient:
    """Reads the pages of the local cloud below /-/. Raises EmulatorError when it does not respond."""

    def __init__(self, emulator: Emulator, transport: httpx.BaseTransport | None = None) -> None:
        """`transport` is for tests."""
        self._endpoint = emulator.endpoint
        self._client = httpx.Client(
            base_url=f"{emulator.endpoint}/-/",
            headers=emulator.admin_headers,
            timeout=REQUEST_TIMEOUT_S,
            trust_env=False,
            transport=transport,
        )

    def get(self, page: str) -> Any:
        """Return the JSON document of a page. A busy machine, or one that slept, may not respond the first time."""
        reason = ""
        for _attempt in range(MAX_ATTEMPTS):
            try:
                return self._client.get(page).raise_for_status().json()
            except httpx.HTTPError as error:
                reason = str(error)
        raise EmulatorError(
            _(
                "the local cloud at {endpoint} does not respond any more ({reason})",
                endpoint=self._endpoint,
                reason=reason,
            )
        )

    def load_statuses(self) -> dict[str, JobStatus]:
        """Return the status of each recording that has a job, by its key."""
        return parse_statuses(self.get("jobs"))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def parse_statuses(jobs: list[dict[str, Any]]) -> dict[str, JobStatus]:
    """Parse the page /-/jobs. A later job of the same recording replaces an earlier one."""
    statuses = {}
    for job in jobs:
        progress = job.get("progress") or {}
        if job["bucket"] == INPUT_BUCKET:
            statuses[job["object"]] = JobStatus(
                job["state"], progress.get("done_ms"), progress.get("duration_ms")
            )
    return statuses


class ProgressClock:
    """Decides which recordings have waited too long: `timeout_s` seconds without progress.

    A recording that waits for its turn, or of which less is left to others that are behind, makes no progress of its
    own: until its job has ended, the progress of any recording counts.
    """

    def __init__(self, timeout_s: float = STALL_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._statuses: dict[str, JobStatus | None] = {}
        self._changed_s: dict[str, float] = {}
        self._any_changed_s = 0.0

    def note(self, key: str, status: JobStatus | None, now_s: float) -> None:
        """Note the status of a recording; None as long as it has no job."""
        if key not in self._statuses or self._statuses[key] != status:
            self._statuses[key] = status
            self._changed_s[key] = self._any_changed_s = now_s

    def has_stalled(self, key: str, now_s: float) -> bool:
        """Check whether a recording that was noted made no progress for too long."""
        status = self._statuses[key]
        is_open = status is None or status.state in _OPEN_STATES
        return now_s - (self._any_changed_s if is_open else self._changed_s[key]) >= self._timeout_s


def wait_for_results(
    cos: CosClient,
    load_statuses: Callable[[], Mapping[str, JobStatus]],
    upload_times: Mapping[Upload, float],
    *,
    on_status: Callable[[Mapping[str, JobStatus | None]], None] = lambda _statuses: None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[UploadResult]:
    """Poll the local cloud; yield each result when it is complete, and the incomplete ones that have stalled.

    `upload_times` has the time (`now`) of each upload. `on_status` gets the status of each recording that has no result
    yet, by its key.
    """
    waiting = dict(upload_times)
    clock = ProgressClock()
    while waiting:
        statuses = load_statuses()
        keys = {item.key for item in cos.iter_objects(OUTPUT_BUCKET, prefix=OUTPUT_PREFIX)}
        for upload, uploaded_at in list(waiting.items()):
            clock.note(upload.key, statuses.get(upload.key), now())
            if _is_complete(upload, keys) or clock.has_stalled(upload.key, now()):
                del waiting[upload]
                yield UploadResult(upload, now() - uploaded_at, _download_files(cos, upload, keys))
        on_status({upload.key: statuses.get(upload.key) for upload in waiting})
        if waiting:
            sleep(POLL_INTERVAL_S)


def _is_complete(upload: Upload, keys: set[str]) -> bool:
    if output_key(upload.key, ERROR_SUFFIX) in keys:
        return True
    return all(output_key(upload.key, get_extension(name)) in keys for name in upload.formats)


def _download_files(cos: CosClient, upload: Upload, keys: set[str]) -> dict[str, tuple[str, bytes]]:
    paths = {suffix: output_key(upload.key, suffix) for suffix in SUFFIXES}
    return {suffix: (key, cos.get(OUTPUT_BUCKET, key).body) for suffix, key in paths.items() if key in keys}
