"""For any result, other parsers accept every file, and no text is lost."""

import html
import json
import re
from itertools import pairwise
from pathlib import Path

import jsonschema
import pysubs2
import webvtt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.transcript import FORMATS, RecordingRef, Transcript, build_transcript, parse_sentence

# The first example may take seconds on a busy machine.
SLOW_MACHINE = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])

SCHEMA = Path(__file__).parents[3] / "docs" / "transcript.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
LABEL = re.compile(r"^(?:Speaker|Channel) \d+: ", re.MULTILINE)
FROM_FULL_WIDTH = str.maketrans("＜＞｛｝＼∶", "<>{}\\:")

ODD_TEXTS = [
    "line\none\r\n\r\ntwo",
    "1\n00:01.000 --> 00:02.000\nnot a cue",
    "a --> b -->",
    "<b>bold</b> <v Martin>x</v> {\\an8}up {y:b} C:\\new",
    "AT&amp;T & &lt;",
    "👩‍👩‍👧‍👦👍🏽 ❤️ family",
    "مرحبا بالعالم",
    "bell\x07 nul\x00 next\x85line sep\u2028end \ufeffmark \x1b[0m",
    "half \ud83d of a pair",
    "   \t ",
    "NOTE this",
    "WEBVTT",
    "supercalifragilistic" * 12,
    "五百" * 150,
    "The year 1984 12345678901234567890123456789012345678901",
    "这是一条语音测试信息，展示的是识别后的文本内容。" * 3,
    "So the thing is, well, that Martin knows how long it should be. Most run for about forty minutes or 42",
    "สวัสดีครับยินดีต้อนรับสู่การประชุมวันนี้เราจะพูดคุยเกี่ยวกับแผนงานของปีหน้า",
    "e\u0301" * 60,
    "İstanbul " * 12,
]
TIMES = (
    st.integers(-5_000, 40_000) | st.integers(0, 350_000_000) | st.sampled_from([-1, 0, None, "x", 10**14])
)
TEXTS = st.sampled_from(ODD_TEXTS) | st.text(max_size=200)
WORD_TIMES = st.lists(st.integers(-100, 9_000), max_size=40)


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    details = []
    for text, start, end, speaker, offsets in draw(
        st.lists(st.tuples(TEXTS, TIMES, TIMES, st.sampled_from(["0", "1", None]), WORD_TIMES), max_size=8)
    ):
        words = [
            {"Word": word, "OffsetStartMs": offset, "OffsetEndMs": offset + 200}
            for word, offset in zip(text.split(), offsets, strict=False)
        ]
        raw = {"FinalSentence": text, "StartMs": start, "EndMs": end, "SpeakerId": speaker, "Words": words}
        sentence = parse_sentence(raw)
        if sentence is not None:
            details.append(sentence)
    return build_transcript(
        recording=RecordingRef("calls-1250000000", "ap-chongqing", draw(st.text()), "9a4b"),
        engine="16k_zh",
        job_id="s1",
        channels=draw(st.sampled_from([1, 2])),
        audio_time=draw(st.sampled_from(["30.12", None, "nonsense"])),
        details=details,
        lines=draw(st.sampled_from(["", "[0:0.000,0:3.080] one\ntwo\n"])),
        flash=[],
    )


def _sorted_letters(texts: list[str]) -> list[str]:
    """Return all characters except white space, sorted, because cues of two speakers may interleave."""
    return sorted("".join("".join(texts).split()))


def _parse_srt(data: bytes) -> list[tuple[int, int, str]]:
    subtitles = pysubs2.SSAFile.from_string(data.decode(), format_="srt")
    return [(event.start, event.end, event.plaintext) for event in subtitles]


def _parse_vtt(data: bytes) -> list[tuple[int, int, str]]:
    captions = webvtt.from_string(data.decode()).captions
    return [
        (
            c.start_time.in_milliseconds(),
            c.end_time.in_milliseconds(),
            html.unescape(_remove_tags(c.raw_text)),
        )
        for c in captions
    ]


def _remove_tags(raw: str) -> str:
    return re.sub(r"</?v[^>]*>", "", raw)


def _is_in_order(shown: list[tuple[int, int, str]]) -> bool:
    return all(start < end for start, end, _ in shown) and all(a[1] <= b[0] for a, b in pairwise(shown))


@SLOW_MACHINE
@given(transcripts())
def test_srt_parses_in_order_with_all_its_text(transcript: Transcript) -> None:
    data = FORMATS["srt"].render(transcript)
    shown = _parse_srt(data)
    assert _is_in_order(shown)
    text = [LABEL.sub("", text).translate(FROM_FULL_WIDTH) for _, _, text in shown]
    expected = [LABEL.sub("", sentence.text).translate(FROM_FULL_WIDTH) for sentence in transcript.sentences]
    assert _sorted_letters(text) == _sorted_letters(expected)
    blocks = data.decode().split("\n\n") if data else []
    assert [block.split("\n")[0] for block in blocks] == [str(n + 1) for n in range(len(blocks))]
    assert all(len(block.strip("\n").split("\n")) >= 3 for block in blocks)


@SLOW_MACHINE
@given(transcripts())
def test_vtt_parses_in_order_with_all_its_text(transcript: Transcript) -> None:
    data = FORMATS["vtt"].render(transcript)
    assert data.startswith(b"WEBVTT\n")
    shown = _parse_vtt(data)
    assert _is_in_order(shown)
    assert _sorted_letters([text for _, _, text in shown]) == _sorted_letters(
        [s.text for s in transcript.sentences]
    )


@SLOW_MACHINE
@given(transcripts())
def test_json_is_valid_and_contains_every_sentence(transcript: Transcript) -> None:
    document = json.loads(FORMATS["json"].render(transcript))
    VALIDATOR.validate(document)
    assert [s["text"] for s in document["sentences"]] == [s.text for s in transcript.sentences]
    assert document["recording"]["key"] == transcript.recording.key
    for times in [*document["sentences"], *(word for s in document["sentences"] for word in s["words"])]:
        assert 0 <= times["start_ms"] <= times["end_ms"]


@SLOW_MACHINE
@given(transcripts())
def test_txt_contains_all_the_text_is_in_order(transcript: Transcript) -> None:
    data = FORMATS["txt"].render(transcript).decode()
    assert data == "" or data.endswith("\n")
    text = data if any(s.label for s in transcript.sentences) else LABEL.sub("", data)
    offset = 0
    for sentence in transcript.sentences:
        offset = text.index(sentence.text, offset) + len(sentence.text)


@SLOW_MACHINE
@given(transcripts())
def test_rendering_twice_gives_the_same_bytes(transcript: Transcript) -> None:
    for form in FORMATS.values():
        assert form.render(transcript) == form.render(transcript)


def test_lone_surrogate_in_a_key_is_still_valid_utf_8() -> None:
    transcript = build_transcript(
        recording=RecordingRef("b-1", "r", "bad\udcff.mp3", "e"),
        engine="16k_zh",
        job_id="s1",
        channels=1,
        audio_time=None,
        details=[],
        lines="x",
        flash=[],
    )
    assert json.loads(FORMATS["json"].render(transcript).decode())["recording"]["key"] == "bad\udcff.mp3"
