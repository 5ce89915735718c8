"""A function that is killed before or after any of its requests loses nothing and pays for nothing twice.

The requests are those of a run without faults on the same local cloud: a new request is covered without a change here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET
from tests.chaos.cloud import Cloud, repair, running_cloud
from tests.chaos.expected import (
    FORMATS,
    build_output_key,
    build_receipt_id,
    find_difference,
    recognize,
)
from tests.chaos.kill_points import (
    AFTER,
    IDLE_TIMEOUT_S,
    KillPoint,
    Scenario,
    audit,
    do_nothing,
    reconcile,
    upload,
    upload_killed_at,
    upload_without_event,
    upload_without_notification,
)
from tests.chaos.workload import compute_etag

# Every point starts new processes, which takes minutes on a busy machine.
pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]

UPLOAD = Scenario("upload", do_nothing, upload)
CLOUDS = 3  # in parallel: most of the time is spent on new processes and on waiting for leases

Clouds = Sequence[Cloud]


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clouds]:
    """Local clouds whose sweep takes every open receipt as due."""
    options = ("--speech", "scripted", "--retry-delay", "0.02")
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                running_cloud(tmp_path_factory.mktemp(f"cloud-{number}"), {"SWEEP_AFTER": "0"}, options)
            )
            for number in range(CLOUDS)
        ]


def test_upload_killed_anywhere_pays_once(clouds: Clouds) -> None:
    kill_at_every_point(clouds, "new", UPLOAD)


def test_callback_killed_anywhere_transcribes_once(clouds: Clouds) -> None:
    kill_at_every_point(clouds, "notified", Scenario("callback", do_nothing, upload))


def test_callback_killed_anywhere_still_writes_error_object(clouds: Clouds) -> None:
    kill_at_every_point(clouds, "failed", Scenario("callback", do_nothing, upload, b"NOT AUDIO "))


def test_sweep_killed_anywhere_repairs_lost_notification(clouds: Clouds) -> None:
    kill_at_every_point(
        clouds, "lost-notification", Scenario("sweep", upload_without_notification, reconcile)
    )


def test_sweep_killed_anywhere_resumes_unpaid_attempt(clouds: Clouds) -> None:
    receipt_written = find_kill_point(clouds[0], "killed-unpaid", "PUT", "/.scribe/open/")
    kill_at_every_point(clouds, "unpaid", Scenario("sweep", upload_killed_at(receipt_written), reconcile))


def test_sweep_killed_anywhere_does_not_pay_again(clouds: Clouds) -> None:
    job_submitted = find_kill_point(clouds[0], "killed-paid", "POST", ".ci.")
    kill_at_every_point(clouds, "paid", Scenario("sweep", upload_killed_at(job_submitted), reconcile))


def test_audit_killed_anywhere_finds_recording(clouds: Clouds) -> None:
    kill_at_every_point(clouds, "lost-event", Scenario("sweep", upload_without_event, audit))


def kill_at_every_point(clouds: Clouds, name: str, scenario: Scenario) -> None:
    for cloud in clouds:
        delete_all_objects(cloud)
    points = list(scenario.find_kill_points(clouds[0], f"kill/{name}/clean.wav"))
    delete_all_objects(clouds[0])
    assert points

    def kill_at_some_points(cloud: Cloud, points: Sequence[KillPoint]) -> list[str]:
        return [
            f"{point}: {problem}"
            for number, point in enumerate(points)
            for problem in find_problems_after_kill(cloud, scenario, point, f"kill/{name}/{number}.wav")
        ]

    with ThreadPoolExecutor(CLOUDS) as threads:
        results = threads.map(kill_at_some_points, clouds, (points[first::CLOUDS] for first in range(CLOUDS)))
    assert [problem for problems in results for problem in problems] == []


def find_problems_after_kill(cloud: Cloud, scenario: Scenario, point: KillPoint, key: str) -> Iterator[str]:
    """Kill the function at this point, repair, and yield what is wrong."""
    scenario.run(cloud, key, point.plan)
    if sum(cloud.count_faults().values()) != 1:
        yield "no function was killed"
    yield from filter(None, [repair(cloud, IDLE_TIMEOUT_S)])
    yield from find_problems(cloud, key, scenario.body + key.encode())
    delete_all_objects(cloud)


def delete_all_objects(cloud: Cloud) -> None:
    """Delete earlier recordings and results: they must not change the requests for the next recording."""
    for bucket in (INPUT_BUCKET, OUTPUT_BUCKET):
        cloud.delete_objects(bucket)


def find_kill_point(cloud: Cloud, name: str, method: str, part: str) -> KillPoint:
    """Find the point right after the first request of an upload with this method and this part."""
    points = UPLOAD.find_kill_points(cloud, f"kill/{name}.wav")
    return next(
        point
        for point in points
        if point.when == AFTER and point.line.startswith(method) and part in point.line
    )


def find_problems(cloud: Cloud, key: str, body: bytes) -> Iterator[str]:
    """Yield what is wrong: expected are one job, one closed receipt, and the transcripts or the error object."""
    jobs = [job for job in cloud.jobs() if job["object"] == key]
    if len(jobs) != 1:
        yield f"{len(jobs)} jobs were paid"
    yield from (f"the receipt {name} is open" for name in cloud.list_keys(OUTPUT_BUCKET, ".scribe/open/"))
    outputs = cloud.read_objects(OUTPUT_BUCKET, f"transcripts/{key}.")
    speech = recognize([body])[body]
    if speech:
        files = {extension: outputs.pop(build_output_key(key, extension), b"") for extension in FORMATS}
        yield from filter(None, [find_difference(files, speech, compute_etag(body))])
    elif not outputs.pop(build_output_key(key, "error.json"), b""):
        yield "there is no error object"
    yield from (f"there is also {name}" for name in outputs)
    receipts = cloud.read_objects(OUTPUT_BUCKET, f".scribe/done/{build_receipt_id(key, body)}")
    outcomes = [json.loads(receipt)["outcome"] for receipt in receipts.values()]
    if outcomes != ["transcribed" if speech else "failed"]:
        yield f"the closed receipts have the outcomes {outcomes}"
