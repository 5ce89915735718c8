"""Files of hot words: how they are read, and what is wrong with a line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.errors import OperatorError
from cli.rules.hot_words import MAX_FILE_BYTES, HotWord, load_hot_words, parse_hot_words


def read_mistakes(text: str) -> list[str]:
    with pytest.raises(OperatorError) as caught:
        parse_hot_words(text, "words.txt")
    first, *mistakes = str(caught.value).split("\n  ")
    assert first == "the hot words in words.txt cannot be used:"
    return mistakes


def test_every_way_to_write_a_word_and_a_weight() -> None:
    text = """# names of our products
Scribe
腾讯云 8
数据万象\t11
蜜制|100
语音识别｜5
  Tencent   Cloud  3

Windows 11|7
对象　存储
"""
    assert parse_hot_words(text, "words.txt") == (
        HotWord("Scribe", 10),
        HotWord("腾讯云", 8),
        HotWord("数据万象", 11),
        HotWord("蜜制", 100),
        HotWord("语音识别", 5),
        HotWord("Tencent Cloud", 3),
        HotWord("Windows 11", 7),
        HotWord("对象 存储", 10),
    )


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        (
            "Scribe 12",
            "the weight of Scribe is '12'; it is 1 to 11, or 100; if the number belongs to the word, write ",
        ),
        ("Scribe 0", "the weight of Scribe is '0'"),
        ("Scribe|", "the weight of Scribe is ''; it is 1 to 11, or 100"),
        ("Scribe|many", "the weight of Scribe is 'many'"),
        ("Scribe|１０", "the weight of Scribe is '１０'"),
        ("|5", "there is a weight, but no word"),
        ("C++", "'C++' has the character '+' (U+002B); hot words have no punctuation"),
        ("你好，世界", "has the character '，' (U+FF0C)"),
        ("a\x07b", r"'a\x07b' has the character '\x07' (U+0007)"),
        ("好😀", "(U+1F600)"),
        ("一二三四五六七八九十百", "has 11 Chinese characters; a hot word has at most 10"),
        ("a" * 31, "has 31 characters; a hot word has at most 30"),
        ("Cafe\u0301 1\nCaf\u00e9", "Caf\u00e9 is in line 1 already"),
    ],
)
def test_mistake_is_named_with_its_line(line: str, mistake: str) -> None:
    (message,) = read_mistakes(line)
    assert message.startswith(f"line {line.count(chr(10)) + 1}: ")
    assert mistake in message


def test_every_mistake_is_named() -> None:
    assert [mistake.partition(":")[0] for mistake in read_mistakes("a!\n\nb 99\nok\nok\n")] == [
        "line 1",
        "line 3",
        "line 5",
    ]
    mistakes = read_mistakes("!\n" * 30)
    assert len(mistakes) == 21
    assert mistakes[-1] == "and 10 more mistakes"


def test_number_of_words_is_limited() -> None:
    words = [f"word{number}" for number in range(129)]
    assert len(parse_hot_words("\n".join(words[:128]), "words.txt")) == 128
    assert read_mistakes("\n".join(words)) == ["it has 129 words, and a list of hot words has at most 128"]


def test_file_without_words_is_refused() -> None:
    (mistake,) = read_mistakes("# nothing\n\n")
    assert mistake.startswith("it has no word")


@pytest.mark.parametrize(
    "body",
    [
        "腾讯云 8\r\nScribe\r\n".encode(),
        b"\xef\xbb\xbf" + "腾讯云 8\nScribe".encode(),
        "腾讯云 8\r\nScribe".encode("gbk"),
        "腾讯云 8\r\nScribe".encode("utf-16"),
        "腾讯云 8\rScribe".encode(),
    ],
)
def test_file_of_every_editor_is_read(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(body)
    assert load_hot_words(path) == (HotWord("腾讯云", 8), HotWord("Scribe", 10))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\xfe\x00", "is not a text in UTF-8"),
        (b"a\x00b", "is not a text in UTF-8"),
        (b"\xff\xff", "is not a text in UTF-8"),
        (b"a\n" * MAX_FILE_BYTES, "is longer than 64 KB"),
    ],
)
def test_other_file_is_refused(tmp_path: Path, body: bytes, reason: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(body)
    with pytest.raises(OperatorError, match=reason):
        load_hot_words(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"words\.txt: the hot words cannot be read: No such file"):
        load_hot_words(tmp_path / "words.txt")


@given(st.text(max_size=60))
def test_any_text_gives_words_within_the_limits_or_an_error(text: str) -> None:
    hot_words: tuple[HotWord, ...] = ()
    with suppress(OperatorError):
        hot_words = parse_hot_words(text, "words.txt")
    for word, weight in hot_words:
        assert 1 <= len(word) <= 30
        assert weight in {*range(1, 12), 100}
        assert not set(word) & set("|,\n\t\0")
