"""Finds the numbers of a Chinese text that are written in the other numerals: 32 as 三十二, and back.

Only what is certain is rewritten. To Arabic numerals: percentages, years, dates, telephone numbers, and numbers of two
or more characters before a unit (三十二个: 32个). 一起, 万一, 十分, 三五个 and 三点五 (half past three, or 3.5) stay.
To Chinese numerals: integers and decimals that stand alone; 5G, 1.2.3, 14:30 and 3-5 stay.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_DIGITS = "零一二三四五六七八九"
_DIGIT = "零〇一二三四五六七八九"
_NUMERAL = "零〇一二两三四五六七八九十百千万亿"
_TO_ARABIC = str.maketrans("零〇一二三四五六七八九幺", "001234567891")
_TO_CHINESE = str.maketrans("0123456789", _DIGITS)
_HALF_WIDTH = str.maketrans("０１２３４５６７８９．％－", "0123456789.%-")
_MAX_DIGITS = 12  # up to 9999 亿
_PHONE_DIGITS = 11
_MYRIAD = 10_000

# Characters that make an Arabic number part of something else: a name, a time, a formula, a price, a range.
_BOUND = r"A-Za-z0-9_/:\-+=*×÷<>"
_ARABIC = re.compile(
    rf"(?<![{_BOUND}.,$￥¥€£#])(?P<sign>-)?(?P<integer>[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]+)"
    rf"(?:\.(?P<fraction>[0-9]+))?(?P<percent>%)?(?![{_BOUND}%]|[.,][0-9])"
)
_COUNTED = "个位名只条本次天年种岁件块张家间句遍倍"  # 两个, not 二个

_CARDINAL = f"(?<![{_NUMERAL}点])[{_NUMERAL}]+"
_PERCENTAGE = re.compile(
    rf"百分之(?P<number>[{_NUMERAL}]+)(?:点(?P<fraction>[{_DIGIT}]+))?(?![{_NUMERAL}点])"
)
_YEAR = re.compile(rf"(?<![{_NUMERAL}])[一二][{_DIGIT}]{{3}}(?=年)")
_DATE = re.compile(rf"(?P<month>{_CARDINAL})月(?P<day>[{_NUMERAL}]+)(?=[日号])")
_PHONE = re.compile(rf"(?<![{_NUMERAL}点])[{_DIGIT}幺]{{7,}}(?![{_NUMERAL}点])")
_UNIT = (
    "个|块|元|岁|人|次|条|页|层|楼|届|米|千米|公里|公斤|千克|斤|克|吨|升|度|秒|分钟|小时|天(?!罡)|周|年(?!河)|月|号|"
    rf"点(?![{_NUMERAL}])"
)
_COUNT = re.compile(rf"(?P<number>{_CARDINAL})(?={_UNIT})")
_MAX_MONTH, _MAX_DAY = 12, 31


class Edit(NamedTuple):
    """A part of a text, from `start` to `end`, and what replaces it."""

    start: int
    end: int
    text: str


def find_arabic_numbers(text: str) -> list[Edit]:
    """Find the Arabic numbers of a text, each with its Chinese numerals; in order, without overlaps."""
    edits = []
    half_width = text.translate(_HALF_WIDTH)
    for match in _ARABIC.finditer(half_width):
        edits.append(Edit(*match.span(), _read_aloud(match, half_width[match.end() :][:1])))
    return edits


def _read_aloud(match: "re.Match[str]", following: str) -> str:
    integer = match["integer"].replace(",", "")
    is_plain = not (match["fraction"] or match["percent"] or match["sign"])
    if _is_digit_string(integer) or (is_plain and following == "年" and len(integer) == len("2026")):
        spoken = integer.translate(_TO_CHINESE)
    elif integer == "2" and is_plain and following and following in _COUNTED:
        spoken = "两"
    else:
        spoken = format_chinese(int(integer))
    fraction = f"点{match['fraction'].translate(_TO_CHINESE)}" if match["fraction"] else ""
    return f"{'负' if match['sign'] else ''}{'百分之' if match['percent'] else ''}{spoken}{fraction}"


def _is_digit_string(integer: str) -> bool:
    """Return whether digits are read one by one: a mobile number, a code that begins with 0."""
    return (
        (integer.startswith("0") and len(integer) > 1)
        or (len(integer) == _PHONE_DIGITS and integer.startswith("1"))
        or len(integer) > _MAX_DIGITS
    )


def find_chinese_numbers(text: str) -> list[Edit]:
    """Find the Chinese numbers that are certainly numbers, each with its Arabic digits; in order, without overlaps."""
    edits: list[Edit] = []
    for edit in (
        *_find_percentages(text),
        *_find_digit_strings(text),
        *_find_dates(text),
        *_find_counts(text),
    ):
        if all(edit.end <= other.start or other.end <= edit.start for other in edits):
            edits.append(edit)
    return sorted(edits)


def _find_percentages(text: str) -> Iterator[Edit]:
    for match in _PERCENTAGE.finditer(text):
        value = parse_chinese(match["number"])
        if value is not None:
            fraction = f".{match['fraction'].translate(_TO_ARABIC)}" if match["fraction"] else ""
            yield Edit(*match.span(), f"{value}{fraction}%")


def _find_digit_strings(text: str) -> Iterator[Edit]:
    for pattern in (_YEAR, _PHONE):
        for match in pattern.finditer(text):
            yield Edit(*match.span(), match[0].translate(_TO_ARABIC))


def _find_dates(text: str) -> Iterator[Edit]:
    for match in _DATE.finditer(text):
        month, day = parse_chinese(match["month"]), parse_chinese(match["day"])
        if month and day and month <= _MAX_MONTH and day <= _MAX_DAY:
            yield Edit(*match.span("month"), str(month))
            yield Edit(*match.span("day"), str(day))


def _find_counts(text: str) -> Iterator[Edit]:
    for match in _COUNT.finditer(text):
        number = match["number"]
        # 万 and 亿 stay at the end of a number: 三十万 is 30万. One character alone may be no number: 十分, 一个劲.
        stem, unit = (number[:-1], number[-1]) if number[-1] in "万亿" else (number, "")
        value = parse_chinese(stem)
        if value is not None and len(number) > 1 and parse_chinese(number) is not None:
            yield Edit(*match.span(), f"{value}{unit}")


def format_chinese(value: int) -> str:
    """Format an integer of up to 12 digits in Chinese numerals, as it is said: 十五, 一百一十, 一万零五百."""
    if value == 0:
        return _DIGITS[0]
    pieces: list[str] = []
    for index, unit in ((2, "亿"), (1, "万"), (0, "")):
        group = value // _MYRIAD**index % _MYRIAD
        if group:
            # 零 stands for the places that are missing between two groups.
            gap = "零" if pieces and group < _MYRIAD // 10 else ""
            pieces.append(f"{gap}{_format_group(group)}{unit}")
        elif pieces and value % _MYRIAD**index and not pieces[-1].endswith("零"):
            pieces.append("零")
    spoken = re.sub("零+", "零", "".join(pieces))
    return spoken[1:] if spoken.startswith("一十") else spoken


def _format_group(group: int) -> str:
    """Format 1 to 9999."""
    spoken = "".join(
        f"{_DIGITS[digit]}{unit}" if digit else "零"
        for digit, unit in zip(map(int, f"{group:04d}"), ("千", "百", "十", ""), strict=True)
    )
    return re.sub("零+", "零", spoken).strip("零")


def parse_chinese(number: str) -> int | None:
    """Parse Chinese numerals in the form that `format_chinese` writes, or with 两; None for any other form (三五十)."""
    canonical = number.replace("两", "二").replace("〇", "零")
    value = group = digit = 0
    for character in canonical:
        if character in _DIGITS:
            digit = _DIGITS.index(character)
        elif character in "十百千":
            group += (digit or 1) * 10 ** ("十百千".index(character) + 1)
            digit = 0
        elif character == "万":
            value, group, digit = value + (group + digit) * _MYRIAD, 0, 0
        else:
            value, group, digit = (value + group + digit) * _MYRIAD**2, 0, 0
    value += group + digit
    return value if len(str(value)) <= _MAX_DIGITS and format_chinese(value) == canonical else None
