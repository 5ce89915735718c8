"""Search in the console: transcripts that anyone may have written, and what a search must not hide from the pages."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import pytest

from cli.console.sentences import parse_texts
from shared.recordings.keys import transcript_key
from tests.helpers.console import ADDRESS, Browser
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET
from tests.helpers.operate import OperatedPipeline

KEY = "calls/完成.mp3"


def build_transcript(**members: object) -> bytes:
    sentence = {"start_ms": 0, "end_ms": 1, "text": "a", "speaker": None, "channel": None, **members}
    return json.dumps({"sentences": [sentence], "speaker_names": ["Anna"]}).encode()


@pytest.mark.parametrize(
    "members",
    [
        {"start_ms": float("inf")},
        {"start_ms": float("nan")},
        {"end_ms": 1e300},
        {"start_ms": -1},
        {"speaker": -5},
        {"speaker": "x"},
    ],
)
def test_transcript_with_impossible_values_is_none(members: dict[str, object]) -> None:
    assert parse_texts("json", build_transcript())[0]
    with pytest.raises(ValueError, match="not a transcript"):
        parse_texts("json", build_transcript(**members))


def test_line_of_many_brackets_takes_no_minutes() -> None:
    before = time.process_time()
    (cue,), _ = parse_texts("srt", b"00:00:01,000 --> 00:00:02,000\n<i>a</i>" + b"<" * 200_000 + b"\n")
    assert (cue.text[:3], time.process_time() - before < 2) == ("a<<", True)


def test_hostile_transcript_keeps_no_other_from_being_found() -> None:
    pipeline = OperatedPipeline.create_mixed()
    pipeline.transcribe("b/talk.mp3", b"other words")
    for extension in ("srt", "vtt", "txt"):
        key = transcript_key(pipeline.ctx.settings, INPUT_BUCKET, KEY, extension)
        pipeline.cloud.buckets[OUTPUT_BUCKET].pop(key, None)
    key = transcript_key(pipeline.ctx.settings, INPUT_BUCKET, KEY, "json")
    pipeline.cloud.change_object(OUTPUT_BUCKET, key, body=build_transcript(start_ms=float("inf")))
    browser = Browser.open(pipeline)
    browser.get("/api/recordings")
    browser.services.search.load()
    found = browser.get("/api/search", q="other")
    assert (found["total"], found["searched"], found["texts"]) == (1, 3, 3)
    assert browser.get("/api/transcript", key=KEY)["sentences"] == []


def test_change_that_a_search_meets_is_sent_to_the_pages() -> None:
    browser = Browser.open(OperatedPipeline.create_mixed())
    pipeline, recordings = browser.pipeline, browser.services.recordings
    browser.get("/api/recordings")

    async def search() -> list[str]:
        transport = httpx.ASGITransport(browser.app)
        async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
            pipeline.take_requests()
            with browser.services.events.subscribe() as queue:
                while not pipeline.take_requests():  # noqa: ASYNC110 - of the page's own first question
                    await asyncio.sleep(0.001)
                await asyncio.get_running_loop().run_in_executor(None, recordings.refresh)
                pipeline.run_and_notify()
                browser.clock.advance(11)
                response = await client.get("/api/search?q=x", headers={"Cookie": browser.cookie})
                assert response.status_code == 200
                name, data = await asyncio.wait_for(queue.get(), 5)
        return [name, *(row["key"] for row in data["rows"])]

    assert asyncio.run(search()) == ["changed", "calls/open.mp3"]


def test_search_says_how_many_texts_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = OperatedPipeline()
    for number in range(4):
        pipeline.transcribe(f"{number}.mp3", b"word")
    monkeypatch.setattr("cli.console.search.MAX_TEXTS", 3)
    monkeypatch.setattr("cli.console.search.MAX_CHARACTERS", 7)
    browser = Browser.open(pipeline)
    browser.get("/api/recordings")
    browser.services.search.load()
    found = browser.get("/api/search", q="word")
    assert [found[name] for name in ("total", "searched", "texts", "unsearched")] == [2, 2, 2, 2]
