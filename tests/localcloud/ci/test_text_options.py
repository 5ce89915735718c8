"""FilterPunc, ConvertNumMode and ResTextFormat in the text and the words of a result."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from localcloud.ci.models import RecognitionParams
from localcloud.ci.serializers import build_details, build_flash_result, render_srt, render_text
from localcloud.ci.text_options import format_sentences
from localcloud.speech.models import Recognition, Sentence, Word
from localcloud.speech.sidecar import distribute_sentences

DURATION_MS = 60_000


def build_params(**parameters: str) -> RecognitionParams:
    return RecognitionParams(tuple({"EngineModelType": "16k_zh", **parameters}.items()))


def build_recognition(*lines: str) -> Recognition:
    return Recognition(DURATION_MS, 1, tuple(distribute_sentences(lines, [(0, DURATION_MS)], 0)))


def format_lines(*lines: str, **parameters: str) -> list[tuple[str, str]]:
    """Return the text of each sentence, and its words separated by spaces."""
    sentences = format_sentences(build_params(**parameters), build_recognition(*lines))
    return [(sentence.text, " ".join(word.text for word in sentence.words)) for sentence in sentences]


@pytest.mark.parametrize(
    ("mode", "text", "words"),
    [
        ("0", "你好，“请讲！”他说。", "你好 ， “ 请 讲 ！ ” 他 说 。"),
        ("1", "你好，“请讲！”他说", "你好 ， “ 请 讲 ！ ” 他 说"),
        ("2", "你好请讲他说", "你好 请 讲 他 说"),
    ],
)
def test_punctuation_is_filtered_in_text_and_words(mode: str, text: str, words: str) -> None:
    assert format_lines("你好，“请讲！”他说。", FilterPunc=mode) == [(text, words)]


@pytest.mark.parametrize(
    ("line", "clauses"),
    [
        ("他说：“请讲！”，然后……走了。", ["他说：", "“请讲！”，", "然后……", "走了。"]),
        ("，你好", ["，你好"]),
        ("……", ["……"]),
        ("见https://a.b/c，再见", ["见https://a.b/c，", "再见"]),
        ("涨了3.5%，共1,299元", ["涨了3.5%，", "共1,299元"]),
    ],
)
def test_clauses_are_the_whole_text_and_break_no_word(line: str, clauses: list[str]) -> None:
    sentences = format_lines(line, ResTextFormat="3", ConvertNumMode="1")
    assert [text for text, _ in sentences] == clauses
    assert [words.replace(" ", "") for _, words in sentences] == clauses


def test_marks_inside_of_words_and_numbers_stay() -> None:
    line = "It's 3.5%, a well-known rate... isn't it?"
    assert format_lines(line, FilterPunc="2", EngineModelType="16k_en") == [
        ("It's 3.5% a well-known rate isn't it", "It's 3.5% a well-known rate isn't it")
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("好吗？！", ("好吗", "好 吗")),
        ("他说：“好。”", ("他说：“好”", "他 说 ： “ 好 ”")),
        ("Is it so...", ("Is it so", "Is it so")),
        ("3.5", ("3.5", "3.5")),
    ],
)
def test_marks_at_the_end_are_dropped_before_closing_quotes_too(line: str, expected: tuple[str, str]) -> None:
    assert format_lines(line, FilterPunc="1", ConvertNumMode="1") == [expected]


def test_punctuation_that_an_engine_attached_to_a_word_is_filtered() -> None:
    words = (Word("Hello,", 0, 400), Word("world.", 400, 900))
    recognition = Recognition(1_000, 1, (Sentence("Hello, world.", 0, 900, 0, words),))
    for mode, expected in (("1", ["Hello,", "world"]), ("2", ["Hello", "world"])):
        (sentence,) = format_sentences(build_params(FilterPunc=mode), recognition)
        assert [word.text for word in sentence.words] == expected
        assert sentence.text == " ".join(expected)


@pytest.mark.parametrize("mode", ["1", "2"])
def test_sentence_of_punctuation_only_is_left_out(mode: str) -> None:
    assert format_lines("……", "好。", FilterPunc=mode) == [("好", "好")]


def test_clauses_are_split_before_their_punctuation_is_dropped() -> None:
    expected = [("你好", "你好"), ("欢迎致电", "欢迎 致电"), ("请讲", "请 讲")]
    assert format_lines("你好，欢迎致电。请讲！", ResTextFormat="3", FilterPunc="2") == expected
    with_commas = format_lines("你好，欢迎致电。请讲！", ResTextFormat="3", FilterPunc="1")
    assert [text for text, _ in with_commas] == ["你好，", "欢迎致电。", "请讲"]


@pytest.mark.parametrize(
    ("mode", "text", "words"),
    [
        (
            "0",
            "二零二六年的十二个人和三十二个人，三点五版。",
            "二零二六 年 的 十二 个人 和 三十二个 人 ， 三点五 版 。",
        ),
        ("1", "2026年的12个人和32个人，3.5版。", "2026 年 的 12 个人 和 32个 人 ， 3.5 版 。"),
        ("3", "2026年的12个人和32个人，3.5版。", "2026 年 的 12 个人 和 32个 人 ， 3.5 版 。"),
    ],
)
def test_numbers_are_converted_in_text_and_words(mode: str, text: str, words: str) -> None:
    assert format_lines("2026年的12个人和三十二个人，3.5版。", ConvertNumMode=mode) == [(text, words)]


def test_number_of_several_words_becomes_one() -> None:
    (sentence,) = format_sentences(
        build_params(ConvertNumMode="1"), build_recognition("一万二千三百四十五个")
    )
    before = build_recognition("一万二千三百四十五个").sentences[0]
    assert [word.text for word in before.words] == ["一万二千", "三百", "四十五个"]
    assert [(word.text, word.start_ms, word.end_ms) for word in sentence.words] == [
        ("12345个", 0, DURATION_MS)
    ]


@pytest.mark.parametrize("engine", ["16k_en", "16k_ja", "8k_en"])
def test_other_engines_keep_their_numbers(engine: str) -> None:
    assert format_lines("有12个", EngineModelType=engine, ConvertNumMode="0")[0][0] == "有12个"


def test_english_sentence_of_a_chinese_engine_keeps_its_numbers() -> None:
    assert format_lines("It has 12 of 3.5", ConvertNumMode="0")[0][0] == "It has 12 of 3.5"


def test_words_that_are_not_the_text_stay_with_it() -> None:
    words = (Word("有", 0, 100), Word("十二个", 100, 200))
    sentence = Sentence("有12个。", 0, 200, 0, words)
    recognition = Recognition(1_000, 1, (sentence,))
    assert format_sentences(build_params(ConvertNumMode="0"), recognition) == [sentence]


def test_sentence_without_words_is_converted() -> None:
    recognition = Recognition(1_000, 1, (Sentence("有12个。", 0, 200, 0, ()),))
    assert render_text(build_params(ConvertNumMode="0", FilterPunc="2"), recognition).endswith("]  有十二个")


@pytest.mark.parametrize("text_format", ["0", "1", "2", "3"])
def test_every_text_format_and_file_is_filtered(text_format: str) -> None:
    params = build_params(ResTextFormat=text_format, FilterPunc="2", ConvertNumMode="0")
    recognition = build_recognition("你好，有12个。")
    text = "你好有十二个"
    assert "".join(line.partition("]  ")[2] for line in render_text(params, recognition).split("\n")) == text
    details = build_details(params, recognition)
    assert "".join(detail.value("FinalSentence") for detail in details) == text
    assert "".join(detail.value("SliceSentence").replace(" ", "") for detail in details) == text
    assert render_srt(build_params(FilterPunc="2", ConvertNumMode="0"), recognition).endswith(f"\n{text}\n\n")


@pytest.mark.parametrize(
    ("word_info", "mode", "words"),
    [
        ("0", "0", []),
        ("1", "0", ["你好", "有", "十二个"]),
        ("2", "0", ["你好", "，", "有", "十二个", "。"]),
        ("2", "1", ["你好", "，", "有", "十二个"]),
        ("2", "2", ["你好", "有", "十二个"]),
    ],
)
def test_flash_result_is_filtered(word_info: str, mode: str, words: list[str]) -> None:
    params = build_params(FlashAsr="true", WordInfo=word_info, FilterPunc=mode, ConvertNumMode="0")
    (channel,) = build_flash_result(params, build_recognition("你好，有十二个。"))
    (sentence,) = [child for child in channel.children if child.name == "sentence_list"]
    assert [child.value("word") for child in sentence.children if child.name == "word_list"] == words
    text = {"0": "你好，有十二个。", "1": "你好，有十二个", "2": "你好有十二个"}[mode]
    assert (channel.value("text"), sentence.value("text")) == (text, text)


def test_punctuation_words_have_their_own_voice_type() -> None:
    (detail,) = build_details(build_params(ResTextFormat="2"), build_recognition("“你好——”，3.5%。"))
    words = [child for child in detail.children if child.name == "Words"]
    marks = [child.value("Word") for child in words if child.value("VoiceType") == "1"]
    assert marks == ["“", "——", "”", "，", "。"]


LINE = st.lists(
    st.sampled_from(
        [
            *("二零二六年", "十一月二十六号", "三十二个", "一万二千三百", "百分之三点五", "一起"),
            *("12", "3.5%", "1,299元"),
            *("，", "。", "……", "“", "”", "！", ", ", " ", ".", "-", "学校", "运动会", "Python", "it's", "个", "米"),
        ]
    ),
    min_size=1,
    max_size=20,
).map(lambda parts: "".join(parts).strip()).filter(bool)  # fmt: skip


@given(
    st.lists(LINE, min_size=1, max_size=3),
    st.sampled_from("013"),
    st.sampled_from("012"),
    st.sampled_from("0123"),
)
@example(["一万二千三百 四十五个"], "1", "2", "3")
def test_words_and_text_stay_consistent(lines: list[str], numbers: str, marks: str, text_format: str) -> None:
    params = build_params(ConvertNumMode=numbers, FilterPunc=marks, ResTextFormat=text_format)
    recognition = build_recognition(*lines)
    sentences = format_sentences(params, recognition)
    times = []
    for sentence in sentences:
        assert "".join(word.text for word in sentence.words) == "".join(sentence.text.split())
        assert sentence.text.strip() == sentence.text or marks == "0"
        times += [time for word in sentence.words for time in (word.start_ms, word.end_ms)]
        assert sentence.start_ms <= sentence.words[0].start_ms <= sentence.words[-1].end_ms <= sentence.end_ms
    assert times == sorted(times)
