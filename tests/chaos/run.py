"""One run: uploads with faults until the pipeline is idle, then repairs without faults."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tests.chaos.checks import LEFT_OPEN, Verdict, Violation, check_results
from tests.chaos.cloud import AUDIT, RECONCILE, Cloud, Row, repair, running_cloud
from tests.chaos.expected import recognize
from tests.chaos.observations import Observations, Recorder, observe
from tests.chaos.workload import Recording, Upload, compute_etag, generate_recordings, schedule_uploads

# While there are faults the sweep is to meet running attempts, which are protected by their lease and not by
# SWEEP_AFTER: with 1 second nearly every receipt is swept while its callback runs. With 0 the sweep would take running
# attempts for dead ones.
_FAULT_SETTINGS = {"SWEEP_AFTER": "1"}
# During the repairs no attempt runs: everything open is due, and leases need not expire first.
_REPAIR_SETTINGS = {"SWEEP_AFTER": "0"}
_SWEEP_INTERVAL_S = 2.0
_IDLE_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Run:
    """The result of a run. `faults` counts the injected faults by kind."""

    recordings: Sequence[Recording]
    observations: Observations
    verdict: Verdict
    faults: dict[str, int]
    seconds: float


def run(data: Path, *, uploads: int, seed: int, plan: Row) -> Run:
    """Upload with the faults of the plan, repair without faults, check the results. `data` is an empty folder."""
    start = time.monotonic()
    recordings, recorder = generate_recordings(uploads, seed), Recorder()
    with running_cloud(data, _FAULT_SETTINGS) as cloud:
        cloud.set_faults(plan)
        with _sweeping(cloud, recorder):
            _upload_all(cloud, recordings, seed, recorder)
            cloud.wait_until_idle(_IDLE_TIMEOUT_S)
        cloud.set_faults({})
        cloud.wait_until_idle(_IDLE_TIMEOUT_S)
        faults = cloud.count_faults()
        recorder.collect(cloud)
    recorder.start_new_cloud()
    with running_cloud(data, _REPAIR_SETTINGS) as cloud:
        repair_error = repair(cloud, _IDLE_TIMEOUT_S)
        observations = observe(cloud, recorder)
        secrets = (cloud.pipeline.emulator.secret_id, cloud.pipeline.emulator.secret_key)
    expected = recognize(body for recording in recordings for body in recording.bodies)
    verdict = check_results(recordings, expected, observations, secrets)
    if repair_error:
        violations = (*verdict.violations, Violation(LEFT_OPEN, "", repair_error))
        verdict = replace(verdict, violations=violations)
    return Run(recordings, observations, verdict, faults, time.monotonic() - start)


def _upload_all(cloud: Cloud, recordings: Sequence[Recording], seed: int, recorder: Recorder) -> None:
    def upload_in_order(uploads: Sequence[Upload]) -> None:
        for upload in uploads:
            time.sleep(upload.pause_s)
            recorder.record_upload(upload.key, compute_etag(upload.body))
            cloud.upload(upload.key, upload.body)

    schedule = schedule_uploads(recordings, seed)
    with ThreadPoolExecutor(len(schedule)) as threads:
        for future in [threads.submit(upload_in_order, uploads) for uploads in schedule]:
            future.result()


@contextmanager
def _sweeping(cloud: Cloud, recorder: Recorder) -> Iterator[None]:
    """Sweep and audit every few seconds until the block ends, each in its own thread, so that they also overlap."""
    stop = threading.Event()

    def repeat(action: Callable[[], object]) -> None:
        while not stop.wait(_SWEEP_INTERVAL_S):
            action()

    actions = (
        partial(cloud.sweep, RECONCILE),
        partial(cloud.sweep, AUDIT),
        partial(recorder.collect, cloud),
    )
    with ThreadPoolExecutor(len(actions)) as threads:
        futures = [threads.submit(repeat, action) for action in actions]
        try:
            yield
        finally:
            stop.set()
        for future in futures:
            future.result()
