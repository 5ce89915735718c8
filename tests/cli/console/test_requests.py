"""What the console asks the cloud: the figures of docs/console.md."""

from __future__ import annotations

from typing import Any

from tests.helpers.console import Browser
from tests.helpers.fake_cloud import INPUT_BUCKET
from tests.helpers.operate import OperatedPipeline

DONE, FAILED = "calls/完成.mp3", "calls/broken.mp3"


def test_each_part_of_the_page_costs_as_many_requests_as_documented() -> None:
    pipeline = OperatedPipeline.create_mixed()  # a recording in each state
    pipeline.take_requests()
    browser = Browser.open(pipeline)

    def count(path: str, key: str = "", **params: Any) -> int:
        browser.get(path, bucket=INPUT_BUCKET, key=key, **params)
        return len(pipeline.take_requests())

    assert count("/api/recordings") == 4 + 1 + (1 + 2 + 3)
    browser.clock.advance(11)
    assert count("/api/recordings") == 4
    pipeline.upload_and_ingest("calls/new.mp3", b"speech")
    pipeline.take_requests()
    browser.clock.advance(11)
    assert count("/api/recordings") == 4 + 1
    assert count("/api/transcript", DONE) == 4
    assert count("/api/story", FAILED) == 9
    assert count("/api/cost") == 1
    assert count("/api/upload-check", "calls/other.mp3", size=1) == 1
    browser.services.search.load()
    assert len(pipeline.take_requests()) == 2
    assert count("/api/search", q="speech") == 0
