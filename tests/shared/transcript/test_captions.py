"""Subtitles: where captions are split, when they are visible, and how SRT and VTT write them."""

import pytest

from shared.transcript import FORMATS, Sentence, Transcript, parse_sentence
from shared.transcript.text import display_width
from tests.helpers.transcripts import build_test_transcript


def parse_detail(
    text: str, start_ms: int, end_ms: int, speaker: str = "0", words: list[tuple[str, int, int]] | None = None
) -> Sentence | None:
    items = [{"Word": word, "OffsetStartMs": str(a), "OffsetEndMs": str(b)} for word, a, b in words or []]
    return parse_sentence(
        {
            "FinalSentence": text,
            "StartMs": str(start_ms),
            "EndMs": str(end_ms),
            "SpeakerId": speaker,
            "Words": items,
        }
    )


def timed_words(text: str, start_ms: int) -> list[tuple[str, int, int]]:
    """Return the words of a text with times, a tenth of a second each."""
    return [(word, start_ms + n * 100, start_ms + n * 100 + 90) for n, word in enumerate(text.split())]


def parse_cues(transcript: Transcript) -> list[tuple[str, list[str]]]:
    """Return each cue of the SRT file as its line of times, without hours, and its lines of text."""
    blocks = [
        block.strip("\n").split("\n") for block in FORMATS["srt"].render(transcript).decode().split("\n\n")
    ]
    return [(block[1].replace("00:", ""), block[2:]) for block in blocks if block[0]]


def test_documented_job_gives_exactly_these_subtitles() -> None:
    transcript = build_test_transcript(
        lines="[0:0.000,0:3.080] 这是一条语音测试信息，展示的是识别后的文本内容"
    )
    text = "这是一条语音测试信息，\n展示的是识别后的文本内容\n"
    assert FORMATS["srt"].render(transcript).decode() == "1\n00:00:00,000 --> 00:00:03,080\n" + text
    assert FORMATS["vtt"].render(transcript).decode() == "WEBVTT\n\n00:00:00.000 --> 00:00:03.080\n" + text


def test_silent_recording_gives_valid_empty_files() -> None:
    silence = build_test_transcript()
    assert FORMATS["srt"].render(silence) == b""
    assert FORMATS["vtt"].render(silence) == b"WEBVTT\n"
    assert FORMATS["txt"].render(silence) == b""


def test_slow_speech_without_word_times_is_shown_as_long_as_it_lasts() -> None:
    transcript = build_test_transcript(
        lines="[0:0.000,0:30.080]  这是一条语音测试信息，展示的是识别后的文本内容"
    )
    assert parse_cues(transcript) == [
        ("00,000 --> 05,231", ["这是一条"]),
        ("05,231 --> 09,154", ["语音测"]),
        ("09,154 --> 14,386", ["试信息，"]),
        ("14,386 --> 19,617", ["展示的是"]),
        ("19,617 --> 24,848", ["识别后的"]),
        ("24,848 --> 30,080", ["文本内容"]),
    ]


def test_long_sentence_is_split_at_the_times_of_its_words() -> None:
    first, second = (
        "The thing about podcasts is that Martin knows.",
        "So most of them are as long as a commute is for me",
    )
    words = timed_words(first.replace(".", ""), 0) + timed_words(second, 5_000)
    transcript = build_test_transcript(
        details=[parse_detail(f"{first} {second}.", 10_000, 17_000, words=words)]
    )
    assert parse_cues(transcript) == [
        ("10,000 --> 11,290", ["The thing about podcasts", "is that Martin knows."]),
        ("15,000 --> 16,790", ["So most of them are as long", "as a commute is for me."]),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("20 people came to the talk that we gave,", "twenty people came to the talk that we gave"),
        ("3.14159265358979 is what they all had,", "three point one four one five nine is what they all had"),
    ],
)
def test_rewritten_numbers_do_not_shift_the_times(text: str, words: str) -> None:
    rest = "and it was already nine in the evening when the last twenty left"
    timed = timed_words(words, 0) + timed_words(rest, 4_000)
    shown = parse_cues(build_test_transcript(details=[parse_detail(f"{text} {rest}", 0, 6_000, words=timed)]))
    assert shown[1][0].startswith("04,000")
    assert " ".join(shown[1][1]) == rest


