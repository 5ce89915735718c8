"""The page of the console with answers that are made up: phones, ten thousand recordings, and what goes wrong."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser.console_api import BUCKET, ORIGIN, FakeConsole, build_row
from tests.browser.console_page import PHONE, WINDOW, ConsolePage, new_page

pytestmark = [pytest.mark.browser, pytest.mark.process]

LONG = "very_long_name_without_a_space" * 8 + "\u202e.mp3"
ROWS = (
    build_row("采访/王老师.mp3", "open", note="job s1 was submitted"),
    build_row("old.mp3", "waiting", note="It is in an archive.", next_at="2026-11-27T02:00:00Z"),
    build_row("calls/broken.wav", "failed", note="Its format is not supported.", next_step="Convert it."),
    build_row(f"{LONG}/{LONG}"),
)
STORY = {
    "bucket": BUCKET,
    "key": "calls/broken.wav",
    "state": "failed",
    "summary": "Its format is not supported.",
    "story": [{"at": "2026-11-26T02:00:00Z", "event": "uploaded", "detail": LONG}],
    "outputs": [{"key": f"transcripts/{LONG}", "size": 900, "modified": "2026-11-26T02:00:00Z"}],
    "error": {"code": "E1", "message": LONG, "message_zh": "不支持的格式。"},
    "next": {"what": "Nothing by itself.", "at": "2026-11-26T02:00:00Z", "do": f"`scribe retry {LONG}`"},
}
TRANSCRIPT = {
    "bucket": BUCKET,
    "key": f"{LONG}/{LONG}",
    "sentences": [
        {"start_ms": 4000 * number, "end_ms": 4000 * number + 3000, "text": LONG, "speaker": LONG}
        for number in range(30)
    ],
    "duration_ms": 120_000,
    "sound": "/api/sound/t",
    "page": "/page/t",
    "problem": "",
}
COST = {
    "month": "2026-11",
    "currency": "CNY",
    "price_per_hour": 1.75,
    "price_is_confirmed": False,
    "recordings": 3,
    "minutes": 60.0,
    "cost": 1.75,
    "folders": [{"bucket": BUCKET, "folder": LONG, "recordings": 3, "minutes": 60.0, "cost": 1.75}],
    "monthly_minutes": 600,
    "minutes_left": 540.0,
}
FINDING = {"name": "queue", "status": "wrong", "message": LONG, "fix": "`scribe deploy`", "subject": LONG}
HITS = {
    "hits": [
        {"bucket": BUCKET, "key": f"{LONG}/{LONG}", "start_ms": 4000, "snippet": LONG, "is_title": False}
    ],
    "total": 1,
    "searched": 1,
    "texts": 1,
}
ANSWERS: dict[str, Any] = {
    "/api/story": STORY,
    "/api/transcript": TRANSCRIPT,
    "/api/cost": COST,
    "/api/doctor": {"ok": False, "findings": [FINDING]},
    "/api/search": HITS,
}


AUDIO = 'document.querySelector("[data-testid=audio]")'


def build_silence(seconds: int) -> bytes:
    """Return silence as a WAV file of 8,000 bytes a second."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 1, 8000, 0, "NONE", ""))
        writer.writeframes(b"\x80" * 8000 * seconds)
    return file.getvalue()


@pytest.fixture(scope="module")
def opened(browser: Browser) -> Iterator[ConsolePage]:
    with new_page(browser, locale="zh-CN") as page:
        yield page


@pytest.fixture
def page(opened: ConsolePage) -> Iterator[ConsolePage]:
    """An empty page. Each test must end without an error of a script and without a violation of the policy."""
    opened.page.set_viewport_size({"width": WINDOW["width"], "height": WINDOW["height"]})
    yield opened
    problems = [problem for problem in opened.problems if "Failed to load resource" not in problem]
    violations = opened.violations
    opened.page.goto("about:blank")
    opened.page.unroute_all(behavior="ignoreErrors")
    opened.problems.clear()
    assert (problems, violations) == ([], [])


def open_console(page: ConsolePage, rows: list[dict[str, Any]] | None = None, **session: Any) -> FakeConsole:
    """Open the page with these rows. Returns what answers it."""
    console = FakeConsole(list(ROWS) if rows is None else rows, **session)
    console.answers.update({path: (200, answer) for path, answer in ANSWERS.items()})
    console.sounds["/api/sound/t"] = build_silence(1)
    console.attach(page.page)
    page.page.goto(ORIGIN)
    expect(page.part("state-filter")).to_be_visible()
    return console


