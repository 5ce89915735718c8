"""What a screen reader gets: names, roles, languages; and the labels in Chinese and English."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.transcript_page import OpenPage, TranscriptPage

pytestmark = [pytest.mark.browser, pytest.mark.process]


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_no_complaint(open_page: OpenPage, conversation: Path, locale: str, scheme: str) -> None:
    page = open_page(conversation, locale=locale, color_scheme=scheme)
    page.wait_for_sound()
    results = Axe().run(page.page)
    assert results.violations_count == 0, results.generate_report()


def test_axe_has_no_complaint_about_the_help(reader: TranscriptPage) -> None:
    reader.press("?")
    expect(reader.part("help")).to_be_visible()
    results = Axe().run(reader.page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize(
    ("locale", "labels", "language"),
    [
        ("en-GB", ("Search", "Play", "Speed", "Copy", "Help"), "en"),
        ("zh-CN", ("搜索", "播放", "速度", "复制", "帮助"), "zh-CN"),
        ("zh-TW", ("搜索", "播放", "速度", "复制", "帮助"), "zh-CN"),
        ("fr-FR", ("Search", "Play", "Speed", "Copy", "Help"), "en"),
    ],
)
def test_labels_are_in_the_language_of_the_browser(
    open_page: OpenPage, conversation: Path, locale: str, labels: tuple[str, ...], language: str
) -> None:
    page = open_page(conversation, locale=locale)
    page.wait_for_sound()
    tree = page.page.locator("body").aria_snapshot()
    for label in labels:
        assert label in tree
    assert page.run("document.documentElement.lang") == language


def test_chinese_page_has_no_english_label(open_page: OpenPage, conversation: Path) -> None:
    """Every label of the page changes with the language: none of the English ones is left."""
    english = open_page(conversation)
    english.wait_for_sound()
    chinese = open_page(conversation, locale="zh-CN")
    chinese.wait_for_sound()
    labels = [set(page.run(LABELS)) for page in (english, chinese)]
    assert len(labels[0]) >= 12
    assert labels[0] & labels[1] == set()


# Texts of buttons and names that are given to assistive technology only, of the parts that have no names of speakers.
LABELS = """[...document.querySelectorAll("[aria-label], [title], [placeholder], [data-label]")].flatMap(
  item => item.closest("kbd") || item.querySelector("kbd") ? [] : [item.getAttribute("aria-label"), item.title,
    item.placeholder, item.hasAttribute("data-label") ? item.textContent.trim() : ""]).filter(Boolean)"""


def test_every_control_has_a_name_and_a_role(reader: TranscriptPage) -> None:
    for role, name in (
        ("searchbox", "Search"),
        ("button", "Play"),
        ("combobox", "Speed"),
        ("button", "Help"),
        ("button", "Copy with times"),
        ("slider", "Position"),
        ("button", "记者"),
    ):
        expect(reader.page.get_by_role(role, name=name).first).to_be_visible()  # type: ignore[arg-type]
    expect(reader.page.get_by_role("main")).to_be_visible()
    expect(reader.page.get_by_role("heading", level=1)).to_be_visible()


def test_play_button_says_whether_it_plays(reader: TranscriptPage) -> None:
    expect(reader.page.get_by_role("button", name="Play (space)")).to_be_visible()
    reader.part("play").click()
    expect(reader.page.get_by_role("button", name="Pause (space)")).to_be_visible()


def test_tab_reaches_every_control_and_one_sentence(reader: TranscriptPage) -> None:
    seen = []
    for _ in range(40):
        reader.press("Tab")
        seen.append(reader.run("document.activeElement.dataset.testid ?? document.activeElement.tagName"))
        if seen[-1] == "BODY":
            break
    for name in ("search", "copy", "help-button", "map", "play", "speed", "file"):
        assert name in seen
    assert seen.count("speaker") == 2
    assert seen.count("sentence") == 1


def test_focus_can_be_seen(reader: TranscriptPage) -> None:
    for _ in range(12):
        reader.press("Tab")
        style = reader.run(
            "(style => [style.outlineStyle, style.outlineWidth, style.boxShadow])("
            "getComputedStyle(document.activeElement))"
        )
        has_outline = style[0] != "none" and style[1] != "0px"
        assert has_outline or style[2] != "none", reader.describe()


def test_number_of_hits_is_announced(reader: TranscriptPage) -> None:
    reader.part("search").fill("weather")
    hits = reader.part("hits")
    expect(hits).to_have_text("1/3")
    assert hits.evaluate("item => item.closest('[role=status], [aria-live], output') !== null")


def test_map_can_be_used_by_keys(reader: TranscriptPage) -> None:
    reader.part("map").focus()
    reader.press("End", "Home", *["ArrowRight"] * 5)
    reader.wait_for("!document.querySelector('[data-testid=audio]').seeking")
    assert 4 <= reader.position_s <= 60
    reader.pause_at(5.0)
    expect(reader.part("map")).to_have_attribute("aria-valuetext", "0:05 Teacher Wang")


def test_speakers_differ_by_letter_and_not_by_colour_only(reader: TranscriptPage) -> None:
    letters = reader.run("""[...document.querySelectorAll("main [data-voice]")].slice(0, 2).map(
        section => getComputedStyle(section, "::before").content)""")
    marks = reader.run("""[...document.querySelectorAll("main section")].slice(0, 2).map(
        section => section.dataset.voice)""")
    assert marks == ["A", "B"]
    assert letters