@pytest.mark.parametrize("step", [-400, 0, 9_000])
def test_invalid_word_times_keep_the_text_in_order(step: int) -> None:
    text = (
        "and so on and so forth until people in the room could tell no longer what it had been about at first"
    )
    words = [(word, 8_000 + n * step, 8_000 + n * step + 1) for n, word in enumerate(text.split())]
    for end_ms in (9_000, 0):
        shown = parse_cues(build_test_transcript(details=[parse_detail(text, 0, end_ms, words=words)]))
        assert " ".join(" ".join(lines) for _, lines in shown) == text


def test_cue_has_two_lines_of_42_columns_and_7_seconds_at_most() -> None:
    english = "it was a good day and then we all went home to see what was on and so on " * 9
    chinese = "这是一条语音测试信息展示的是识别后的文本内容" * 9
    lines = f"[0:0.000,0:40.000] {english}\n[1:0.000,1:40.000] {chinese}"
    shown = parse_cues(build_test_transcript(lines=lines))
    for times, text in shown:
        start, end = (float(time.replace(":", "").replace(",", ".")) for time in times.split(" --> "))
        assert end - start <= 7
        assert len(text) <= 2
        assert all(sum(2 if char > "\u2e80" else 1 for char in line) <= 42 for line in text)
    assert " ".join(" ".join(text) for _, text in shown if text[0].isascii()) == english.strip()


def test_word_wider_than_a_line_is_not_split() -> None:
    word = "Donaudampfschifffahrtsgesellschaftskapitänswitwe"
    shown = parse_cues(build_test_transcript(lines=f"[0:0.000,0:9.000] hello {word} good bye to all of them"))
    assert [text for _, text in shown] == [["hello", word], ["good bye to all of them"]]


def test_chinese_breaks_between_words_of_the_engine() -> None:
    words = [("语音的", n * 400, n * 400 + 400) for n in range(11)]
    for _, text in parse_cues(
        build_test_transcript(details=[parse_detail("语音的" * 11, 0, 4_400, words=words)])
    ):
        assert [len(line) % 3 for line in text] == [0] * len(text)


def test_thai_breaks_between_words_of_the_engine() -> None:
    words = ["ยินดี", "ต้อนรับ", "สู่", "การประชุม"] * 4
    timed = [(word, n * 300, n * 300 + 300) for n, word in enumerate(words)]
    shown = parse_cues(build_test_transcript(details=[parse_detail("".join(words), 0, 4_800, words=timed)]))
    lines = [line for _, text in shown for line in text]
    assert len(lines) == 2
    assert all(line.startswith(tuple(words)) for line in lines)


@pytest.mark.parametrize(("before", "mark", "after"), [(15, "）", 14), (14, "（", 15)])
def test_line_does_not_start_or_end_with_the_wrong_bracket(before: int, mark: str, after: int) -> None:
    text = "一" * before + mark + "一" * after
    [(_, lines)] = parse_cues(build_test_transcript(lines=f"[0:0.000,0:5.000] {text}"))
    assert len(lines) == 2
    assert not lines[1].startswith("）")
    assert not lines[0].endswith("（")


def test_combining_marks_have_no_width() -> None:
    text = "e\u0301" * 20 + " " + "e\u0301" * 21
    assert parse_cues(build_test_transcript(lines=f"[0:0.000,0:5.000] {text}")) == [
        ("00,000 --> 05,000", [text])
    ]


def test_caption_stays_while_the_other_channel_speaks() -> None:
    details = [parse_detail("How are you?", 0, 4_000, "0"), parse_detail("Fine.", 2_500, 3_500, "1")]
    assert parse_cues(build_test_transcript(details=details, channels=2)) == [
        ("00,000 --> 04,000", ["Channel 1: How are you?", "Channel 2: Fine."]),
    ]


def test_channels_that_start_together_share_a_cue() -> None:
    transcript = build_test_transcript(
        details=[parse_detail("Hello?", 0, 900, "0"), parse_detail("Hi.", 300, 1_500, "1")], channels=2
    )
    assert parse_cues(transcript) == [("00,000 --> 01,500", ["Channel 1: Hello?", "Channel 2: Hi."])]
    assert (
        FORMATS["vtt"].render(transcript).decode().endswith("<v Channel 1>Hello?</v>\n<v Channel 2>Hi.</v>\n")
    )


