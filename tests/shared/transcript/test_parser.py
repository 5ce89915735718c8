"""The forms of CI results, each as an XML parser such as xmltodict returns it."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.transcript import Sentence, Word, parse_sentence
from tests.helpers.transcripts import build_test_transcript

# The first example may take seconds on a busy machine.
SLOW_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SEED_TEXT = "这是一条语音测试信息，展示的是识别后的文本内容"
DETAIL: dict[str, Any] = {
    "EndMs": "3700",
    "FinalSentence": "腾讯云语音识别欢迎您。",
    "SliceSentence": "腾讯云 语音识别 欢迎 您",
    "SpeakerId": "0",
    "SpeechSpeed": "4.4",
    "StartMs": "1200",
    "Words": [
        {"OffsetEndMs": "600", "OffsetStartMs": "40", "VoiceType": "0", "Word": "腾讯云"},
        {"OffsetEndMs": "1300", "OffsetStartMs": "600", "VoiceType": "0", "Word": "语音识别"},
    ],
    "WordsNum": "4",
}

NODES = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | st.integers()
    | st.floats()
    | st.sampled_from(["0", "-5", "1e400", "12.5"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("#text"), inner, max_size=3)
    ),
    max_leaves=8,
)
DETAIL_NAMES = ["FinalSentence", "SliceSentence", "StartMs", "EndMs", "SpeakerId", "SpeechSpeed", "Words"]
WORD_NAMES = ["Word", "OffsetStartMs", "OffsetEndMs"]
FLASH_NAMES = [
    "channel_id",
    "text",
    "start_time",
    "end_time",
    "speaker_id",
    "word",
    "sentence_list",
    "word_list",
]


def nodes_named(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(
        st.sampled_from(names), NODES | st.integers(-9, 9**9).map(str), max_size=len(names)
    )


@pytest.mark.parametrize("spaces", [" ", "  ", ""])
def test_documented_line_is_parsed_with_any_spacing(spaces: str) -> None:
    transcript = build_test_transcript(lines=f"[0:0.000,0:30.080]{spaces}{SEED_TEXT}")
    assert transcript.sentences == (Sentence(0, 30_080, SEED_TEXT),)
    assert transcript.duration_ms == 30_120


def test_lines_may_have_hours_long_minutes_and_a_speaker_number() -> None:
    lines = "[0:0.930,0:2.640,0]  first\r\n[61:3.320,61:4.650,1]  second\n[1:02:03.5,1:02:04,0] third\n"
    first, second, third = build_test_transcript(lines=lines).sentences
    assert (first.start_ms, first.end_ms, first.speaker) == (930, 2_640, 1)
    assert (second.start_ms, second.end_ms, second.speaker) == (3_663_320, 3_664_650, 2)
    assert (third.start_ms, third.text, third.speaker) == (3_723_500, "third", 1)


def test_line_without_times_fills_the_gap_between_its_neighbours() -> None:
    lines = "[0:1.000,0:2.000] one\nlost [brackets\n[0:5.000,0:6.000] two\nthe end"
    assert [(s.text, s.start_ms, s.end_ms) for s in build_test_transcript(lines=lines).sentences] == [
        ("one", 1_000, 2_000),
        ("lost [brackets", 2_000, 5_000),
        ("two", 5_000, 6_000),
        ("the end", 6_000, 30_120),
    ]


def test_word_times_count_from_the_start_of_the_sentence() -> None:
    sentence = parse_sentence(DETAIL)
    assert sentence is not None
    assert sentence.text == "腾讯云语音识别欢迎您。"
    assert (sentence.start_ms, sentence.end_ms, sentence.chars_per_second) == (1_200, 3_700, 4.4)
    assert sentence.words == (Word("腾讯云", 1_240, 1_800), Word("语音识别", 1_800, 2_500))


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (None, []),
        ([], []),
        (DETAIL["Words"][0], ["腾讯云"]),
        ([None, {"Word": "x"}, DETAIL["Words"][1]], ["语音识别"]),
        (
            [{"Word": "y", "OffsetStartMs": 9.0, "OffsetEndMs": 12}, {**DETAIL["Words"][0], "Word": None}],
            ["y"],
        ),
        ({"Word": 20, "OffsetStartMs": 9, "OffsetEndMs": 12}, ["20"]),
    ],
)
def test_words_may_be_missing_single_repeated_or_invalid(words: Any, texts: list[str]) -> None:
    sentence = parse_sentence({**DETAIL, "Words": words})
    assert sentence is not None
    assert [word.text for word in sentence.words] == texts


def test_word_whose_times_are_reversed_keeps_both() -> None:
    word = {"Word": "y", "OffsetStartMs": "600", "OffsetEndMs": "40"}
    sentence = parse_sentence({**DETAIL, "Words": [word]})
    assert sentence is not None
    assert sentence.words == (Word("y", 1_240, 1_800),)


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        ({"SliceSentence": "腾讯云 语音识别 hello world"}, "腾讯云语音识别 hello world"),
        ({"FinalSentence": " ", "Words": [{"Word": "hello"}, {"Word": "world"}]}, "hello world"),
        ({"FinalSentence": {"@lang": "zh", "#text": "您好"}}, "您好"),
    ],
)
def test_sentence_without_final_text_uses_slices_or_words(detail: dict[str, Any], text: str) -> None:
    sentence = parse_sentence(detail)
    assert sentence is not None
    assert sentence.text == text


@pytest.mark.parametrize(
    "detail", [None, {}, {"StartMs": "1"}, {"FinalSentence": " \n\x00"}, [DETAIL], "text"]
)
def test_detail_without_text_is_not_a_sentence(detail: Any) -> None:
    assert parse_sentence(detail) is None


@SLOW_MACHINE
@given(nodes_named(DETAIL_NAMES), st.lists(nodes_named(WORD_NAMES), max_size=3))
def test_parse_sentence_never_raises(detail: dict[str, Any], words: list[dict[str, Any]]) -> None:
    parse_sentence(detail)
    sentence = parse_sentence({**detail, "Words": words})
    assert sentence is None or sentence.text.strip()


def test_details_are_preferred_to_lines_and_lines_to_flash() -> None:
    flash = [{"channel_id": "0", "text": "flash", "sentence_list": None}]
    lines = "[0:0.000,0:1.000] lines"
    assert (
        build_test_transcript(details=[parse_sentence(DETAIL)], lines=lines, flash=flash).sentences[0].words
    )
    assert build_test_transcript(lines=lines, flash=flash).sentences[0].text == "lines"
    assert build_test_transcript(lines=" \n", flash=flash).sentences[0].text == "flash"


def test_mono_recording_with_one_speaker_number_has_no_label() -> None:
    assert build_test_transcript(details=[parse_sentence(DETAIL)]).sentences[0].label is None


@pytest.mark.parametrize(
    ("channels", "numbers", "labels"),
    [
        (1, "313", ["Speaker 1", "Speaker 2", "Speaker 1"]),
        (2, "010", ["Channel 1", "Channel 2", "Channel 1"]),
        (2, "121", ["Channel 1", "Channel 2", "Channel 1"]),
        (2, "111", ["Channel 2"] * 3),
        (2, "020", ["Channel 1", "Channel 3", "Channel 1"]),
    ],
)
def test_speakers_and_channels_count_from_one(channels: int, numbers: str, labels: list[str]) -> None:
    details = [parse_sentence({**DETAIL, "StartMs": n, "SpeakerId": v}) for n, v in enumerate(numbers)]
    assert [s.label for s in build_test_transcript(details=details, channels=channels).sentences] == labels


def test_sentences_are_sorted_by_start_and_stable() -> None:
    starts = [("b", "500"), ("a", "0"), ("c", "500")]
    details = [
        parse_sentence({"FinalSentence": text, "StartMs": start, "EndMs": "900"}) for text, start in starts
    ]
    assert [s.text for s in build_test_transcript(details=details).sentences] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("5000", "2000", (2_000, 5_000)),
        ("-300", "x", (0, 30_120)),
        ("1000", None, (1_000, 2_200)),
        ("9" * 5_000, "nan", (0, 30_120)),
        (10**400, 10**400, (0, 30_120)),
    ],
)
def test_invalid_times_are_replaced(start: Any, end: Any, expected: tuple[int, int]) -> None:
    detail = parse_sentence({"FinalSentence": "twelve chars", "StartMs": start, "EndMs": end})
    sentence = build_test_transcript(details=[detail]).sentences[0]
    assert (sentence.start_ms, sentence.end_ms) == expected


def test_sentence_without_end_lasts_as_long_as_its_words() -> None:
    words = {"Word": "slow", "OffsetStartMs": "0", "OffsetEndMs": "8000"}
    detail = parse_sentence({"FinalSentence": "slow", "StartMs": "1000", "Words": words})
    assert build_test_transcript(details=[detail]).sentences[0].end_ms == 9_000


def test_sentence_without_start_has_no_words() -> None:
    sentence = parse_sentence({**DETAIL, "StartMs": None})
    assert sentence is not None
    assert (sentence.text, sentence.words) == ("腾讯云语音识别欢迎您。", ())


@pytest.mark.parametrize("speed", ["inf", "nan", "-1", "fast", None, True, 10**400])
def test_invalid_speech_speed_is_unknown(speed: Any) -> None:
    sentence = parse_sentence({**DETAIL, "SpeechSpeed": speed})
    assert sentence is not None
    assert sentence.chars_per_second is None


@pytest.mark.parametrize("word_start", [1_000, 0])
def test_flash_word_times_may_count_from_file_or_sentence(word_start: int) -> None:
    words = [{"word": "您好", "start_time": word_start, "end_time": word_start + 400}]
    sentence = {
        "text": "您好。",
        "start_time": "1000",
        "end_time": "1900",
        "speaker_id": "0",
        "word_list": words[0],
    }
    transcript = build_test_transcript(
        flash=[{"channel_id": "0", "text": "您好。", "sentence_list": sentence}]
    )
    assert transcript.sentences == (Sentence(1_000, 1_900, "您好。", words=(Word("您好", 1_000, 1_400),)),)


def test_flash_channels_get_their_numbers() -> None:
    def channel_result(channel: str, text: str, start: int) -> dict[str, Any]:
        sentence = {"text": text, "start_time": start, "end_time": start + 10, "speaker_id": channel + "1"}
        return {"channel_id": channel, "text": text, "sentence_list": [sentence]}

    transcript = build_test_transcript(
        flash=[channel_result("0", "question", 0), channel_result("1", "answer", 50)]
    )
    assert [(s.label, s.text) for s in transcript.sentences] == [
        ("Channel 1", "question"),
        ("Channel 2", "answer"),
    ]
    assert transcript.channels == 2
    assert [s.speaker for s in transcript.sentences] == [None, None]


@SLOW_MACHINE
@given(st.lists(nodes_named(FLASH_NAMES), max_size=3), st.lists(nodes_named(FLASH_NAMES), max_size=2))
def test_parsing_flash_never_raises_and_all_times_are_valid(flash: list[Any], inner: list[Any]) -> None:
    transcript = build_test_transcript(audio_time="x", flash=[*flash, {"sentence_list": inner}])
    assert all(0 <= s.start_ms <= s.end_ms and s.text.strip() for s in transcript.sentences)
