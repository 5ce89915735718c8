"""Words of Chinese, Japanese, Latin and mixed text."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from localcloud.speech.segmenter import is_punctuation, split_words

# How a reader would split ordinary speech: a school's broadcast, a call, a podcast.
ORDINARY_SPEECH = [
    "请 三年级 二班 的 同学 下课后 到 操场 集合 ， 参加 运动会 的 开幕式 。",
    "图书馆 的 开放 时间 改 到 下午 四点 ， 请 大家 互相 转告 。",
    "喂 ， 您好 ， 我 想 问 一下 我 的 订单 为什么 还 没有 发货 ？",
    "麻烦 您 报 一下 手机号码 和 收货 地址 ， 我 帮 您 查 一下 物流 。",
    "这个 问题 我们 技术部 正在 处理 ， 预计 明天 上午 能 给 您 答复 。",
    "我们 聊聊 人工智能 会 怎么 改变 普通人 的 生活 和 工作 。",
    "会 发生 非常 大 的 变化 ， 而且 这种 变化 可能 比 我们 想象 的 还要 快得多 。",
    "来自 清华大学 的 研究生 ： 南京市 长江大桥 昨天 堵车 。",
]


@pytest.mark.parametrize("words", ORDINARY_SPEECH)
def test_ordinary_speech_is_split_as_a_reader_would(words: str) -> None:
    assert split_words(words.replace(" ", "")) == words.split()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("用Python写的AI节目 3.5版。", ["用", "Python", "写", "的", "AI", "节目", "3.5", "版", "。"]),
        ("卖了1,299元，涨了3.5%！", ["卖", "了", "1,299", "元", "，", "涨", "了", "3.5%", "！"]),
        ("“你好——世界……”", ["“", "你好", "——", "世界", "……", "”"]),
        ("二零二六年，２．５版", ["二零二六年", "，", "２．５", "版"]),
        ("买T恤，A股", ["买", "T恤", "，", "A股"]),
        ("It's 3.5 e-mails, isn't it?", ["It's", "3.5", "e-mails", ",", "isn't", "it", "?"]),
        ("今日は良い天気ですね。カタカナ", ["今日は", "良い", "天気ですね", "。", "カタカナ"]),
        ("안녕하세요 여러분, 你好", ["안녕하세요", "여러분", ",", "你好"]),
        ("สวัสดีครับ ทุกคน", ["สวัสดีครับ", "ทุกคน"]),
        ("葛\U000e0100城", ["葛\U000e0100", "城"]),
        ("first\x0bpart", ["first", "part"]),
        ("", []),
        (" \u3000\t", []),
    ],
)
def test_numbers_marks_and_other_scripts(text: str, words: list[str]) -> None:
    assert split_words(text) == words


MIXED_TEXT = st.lists(
    st.one_of(
        st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=5),
        st.text(max_size=5),
        st.sampled_from(
            ["，", "。", "……", "”", "3.5%", " ", "AI", "の", "カ", "\U00020000", "한국", "\ufe00"]
        ),
    ),
    max_size=12,
).map("".join)


@settings(deadline=None)  # the first Chinese text loads the dictionary
@given(MIXED_TEXT)
@example("\u0301")
@example("a \u0301b")
def test_words_are_the_text_without_white_space(text: str) -> None:
    words = split_words(text)
    assert "".join(words) == "".join(text.split())
    assert all(words)


@settings(deadline=None)  # the first Chinese text loads the dictionary
@given(st.text(st.sampled_from("你好学校广播a3 ，。！“”…"), max_size=30))
def test_full_width_punctuation_is_a_word_of_its_own(text: str) -> None:
    for word in split_words(text):
        assert is_punctuation(word) == any(mark in word for mark in "，。！“”…")


@pytest.mark.parametrize(("word", "expected"), [("。", True), ("...", True), ("100%", False), ("", False)])
def test_punctuation_is_recognised(word: str, expected: bool) -> None:
    assert is_punctuation(word) is expected
