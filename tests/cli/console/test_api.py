"""What the page of the console asks for, on an in-memory cloud."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from cli.console.media import Sound
from cli.console.sentences import parse_texts
from cli.console.transcripts import choose_media_type
from cli.language import CHINESE, ENGLISH, use_language
from shared.errors import RequestRejected, Throttled
from shared.recordings.keys import transcript_key
from tests.helpers.console import ADDRESS, Browser
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, raise_error
from tests.helpers.operate import OperatedPipeline

HOSTILE = [
    "<img src=x onerror=alert(1)>.mp3",
    "a\nb.mp3",
    "\u202egpj.mp3",
    "calls/录" + "音" * 200 + ".mp3",
    "../a.mp3",
]


@pytest.fixture
def browser() -> Browser:
    return Browser.open(OperatedPipeline.create_mixed())


@pytest.fixture
def english() -> Iterator[None]:
    yield
    use_language(ENGLISH)


def test_session_says_what_the_console_may_do(browser: Browser) -> None:
    session = browser.get("/api/session")
    assert session["write"] is True
    assert session["buckets"] == [INPUT_BUCKET]
    assert session["language"] == "en"
    assert session["is_local"] is False
    assert session["max_bytes"] == 536_870_912
    assert "mp3" in session["extensions"]
    assert session["read_only_hint"] == "scribe console --write"
    assert session["monthly_minutes"] is None


def test_list_has_every_state_in_order(browser: Browser) -> None:
    page = browser.get("/api/recordings")
    assert [(row["state"], row["phase"], row["name"]) for row in page["rows"]] == [
        ("open", "submitted", "open.mp3"),
        ("waiting", "waiting", "old.mp3"),
        ("failed", "failed", "broken.mp3"),
        ("done", "done", "完成.mp3"),
    ]
    assert page["counts"] == {"open": 1, "waiting": 1, "failed": 1, "done": 1}
    assert (page["total"], page["problem"], page["has_more_done"]) == (4, "", False)


@pytest.mark.parametrize(
    ("params", "total", "names"),
    [
        ({"state": "failed"}, 1, ["broken.mp3"]),
        ({"q": "CALLS/"}, 3, ["open.mp3", "broken.mp3", "完成.mp3"]),
        ({"q": "完成"}, 1, ["完成.mp3"]),
        ({"q": "calls", "state": "waiting"}, 0, []),
        ({"offset": 1, "limit": 2}, 4, ["old.mp3", "broken.mp3"]),
        ({"offset": 9}, 4, []),
        ({"limit": 0}, 4, []),
    ],
)
def test_list_is_filtered_and_paged(
    browser: Browser, params: dict[str, Any], total: int, names: list[str]
) -> None:
    page = browser.get("/api/recordings", **params)
    assert (page["total"], [row["name"] for row in page["rows"]]) == (total, names)


@pytest.mark.parametrize("params", [{"offset": "-1"}, {"limit": "x"}, {"offset": "9" * 30}, {"offset": "٣x"}])
def test_number_that_is_none_is_refused(browser: Browser, params: dict[str, str]) -> None:
    assert browser.get("/api/recordings", 400, **params)["error"] == "wrong_number"


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_name_stays_a_text(key: str) -> None:
    pipeline = OperatedPipeline()
    pipeline.transcribe(key, b"speech")
    browser = Browser.open(pipeline)
    assert [row["key"] for row in browser.get("/api/recordings")["rows"]] == [key]
    transcript = browser.get("/api/transcript", bucket=INPUT_BUCKET, key=key)
    assert (transcript["key"], transcript["sentences"][0]["text"]) == (key, "speech")
    assert browser.get("/api/story", bucket=INPUT_BUCKET, key=key)["key"] == key
    response = browser.send("GET", "/api/recordings")
    assert response.headers["content-type"] == "application/json"


def test_story_of_a_recording_that_is_unknown_names_similar_ones(browser: Browser) -> None:
    error = browser.get("/api/story", 404, bucket=INPUT_BUCKET, key="calls/broke.mp3")
    assert error["error"] == "unknown_recording"
    assert "calls/broken.mp3" in error["message"]
    assert browser.get("/api/story", key="calls/broken.mp3")["state"] == "failed"
    other = browser.get("/api/story", 400, bucket="others-1250000000", key="a.mp3")
    assert "INPUT_BUCKETS" in other["message"]


def test_transcript_has_its_sound_in_ranges_without_a_cookie(browser: Browser) -> None:
    transcript = browser.get("/api/transcript", bucket=INPUT_BUCKET, key="calls/完成.mp3")
    assert transcript["sentences"] == [{"start_ms": 0, "end_ms": 1500, "text": "done", "speaker": ""}]
    assert transcript["problem"] == ""
    whole = browser.send("GET", transcript["sound"], headers={"Cookie": None})
    assert (whole.status_code, whole.content) == (200, b"done")
    assert whole.headers["content-type"] == "audio/mpeg"
    assert whole.headers["cross-origin-resource-policy"] == "cross-origin"
    part = browser.send("GET", transcript["sound"], headers={"Range": "bytes=1-2"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"on", "bytes 1-2/4")
    head = browser.send("HEAD", transcript["sound"])
    assert (head.content, head.headers["content-length"]) == (b"", "4")


def test_sound_ends_with_its_ticket_or_its_content(browser: Browser) -> None:
    sound = browser.get("/api/transcript", bucket=INPUT_BUCKET, key="calls/完成.mp3")["sound"]
    assert browser.get(f"{sound}x", 404)["error"] == "expired"
    browser.pipeline.cloud.clock.advance(11 * 3600)
    assert browser.send("GET", sound).status_code == 200
    browser.pipeline.upload("calls/完成.mp3", b"other words")
    assert browser.get(sound, 404)["error"] == "no_sound"
    browser.pipeline.delete("calls/完成.mp3")
    assert browser.get(sound, 404)["error"] == "no_sound"
    browser.pipeline.upload("calls/完成.mp3", b"done")
    assert browser.send("GET", sound).status_code == 200
    browser.pipeline.cloud.clock.advance(3601)
    assert browser.get(sound, 404)["error"] == "expired"


@pytest.mark.parametrize(
    ("change", "problem"), [("replace", "replaced"), ("delete", "not in the bucket"), ("archive", "archive")]
)
def test_transcript_without_sound_says_why(browser: Browser, change: str, problem: str) -> None:
    key = "calls/完成.mp3"
    if change == "replace":
        browser.pipeline.upload(key, b"other words")
    elif change == "delete":
        browser.pipeline.delete(key)
    else:
        browser.pipeline.cloud.change_object(INPUT_BUCKET, key, storage="ARCHIVE")
    transcript = browser.get("/api/transcript", bucket=INPUT_BUCKET, key=key)
    assert (transcript["sound"], [each["text"] for each in transcript["sentences"]]) == ("", ["done"])
    assert problem in transcript["problem"]
    page = browser.send("GET", transcript["page"])
    assert (page.status_code, b"/api/sound/" in page.content) == (200, False)


def test_page_of_a_recording_runs_in_a_sandbox(browser: Browser) -> None:
    transcript = browser.get("/api/transcript", bucket=INPUT_BUCKET, key="calls/完成.mp3")
    page = browser.send("GET", transcript["page"])
    policy = page.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts allow-downloads allow-popups; default-src 'none'")
    assert "allow-same-origin" not in policy
    assert f'src="{ADDRESS}{transcript["sound"]}"' in page.text
    assert browser.send("GET", transcript["page"], headers={"Cookie": None}).status_code == 403


@pytest.mark.parametrize("written", ["srt", "vtt", "txt"])
def test_transcript_is_read_from_the_format_that_is_there(written: str) -> None:
    pipeline = OperatedPipeline()
    pipeline.ctx = pipeline.build_context(formats=(written,))
    pipeline.transcribe("a.mp3", b"spoken words")
    transcript = Browser.open(pipeline).get("/api/transcript", bucket=INPUT_BUCKET, key="a.mp3")
    (sentence,) = transcript["sentences"]
    assert sentence["text"] == "spoken words"
    assert (sentence["start_ms"], transcript["page"]) == (None if written == "txt" else 0, "")


def test_transcript_that_was_deleted_says_how_to_get_it_again(browser: Browser) -> None:
    for extension in ("json", "srt", "vtt", "txt", "html"):
        key = transcript_key(browser.pipeline.ctx.settings, INPUT_BUCKET, "calls/完成.mp3", extension)
        browser.pipeline.cloud.buckets[OUTPUT_BUCKET].pop(key)
    transcript = browser.get("/api/transcript", bucket=INPUT_BUCKET, key="calls/完成.mp3")
    assert transcript["sentences"] == []
    assert "`scribe retry" in transcript["problem"]
    assert browser.get(transcript["page"], 404)["error"] == "no_page"
    assert browser.get("/api/transcript", 404, key="calls/broken.mp3")["error"] == "no_transcript"


def test_speakers_have_their_names() -> None:
    sentences = [
        {"start_ms": 0, "end_ms": 1, "text": "a", "speaker": 1, "channel": None},
        {"start_ms": 1, "end_ms": 2, "text": "b", "speaker": 2, "channel": None},
    ]
    body = json.dumps({"sentences": sentences, "speaker_names": ["Anna"], "duration_ms": 2}).encode()
    texts, duration_ms = parse_texts("json", body)
    assert ([each.speaker for each in texts], duration_ms) == (["Anna", "Speaker 2"], 2)
    cues, _ = parse_texts("vtt", b"WEBVTT\n\n01:00:01.500 --> 01:00:02.000\n<v A &amp; B>x <i>y</i>\nz\n")
    assert cues == [(3_601_500, 3_602_000, "x y z", "A & B")]
    cues, _ = parse_texts("srt", "1\n00:00:01,000 --> 00:00:02,000\n各位同学，\n大家好\n各位 老师\n".encode())
    assert [cue.text for cue in cues] == ["各位同学，大家好各位老师"]
    for wrong in (b"{", b"[]", b'{"sentences": [{}]}', b"\xff", b"[" * 100_000):
        with pytest.raises(ValueError, match=r"not a transcript|utf-8"):
            parse_texts("json", wrong)


@pytest.mark.parametrize(
    ("key", "stored", "expected"),
    [
        ("a.mp3", "", "audio/mpeg"),
        ("a.mp3", "text/html", "audio/mpeg"),
        ("a.html", "text/html", "application/octet-stream"),
        ("a", "video/mp4", "video/mp4"),
        ("a", "audio/x\r\nSet-Cookie: a=b", "application/octet-stream"),
    ],
)
def test_recording_is_never_sent_as_a_page(key: str, stored: str, expected: str) -> None:
    assert choose_media_type(key, stored) == expected


def test_words_are_found_in_titles_and_texts(browser: Browser) -> None:
    browser.pipeline.transcribe("b/talk.mp3", "会议 About DONE things".encode())
    browser.services.recordings.refresh(is_full=True)
    browser.services.search.load()
    found = browser.get("/api/search", q="done")
    assert [(hit["key"], hit["is_title"], hit["start_ms"]) for hit in found["hits"]] == [
        ("b/talk.mp3", False, 0),
        ("calls/完成.mp3", False, 0),
    ]
    assert (found["total"], found["searched"], found["texts"]) == (2, 3, 3)
    assert "DONE things" in found["hits"][0]["snippet"]
    assert browser.get("/api/search", q="会议")["total"] == 1
    assert [hit["is_title"] for hit in browser.get("/api/search", q="TALK")["hits"]] == [True]
    assert browser.get("/api/search", q="  ")["hits"] == []


def test_word_that_is_everywhere_does_not_fill_the_list(browser: Browser) -> None:
    browser.pipeline.transcribe("b/talk.mp3", b"yes " * 50)
    browser.services.recordings.refresh(is_full=True)
    browser.services.search.load()
    found = browser.get("/api/search", q="yes")
    assert (len(found["hits"]), found["total"]) == (3, 50)


def test_sound_is_not_read_on_when_the_browser_is_gone() -> None:
    read = 0

    async def generate() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield b"sound"
            await asyncio.sleep(0)

    class Endless(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return generate()

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        pass

    opened = httpx.Response(200, stream=Endless())
    sound = Sound(opened, AsyncExitStack(), "audio/mpeg")
    asyncio.run(sound({"type": "http", "method": "GET"}, receive, send))
    assert 0 < read < 10


def test_cost_and_doctor_answer(browser: Browser) -> None:
    cost = browser.get("/api/cost")
    assert (cost["month"], cost["recordings"], cost["seconds"]) == ("2026-11", 1, 90)
    assert browser.get("/api/cost", month="2026-10")["recordings"] == 0
    assert browser.get("/api/cost", 400, month="soon")["error"] == "wrong_month"
    report = browser.get("/api/doctor")
    assert (report["ok"], report["findings"][0]["name"]) == (False, "settings")


def test_retry_says_what_it_did(browser: Browser) -> None:
    document = {"bucket": INPUT_BUCKET, "key": "calls/broken.mp3"}
    jobs = browser.pipeline.count_jobs()
    response = browser.send("POST", "/api/retry", json=document)
    assert response.json()["ok"] is True
    assert response.json()["message"].startswith("calls/broken.mp3: submitted")
    assert browser.pipeline.count_jobs() == jobs + 1
    unknown = browser.send("POST", "/api/retry", json={"bucket": INPUT_BUCKET, "key": "none.mp3"})
    assert (unknown.status_code, unknown.json()["ok"]) == (200, False)
    assert browser.send("POST", "/api/retry", json=["a"]).json()["error"] == "no_json"
    assert browser.send("POST", "/api/retry", content=b"x" * 70_000).status_code == 413


@pytest.mark.usefixtures("english")
def test_language_is_changed_for_all_texts(browser: Browser) -> None:
    assert "no such" in browser.get("/api/nothing", 404)["message"]
    assert browser.send("PUT", "/api/language", json={"language": "zh"}).status_code == 204
    assert browser.get("/api/session")["language"] == CHINESE
    assert browser.get("/api/nothing", 404)["message"] == "地址不存在。"
    assert browser.send("PUT", "/api/language", json={"language": "fr"}).status_code == 400


def test_expired_key_becomes_a_text_with_what_to_do(browser: Browser) -> None:
    denied = RequestRejected(resource=OUTPUT_BUCKET, status=403, code="InvalidAccessKeyId")
    browser.pipeline.cloud.before("", "", raise_error(denied), times=1000)
    page = browser.get("/api/recordings")
    assert "TENCENT_SECRET_KEY" in page["problem"]
    assert page["rows"] == []
    for path in ("/api/story", "/api/transcript"):
        error = browser.get(path, 502, bucket=INPUT_BUCKET, key="calls/broken.mp3")
        assert (error["error"], "TENCENT_SECRET_KEY" in error["message"]) == ("cloud", True)
    browser.pipeline.cloud.clear_hooks()
    lost = Throttled(resource=OUTPUT_BUCKET, code="NoConnection")
    browser.pipeline.cloud.before("", "", raise_error(lost), times=1000)
    assert "Check the network" in browser.get("/api/story", 502, key="calls/broken.mp3")["message"]
