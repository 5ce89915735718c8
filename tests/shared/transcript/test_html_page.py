"""The page is a valid and self-contained file, whatever the transcript; what it does is tested in a browser."""

from __future__ import annotations

import base64
import hashlib
import re
from itertools import pairwise
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings

from shared.transcript import FORMATS, RecordingRef, Sentence, Transcript, Word
from shared.transcript.formats.html_page import load_assets
from shared.transcript.formats.page_controls import CHINESE, HELP, PLAYER, TOOLS
from tests.helpers.hostile_texts import HOSTILE_KEYS, HOSTILE_NAMES, HOSTILE_TEXTS, hostile_transcripts
from tests.helpers.html_pages import ParsedPage

SLOW_MACHINE = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
SVG = "{http://www.w3.org/2000/svg}"
VOCABULARY = (
    "the customer would like to move an appointment from Tuesday morning to Thursday because our technician was "
    "late and now asks whether it is still possible to come before lunch or in the afternoon"
)
MAX_ASSETS_BYTES = 20_000
MAX_FIVE_HOURS_BYTES = 1_400_000


def build_transcript(
    *sentences: Sentence,
    key: str = "calls/a.mp3",
    title: str = "",
    names: tuple[str, ...] = (),
    engine: str = "16k_zh",
    duration_ms: int | None = 60_000,
) -> Transcript:
    recording = RecordingRef("calls-1250000000", "ap-guangzhou", key, "e")
    return Transcript(recording, engine, "s1", duration_ms, 1, sentences, title, names)


CONVERSATION = (
    Sentence(620, 1_480, "Front desk?", 1, words=(Word("Front", 620, 1_050), Word("desk", 1_050, 1_480))),
    Sentence(
        1_900, 4_000, "您好，我想改时间。", 2, words=(Word("您好", 1_900, 2_500), Word("我想", 2_600, 3_000))
    ),
    Sentence(4_100, 5_000, "没问题。", 2),
    Sentence(3_700_250, 3_701_000, "Thank you.", 1),
)


@SLOW_MACHINE
@given(hostile_transcripts())
def test_page_of_any_transcript_is_valid_and_has_its_text(transcript: Transcript) -> None:
    page = ParsedPage(transcript)
    shown = [sentence.text for sentence in page.sentences]
    assert shown == [sentence.text for sentence in transcript.sentences]
    assert [(s.start_ms, s.end_ms) for s in page.sentences] == [
        (sentence.start_ms, max(sentence.start_ms, sentence.end_ms)) for sentence in transcript.sentences
    ]
    assert page.source == FORMATS["html"].render(transcript).decode()


@SLOW_MACHINE
@given(hostile_transcripts())
def test_nothing_in_a_transcript_becomes_markup(transcript: Transcript) -> None:
    page = ParsedPage(transcript)
    elements = [element for element in page.root.iter() if isinstance(element.tag, str)]
    assert sum(element.tag == "script" for element in elements) == 1
    assert page.find(".//script").text == load_assets().script
    assert {element.tag for element in elements}.isdisjoint({"img", "iframe", "a", "link", "object", "base"})
    for element in elements:
        assert not [name for name in element.attrib if name.startswith("on") or name in ("style", "href")]
    assert [element.tag for element in elements if "src" in element.attrib] == ["audio"]


@pytest.mark.parametrize("text", [text for text in HOSTILE_TEXTS if text.isprintable()])
def test_hostile_text_stays_text_in_every_place(text: str) -> None:
    page = ParsedPage(build_transcript(Sentence(0, 1_000, text, 1), title=text, names=(text,)))
    assert page.sentences[0].text == text
    assert page.root.findtext(".//h1").strip() == page.root.findtext(".//title").strip()