def visit_views(page: ConsolePage) -> Iterator[str]:
    """Go to each view and each dialog, and yield its name."""
    dialog = page.page.get_by_role("dialog")
    expect(page.part("recording")).to_have_count(len(ROWS))
    yield "list"
    for name, last in (("why", ".files"), ("cost", "table"), ("doctor", ".findings")):
        page.part(name).nth(2 if name == "why" else 0).click()
        expect(dialog.locator(last)).to_be_visible()
        yield name
        page.page.keyboard.press("Escape")
    page.part("search").fill("very")
    expect(page.page.locator("[data-hit]").first).to_be_visible()
    yield "search"
    page.page.locator("[data-hit]").last.click()
    expect(page.part("audio")).to_be_visible()
    yield "transcript"


def test_views_fit_a_phone(page: ConsolePage) -> None:
    page.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    open_console(page, language="zh")
    for view in visit_views(page):
        widths = page.run("""[document.documentElement.scrollWidth,
            ...[...document.querySelectorAll("dialog[open]")].map(item => item.scrollWidth)]""")
        assert max(widths) <= PHONE["width"], view


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_no_complaint_about_any_view(page: ConsolePage, scheme: str) -> None:
    page.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    open_console(page, language="zh")
    for view in visit_views(page):
        results = Axe().run(page.page)
        assert results.violations_count == 0, (view, results.generate_report())


