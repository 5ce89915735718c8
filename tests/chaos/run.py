"""One run: uploads in the storm, rest, repair in fair weather."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tests.chaos.cloud import AUDIT, RECONCILE, Cloud, Row, running_cloud
from tests.chaos.evidence import Evidence, Recorder, gather
from tests.chaos.expected import said_of
from tests.chaos.repair import repair
from tests.chaos.uploads import Put, Recording, draw, etag_of, in_turns
from tests.chaos.verdict import LEFT_OPEN, Verdict, Violation, judge

# In the storm the sweep meets live attempts on purpose. What protects these is their lease, not SWEEP_AFTER: with 1
# second nearly every receipt is swept while its callback is at work. 0 would tell the sweep to take live for dead.
_IN_THE_STORM = {"SWEEP_AFTER": "1"}
# Afterwards nobody is alive: everything open is due, and the leases of the dead need not be waited for.
_AFTERWARDS = {"SWEEP_AFTER": "0"}
_SWEEP_EVERY_SECONDS = 2.0
_REST_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Run:
    """What was done and what came of it."""

    recordings: Sequence[Recording]
    evidence: Evidence
    verdict: Verdict
    struck: dict[str, int]
    seconds: float


def run(data: Path, *, uploads: int, seed: int, plan: Row) -> Run:
    """Uploads under the plan's faults, then repairs without any. `data` is an empty folder."""
    began = time.monotonic()
    recordings, record = draw(uploads, seed), Recorder()
    with running_cloud(data, _IN_THE_STORM) as cloud:
        cloud.set_faults(plan)
        with _swept(cloud, record):
            _upload(cloud, recordings, seed, record)
            cloud.rests(_REST_SECONDS)
        cloud.set_faults({})
        cloud.rests(_REST_SECONDS)
        struck = cloud.struck()
        record.collect(cloud)
    record.new_cloud()
    with running_cloud(data, _AFTERWARDS) as cloud:
        unmended = repair(cloud, _REST_SECONDS)
        evidence = gather(cloud, record)
        secrets = (cloud.pipeline.emulator.secret_id, cloud.pipeline.emulator.secret_key)
    said = said_of(body for one in recordings for body in one.bodies)
    verdict = judge(recordings, said, evidence, secrets)
    if unmended:
        verdict = replace(verdict, violations=(*verdict.violations, Violation(LEFT_OPEN, "", unmended)))
    return Run(recordings, evidence, verdict, struck, time.monotonic() - began)


def _upload(cloud: Cloud, recordings: Sequence[Recording], seed: int, record: Recorder) -> None:
    def put(turns: Sequence[Put]) -> None:
        for one in turns:
            time.sleep(one.pause_s)
            record.put(one.key, etag_of(one.body))
            cloud.upload(one.key, one.body)

    turns = in_turns(recordings, seed)
    with ThreadPoolExecutor(len(turns)) as threads:
        for done in [threads.submit(put, mine) for mine in turns]:
            done.result()


@contextmanager
def _swept(cloud: Cloud, record: Recorder) -> Iterator[None]:
    """Sweeps and audits every few seconds, each in a thread of its own, so that they also meet each other."""
    calm = threading.Event()

    def keep_on(act: Callable[[], object]) -> None:
        while not calm.wait(_SWEEP_EVERY_SECONDS):
            act()

    acts = (
        partial(cloud.sweep, RECONCILE),
        partial(cloud.sweep, AUDIT),
        partial(record.collect, cloud),
    )
    with ThreadPoolExecutor(len(acts)) as threads:
        done = [threads.submit(keep_on, act) for act in acts]
        try:
            yield
        finally:
            calm.set()
        for each in done:
            each.result()
