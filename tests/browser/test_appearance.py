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

# A function that reads a colour, however the style sheet writes it, as red, green, blue and opacity of 0 to 255.
_READ_COLOUR = """const context = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
const readColour = text => {
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = text;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data];
};"""

# The colour of each element with text of its own, and the first background that is not transparent behind it.
_COLOURS = (
    "(() => {"
    + _READ_COLOUR
    + """
return [...document.querySelectorAll("body, body *")].flatMap(item => {
  const box = item.getBoundingClientRect();
  const hasText = [...item.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  if (!hasText || !box.width || !box.height) return [];
  let behind = item;
  const readBack = element => readColour(getComputedStyle(element).backgroundColor);
  while (behind && readBack(behind)[3] === 0) behind = behind.parentElement;
  const front = readColour(getComputedStyle(item).color);
  return [[item.textContent.slice(0, 40), front, readBack(behind ?? document.body)]];
});
})()"""
)

Colour = list[int]


def luminance(colour: Colour) -> float:
    """Compute the relative luminance of WCAG 2 of an opaque colour."""
    assert colour[3] == 255
    shares = [part / 255 for part in colour[:3]]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: Colour, second: Colour) -> float:
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def read_style(page: TranscriptPage, selector: str, *properties: str, part: str = "") -> list[Colour]:
    """Return colours of the first element of a selector, or of a part of it such as `::highlight(hit)`."""
    names = ", ".join(f"readColour(style.{name})" for name in properties)
    style = f"getComputedStyle(document.querySelector('{selector}'), '{part}')"
    colours: list[Colour] = page.run(
        f"(() => {{ {_READ_COLOUR} const style = {style}; return [{names}]; }})()"
    )
    return colours


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
    selector, part = "[data-testid=sentence]", f"::highlight({highlight})"
    (text,) = read_style(page, selector, "color")
    (behind,) = read_style(page, "body", "backgroundColor")
    front, back = read_style(page, selector, "color", "backgroundColor", part=part)
    assert back not in (behind, [0, 0, 0, 0])
    assert contrast(front if front[3] else text, back) >= LEAST_CONTRAST


def test_colours_follow_the_system(reader: TranscriptPage) -> None:
    seen = []
    for scheme in ("light", "dark"):
        reader.page.emulate_media(color_scheme=scheme)
        seen.append(read_style(reader, "body", "color", "backgroundColor"))
    (light_text, light), (dark_text, dark) = seen
    assert luminance(light) > luminance(light_text)
    assert luminance(dark) < luminance(dark_text)


def test_phone_shows_every_control_and_scrolls_down_only(open_page: OpenPage, conversation: Path) -> None:
    page = open_page(conversation, viewport=PHONE, has_touch=True, is_mobile=True)
    page.wait_for_sound()
    page.part("search").fill("the")  # shows the number of hits and two more buttons
    assert page.run("document.documentElement.scrollWidth") <= PHONE["width"]
    for name in ("search", "play", "speed", "map", "copy", "help-button", "speaker", "file"):
        # The input of a file is as good as invisible; its label is what is seen.
        part = page.part(name).first if name != "file" else page.page.locator("label:has([data-testid=file])")
        expect(part).to_be_visible()
        box = part.bounding_box()
        assert box is not None
        assert box["x"] >= 0, name
        assert box["x"] + box["width"] <= PHONE["width"], name
        if name != "speaker":
            expect(part).to_be_in_viewport(ratio=1)
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
    (background,) = read_style(reader, "body", "backgroundColor")
    assert background in ([255, 255, 255, 255], [0, 0, 0, 0])


def test_paper_has_no_marks(reader: TranscriptPage) -> None:
    """What was searched for and what was being spoken is of no interest on paper."""
    reader.page.emulate_media(media="print")
    for name in ("word", "hit", "current-hit"):
        (back,) = read_style(reader, "[data-testid=sentence]", "backgroundColor", part=f"::highlight({name})")
        assert back == [0, 0, 0, 0], name


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
    page.click_word(0, "多少")
    page.wait_until_playing()
    page.run("""(() => {
        window.tops = new Set();
        const look = () => (window.tops.add(scrollY), requestAnimationFrame(look));
        look();
    })()""")
    page.run(f"{AUDIO}.currentTime = 30")
    page.wait_for_current(8)
    expect(page.sentence(8)).to_be_in_viewport(ratio=1)
    page.wait_for_scroll_end()
    is_smooth = page.run("window.tops.size") > 2
    assert is_smooth is (motion == "no-preference")
