"""Chinese numerals to Arabic ones and back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.ci.numerals import (
    Edit,
    find_arabic_numbers,
    find_chinese_numbers,
    format_chinese,
    parse_chinese,
)


def apply(text: str, edits: Sequence[Edit]) -> str:
    for edit in reversed(edits):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


@pytest.mark.parametrize(
    ("value", "spoken"),
    [
        (0, "零"),
        (10, "十"),
        (15, "十五"),
        (20, "二十"),
        (101, "一百零一"),
        (110, "一百一十"),
        (1_050, "一千零五十"),
        (10_005, "一万零五"),
        (10_500, "一万零五百"),
        (105_000, "十万五千"),
        (100_050_000, "一亿零五万"),
        (123_456_789_012, "一千二百三十四亿五千六百七十八万九千零一十二"),
    ],
)
def test_integer_is_written_as_it_is_said(value: int, spoken: str) -> None:
    assert format_chinese(value) == spoken


@given(st.integers(0, 999_999_999_999))
def test_every_integer_is_parsed_back(value: int) -> None:
    assert parse_chinese(format_chinese(value)) == value


@pytest.mark.parametrize(
    "number",
    ["三五", "二三十", "一百五", "千万", "百", "零零", "一十五", "十十", "万", "一万亿", "九" * 30 + "亿"],
)
def test_other_forms_are_not_parsed(number: str) -> None:
    assert parse_chinese(number) is None


@given(st.text(st.sampled_from("零〇一二两三九十百千万亿"), max_size=30))
def test_any_numerals_are_parsed_or_refused(number: str) -> None:
    value = parse_chinese(number)
    assert value is None or format_chinese(value) == number.replace("两", "二").replace("〇", "零")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026年11月26日，价格1,299元", "二零二六年十一月二十六日，价格一千二百九十九元"),
        ("涨了3.5%，占50％", "涨了百分之三点五，占百分之五十"),
        ("12个人买2个苹果，2号出发", "十二个人买两个苹果，二号出发"),
        ("电话13800138000，区号0755", "电话一三八零零一三八零零零，区号零七五五"),
        ("气温-3.5度，２０２６年", "气温负三点五度，二零二六年"),
        ("用Python3写的AI节目 3.5版", "用Python3写的AI节目 三点五版"),
        ("5G和4K，1.2.3版，14:30，3-5个，$5，1+1=2，2026-11-26", None),
        ("没有数字", None),
    ],
)
def test_arabic_numbers_become_chinese(text: str, expected: str | None) -> None:
    assert apply(text, find_arabic_numbers(text)) == (expected or text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("二零二六年十一月二十六日", "2026年11月26日"),
        ("三月五号来了三十二个人", "3月5号来了32个人"),
        ("一千二百九十九元，两百个，一万二千三百米", "1299元，200个，12300米"),
        ("三十万元，一千万人，两亿人", "30万元，1000万人，2亿人"),
        ("涨了百分之三点五，占百分之二十五", "涨了3.5%，占25%"),
        ("电话幺三八零零幺三八零零零", "电话13800138000"),
        ("第三十二届，十二点半", "第32届，12点半"),
        ("一起，万一，十分钟，一个，三五个，二三十个，十七八个，一百多个，千万不要", None),
        ("三点五，十二点三十分，一百五块，二百五，百分之百，三月，三十年河东", None),
        ("没有数字", None),
    ],
)
def test_certain_chinese_numbers_become_arabic(text: str, expected: str | None) -> None:
    assert apply(text, find_chinese_numbers(text)) == (expected or text)


@given(st.text(st.sampled_from("零一二三十百万点分之年月日号个元0123.,%-G 好，"), max_size=40))
def test_edits_are_in_order_and_apart(text: str) -> None:
    for edits in (find_arabic_numbers(text), find_chinese_numbers(text)):
        position = 0
        for edit in edits:
            assert position <= edit.start < edit.end <= len(text)
            position = edit.end
