"""The list in memory: how many requests it takes, what counts as a change, and how pages hear of it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cli.console.events import HEARTBEAT_S, EventStream, format_event
from cli.console.recordings import FULL_READ_S, Recordings
from cli.language import CHINESE, ENGLISH, use_language
from shared.errors import RequestRejected
from shared.recordings.index import FinishedEntry, finished_key
from tests.helpers.console import Browser
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, FakeClock, raise_error
from tests.helpers.operate import OperatedPipeline, build_workspace

DONE = "calls/完成.mp3"


def create(pipeline: OperatedPipeline) -> tuple[Recordings, FakeClock]:
    clock = FakeClock(1000.0)
    return Recordings(build_workspace(pipeline), clock.now), clock


def test_first_list_of_10_000_takes_a_request_for_each_1_000_and_the_next_ones_six() -> None:
    pipeline = OperatedPipeline.create_mixed()
    for number in range(10_000):
        receipt = pipeline.build_receipt(f"calls/录音-{number:05}.mp3", b"")
        entry = FinishedEntry(int(pipeline.cloud.clock.now()) - 3600 - number, receipt.id, 90)
        pipeline.cloud.put_object(OUTPUT_BUCKET, finished_key(pipeline.ctx.settings, entry), b"")
    pipeline.take_requests()
    browser = Browser.open(pipeline)
    before = time.process_time()
    page = browser.get("/api/recordings")
    assert time.process_time() - before < 10
    assert page["counts"] == {"open": 1, "waiting": 1, "failed": 1, "done": 10_001}
    assert (page["total"], len(page["rows"])) == (10_004, 200)
    requests = pipeline.take_requests()
    # Of all: eleven pages of the index. Of each one open, waiting or failed: its receipt, its error object.
    assert sum("finished/" in request.key for request in requests) == 11
    assert len(requests) <= 25
    assert browser.get("/api/recordings", q="录音-00001")["total"] == 1
    assert pipeline.take_requests() == []
    browser.clock.advance(11)
    assert browser.get("/api/recordings", state="done", offset=9_900)["total"] == 10_001
    assert len(pipeline.take_requests()) <= 6


def test_each_step_of_a_recording_is_one_change() -> None:
    pipeline = OperatedPipeline()
    recordings, _ = create(pipeline)
    assert recordings.refresh() is None
    pipeline.upload_and_ingest("a.mp3", b"speech")
    change = recordings.refresh()
    assert change
    assert [(row["key"], row["phase"]) for row in change.rows] == [("a.mp3", "submitted")]
    assert recordings.is_busy
    assert recordings.refresh() is None
    pipeline.run_and_notify()
    change = recordings.refresh()
    assert change
    assert [(row["key"], row["phase"]) for row in change.rows] == [("a.mp3", "done")]
    assert change.counts == {"open": 0, "waiting": 0, "failed": 0, "done": 1}
    assert not recordings.is_busy


def test_failed_one_that_is_tried_again_and_done_is_shown_so() -> None:
    pipeline = OperatedPipeline()
    recordings, _ = create(pipeline)
    pipeline.transcribe("a.mp3", NOT_AUDIO)
    recordings.refresh()
    pipeline.cloud.clock.advance(60)
    pipeline.upload_and_ingest("a.mp3", b"speech")
    pipeline.write_index()
    recordings.refresh()
    assert recordings.count()["failed"] == 0
    pipeline.run_and_notify()
    pipeline.write_index()
    recordings.refresh()
    assert recordings.count() == {"open": 0, "waiting": 0, "failed": 0, "done": 1}


def test_one_that_was_forgotten_goes_with_the_next_reading_of_everything() -> None:
    pipeline = OperatedPipeline.create_mixed()
    recordings, clock = create(pipeline)
    recordings.refresh()
    for bucket in (INPUT_BUCKET, OUTPUT_BUCKET):
        pipeline.cloud.buckets[bucket].clear()
    assert [name[1] for name in (recordings.refresh() or pytest.fail("no change")).removed] == [
        "calls/open.mp3",
        "archive/old.mp3",
        "calls/broken.mp3",
    ]
    clock.advance(FULL_READ_S)
    change = recordings.refresh()
    assert change
    assert (change.removed, change.rows) == ([(INPUT_BUCKET, DONE)], [])


def test_more_than_a_hundred_changes_are_a_new_list() -> None:
    pipeline = OperatedPipeline()
    recordings, _ = create(pipeline)
    recordings.refresh()
    for number in range(101):
        pipeline.upload_and_ingest(f"{number}.mp3", b"speech")
    change = recordings.refresh()
    assert change
    assert (change.reload, change.rows, change.counts["open"]) == (True, [], 101)


def test_rows_stay_while_the_cloud_cannot_be_asked() -> None:
    pipeline = OperatedPipeline.create_mixed()
    recordings, _ = create(pipeline)
    recordings.refresh()
    denied = RequestRejected(resource=OUTPUT_BUCKET, status=403, code="AccessDenied")
    pipeline.cloud.before("LIST", "", raise_error(denied), times=100)
    assert recordings.refresh() is None
    assert "`scribe policy operator`" in recordings.problem
    assert recordings.format_page("", "", 0, 10)["total"] == 4
    pipeline.cloud.clear_hooks()
    assert recordings.refresh() is None
    assert recordings.problem == ""


def test_other_language_reads_the_notes_again() -> None:
    pipeline = OperatedPipeline.create_mixed()
    recordings, _ = create(pipeline)
    recordings.refresh()
    pipeline.take_requests()
    try:
        use_language(CHINESE)
        assert recordings.forget_texts().reload
        recordings.refresh_if_old()
    finally:
        use_language(ENGLISH)
    assert any(request.key.endswith("broken.mp3.error.json") for request in pipeline.take_requests())


async def follow(browser: Browser, last_revision: str, act: Any) -> list[tuple[str, dict[str, Any]]]:
    """Follow the events while `act` runs with the stream's hub, then stop the console. Return the events."""
    services = browser.services
    events: list[tuple[str, dict[str, Any]]] = []
    arrived = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        lines = message.get("body", b"").decode().strip().split("\n")
        fields = dict(line.partition(": ")[::2] for line in lines)
        if "event" in fields:
            events.append((fields["event"], json.loads(fields["data"])))
            arrived.set()

    async def wait_for(name: str) -> dict[str, Any]:
        while not (events and events[-1][0] == name):
            arrived.clear()
            services.events.wake()
            await asyncio.wait_for(arrived.wait(), 10)
        return events[-1][1]

    stream = EventStream(services.events, services.recordings, last_revision)
    task = asyncio.create_task(stream({"type": "http"}, receive, send))  # type: ignore[arg-type]
    await act(wait_for)
    services.events.stop()
    await asyncio.wait_for(task, HEARTBEAT_S / 2)
    return events