def test_two_answers_share_a_line() -> None:
    sentences = [("Hello?", 0, 900, "0"), ("Hi.", 300, 1_500, "1"), ("Yes?", 700, 1_600, "1")]
    assert parse_cues(
        build_test_transcript(details=[parse_detail(*sentence) for sentence in sentences], channels=2)
    ) == [
        ("00,000 --> 01,600", ["Channel 1: Hello?", "Channel 2: Hi. Yes?"]),
    ]


def test_unknown_speaker_comes_before_the_known_one() -> None:
    sentences = [("One.", 0, 900, "0"), ("1984", 300, 1_500, "?"), ("Two.", 2_000, 2_900, "1")]
    assert parse_cues(
        build_test_transcript(details=[parse_detail(*sentence) for sentence in sentences], channels=2)
    )[:2] == [
        ("00,000 --> 01,500", ["1984", "Channel 1: One."]),
        ("02,000 --> 02,900", ["Channel 2: Two."]),
    ]


def test_both_speakers_of_a_shared_cue_have_a_label() -> None:
    sentences = [("One.", 0, 500, "0"), ("Two.", 2_000, 3_000, "0"), ("Three.", 2_300, 4_000, "1")]
    shown = parse_cues(
        build_test_transcript(details=[parse_detail(*sentence) for sentence in sentences], channels=2)
    )
    assert shown[1][1] == ["Channel 1: Two.", "Channel 2: Three."]


def test_label_appears_at_each_change_of_speaker_only() -> None:
    sentences = [("One.", "4"), ("Two.", "4"), ("Three.", "7")]
    details = [
        parse_detail(text, n * 3_000, n * 3_000 + 1_500, speaker)
        for n, (text, speaker) in enumerate(sentences)
    ]
    shown = [text for _, text in parse_cues(build_test_transcript(details=details))]
    assert shown == [["Speaker 1: One."], ["Two."], ["Speaker 2: Three."]]


def test_sentences_with_the_same_invalid_time_follow_each_other() -> None:
    text = "a sentence that has a cue for itself, because it fills both of its lines well, number"
    details = [parse_detail(f"{text} {name}.", 0, 0) for name in ("one", "two", "three")]
    shown = parse_cues(build_test_transcript(details=details))
    assert " ".join(" ".join(lines) for _, lines in shown) == f"{text} one. {text} two. {text} three."
    assert [times[-6:] for times, _ in shown[:2]] == ["00,833", "01,666"]


def test_short_cue_is_extended_into_the_pause_after_it() -> None:
    details = [
        parse_detail("Yes.", 0, 200),
        parse_detail("No.", 600, 800),
        parse_detail("Perhaps.", 5_000, 5_100),
    ]
    times = [times for times, _ in parse_cues(build_test_transcript(details=details))]
    assert times == ["00,000 --> 00,833", "05,000 --> 05,833"]


def test_hours_may_exceed_99() -> None:
    start = 123 * 3_600_000 + 4_005
    transcript = build_test_transcript(details=[parse_detail("late", start, start + 2_000)])
    assert b"\n123:00:04,005 --> 123:00:06,005\n" in FORMATS["srt"].render(transcript)
    assert b"\n123:00:04.005 --> 123:00:06.005\n" in FORMATS["vtt"].render(transcript)


@pytest.mark.parametrize(
    ("text", "srt", "vtt"),
    [
        ("<b>a</b> & b", "＜b＞a＜/b＞ & b", "&lt;b&gt;a&lt;/b&gt; &amp; b"),
        ("{\\an8}up", "｛＼an8｝up", "{\\an8}up"),
        ("a --> b", "a --＞ b", "a --&gt; b"),
        ("&amp;", "&amp;", "&amp;amp;"),
    ],
)
def test_markup_characters_are_shown_as_text(text: str, srt: str, vtt: str) -> None:
    transcript = build_test_transcript(details=[parse_detail(text, 0, 2_000)])
    assert FORMATS["srt"].render(transcript).decode().split("\n")[2] == srt
    assert FORMATS["vtt"].render(transcript).decode().split("\n")[3] == vtt


def test_line_of_markup_is_not_wider_than_its_limit_in_srt() -> None:
    transcript = build_test_transcript(details=[parse_detail("a <b> {c} \\d, " * 20, 0, 40_000)])
    lines = [line for _, text in parse_cues(transcript) for line in text]
    assert max(map(display_width, lines)) <= 42
    assert "".join(lines).count("＜") == 20
