"""Killed before or after any request that it makes, a function loses nothing and pays for nothing twice.

The requests are those of a clean run in the same cloud: a new one is covered without a change here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET
from tests.chaos.cloud import Cloud, running_cloud
from tests.chaos.expected import FORMATS, difference, said_of
from tests.chaos.kills import (
    AFTER,
    REST_SECONDS,
    Cut,
    Scenario,
    audit,
    die_at,
    lose_event,
    lose_notification,
    nothing,
    reconcile,
    upload,
)
from tests.chaos.repair import repair
from tests.chaos.uploads import etag_of
from tests.chaos.verdict import identity, output_key

pytestmark = pytest.mark.process

UPLOADED = Scenario("upload", nothing, upload)
CLOUDS = 3  # side by side: most of the time goes into starting what was killed, and into its leases

Clouds = Sequence[Cloud]


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clouds]:
    """Clouds whose sweep takes everything open for due."""
    quick = ("--speech", "scripted", "--retry-delay", "0.02")
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                running_cloud(tmp_path_factory.mktemp(f"cloud-{number}"), {"SWEEP_AFTER": "0"}, quick)
            )
            for number in range(CLOUDS)
        ]


def test_upload_killed_anywhere_pays_once(clouds: Clouds) -> None:
    kill_everywhere(clouds, "new", UPLOADED)


def test_callback_killed_anywhere_transcribes_once(clouds: Clouds) -> None:
    kill_everywhere(clouds, "told", Scenario("callback", nothing, upload))


def test_callback_killed_anywhere_still_writes_error_object(clouds: Clouds) -> None:
    kill_everywhere(clouds, "failed", Scenario("callback", nothing, upload, b"NOT AUDIO "))


def test_sweep_killed_anywhere_repairs_lost_notification(clouds: Clouds) -> None:
    kill_everywhere(clouds, "lost", Scenario("sweep", lose_notification, reconcile))


def test_sweep_killed_anywhere_resumes_unpaid_attempt(clouds: Clouds) -> None:
    receipt_written = first(clouds[0], "died-unpaid", "PUT", "/.scribe/open/")
    kill_everywhere(clouds, "unpaid", Scenario("sweep", die_at(receipt_written), reconcile))


def test_sweep_killed_anywhere_does_not_pay_again(clouds: Clouds) -> None:
    job_submitted = first(clouds[0], "died-paid", "POST", ".ci.")
    kill_everywhere(clouds, "paid", Scenario("sweep", die_at(job_submitted), reconcile))


def test_audit_killed_anywhere_finds_recording(clouds: Clouds) -> None:
    kill_everywhere(clouds, "untold", Scenario("sweep", lose_event, audit))


def kill_everywhere(clouds: Clouds, name: str, scenario: Scenario) -> None:
    for cloud in clouds:
        forget(cloud)
    cuts = list(scenario.cuts(clouds[0], f"kill/{name}/clean.wav"))
    forget(clouds[0])
    assert cuts

    def kill_some(cloud: Cloud, cuts: Sequence[Cut]) -> list[str]:
        return [
            f"{cut}: {why}"
            for number, cut in enumerate(cuts)
            for why in killed(cloud, scenario, cut, f"kill/{name}/{number}.wav")
        ]

    with ThreadPoolExecutor(CLOUDS) as threads:
        broken = threads.map(kill_some, clouds, (cuts[first::CLOUDS] for first in range(CLOUDS)))
    assert [line for lines in broken for line in lines] == []


def killed(cloud: Cloud, scenario: Scenario, cut: Cut, key: str) -> Iterator[str]:
    """What is not as it must be after a function was killed here and the rest was mended."""
    scenario.run(cloud, key, cut.plan)
    if sum(cloud.struck().values()) != 1:
        yield "nothing was killed"
    yield from filter(None, [repair(cloud, REST_SECONDS)])
    yield from complaints(cloud, key, scenario.body + key.encode())
    forget(cloud)


def forget(cloud: Cloud) -> None:
    """What earlier recordings left must not change the requests of the next."""
    for bucket in (INPUT_BUCKET, OUTPUT_BUCKET):
        cloud.empty(bucket)


def first(cloud: Cloud, name: str, method: str, about: str) -> Cut:
    """The place right after the first request of an upload that looks so."""
    cuts = UPLOADED.cuts(cloud, f"kill/{name}.wav")
    return next(
        cut for cut in cuts if cut.when == AFTER and cut.line.startswith(method) and about in cut.line
    )


def complaints(cloud: Cloud, key: str, body: bytes) -> Iterator[str]:
    """What is not as it must be: one job, one closed receipt, and either the transcripts or the error object."""
    jobs = [job for job in cloud.jobs() if job["object"] == key]
    if len(jobs) != 1:
        yield f"{len(jobs)} jobs were paid"
    yield from (f"the receipt {left} is open" for left in cloud.keys(OUTPUT_BUCKET, ".scribe/open/"))
    outputs = cloud.objects(OUTPUT_BUCKET, f"transcripts/{key}.")
    said = said_of([body])[body]
    if said:
        files = {name: outputs.pop(output_key(key, name), b"") for name in FORMATS}
        yield from filter(None, [difference(files, said, etag_of(body))])
    elif not outputs.pop(output_key(key, "error.json"), b""):
        yield "there is no error object"
    yield from (f"there is also {other}" for other in outputs)
    closed = cloud.objects(OUTPUT_BUCKET, f".scribe/done/{identity(key, body)}")
    outcomes = [json.loads(receipt)["outcome"] for receipt in closed.values()]
    if outcomes != ["transcribed" if said else "failed"]:
        yield f"the closed receipts say {outcomes}"