def test_pages_hear_of_problems_and_of_their_end() -> None:
    browser = Browser.open(OperatedPipeline.create_mixed())
    cloud = browser.pipeline.cloud
    browser.get("/api/recordings")

    async def act(wait_for: Any) -> None:
        await wait_for("changed")
        denied = RequestRejected(resource=OUTPUT_BUCKET, status=403, code="InvalidAccessKeyId")
        cloud.before("LIST", "", raise_error(denied), times=10_000)
        assert "TENCENT_SECRET_KEY" in (await wait_for("problem"))["message"]
        cloud.clear_hooks()
        await wait_for("recovered")
        browser.pipeline.run_and_notify()
        assert [row["key"] for row in (await wait_for("changed"))["rows"]] == ["calls/open.mp3"]

    events = asyncio.run(follow(browser, "", act))
    assert [name for name, _ in events] == ["changed", "problem", "recovered", "changed"]
    assert events[0][1]["reload"] is False
    assert browser.services.events.is_asking is False


def test_page_that_was_cut_off_reads_the_list_again() -> None:
    browser = Browser.open(OperatedPipeline.create_mixed())
    browser.get("/api/recordings")

    async def act(wait_for: Any) -> None:
        await wait_for("changed")

    (first, *_) = asyncio.run(follow(browser, "77", act))
    assert first[1]["reload"] is True