def test_code_points_that_html_cannot_hold_are_replaced() -> None:
    text = "not \ufdd0 in \ufdef any \U0001fffe file \U0010ffff"
    page = ParsedPage(build_transcript(Sentence(0, 1_000, text, 1), key=f"{text}.mp3", names=(text,)))
    assert page.sentences[0].text == "not \ufffd in \ufffd any \ufffd file \ufffd"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_name_is_in_the_table_and_in_the_text(name: str) -> None:
    transcript = build_transcript(*CONVERSATION, names=(name.replace("\x00", "").replace("\ud83d", ""),))
    page = ParsedPage(transcript)
    label = transcript.get_label(CONVERSATION[0])
    assert next(page.paragraphs).speaker == f"{label}:"
    assert page.root.findtext(".//table[@class='speakers']//button") == label


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_recording_is_searched_beside_the_page(key: str) -> None:
    """The address is the last part of the key, with every character that an address could take otherwise escaped."""
    source = ParsedPage(build_transcript(key=key)).find(".//audio").attrib["src"]
    assert re.fullmatch(r"(?:[\w.~-]|%[0-9A-F]{2})*", source, re.ASCII)
    expected = key.rpartition("/")[2].encode("utf-8", "replace").decode()
    assert unquote(source) == expected


def test_paragraphs_are_a_podcast_transcript() -> None:
    """Podcasting 2.0: `cite`, `time` and `p`, in this order; ParsedPage checks the order."""
    paragraphs = list(ParsedPage(build_transcript(*CONVERSATION, names=("Anna",))).paragraphs)
    assert [(p.speaker, p.time, p.datetime, p.letter) for p in paragraphs] == [
        ("Anna:", "0:00", "PT0S", "A"),
        ("Speaker 2:", "0:01", "PT1S", "B"),
        ("Anna:", "1:01:40", "PT3700S", "A"),
    ]
    assert [len(p.sentences) for p in paragraphs] == [1, 2, 1]


def test_speaker_is_named_where_the_voice_changes() -> None:
    sentences = [
        Sentence(n * 5_000, n * 5_000 + 900, f"Number {n}.", speaker) for n, speaker in enumerate((1, 1, 2))
    ]
    paragraphs = list(ParsedPage(build_transcript(*sentences)).paragraphs)
    assert [(p.speaker, p.letter) for p in paragraphs] == [
        ("Speaker 1:", "A"),
        ("", "A"),
        ("Speaker 2:", "B"),
    ]


def test_voices_with_the_same_name_keep_their_letters() -> None:
    sentences = [Sentence(n * 1_000, n * 1_000 + 900, f"Number {n}.", n + 1) for n in range(2)]
    paragraphs = list(ParsedPage(build_transcript(*sentences, names=("Li", "Li"))).paragraphs)
    assert [(p.speaker, p.letter) for p in paragraphs] == [("Li:", "A"), ("Li:", "B")]


def test_many_voices_have_different_letters_and_one_lane() -> None:
    sentences = [Sentence(n * 1_000, n * 1_000 + 900, f"Number {n}.", n + 1) for n in range(60)]
    page = ParsedPage(build_transcript(*sentences))
    letters = [p.letter for p in page.paragraphs]
    assert (letters[0], letters[25:28]) == ("A", ["Z", "AA", "AB"])
    assert len(set(letters)) == 60
    assert page.find(f".//div[@class='map']/{SVG}svg").attrib["viewBox"] == "0 0 1500 1"


def test_one_voice_has_no_name_and_no_table() -> None:
    page = ParsedPage(build_transcript(Sentence(0, 900, "Hello."), names=("Li",)))
    assert [(p.speaker, p.letter) for p in page.paragraphs] == [("", "")]
    assert page.root.findall(".//table[@class='speakers']") == []


def test_map_has_the_time_of_each_voice_and_no_silence() -> None:
    sentences = (
        Sentence(0, 15_000, "One.", 1),
        Sentence(30_000, 30_010, "Two.", 2),
        Sentence(45_000, 60_000, "Three.", 1),
    )
    lines = ParsedPage(build_transcript(*sentences)).root.findall(f".//div[@class='map']//{SVG}path")
    assert [(line.get("class"), line.attrib["d"]) for line in lines] == [
        ("c1", "M0 0.5h375M1125 0.5h375"),
        ("c2", "M750 1.5h1"),
    ]


def test_talk_time_is_in_the_table() -> None:
    rows = ParsedPage(build_transcript(*CONVERSATION)).root.findall(".//table[@class='speakers']//tr")
    assert ["".join(row.itertext()) for row in rows] == ["Speaker 10:0135%", "Speaker 20:0365%"]


