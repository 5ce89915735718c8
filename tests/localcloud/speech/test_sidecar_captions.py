"""From a sidecar to the captions that Scribe writes: none begins or ends inside a word."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from localcloud.speech.models import Recognition
from localcloud.speech.sidecar import distribute_sentences
from tests.localcloud.speech.captions import build_captions, find_broken_words

# What a user of the local cloud saw: cue 2 ended in 来|自, cue 12 in 变|化, a line in 请到|了王老师.
PODCAST = [
    "欢迎收听本期节目，今天我们请到的嘉宾是来自清华大学计算机系的王老师，他研究人工智能已经二十多年了。",
    "会发生非常大的变化而且这种变化可能比我们想象的还要快得多。",
    "今天我们请到了王老师，和我们一起聊聊人工智能会怎么改变普通人的生活和工作，特别是学校里的课堂和老师们每天的备课。",
]
CALL = [
    "喂，您好，请问是客户服务中心吗？我上个星期在你们网站上买的耳机到现在还没有发货，麻烦您帮我查一下订单的物流信息。"
]
BROADCAST = [
    "请三年级二班和四年级一班的同学下课后到操场集合，参加学校第三十二届春季运动会的开幕式，各班班主任请提前十分钟到场。"
]


def assert_breaks_are_between_words(lines: Sequence[str], duration_ms: int) -> int:
    """Check each break between captions and inside of them; return how many there were."""
    recognition = Recognition(duration_ms, 1, tuple(distribute_sentences(lines, [(0, duration_ms)], 0)))
    captions = build_captions(recognition)
    assert find_broken_words(recognition, captions) == [], captions
    return sum(caption.count("\n") + 1 for caption in captions) - len(lines)


@pytest.mark.parametrize("lines", [PODCAST, CALL, BROADCAST, [*PODCAST, *CALL, *BROADCAST]])
@pytest.mark.parametrize("ms_per_character", [40, 250, 2_000])
def test_captions_of_ordinary_speech_break_between_words(lines: list[str], ms_per_character: int) -> None:
    assert assert_breaks_are_between_words(lines, ms_per_character * len("".join(lines))) > 0


@pytest.mark.parametrize("ms_per_character", [40, 250, 2_000])
def test_words_that_a_reader_knows_stay_whole(ms_per_character: int) -> None:
    lines = [*PODCAST, *CALL, *BROADCAST]
    duration_ms = ms_per_character * len("".join(lines))
    sentences = distribute_sentences(lines, [(0, duration_ms)], 0)
    shown = "\n".join(build_captions(Recognition(duration_ms, 1, tuple(sentences))))
    for word in (
        "来自",
        "变化",
        "老师",
        "清华大学",
        "人工智能",
        "普通人",
        "想象",
        "订单",
        "物流",
        "运动会",
        "提前",
        "操场",
    ):
        assert word in shown
        assert shown.count(word) == "".join(lines).count(word), f"{word} is broken in {shown}"


COMMON_WORDS = (
    *(
        "今天",
        "我们",
        "请到",
        "清华大学",
        "计算机系",
        "老师",
        "人工智能",
        "普通人",
        "生活",
        "变化",
        "想象",
        "运动会",
    ),
    *(
        "的",
        "了",
        "会",
        "和",
        "是",
        "在",
        "很",
        "就",
        "而且",
        "可能",
        "非常",
        "一起",
        "研究生",
        "命题",
        "手机号码",
    ),
    *("，", "。", "？", "……", "“", "”", "、", "Python", "AI", "3.5", "二零二六年", "三十二个", "T恤", " "),
)
CHINESE_TEXT = st.one_of(
    st.lists(st.sampled_from(COMMON_WORDS), min_size=1, max_size=80).map("".join),
    st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=120),
).filter(lambda text: text.strip() != "")


@given(st.lists(CHINESE_TEXT, min_size=1, max_size=3), st.integers(1, 120_000))
@example(["会发生非常大的变化而且这种变化可能比我们想象的还要快得多" * 3], 60_000)
def test_captions_of_any_chinese_text_break_between_words(lines: list[str], duration_ms: int) -> None:
    assert_breaks_are_between_words([line.strip() for line in lines], duration_ms)
