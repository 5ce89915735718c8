"""The console on a running pipeline: drop and choose recordings, follow, read, hear, search and retry them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from cli.local.samples import SAMPLES
from tests.browser.console_page import TIMEOUT_S, ConsolePage, RunningConsole, new_page, running_console

pytestmark = [pytest.mark.browser, pytest.mark.process]

AUDIO = 'document.querySelector("[data-testid=audio]")'
INTERVIEW = "采访 王老师.mp3"
HOSTILE = "<img src=x onerror='window.hacked=1'>\u202e\u2066 & %2e \"quoted\" '.mp3"


def wait_for(recording: Locator) -> None:
    """Wait until the pipeline has brought a recording into a state: functions start first."""
    expect(recording).to_be_visible(timeout=TIMEOUT_S * 1000)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    with running_console(tmp_path_factory.mktemp("console")) as console:
        yield console


@pytest.fixture(scope="module")
def opened(browser: Browser, console: RunningConsole) -> Iterator[ConsolePage]:
    """The page with one interview, which was chosen with the button."""
    with new_page(browser, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.page.goto(console.address)
        page.page.get_by_label("Folder in the bucket").fill("interviews")
        page.choose(INTERVIEW, (SAMPLES / INTERVIEW).read_bytes())
        expect(page.upload(f"interviews/{INTERVIEW}", "sent")).to_be_visible()
        page.page.get_by_label("Folder in the bucket").fill("")
        wait_for(page.recording(f"interviews/{INTERVIEW}", "done"))
        yield page


@pytest.fixture
def page(opened: ConsolePage) -> Iterator[ConsolePage]:
    """The page at its list. Each test must end without an error."""
    opened.run("location.hash = ''")
    yield opened
    problems, opened.problems[:] = opened.problems[:], []
    assert problems == []
    assert opened.violations == []


def test_recording_is_read_and_heard(page: ConsolePage) -> None:
    page.recording(f"interviews/{INTERVIEW}").get_by_test_id("open").click()
    second = page.part("sentence").nth(1)
    start_s = float(second.get_attribute("data-start-ms") or "") / 1000
    assert start_s > 0
    second.click()
    page.wait_for(f"!{AUDIO}.paused && {AUDIO}.currentTime > {start_s + 0.1}")
    expect(second).to_have_attribute("aria-current", "true")
    page.page.keyboard.press("Space")
    page.wait_for(f"{AUDIO}.paused")
    page.page.locator("[data-testid=sentence][tabindex='0']").focus()
    for key in ("ArrowUp", "Enter"):
        page.page.keyboard.press(key)
    page.wait_for(f"!{AUDIO}.paused && {AUDIO}.currentTime < {start_s}")
    page.page.get_by_role("button", name="Copy text").click()
    expect(page.page.get_by_text("Copied", exact=True)).to_be_visible()
    copied = page.run("navigator.clipboard.readText()")
    assert copied == " ".join(page.part("sentence").all_text_contents())


def test_address_leads_to_the_sentence(page: ConsolePage) -> None:
    page.recording(f"interviews/{INTERVIEW}").get_by_test_id("open").click()
    page.part("sentence").nth(1).click()
    page.wait_for("location.hash.includes('&t=')")
    page.page.reload()
    expect(page.part("sentence").nth(1)).to_have_attribute("aria-current", "true")
    page.page.keyboard.press("Escape")
    expect(page.part("transcript")).to_be_hidden()
    expect(page.recording(f"interviews/{INTERVIEW}")).to_be_visible()


def test_hostile_name_is_shown_as_text(page: ConsolePage) -> None:
    page.drop(HOSTILE, "speech " * 900)
    row = page.part("recording").filter(has_text="onerror")
    wait_for(row.and_(page.page.locator("[data-state=done]")))
    shown = HOSTILE.replace("\u202e", r"\u202e").replace("\u2066", r"\u2066")
    assert row.locator(".name").text_content() == shown
    row.get_by_test_id("open").click()
    expect(page.part("sentence").first).to_be_visible()
    page.part("search").fill("onerror")
    expect(page.part("hits")).to_have_text("1 hit")
    page.run("location.hash = ''")
    row.get_by_test_id("why").click()
    expect(page.page.get_by_role("dialog").locator(".timeline li").first).to_be_visible()
    page.page.keyboard.press("Escape")
    assert page.run("[window.hacked, document.images.length]") == [None, 0]


def test_search_finds_a_word_and_opens_its_place(page: ConsolePage, console: RunningConsole) -> None:
    sentence = console.flow.transcript(f"interviews/{INTERVIEW}")["sentences"][1]
    page.part("search").fill(sentence["text"])
    link = page.page.locator("[data-hit]").filter(has_text=sentence["text"])
    expect(link).to_be_visible()
    expect(page.part("hits")).to_have_text("1 hit")
    link.click()
    expect(page.page.locator("[aria-current=true]")).to_have_text(sentence["text"])
    page.page.keyboard.press("Escape")
    expect(link).to_be_visible()
    page.part("search").press("Escape")
    expect(page.recording(f"interviews/{INTERVIEW}")).to_be_visible()


def test_failed_recording_says_why_and_is_retried(page: ConsolePage, console: RunningConsole) -> None:
    console.flow.admin("PUT", "fail_jobs", {"code": "E1", "message": "made up"})
    page.choose("call.mp3", b"a call " * 900)
    row = page.recording("call.mp3")
    wait_for(page.recording("call.mp3", "failed"))
    console.flow.admin("DELETE", "fail_jobs")
    page.part("state-filter").get_by_role("button", name="Failed").click()
    expect(page.part("recording")).to_have_count(1)
    row.get_by_test_id("why").click()
    dialog = page.page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="What you can do")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    page.part("state-filter").get_by_role("button", name="All").click()
    row.get_by_test_id("retry").click()
    wait_for(page.recording("call.mp3", "done"))


def test_upload_is_checked_before_it_is_sent(page: ConsolePage) -> None:
    page.choose("empty.mp3", b"")
    expect(page.upload("empty.mp3", "refused")).to_contain_text("empty")
    page.choose("letter.docx", b"no recording")
    expect(page.upload("letter.docx", "refused")).to_be_visible()
    page.choose("twice.mp3", b"speech " * 900)
    expect(page.upload("twice.mp3", "sent")).to_be_visible()
    page.choose("twice.mp3", b"other speech " * 900)
    again = page.upload("twice.mp3", "asking")
    again.get_by_role("button", name="Overwrite").click()
    expect(page.upload("twice.mp3", "sent")).to_have_count(2)
    page.page.get_by_role("button", name="Clear finished").click()
    expect(page.part("upload")).to_have_count(0)


def test_language_is_switched(page: ConsolePage) -> None:
    filters = page.part("state-filter")
    page.part("language").click()
    expect(filters).to_contain_text("已完成")
    expect(page.page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.recording(f"interviews/{INTERVIEW}").get_by_test_id("open")).to_have_text("打开")
    page.part("language").click()
    expect(filters).to_contain_text("Done")


def test_cost_and_check_are_shown(page: ConsolePage) -> None:
    dialog = page.page.get_by_role("dialog")
    page.part("cost").click()
    expect(dialog.get_by_role("row", name="interviews")).to_be_visible()
    page.page.keyboard.press("Escape")
    page.part("doctor").click()
    expect(dialog.locator("[data-status]").first).to_be_attached()
    page.page.keyboard.press("Escape")
