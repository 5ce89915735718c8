"""Texts, names and keys that have what a format could take for its own, or that no file can hold."""

from __future__ import annotations

from hypothesis import strategies as st

from shared.transcript import (
    RecordingRef,
    Sentence,
    Transcript,
    build_transcript,
    name_transcript,
    parse_sentence,
)

LONG_WORD = "supercalifragilistic" * 500  # 10,000 characters

HOSTILE_TEXTS = [
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "</w:t></w:r><w:r><w:fldSimple/>]]>&amp;&#0;",
    "# heading", "- item", "1. item", "1) item", "> quote", "```\ncode\n```", "    indented code", "---", "===",
    "[a link](https://evil.example/) ![an image](x.png) <https://evil.example/>", "[^1]: note [^1] [[page]]",
    "https://evil.example/?a=1&b=2 www.evil.example evil.com a@evil.example",
    "*bold* __bold__ _italic_ ~~gone~~ ==marked== ++under++ %%hidden%% ^up^ ~low~ $x^2$ $$y$$ `code` ``more``",
    ":smile: @everyone #123 {{ site.secret }} {% include x %} a|b|c |---|", "\\*not bold\\* \\", "\\\\",
    "=1+1", "+1", "-1", "@SUM(A1)", "＝1+1", "＋1", "－1", "＠x", '=HYPERLINK("https://evil.example/")',
    "\t=1+1", "\r=1+1", " =1+1", "'=1+1", "''=1+1", '"=1+1', "\u200b=1+1", "\ufeff=1+1", "a;=1+1", 'a; "=1+1"',
    "=cmd|' /C calc'!A0", 'a,b,"c"', "'quoted'", "sep=;",
    "\u202eright to left\u202c \u2066isolated\u2069 \u200f\u061c", "مرحبا بالعالم", "👩‍👩‍👧‍👦👍🏽 ❤️", "e\u0301" * 40,
    "nul\x00 bell\x07 escape\x1b[31m next\x85line\u2028separator\u2029", "half \ud83d of a pair", "\ufffe\uffff",
    "1\n00:00:01,000 --> 00:00:02,000\nnot a cue", "WEBVTT", "NOTE --> x", "{\\an8}<b>x</b>\\N", "a --> b -->",
    "</script><!-- --> <![CDATA[ x ]]>", '"}],"x":[{"', "…", "   \t ",
    "这是一条语音测试信息，展示的是识别后的文本内容。" * 20, LONG_WORD, "长" * 10_000,
]  # fmt: skip
HOSTILE_NAMES = [
    "客服", "Dr. Anna_Maria*", "**", "<b>Li</b> & Wei", "=1+1", "＝SUM", "@all", "a;=1", "-->", '"x" --', "{\\an8}",
    "\\", "[x](y)", "https://evil.example", "（前台）", "\u200b", "\u202eleft", "nul\x00", "1.", "# 1", "half \ud83d",
    "’s", "👍🏽", "  ", ")", "x) y",
]  # fmt: skip
HOSTILE_KEYS = [
    "calls/a.mp3", "it's \"quoted\" <b>.mp3", "a\\b/c\\d.mp3", "new\nline\ttab\x00\x1b.mp3", "bad\udcff.mp3",
    "\x01\x02", "folder/", "/", "..", "#1 *x* [y](z).mp3", "=1+1.csv", "\u202e3pm.exe", "会议 (1) --.m4a", "a" * 840,
    '-- " --.mp3',
]  # fmt: skip

_SHORT_TEXTS = [text for text in HOSTILE_TEXTS if len(text) < 1_000]  # the long ones have tests of their own
TEXTS = st.sampled_from(_SHORT_TEXTS) | st.text(max_size=120)
NAMES = st.sampled_from(HOSTILE_NAMES) | st.text(max_size=40)
KEYS = st.sampled_from(HOSTILE_KEYS) | st.text(min_size=1, max_size=60)
TIMES = st.integers(0, 20_000) | st.sampled_from([-1, None, "x", 400_000_000])


def build_hostile_transcript(
    texts: list[str],
    *,
    names: tuple[str, ...] = (),
    title: str = "",
    key: str = "calls/a.mp3",
    engine: str = "16k_zh",
) -> Transcript:
    """Build a transcript of these texts, two seconds each, from two speakers in turn if there are names."""
    details: list[Sentence] = []
    for number, text in enumerate(texts):
        speaker = number % 2 if names else None
        raw = {
            "FinalSentence": text,
            "StartMs": number * 2_000,
            "EndMs": number * 2_000 + 1_900,
            "SpeakerId": speaker,
        }
        if sentence := parse_sentence(raw):
            details.append(sentence)
    return name_transcript(build_from(details, key, engine), title, names, {})


def build_from(details: list[Sentence], key: str, engine: str = "16k_zh") -> Transcript:
    """Build the transcript of a recording with this key."""
    return build_transcript(
        recording=RecordingRef("calls-1250000000", "ap-chongqing", key, "9a4b"), engine=engine, job_id="s1", channels=1,
        audio_time=None, details=details, lines="", flash=[],
    )  # fmt: skip


@st.composite
def hostile_transcripts(draw: st.DrawFn) -> Transcript:
    """Up to six sentences of any text, times and speakers, with any title, names and key."""
    details: list[Sentence] = []
    sentences = st.tuples(TEXTS, TIMES, TIMES, st.sampled_from(["0", "1", None]))
    for text, start, end, speaker in draw(st.lists(sentences, max_size=6)):
        raw = {"FinalSentence": text, "StartMs": start, "EndMs": end, "SpeakerId": speaker}
        if sentence := parse_sentence(raw):
            details.append(sentence)
    title = draw(st.just("") | NAMES)
    names = tuple(draw(st.lists(NAMES, max_size=3)))
    return name_transcript(build_from(details, draw(KEYS)), title, names, {})
