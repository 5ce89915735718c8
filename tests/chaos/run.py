"""One run: two stages with faults, each repaired without; between them jobs are forgotten and prefixes may change."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path
from random import Random

from tests.chaos.checks import LEFT_OPEN, NO_MONEY_CODE, Verdict, check_results
from tests.chaos.cloud import (
    AUDIT,
    RECONCILE,
    Cloud,
    Row,
    build_customer_key_headers,
    repair,
    running_cloud,
)
from tests.chaos.deployment import FIRST_PLACE, Deployment, Place, choose_deployment
from tests.chaos.expected import recognize
from tests.chaos.neighbour import Hostility, Neighbour
from tests.chaos.observations import Observations, Recorder, is_refused_submit, observe
from tests.chaos.planter import Planter
from tests.chaos.trust import Violation, is_own
from tests.chaos.workload import (
    Action,
    Kind,
    Recording,
    Schedule,
    Step,
    compute_etag,
    generate_recordings,
    schedule_steps,
)

# While there are faults the sweep is to meet running attempts, which are protected by their lease and not by
# SWEEP_AFTER: with 1 second nearly every receipt is swept while its callback runs. With 0 the sweep would take running
# attempts for dead ones.
_FAULT_SETTINGS = {"SWEEP_AFTER": "1"}
# During the repairs no attempt runs: everything open is due, and leases need not expire first.
_REPAIR_SETTINGS = {"SWEEP_AFTER": "0"}
_SWEEP_INTERVAL_S = 2.0
_IDLE_TIMEOUT_S = 300.0
_REFUSAL_TIMEOUT_S, _REFUSAL_POLL_S = 15.0, 0.5
_SECOND_SEED = 1_000_000  # added to the seed of the plan in the second stage
_EVERY_EVENT_LOST = {"lost_event": 1.0}


@dataclass(frozen=True, slots=True)
class Run:
    """The result of a run. `faults` counts the injected faults by kind."""

    recordings: Sequence[Recording]
    schedule: Schedule
    observations: Observations
    verdict: Verdict
    faults: dict[str, int]
    seconds: float


def run(data: Path, *, uploads: int, seed: int, plan: Row, clocks_apart_s: int = 0) -> Run:
    """Upload with the faults of the plan, repair without faults, check the results. `data` is an empty folder.

    `clocks_apart_s`: instances of the functions have clocks that are this much behind, right, and this much ahead.
    """
    start = time.monotonic()
    deployment = replace(choose_deployment(seed), clocks_apart_s=clocks_apart_s)
    recordings = generate_recordings(uploads, seed, deployment)
    schedule = schedule_steps(recordings, seed, has_refusals=bool(plan))
    storm = _Storm(data, deployment, plan)
    storm.upload_from_before(recordings)
    storm.run_stage(FIRST_PLACE, schedule.stages[0], seed)
    storm.run_middle()
    storm.run_stage(deployment.places[0], schedule.stages[1], seed + _SECOND_SEED)
    observations, secrets = storm.run_end(schedule.late)
    expected = recognize(body for recording in recordings for body in recording.bodies)
    verdict = check_results(recordings, expected, observations, secrets)
    violations = (*verdict.violations, *(Violation(LEFT_OPEN, "", error) for error in storm.repair_errors))
    verdict = replace(verdict, violations=violations)
    return Run(recordings, schedule, observations, verdict, dict(storm.faults), time.monotonic() - start)


class _Storm:
    """The parts of one run, over one data folder."""

    def __init__(self, data: Path, deployment: Deployment, plan: Row) -> None:
        self.recorder = Recorder()
        self.faults: Counter[str] = Counter()
        self.repair_errors: list[str] = []
        self.hostility = Hostility()
        self._neighbour: Neighbour | None = None
        self._data = data
        self._deployment = deployment
        self._plan = plan
        self._clock_skew_s = float(plan.get("clock_skew_s", 0))
        self._since_s = 0.0
        self._awaited = Action.REFUSE

    def upload_from_before(self, recordings: Sequence[Recording]) -> None:
        """Upload what is in the bucket before Scribe is deployed; SINCE is the time afterwards, by COS's clock."""
        lost = {"seed": 1, "rates": _EVERY_EVENT_LOST, "clock_skew_s": self._clock_skew_s}
        with self._running_cloud(FIRST_PLACE, {}) as cloud:
            cloud.set_faults(lost)
            for recording in recordings:
                if recording.is_from_before:
                    self._take_step(cloud, Step(Action.UPLOAD, recording, recording.current))
        self._since_s = ceil(time.time() + self._clock_skew_s) + 1.0
        time.sleep(self._since_s - self._clock_skew_s - time.time())

    def run_stage(self, place: Place, threads: Sequence[Sequence[Step]], seed: int) -> None:
        """Take the steps of a stage with faults, and wait until everything is idle."""
        with self._running_cloud(place, _FAULT_SETTINGS) as cloud:
            cloud.set_faults({**self._plan, "seed": seed} if self._plan else {})
            with _sweeping(cloud, self.recorder):
                with self._neighbours(cloud, place, seed):
                    with ThreadPoolExecutor(len(threads)) as pool:
                        for future in [pool.submit(self._take_steps, cloud, steps) for steps in threads]:
                            future.result()
                    cloud.end_refusals()
                    cloud.wait_until_idle(_IDLE_TIMEOUT_S)  # late events bring more jobs that can be copied
                cloud.wait_until_idle(_IDLE_TIMEOUT_S)
            cloud.set_faults({})
            cloud.wait_until_idle(_IDLE_TIMEOUT_S)
            self.faults.update(cloud.count_faults())

    @contextmanager
    def _neighbours(self, cloud: Cloud, place: Place, seed: int) -> Iterator[None]:
        """Let the neighbours attack until the block ends, unless the run is without faults."""
        if not self._plan:
            yield
            return
        attack = (cloud, self._deployment.output_bucket, place, seed, self.hostility)
        self._neighbour = Neighbour(*attack, self.recorder.record_step)
        with Planter(*attack).running(), self._neighbour.running():
            yield
        self._neighbour = None

    def run_middle(self) -> None:
        """Repair, let CI forget every job, and copy the receipts if the prefixes are about to change."""
        with self._running_cloud(FIRST_PLACE, _REPAIR_SETTINGS) as cloud:
            self._repair(cloud, FIRST_PLACE)
            cloud.forget_jobs()
            if self._deployment.moves:
                new_prefix = self._deployment.places[0].state_prefix
                cloud.copy_folder(self._deployment.output_bucket, FIRST_PLACE.state_prefix, new_prefix)
                cloud.wait_until_idle(_IDLE_TIMEOUT_S)

    def run_end(self, late: Sequence[Step]) -> tuple[Observations, Sequence[str]]:
        """Restore what is restored late, with every event lost; repair. Return observations and the cloud's secrets."""
        place = self._deployment.places[0]
        with self._running_cloud(place, _REPAIR_SETTINGS) as cloud:
            cloud.set_faults({"seed": 1, "rates": _EVERY_EVENT_LOST})
            self._take_steps(cloud, late)
            cloud.wait_until_idle(_IDLE_TIMEOUT_S)
            cloud.set_faults({})
            self._repair(cloud, place)
            emulator = cloud.pipeline.emulator
            observations = observe(cloud, self.recorder, self._deployment, self.hostility)
        return observations, (emulator.secret_id, emulator.secret_key)

    def _repair(self, cloud: Cloud, place: Place) -> None:
        error = repair(
            cloud,
            _IDLE_TIMEOUT_S,
            self._deployment.output_bucket,
            place.state_prefix,
            self.hostility.is_planted,
        )
        self.repair_errors += [error] if error else []

    @contextmanager
    def _running_cloud(self, place: Place, settings: dict[str, str]) -> Iterator[Cloud]:
        settings = {**self._deployment.build_settings(place, self._since_s), **settings}
        with running_cloud(self._data, settings, self._deployment.build_arguments()) as cloud:
            yield cloud
            self.recorder.collect(cloud)
        self.recorder.start_new_cloud()

    def _take_steps(self, cloud: Cloud, steps: Sequence[Step]) -> None:
        for step in steps:
            time.sleep(step.pause_s)
            self._take_step(cloud, step)

    def _take_step(self, cloud: Cloud, step: Step) -> None:
        recording, key = step.recording, step.recording.key if step.recording else ""
        etag = compute_etag(step.body) if step.action is Action.UPLOAD else ""
        self.recorder.record_step(key, f"{step.action.value} {etag}".rstrip())
        if self._neighbour and etag:
            self._neighbour.expect(key, etag)
        if step.action is Action.UPLOAD and recording:
            _upload(cloud, recording, step.body)
        elif step.action is Action.TOUCH:
            # The storage class of a touched object is that of the request; both of these can be read at once.
            storage_class = Random(key).choice(("STANDARD", "STANDARD_IA"))  # noqa: S311 - repeatable, not a secret
            cloud.touch(key, storage_class=storage_class)
        elif step.action is Action.DENY:
            cloud.deny(key)
        elif step.action is Action.RESTORE:
            cloud.restore(key)
        elif step.action is Action.REFUSE and step.refusal:
            self._awaited = step.action
            cloud.refuse_submits(*step.refusal)
        elif step.action is Action.FAIL_JOBS:
            self._awaited = step.action
            cloud.fail_jobs()
        else:
            self._wait_for_refusal(cloud)
            cloud.end_refusals()

    def _wait_for_refusal(self, cloud: Cloud) -> None:
        """Wait until something was refused: on a busy machine an event can be handled long after its upload."""
        deadline_s = time.monotonic() + _REFUSAL_TIMEOUT_S
        while time.monotonic() < deadline_s:
            if self._awaited is Action.REFUSE:
                rows = [row for row in self.recorder.requests if is_refused_submit(row)]
            else:
                rows = [row for row in cloud.jobs() if is_own(row) and row["code"] == NO_MONEY_CODE]
            if not all(row["fault"] for row in rows):
                return
            time.sleep(_REFUSAL_POLL_S)


def _upload(cloud: Cloud, recording: Recording, body: bytes) -> None:
    headers = {"x-cos-storage-class": recording.storage_class}
    if recording.kind is Kind.ENCRYPTED:
        headers |= build_customer_key_headers()
    if recording.kind is Kind.DENIED:
        cloud.deny(recording.key)
    cloud.upload(recording.key, body, content_type=recording.content_type, headers=headers)


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
