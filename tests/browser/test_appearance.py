"""How the page looks: dark and light, on a phone, on paper, and with less motion."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.transcript_page import AUDIO, OpenPage, TranscriptPage

pytestmark = [pytest.mark.browser, pytest.mark.process]

PHONE = {"width": 360, "height": 640}
LEAST_CONTRAST = 4.5  # WCAG 2, AA, text of normal size

# The colour of each element with text of its own, and the first background that is not transparent behind it.
_COLOURS = """[...document.querySelectorAll("body, body *")].flatMap(item => {
  const box = item.getBoundingClientRect();
  const has_text = [...item.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  if (!has_text || !box.width || !box.height) return [];
  let behind = item;
  const background = element => getComputedStyle(element).backgroundColor;
  while (behind && /^rgba\\(.*, 0\\)$/.test(background(behind))) behind = behind.parentElement;
  const base = background(behind ?? document.documentElement);
  return [[item.textContent.slice(0, 40), getComputedStyle(item).color, base]];
})"""


def read_colour(text: str) -> tuple[float, float, float]:
    """Parse `rgb(1, 2, 3)` into shares of 1. Other ways to write a colour would make the test meaningless."""
    match = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", text)
    assert match, text
    red, green, blue = (int(number) / 255 for number in match.groups())
    return red, green, blue


def luminance(colour: tuple[float, float, float]) -> float:
    """Compute the relative luminance of WCAG 2."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted((luminance(read_colour(first)), luminance(read_colour(second))))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(open_page: OpenPage, conversation: Path, scheme: str) -> None:
    page = open_page(conversation, color_scheme=scheme)
    page.wait_for_sound()
    page.pause_at(20.0)
    colours = page.run(_COLOURS)
    assert len(colours) > 50
    weak = [
        (text, front, back, round(contrast(front, back), 2))
        for text, front, back in colours
        if contrast(front, back) < LEAST_CONTRAST
    ]
    assert weak == []


@pytest.mark.parametrize("highlight", ["word", "hit", "current-hit"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marked_text_has_contrast(
    open_page: OpenPage, conversation: Path, scheme: str, highlight: str
) -> None:
    page = open_page(conversation, color_scheme=scheme)
    style = f"getComputedStyle(document.querySelector('[data-testid=sentence]'), '::highlight({highlight})')"
    front, back, plain = page.run(
        f"[{style}.color, {style}.backgroundColor, getComputedStyle(document.body).backgroundColor]"
    )
    assert back != plain
    assert contrast(front, back) >= LEAST_CONTRAST


def test_colours_follow_the_system(reader: TranscriptPage) -> None:
    colours = "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    seen = []
    for scheme in ("light", "dark"):
        reader.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        seen.append(reader.run(colours))
    (light_text, light), (dark_text, dark) = seen
    assert luminance(read_colour(light)) > luminance(read_colour(light_text))
    assert luminance(read_colour(dark)) < luminance(read_colour(dark_text))


def test_phone_shows_every_control_and_scrolls_down_only(open_page: OpenPage, conversation: Path) -> None:
    page = open_page(conversation, viewport=PHONE, has_touch=True, is_mobile=True)
    page.wait_for_sound()
    assert page.run("document.documentElement.scrollWidth") <= PHONE["width"]
    for name in ("search", "play", "speed", "map", "copy", "help-button", "speaker"):
        part = page.part(name).first
        expect(part).to_be_visible()
        box = part.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
    for name in ("play", "search", "map"):
        box = page.part(name).bounding_box()
        assert box is not None
        assert box["height"] >= 24, name  # WCAG 2.2: targets of at least 24 pixels
    page.sentence(4).scroll_into_view_if_needed()
    page.page.touchscreen.tap(*page.find_word(4, "help"))
    page.wait_until_playing()
    assert page.find_current() == 4


def test_player_stays_in_view_and_hides_no_text(reader: TranscriptPage) -> None:
    reader.run("scrollTo(0, document.body.scrollHeight)")
    last = reader.sentence(29).bounding_box()
    controls = reader.part("play").bounding_box()
    assert last is not None
    assert controls is not None
    expect(reader.part("play")).to_be_in_viewport()
    assert last["y"] + last["height"] <= controls["y"]


def test_paper_has_the_text_and_no_controls(reader: TranscriptPage) -> None:
    reader.page.emulate_media(media="print")
    for name in ("search", "play", "speed", "map", "copy", "help-button", "file", "follow"):
        expect(reader.part(name)).to_be_hidden()
    for number in (0, 29):
        expect(reader.sentence(number)).to_be_visible()
    assert "记者" in reader.part("transcript").inner_text()
    reader.page.emulate_media(media="print", color_scheme="dark")
    background = reader.run("getComputedStyle(document.body).backgroundColor")
    assert background in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")


def test_page_prints_as_pdf(reader: TranscriptPage) -> None:
    pdf = reader.page.pdf()
    assert pdf.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert 1 <= pages <= 4


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_page_scrolls_at_once_where_less_motion_is_asked_for(
    open_page: OpenPage, conversation: Path, motion: str
) -> None:
    page = open_page(conversation, viewport={"width": 800, "height": 420}, reduced_motion=motion)
    page.wait_for_sound()
    page.run("""(() => {
        window.behaviors = [];
        const scroll = Element.prototype.scrollIntoView;
        Element.prototype.scrollIntoView = function (options) {
            window.behaviors.push(options.behavior);
            scroll.call(this, options);
        };
    })()""")
    page.click_word(0, "多少")
    page.wait_until_playing()
    page.run(f"{AUDIO}.currentTime = 30")
    page.wait_for("window.behaviors.length")
    assert ("smooth" in page.run("window.behaviors")) is (motion == "no-preference")