def test_ten_thousand_recordings_stay_light(page: ConsolePage) -> None:
    rows = [build_row(f"calls/{number:05}.mp3") for number in range(10_000)]
    console = open_console(page, rows)
    expect(page.part("recording").first).to_be_visible()
    page.wait_for("performance.getEntriesByName('first-contentful-paint').length > 0")
    painted_ms = page.run("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert painted_ms < 3_000
    # The files, the session, the first page or two of the list, the events; cost and check come later.
    assert len(console.requests) < 25
    for _ in range(12):
        chunks = page.run("document.querySelectorAll('.chunk').length")
        # Chunks get their height when they come into view, so the end moves on while one scrolls.
        scroll = "scrollTo(0, document.documentElement.scrollHeight)"
        page.wait_for(f"({scroll}, document.querySelectorAll('.chunk').length > {chunks})")
    assert page.run("scrollY") > 50_000
    assert page.run("document.querySelectorAll('*').length") < 10_000
    assert page.run("performance.memory.usedJSHeapSize") < 60_000_000


def test_marks_that_reverse_a_name_are_shown(page: ConsolePage) -> None:
    key = "\u202e/call\u202efdp.wav"
    console = open_console(page, [build_row(key)])
    sentence = {"start_ms": 0, "end_ms": 900, "text": "Hello.", "speaker": ""}
    transcript = {**TRANSCRIPT, "key": key, "sentences": [sentence], "problem": "`scribe retry`"}
    console.answers["/api/transcript"] = (200, transcript)
    expect(page.recording(key)).to_contain_text("call\\u202efdp.wav")
    page.part("open").click()
    expect(page.page.locator("h2:visible")).to_have_text("call\\u202efdp.wav")
    assert "\u202e" not in page.run("document.title + document.body.innerText")
    expect(page.page.locator("#transcript-problem code")).to_have_text("scribe retry")
    # What is said about one transcript does not stay for the next.
    page.page.locator("#copy").click()
    expect(page.page.locator("#copied")).not_to_be_empty()
    page.page.keyboard.press("Escape")
    expect(page.page.locator("#copied")).to_be_empty()


def test_uploads_that_need_the_reader_are_counted(page: ConsolePage) -> None:
    console = open_console(page)
    answer = {"key": "a.mp3", "exists": True, "warnings": [], "refusal": ""}
    for name, change in (("a.mp3", {}), ("b.mp3", {"exists": False, "refusal": "It is empty."})):
        console.answers["/api/upload-check"] = (200, answer | {"key": name} | change)
        page.choose(name, b"speech")
        expect(page.upload(name)).to_have_count(1)
        expect(page.upload(name, "checking")).to_have_count(0)
    expect(page.page.locator("#upload-sum")).to_have_text(
        "0 of 2 uploaded · 1 waiting for your answer · 1 not uploaded"
    )


def test_check_is_made_again_after_a_minute(page: ConsolePage) -> None:
    console = open_console(page)
    page.part("doctor").click()
    expect(page.page.locator(".findings")).to_be_visible()
    page.page.keyboard.press("Escape")
    made = console.requests.count("/api/doctor")
    page.part("doctor").click()
    expect(page.page.locator(".findings")).to_be_visible()
    assert console.requests.count("/api/doctor") == made
    page.page.keyboard.press("Escape")
    page.run("Date.now = ((now) => () => now() + 61_000)(Date.now)")
    console.answers["/api/doctor"] = (200, {"ok": True, "findings": []})
    page.part("doctor").click()
    expect(page.page.get_by_text("Everything that was checked is in order")).to_be_visible()


def test_stopped_console_is_reported_and_found_again(page: ConsolePage) -> None:
    console = open_console(page)
    console.answers |= {"/api/session": (0, None), "/api/events": (0, None)}
    expect(page.part("problem")).to_contain_text("start scribe console again")
    for path in ("/api/session", "/api/events"):
        del console.answers[path]
    expect(page.part("problem")).to_be_hidden()


def test_page_of_a_console_that_does_not_answer_yet_starts_later(page: ConsolePage) -> None:
    console = FakeConsole(list(ROWS))
    console.answers |= {"/api/session": (0, None), "/api/recordings": (0, None)}
    console.attach(page.page)
    page.page.goto(ORIGIN)
    # Without an answer the language is the browser's.
    expect(page.part("problem")).to_contain_text("控制台已停止")
    console.answers.clear()
    expect(page.part("recording")).to_have_count(len(ROWS))
    expect(page.part("problem")).to_be_hidden()


def test_page_that_is_signed_out_says_what_to_do(page: ConsolePage) -> None:
    console = open_console(page)
    console.answers["/api/story"] = (403, {"error": "no_session", "message": "no"})
    page.part("why").first.click()
    expect(page.part("problem")).to_contain_text("not signed in any more")


def test_problem_of_the_cloud_is_shown_until_it_has_gone(page: ConsolePage) -> None:
    console = open_console(page)
    expect(page.part("recording")).to_have_count(len(ROWS))
    expect(page.part("problem")).to_be_hidden()
    console.problem = "The key has expired: <b>make</b> a new one."
    console.events = f"event: problem\ndata: {json.dumps({'message': console.problem})}\n\n"
    expect(page.part("problem")).to_have_text(console.problem)
    console.problem, console.events = "", "event: recovered\ndata: {}\n\n"
    expect(page.part("problem")).to_be_hidden()


def test_changes_move_a_recording_and_are_announced(page: ConsolePage) -> None:
    console = open_console(page)
    expect(page.recording("采访/王老师.mp3", "open")).to_be_visible()
    done = build_row("采访/王老师.mp3")
    counts = {"open": 0, "waiting": 0, "failed": 1, "done": 2}
    change = {"revision": 2, "counts": counts, "rows": [done], "removed": [[BUCKET, "old.mp3"]]}
    console.events = f"event: changed\ndata: {json.dumps(change)}\n\n"
    expect(page.recording("采访/王老师.mp3", "done")).to_be_visible()
    console.rows, console.revision = [ROWS[2], done, ROWS[3]], 2
    states = page.run(
        "[...document.querySelectorAll('[data-testid=recording]')].map(row => row.dataset.state)"
    )
    assert states == ["failed", "done", "done"]
    expect(page.part("state-filter").get_by_role("button", name="Done 2")).to_be_visible()
    expect(page.page.locator("#status")).to_contain_text("Done")


def test_list_is_read_again_when_a_change_was_missed(page: ConsolePage) -> None:
    console = open_console(page)
    expect(page.part("recording")).to_have_count(len(ROWS))
    expect(page.part("cost")).to_contain_text("This month")  # the last request of the start
    console.rows = console.rows[1:]
    for revision, rows in ((5, [ROWS[2]]), (6, [])):
        console.requests.clear()
        change = {
            "revision": revision,
            "counts": console.count(),
            "rows": rows,
            "removed": [],
            "reload": False,
        }
        # The page that was connected before reads the list when it connects again: this is one connection.
        page.run(f"import('/console-list.js').then(list => list.change({json.dumps(change)}))")
        page.wait_until(lambda: "/api/recordings" in console.requests)
        page.wait_for("document.querySelectorAll('[data-testid=recording]').length === 3")
        console.revision = revision


def test_text_without_times_is_shown_from_its_beginning(page: ConsolePage) -> None:
    console = open_console(page)
    sentences = [{"start_ms": None, "end_ms": None, "text": f"{n}. {LONG}", "speaker": ""} for n in range(60)]
    console.answers["/api/transcript"] = (200, {**TRANSCRIPT, "sentences": sentences, "page": ""})
    page.part("open").first.click()
    expect(page.part("sentence")).to_have_count(60)
    page.wait_for(f"{AUDIO}.readyState > 0")
    page.part("sentence").nth(3).click()
    assert page.run("document.querySelectorAll('[aria-current], [data-testid=transcript] time').length") == 0
    assert page.run("scrollY") < 600


def test_read_only_console_offers_no_change(page: ConsolePage) -> None:
    open_console(page, write=False)
    expect(page.page.get_by_text("scribe console --write")).to_be_visible()
    expect(page.part("recording")).to_have_count(len(ROWS))
    for name in ("drop", "file"):
        expect(page.part(name)).to_be_hidden()
    expect(page.part("retry")).to_have_count(0)


def test_lost_upload_is_reported_and_can_be_tried_again(page: ConsolePage) -> None:
    console = open_console(page)
    answer = {"key": "a.mp3", "exists": False, "warnings": ["Its folder has a rule."], "refusal": ""}
    console.answers |= {"/api/upload-check": (200, answer), "/api/upload": (0, None)}
    page.choose("a.mp3", b"speech")
    line = page.upload("a.mp3", "failed")
    expect(line).to_contain_text("The connection was lost")
    expect(line).to_contain_text("Its folder has a rule.")
    # So ends an upload during which the command is stopped.
    console.answers["/api/upload"] = (500, None)
    line.get_by_role("button", name="Try again").click()
    expect(page.upload("a.mp3", "sending")).to_have_count(0)
    expect(line).to_contain_text("The connection was lost")
    console.answers["/api/upload"] = (409, {"error": "exists", "message": "It is there."})
    line.get_by_role("button", name="Try again").click()
    expect(page.upload("a.mp3", "asking")).to_be_visible()
    console.answers["/api/upload"] = (201, {"bucket": BUCKET, "key": "a.mp3", "etag": "e"})
    page.upload("a.mp3", "asking").get_by_role("button", name="Overwrite").click()
    expect(page.upload("a.mp3", "sent")).to_be_visible()


def test_running_upload_is_cancelled_and_guards_the_page(page: ConsolePage) -> None:
    console = open_console(page)
    answer = {"key": "a.mp3", "exists": False, "warnings": [], "refusal": ""}
    console.answers |= {"/api/upload-check": (200, answer), "/api/upload": (-1, None)}
    page.choose("a.mp3", b"speech")
    expect(page.upload("a.mp3", "sending")).to_be_visible()
    closes = "dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    assert page.run(closes) is False
    page.upload("a.mp3").get_by_role("button", name="Cancel").click()
    expect(page.upload("a.mp3", "cancelled")).to_contain_text("Nothing of it was stored")
    assert page.run(closes) is True


def test_text_follows_the_sound_until_the_reader_scrolls(page: ConsolePage) -> None:
    """The address of the sound has expired, as after a night, and is asked for again."""
    console = open_console(page)
    console.answers["/api/transcript"] = (200, {**TRANSCRIPT, "sound": "/api/sound/old"})
    console.answers["/api/sound/old"] = (404, {"error": "expired", "message": "Open it again."})
    console.sounds["/api/sound/new"] = build_silence(120)
    page.part("open").click()
    expect(page.part("sentence")).to_have_count(30)
    console.answers["/api/transcript"] = (200, {**TRANSCRIPT, "sound": "/api/sound/new"})
    page.wait_for(f"{AUDIO}.src.endsWith('new') && {AUDIO}.readyState > 0")
    page.part("sentence").nth(1).click()
    page.wait_for(f"!{AUDIO}.paused && {AUDIO}.currentTime > 4")
    follow = page.page.get_by_role("button", name="Back to the words")
    expect(follow).to_be_hidden()
    page.run(f"{AUDIO}.currentTime = 100")
    expect(page.part("sentence").nth(25)).to_be_in_viewport()
    page.page.mouse.wheel(0, -3000)
    follow.click()
    expect(page.part("sentence").nth(25)).to_be_in_viewport()
    expect(follow).to_be_hidden()
    page.page.keyboard.press("j")
    page.wait_for(f"{AUDIO}.currentTime < 95")
    page.page.keyboard.press("Escape")
    expect(page.part("transcript")).to_be_hidden()


def test_page_is_used_by_keys(page: ConsolePage) -> None:
    open_console(page)
    expect(page.part("recording")).to_have_count(len(ROWS))
    seen = []
    for _ in range(25):
        page.page.keyboard.press("Tab")
        seen.append(page.run("document.activeElement.dataset.testid ?? document.activeElement.id"))
        outline = page.run("""(element => [element, element.closest("label") ?? element].some(
            item => getComputedStyle(item).outlineStyle !== "none"))(document.activeElement)""")
        assert outline or seen[-1] == "", seen
    for name in ("cost", "doctor", "language", "file", "folder", "search", "open", "why", "retry"):
        assert name in seen
    page.run("document.activeElement.blur()")
    page.page.keyboard.press("/")
    page.page.keyboard.type("very")
    page.page.keyboard.press("Enter")
    expect(page.page.locator("[data-hit]").first).to_be_visible()
    page.page.keyboard.press("Escape")
    expect(page.part("recording")).to_have_count(len(ROWS))