def test_text_cannot_begin_another_event() -> None:
    text = format_event("problem", {"message": "a\n\nevent: changed\r\ndata: {}\u2028"})
    assert len(text.strip().splitlines()) == 2


def test_list_is_shown_while_it_is_being_read_again() -> None:
    pipeline = OperatedPipeline.create_mixed()
    recordings, clock = create(pipeline)
    recordings.refresh()
    clock.advance(11)

    def ask_again() -> None:
        thread = threading.Thread(target=recordings.refresh_if_old, daemon=True)
        thread.start()
        thread.join(5)
        assert not thread.is_alive()

    pipeline.cloud.before("LIST", "", ask_again)
    recordings.refresh()
    assert recordings.count()["open"] == 1


def test_new_key_in_the_file_is_used_when_the_old_one_has_expired(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    browser = Browser.open(OperatedPipeline.create_mixed(), env_file=env_file)
    cloud = browser.pipeline.cloud
    browser.get("/api/recordings")
    new = f"AKID{'n' * 32}"

    def check_key() -> None:
        if cloud.client.credentials.secret_id != new:
            raise RequestRejected(resource=OUTPUT_BUCKET, status=403, code="ExpiredToken")

    async def act(wait_for: Any) -> None:
        await wait_for("changed")
        cloud.before("", "", check_key, times=10_000)
        assert "put a new one in" in (await wait_for("problem"))["message"]
        env_file.write_text(
            f"REGION=ap-guangzhou\nTENCENT_SECRET_ID={new}\nTENCENT_SECRET_KEY={'k' * 32}\n", "utf-8"
        )
        await wait_for("recovered")

    asyncio.run(follow(browser, "", act))
    assert cloud.client.credentials.secret_key == "k" * 32


def test_bucket_that_cannot_be_read_does_not_make_the_other_be_read_as_a_whole_each_time() -> None:
    pipeline = OperatedPipeline()
    pipeline.transcribe("a.mp3", b"speech")
    other = "others-1250000000"
    browser = Browser.open(pipeline, input_buckets=(INPUT_BUCKET, other), output_bucket="")
    page = browser.get("/api/recordings")
    assert "NoSuchBucket" in page["problem"]
    pipeline.take_requests()
    for number in range(1_500):
        receipt = pipeline.build_receipt(f"{number}.mp3", b"")
        entry = FinishedEntry(int(pipeline.cloud.clock.now()) - 7200 - number, receipt.id, 90)
        pipeline.cloud.put_object(INPUT_BUCKET, finished_key(pipeline.ctx.settings, entry), b"")
    browser.clock.advance(FULL_READ_S)
    assert browser.get("/api/recordings")["counts"]["done"] >= 1_500
    pipeline.take_requests()
    browser.clock.advance(11)
    assert "NoSuchBucket" in browser.get("/api/recordings")["problem"]
    assert sum("finished/" in request.key for request in pipeline.take_requests()) == 1
    pipeline.cloud.buckets[other] = {}
    browser.clock.advance(11)
    browser.get("/api/recordings")
    browser.clock.advance(11)
    assert browser.get("/api/recordings")["problem"] == ""
    assert sum("finished/" in request.key for request in pipeline.take_requests()) > 3


def test_bug_while_pages_listen_is_reported_once_and_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    browser = Browser.open(OperatedPipeline.create_mixed())
    browser.get("/api/recordings")
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise KeyError("a bug")

    async def act(wait_for: Any) -> None:
        await wait_for("changed")
        browser.pipeline.cloud.before("LIST", "", fail, times=10_000)
        assert "mistake in Scribe" in (await wait_for("problem"))["message"]
        while len(calls) < 3:
            browser.services.events.wake()
            await asyncio.sleep(0.001)
        browser.pipeline.cloud.clear_hooks()
        await wait_for("recovered")

    asyncio.run(follow(browser, "", act))
    assert capsys.readouterr().err.count("KeyError: 'a bug'") == 1
