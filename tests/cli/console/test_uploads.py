"""Uploads in the console: what is refused, what is passed on, and what a broken connection leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.console.streams import ObjectStreams
from cli.console.uploads import plan_upload
from shared.errors import CloudError, RequestRejected
from tests.helpers.console import ADDRESS, PORT, Browser
from tests.helpers.fake_cloud import INPUT_BUCKET, REGION, raise_error
from tests.helpers.fakes import build_test_settings
from tests.helpers.operate import OperatedPipeline

MEGABYTE = 1024 * 1024


@pytest.fixture
def browser() -> Browser:
    return Browser.open(OperatedPipeline())


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a.mp3", "a.mp3"),
        ("/a.mp3", "a.mp3"),
        ("calls\\a.mp3", "calls/a.mp3"),
        ("<img src=x onerror=alert(1)>.mp3", "<img src=x onerror=alert(1)>.mp3"),
        ("cafe\u0301.mp3", "caf\u00e9.mp3"),
        ("\u202egpj.mp3", "\u202egpj.mp3"),
        ("会议 1.MP3", "会议 1.MP3"),
        ("录" * 282 + ".mp3", "录" * 282 + ".mp3"),
    ],
)
def test_file_keeps_its_name(browser: Browser, name: str, key: str) -> None:
    plan = browser.get("/api/upload-check", bucket=INPUT_BUCKET, key=name, size=6)
    assert plan == {"key": key, "exists": False, "warnings": [], "refusal": ""}
    response = browser.upload(name, b"speech")
    assert (response.status_code, response.json()["key"]) == (201, key)
    assert browser.pipeline.cloud.buckets[INPUT_BUCKET][key].body == b"speech"


@pytest.mark.parametrize(
    ("name", "size", "refusal"),
    [
        ("a.mp3", 0, "empty"),
        ("a.mp3", 512 * MEGABYTE + 1, "at most 512 MB"),
        ("../a.mp3", 6, "no name of a file"),
        ("calls/../../a.mp3", 6, "no name of a file"),
        ("calls//a.mp3", 6, "no name of a file"),
        ("", 6, "no name of a file"),
        ("a\n.mp3", 6, r"control character"),
        ("a\u2028.mp3", 6, "control character"),
        ("录" * 283 + ".mp3", 6, "853 bytes"),
        ("a.docx", 6, "no recording by its extension"),
        ("mp3", 6, "no recording by its extension"),
        (".scribe/open/a.mp3", 6, ""),
    ],
)
def test_file_that_gives_no_transcript_is_refused(
    browser: Browser, name: str, size: int, refusal: str
) -> None:
    plan = browser.get("/api/upload-check", bucket=INPUT_BUCKET, key=name, size=size)
    assert refusal in plan["refusal"]
    assert "\n" not in plan["refusal"]
    if refusal:
        headers = {"Content-Length": str(size)}
        response = browser.upload(name, b"", headers=headers)
        assert response.status_code == (413 if size > MEGABYTE else 422)
        assert response.json()["message"] == plan["refusal"]
    assert browser.pipeline.list_keys("", INPUT_BUCKET) == []


def test_input_prefix_is_put_before_the_name() -> None:
    settings = build_test_settings(input_prefix="incoming/")
    assert plan_upload(settings, INPUT_BUCKET, "a.mp3", 6) == ("incoming/a.mp3", "")
    assert plan_upload(settings, INPUT_BUCKET, "incoming/a.mp3", 6) == ("incoming/a.mp3", "")
    assert "INPUT_BUCKETS" in plan_upload(settings, "others-1250000000", "a.mp3", 6).refusal


def test_place_of_outputs_is_refused() -> None:
    settings = build_test_settings(output_bucket="")
    assert "its own files" in plan_upload(settings, INPUT_BUCKET, "transcripts/a.mp3", 6).refusal


@pytest.mark.parametrize("versioned", [(), (INPUT_BUCKET,)])
def test_recording_of_the_same_name_is_replaced_only_on_request(
    browser: Browser, versioned: tuple[str, ...]
) -> None:
    browser.pipeline.cloud.versioned.update(versioned)
    assert browser.upload("a.mp3", b"first").status_code == 201
    plan = browser.get("/api/upload-check", bucket=INPUT_BUCKET, key="a.mp3", size=6)
    assert plan["exists"]
    assert "replaced" in plan["warnings"][0]
    response = browser.upload("a.mp3", b"second")
    assert (response.status_code, response.json()["error"]) == (409, "exists")
    assert browser.pipeline.cloud.buckets[INPUT_BUCKET]["a.mp3"].body == b"first"
    assert browser.upload("a.mp3", b"second", params={"overwrite": "1"}).status_code == 201
    stored = browser.pipeline.cloud.buckets[INPUT_BUCKET]["a.mp3"]
    assert (stored.body, stored.content_type) == (b"second", "audio/mpeg")


def test_name_that_is_taken_in_the_meantime_is_not_replaced(browser: Browser) -> None:
    cloud = browser.pipeline.cloud
    cloud.after("HEAD", "a.mp3", lambda: cloud.put_object(INPUT_BUCKET, "a.mp3", b"theirs"))
    cloud.before("PUT", "a.mp3", lambda: cloud.put_object(INPUT_BUCKET, "a.mp3", b"theirs"))
    assert browser.upload("a.mp3", b"mine").status_code == 409
    assert cloud.buckets[INPUT_BUCKET]["a.mp3"].body == b"theirs"


def test_upload_without_a_length_is_refused(browser: Browser) -> None:
    async def generate() -> AsyncIterator[bytes]:
        yield b"speech"

    assert browser.upload("a.mp3", generate()).status_code == 411
    assert browser.pipeline.list_keys("", INPUT_BUCKET) == []


def test_connection_that_breaks_leaves_nothing(browser: Browser) -> None:
    received: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"half of it", "more_body": True},
        {"type": "http.disconnect"},
    ]
    headers = {
        "host": f"127.0.0.1:{PORT}",
        "origin": ADDRESS,
        "cookie": browser.cookie,
        "content-length": "20",
    }
    scope = {
        "type": "http",
        "method": "PUT",
        "path": "/api/upload",
        "query_string": f"bucket={INPUT_BUCKET}&key=a.mp3".encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> dict[str, Any]:
        return received.pop(0)

    async def send(message: dict[str, Any]) -> None:
        pass

    asyncio.run(browser.app(scope, receive, send))  # type: ignore[arg-type]  # messages are plain dictionaries
    assert received == []
    assert browser.pipeline.list_keys("", INPUT_BUCKET) == []
    assert browser.get("/api/recordings")["total"] == 0


def test_upload_is_shown_until_a_function_takes_it(browser: Browser) -> None:
    browser.upload("calls/a.mp3", b"speech")
    (row,) = browser.get("/api/recordings")["rows"]
    assert (row["key"], row["name"], row["state"], row["phase"]) == (
        "calls/a.mp3",
        "a.mp3",
        "open",
        "uploaded",
    )
    browser.pipeline.ingest("calls/a.mp3")
    (change,) = browser.read_changes()
    assert [(row["state"], row["phase"]) for row in change["rows"]] == [("open", "submitted")]


def test_same_content_again_shows_its_transcript_after_a_while(browser: Browser) -> None:
    browser.pipeline.transcribe("a.mp3", b"speech")
    browser.pipeline.cloud.clock.advance(7200)
    browser.upload("a.mp3", b"speech", params={"overwrite": "1"})
    browser.clock.advance(11)
    assert browser.get("/api/recordings")["rows"][0]["phase"] == "uploaded"
    browser.clock.advance(61)
    assert browser.get("/api/recordings")["rows"][0]["phase"] == "done"


def test_refusal_of_the_cloud_says_which_bucket_is_missing(browser: Browser) -> None:
    del browser.pipeline.cloud.buckets[INPUT_BUCKET]
    response = browser.upload("a.mp3", b"speech")
    assert (response.status_code, response.json()["error"]) == (502, "cloud")
    assert "NoSuchBucket" in response.json()["message"]


def test_upload_with_two_lengths_is_refused(browser: Browser) -> None:
    headers = {"Content-Length": "3", "Transfer-Encoding": "chunked"}
    assert browser.upload("a.mp3", b"speech", headers=headers).json()["error"] == "no_length"


def test_key_of_the_account_is_refused_before_the_file_is_sent(browser: Browser) -> None:
    expired = RequestRejected(resource=INPUT_BUCKET, status=403, code="ExpiredToken")
    browser.pipeline.cloud.before("HEAD", "", raise_error(expired), times=3)
    response = browser.upload("a.mp3", b"speech", params={"overwrite": "1"})
    assert (response.status_code, response.json()["error"]) == (502, "cloud")
    assert "The temporary key has expired: put a new one in .env" in response.json()["message"]
    assert browser.pipeline.list_keys("", INPUT_BUCKET) == []


@pytest.mark.parametrize("status", [200, 500])
def test_response_that_breaks_off_is_an_error_of_the_cloud(browser: Browser, status: int) -> None:
    class Broken(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"<Err"
            raise httpx.ReadError("gone")

    async def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, stream=Broken())

    async def generate() -> AsyncIterator[bytes]:
        yield b"speech"

    async def put() -> None:
        streams = ObjectStreams(browser.pipeline.cloud.client, httpx.MockTransport(respond))
        await streams.put(
            INPUT_BUCKET,
            REGION,
            "a.mp3",
            size=6,
            pieces=generate(),
            content_type="audio/mpeg",
            create_only=True,
        )

    with pytest.raises(CloudError, match="NoAnswer"):
        asyncio.run(put())


def test_upload_is_tried_again_with_the_new_key_of_the_file(tmp_path: Path) -> None:
    browser = Browser.open(OperatedPipeline(), env_file=tmp_path / ".env")
    cloud, new = browser.pipeline.cloud, f"AKID{'n' * 32}"

    def check_key() -> None:
        if cloud.client.credentials.secret_id != new:
            raise RequestRejected(resource=INPUT_BUCKET, status=403, code="ExpiredToken")

    cloud.before("", "", check_key, times=10_000)
    assert "has expired" in browser.get("/api/recordings")["problem"]
    assert browser.upload("a.mp3", b"speech").status_code == 502
    key = f"REGION=ap-guangzhou\nTENCENT_SECRET_ID={new}\nTENCENT_SECRET_KEY={'k' * 32}\n"
    (tmp_path / ".env").write_text(key, "utf-8")
    assert browser.get("/api/upload-check", bucket=INPUT_BUCKET, key="a.mp3", size=6)["refusal"] == ""
    assert browser.upload("a.mp3", b"speech").status_code == 201