@pytest.mark.parametrize(
    ("engine", "texts", "main", "parts"),
    [
        ("16k_zh", ("您好。", "Good morning."), "zh", ["zh", "en"]),
        ("16k_en", ("Good morning.", "Good evening.", "您好。"), "en", ["en", "en", "zh"]),
        ("16k_ca", ("你哋好。",), "yue", ["yue"]),
        ("16k_ja", ("お元気ですか。",), "ja", ["ja"]),
        ("16k_th", ("สวัสดี",), "th", ["th"]),
        ("16k_zh-PY", ("안녕하세요.",), "ko", ["ko"]),
        ("", ("Hello.",), "en", ["en"]),
    ],
)
def test_languages_are_those_of_the_text(
    engine: str, texts: tuple[str, ...], main: str, parts: list[str]
) -> None:
    sentences = [Sentence(n * 9_000, n * 9_000 + 900, text) for n, text in enumerate(texts)]
    page = ParsedPage(build_transcript(*sentences, engine=engine))
    assert page.find(".//main").attrib["lang"] == main
    assert [p.language for p in page.paragraphs] == parts


def test_page_without_sentences_says_so() -> None:
    page = ParsedPage(build_transcript(duration_ms=None))
    assert list(page.paragraphs) == []
    assert page.find(".//main/p").text == "No speech was recognised."


def test_title_of_the_page_is_that_of_the_recording_or_its_name() -> None:
    assert ParsedPage(build_transcript(title="预约改期")).root.findtext(".//title") == "预约改期"
    assert ParsedPage(build_transcript(key="a/会议 1.mp3")).root.findtext(".//h1") == "会议 1.mp3"


def test_policy_allows_this_style_and_this_script_and_no_request() -> None:
    page = ParsedPage(build_transcript(*CONVERSATION))
    policy = page.find(".//meta[@http-equiv='Content-Security-Policy']").attrib["content"]
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
    for name, element in (("script-src", "script"), ("style-src", "style")):
        text = page.find(f".//{element}").text or ""
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert directives.pop(name) == f"'sha256-{digest}'"
    assert directives == {
        "default-src": "'none'",
        "media-src": "'self' blob:",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    # The style comes after the policy, which does not count for what is before it.
    assert page.source.index("Content-Security-Policy") < page.source.index("<style>")


def test_style_and_script_are_within_20_kb() -> None:
    style, script = load_assets()
    assert len(style.encode()) + len(script.encode()) <= MAX_ASSETS_BYTES
    assert "//" not in script
    assert "url(" not in style
    assert not re.search(r"</|<!--|\beval\b|innerHTML|fetch\(|XMLHttpRequest|import\(", script)


def test_every_label_has_a_chinese_one() -> None:
    markup = TOOLS + PLAYER + HELP
    labels = re.findall(r'(?:aria-label|title|placeholder)="([^"{]+)"', markup)
    labels += re.findall(r"data-label[^>]*>([^<]+)<", markup)
    labels += re.findall(r'label\("([^"]+)"', load_assets().script)
    labels += ["Play (space)", "Pause (space)", "Speakers", "No speech was recognised."]
    assert set(labels) == set(CHINESE)
    assert all(text.count("{}") == chinese.count("{}") for text, chinese in CHINESE.items())


def test_five_hours_are_within_the_size() -> None:
    page = FORMATS["html"].render(build_transcript(*build_five_hours()))
    assert len(page) <= MAX_FIVE_HOURS_BYTES


def build_five_hours() -> list[Sentence]:
    """Build 90,000 English words in 6,400 sentences of two speakers, who change after every third sentence."""
    vocabulary = VOCABULARY.split()
    sentences: list[Sentence] = []
    time_ms = 0
    for number in range(6_400):
        texts = [vocabulary[(number * 7 + index * index) % len(vocabulary)] for index in range(14)]
        words = []
        for index, text in enumerate(texts):
            length_ms = 90 + (number * 31 + index * 53) % 220
            words.append(Word(text, time_ms, time_ms + length_ms))
            time_ms += length_ms + (index % 4) * 10
        text = f"{' '.join(texts)}.".capitalize()
        sentences.append(
            Sentence(words[0].start_ms, words[-1].end_ms, text, 1 + number // 3 % 2, words=tuple(words))
        )
        time_ms += 40 * (number % 9)
    assert all(first.end_ms <= second.start_ms for first, second in pairwise(sentences))
    return sentences
