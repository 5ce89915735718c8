"""The title of a recording and the names of its speakers in every format, whatever characters they have."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from pathlib import Path

import jsonschema
import pysubs2
import pytest
import webvtt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.options.model import MAX_NAMES, has_forbidden_characters
from shared.options.parse import Choice
from shared.transcript import FORMATS, Sentence, Transcript, name_transcript, parse_json, parse_sentence
from shared.transcript.caption_limits import CaptionLimits
from shared.transcript.text import display_width, replace_markup, shorten
from tests.helpers.transcripts import build_test_transcript

SLOW_MACHINE = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
SCHEMA = Path(__file__).parents[3] / "docs" / "transcript.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
TWO_SPEAKERS = "[0:0.000,0:1.000,0] 您好。\n[0:1.000,0:2.000,1] 我想改时间。\n[0:2.000,0:3.000,0] 没问题。"

ODD_NAMES = [
    "客服", "Dr. Elizabeth Montgomery-Fitzgerald", "客服代表一号" * 6, "<b>Li</b> & Wei", "a --> b", "{\\an8}x",
    "C:\\new", "AT&amp;T", "two\nlines\r\nof\u2028names", "\u202eright to left\u202c", "\u2066a\u2069\u200f\u061c",
    "שרה", "محمد", "👩‍👩‍👧‍👦" * 3, "👍🏽" * 11, "e\u0301" * 40, "WEBVTT", "NOTE", "1", "12:", "half \ud83d",
    "x\x00y\x1b[0m", "Speaker 2", ": ", "…", "\u200d", "   ", "", "長" * 40, "</v>",
    "<v Anna>", "00:00:01.000 --> 00:00:02.000",
]  # fmt: skip
NAMES = st.sampled_from(ODD_NAMES) | st.text(max_size=40)
TEXTS = st.sampled_from(
    [
        "您好，请问有什么可以帮您？" * 4,
        "没问题。",
        "Hello, and thank you for calling us today. " * 5,
        "1984",
        "<i>x</i>",
    ]
)


@st.composite
def named_transcripts(draw: st.DrawFn) -> Transcript:
    """Two to three voices with names, too few or too many; sentences may overlap."""
    speakers = [0, 1, *draw(st.lists(st.integers(0, 2), max_size=6))]
    details = []
    for number, speaker in enumerate(speakers):
        start_ms = number * 2_000 + draw(st.integers(-1_500, 1_500))
        detail = {
            "FinalSentence": draw(TEXTS),
            "StartMs": max(0, start_ms),
            "EndMs": max(0, start_ms) + draw(st.integers(100, 20_000)),
            "SpeakerId": speaker,
        }
        details.append(parse_sentence(detail))
    transcript = build_test_transcript(details=details, channels=draw(st.sampled_from([1, 2])))
    names = tuple(draw(st.lists(NAMES, max_size=MAX_NAMES)))
    return name_transcript(transcript, draw(NAMES), names, {"title": Choice("x", "calls/a.mp3.scribe.json")})


def render(transcript: Transcript, name: str) -> str:
    return FORMATS[name].render(transcript).decode()


def name_speakers(*names: str, title: str = "", lines: str = TWO_SPEAKERS, channels: int = 1) -> Transcript:
    return name_transcript(build_test_transcript(lines=lines, channels=channels), title, names, {})


def test_title_and_names_are_in_every_format() -> None:
    transcript = name_speakers("客服", "客户", title="改期电话")
    assert render(transcript, "txt") == "改期电话\n\n客服: 您好。\n\n客户: 我想改时间。\n\n客服: 没问题。\n"
    assert [line for line in render(transcript, "srt").split("\n") if ": " in line] == [
        "客服: 您好。", "客户: 我想改时间。", "客服: 没问题。",
    ]  # fmt: skip
    vtt = render(transcript, "vtt")
    assert vtt.startswith("WEBVTT - 改期电话\n\n00:")
    assert re.findall("<v (.+?)>", vtt) == ["客服", "客户", "客服"]
    document = json.loads(render(transcript, "json"))
    assert (document["title"], document["speaker_names"]) == ("改期电话", ["客服", "客户"])
    assert [sentence["speaker"] for sentence in document["sentences"]] == [1, 2, 1]
    assert document["text"] == "您好。\n我想改时间。\n没问题。"


def test_channels_have_names_too() -> None:
    transcript = name_speakers("客服", "客户", channels=2)
    assert render(transcript, "txt").split("\n\n")[:2] == ["客服: 您好。", "客户: 我想改时间。"]


def test_voice_without_a_name_keeps_its_label() -> None:
    assert render(name_speakers("Anna"), "txt").split("\n\n")[:2] == [
        "Anna: 您好。",
        "Speaker 2: 我想改时间。",
    ]
    assert render(name_speakers("", "Anna"), "txt").startswith("Speaker 1: ")
    assert render(name_speakers("Anna", channels=2), "txt").split("\n\n")[1] == "Channel 2: 我想改时间。"


def test_single_voice_has_no_label_but_a_title() -> None:
    transcript = name_speakers("Anna", title="Diary", lines="[0:0.000,0:1.000] Dear diary.")
    assert render(transcript, "txt") == "Diary\n\nDear diary.\n"
    assert "Anna" not in render(transcript, "srt") + render(transcript, "vtt")
    assert json.loads(render(transcript, "json"))["speaker_names"] == ["Anna"]


def test_silent_recording_has_only_its_title() -> None:
    transcript = name_speakers("Anna", title="Nothing", lines="")
    assert [render(transcript, name) for name in ("txt", "srt", "vtt")] == [
        "Nothing\n",
        "",
        "WEBVTT - Nothing\n",
    ]


def test_transcript_without_options_has_all_members() -> None:
    document = json.loads(render(build_test_transcript(lines=TWO_SPEAKERS), "json"))
    assert (document["title"], document["speaker_names"], document["options"]) == (None, [], {})


def test_two_speakers_with_one_name_are_shown_as_one() -> None:
    assert render(name_speakers("客服", "客服"), "txt") == "客服: 您好。我想改时间。没问题。\n"


@pytest.mark.parametrize(
    ("name", "srt", "vtt"),
    [
        ("<b>Li</b>", "＜b＞Li＜/b＞: ", "<v &lt;b&gt;Li&lt;/b&gt;>"),
        ("R&D {x}", "R&D ｛x｝: ", "<v R&amp;D {x}>"),
        ("a --> b", "a --＞ b: ", "<v a --&gt; b>"),
        ("two\nlines", "two lines: ", "<v two lines>"),
        ("\u202eabc\u202c", "abc: ", "<v abc>"),
        ("客服代表一号客服代表二号", "客服代表一…代表二号: ", "<v 客服代表一号客服代表二号>"),
        ("Customer service agent 1", "Customer s…e agent 1: ", "<v Customer service agent 1>"),
        ("👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦…👩‍👩‍👧‍👦: ", "<v 👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦>"),
    ],
)
def test_name_is_written_as_each_format_allows(name: str, srt: str, vtt: str) -> None:
    transcript = name_speakers(name)
    assert render(transcript, "srt").split("\n")[2] == srt + "您好。"
    assert f"\n{vtt}您好。</v>\n" in render(transcript, "vtt")


def test_arrow_in_a_title_does_not_end_the_header_of_vtt() -> None:
    assert render(name_speakers(title="a --> b"), "vtt").startswith("WEBVTT - a --＞ b\n\n")


@pytest.mark.parametrize("name", ["長" * 40, "w" * 40, "<" * 40, "客服代表" * 10])
def test_long_name_keeps_every_line_within_its_width(name: str) -> None:
    texts = ["您好，请问有什么可以帮您的吗？" * 6, "thank you very much for calling us today " * 6]
    lines = "\n".join(f"[0:{n}0.000,0:{n}9.000,{n}] {text}" for n, text in enumerate(texts))
    transcript = name_speakers(name, name + "2", lines=lines)
    shown = [line for line in render(transcript, "srt").split("\n") if line and "-->" not in line]
    assert max(map(display_width, shown)) <= CaptionLimits().width
    assert sum(": " in line for line in shown) == 2


@SLOW_MACHINE
@given(NAMES)
def test_label_of_a_caption_is_short_and_whole_characters(name: str) -> None:
    shown = replace_markup(name)
    label = shorten(shown, 20)
    assert display_width(label) <= 20
    head, ellipsis, tail = label.rpartition("…")
    if label != shown:
        assert ellipsis
        assert shown.startswith(head)
        assert shown.endswith(tail)
        assert not head.endswith("\u200d")
        assert not tail or unicodedata.category(tail[0]) not in {"Mn", "Me", "Cf"}
    assert CaptionLimits().format_label(name).endswith(": ")


@pytest.mark.filterwarnings("ignore:Possible missed subtitle")  # a name may look like one time
@SLOW_MACHINE
@given(named_transcripts())
def test_any_names_keep_srt_valid(transcript: Transcript) -> None:
    data = render(transcript, "srt")
    subtitles = pysubs2.SSAFile.from_string(data, format_="srt")
    blocks = data.removesuffix("\n").split("\n\n")
    assert len(subtitles) == len(blocks)
    assert [block.split("\n")[0] for block in blocks] == [str(n + 1) for n in range(len(blocks))]
    for block in blocks:
        lines = block.split("\n")[2:]
        assert 1 <= len(lines) <= 4
        assert max(map(display_width, lines)) <= CaptionLimits().width
        assert not set("<>{}\\").intersection("".join(lines))
    assert not has_forbidden_characters(data.replace("\n", ""))


@SLOW_MACHINE
@given(named_transcripts())
def test_any_names_keep_vtt_valid(transcript: Transcript) -> None:
    data = render(transcript, "vtt")
    captions = webvtt.from_string(data).captions
    blocks = data.removesuffix("\n").split("\n\n")
    assert len(captions) == len(blocks) - 1
    assert blocks[0] == "WEBVTT" + (
        f" - {transcript.title.replace('-->', '--＞')}" if transcript.title else ""
    )
    names = []
    for block in blocks[1:]:
        times, *lines = block.split("\n")
        assert times.count("-->") == 1
        text = "\n".join(lines)
        assert "-->" not in text
        tags = re.findall(r"<([^>\n]*)>", text)
        assert tags == [tag for tag in tags if tag == "/v" or tag.startswith("v ")]
        assert len(tags) == text.count("<")
        names += [html.unescape(tag.removeprefix("v ")) for tag in tags if tag != "/v"]
    assert set(names) == {transcript.get_label(sentence) for sentence in transcript.sentences}
    assert not has_forbidden_characters(data.replace("\n", ""))


@SLOW_MACHINE
@given(named_transcripts())
def test_any_names_are_on_lines_of_their_own_in_txt(transcript: Transcript) -> None:
    data = render(transcript, "txt")
    assert not has_forbidden_characters(data.replace("\n", ""))
    paragraphs = data.removesuffix("\n").split("\n\n")
    if transcript.title:
        assert paragraphs.pop(0) == transcript.title
    labels = {transcript.get_label(sentence) for sentence in transcript.sentences}
    assert all("\n" not in paragraph for paragraph in paragraphs)
    assert all(paragraph.startswith(tuple(f"{label}: " for label in labels)) for paragraph in paragraphs)


@SLOW_MACHINE
@given(named_transcripts())
def test_any_names_keep_json_valid_and_readable(transcript: Transcript) -> None:
    data = FORMATS["json"].render(transcript)
    document = json.loads(data)
    VALIDATOR.validate(document)
    assert document["title"] == (transcript.title or None)
    assert tuple(document["speaker_names"]) == transcript.speaker_names
    again = name_transcript(parse_json(data), transcript.title, transcript.speaker_names, transcript.options)
    assert again == transcript
    assert FORMATS["json"].render(again) == data


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2}, {"schema": "urn:scribe:error"}, {"sentences": [{}]}, {"sentences": 3}, {"recording": None},
        {"recording": {"bucket": "b"}}, {"sentences": ["text"]},
    ],
    ids=str,
)  # fmt: skip
def test_other_documents_are_no_transcripts(change: dict[str, object]) -> None:
    document = json.loads(render(build_test_transcript(lines=TWO_SPEAKERS), "json"))
    assert parse_json(json.dumps(document).encode()).sentences
    with pytest.raises(ValueError, match="not a transcript"):
        parse_json(json.dumps({**document, **change}).encode())


@pytest.mark.parametrize("number", [0, -1, "x", [1]])
def test_speaker_that_is_no_number_is_refused(number: object) -> None:
    document = json.loads(render(build_test_transcript(lines=TWO_SPEAKERS), "json"))
    document["sentences"][0]["speaker"] = number
    with pytest.raises(ValueError, match="not a transcript"):
        parse_json(json.dumps(document).encode())


def test_label_of_a_sentence_alone_has_no_name() -> None:
    sentence = Sentence(0, 1, "x", speaker=2)
    assert sentence.label == "Speaker 2"
