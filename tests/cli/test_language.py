"""The language of the command: `--lang`, LANG, help pages, and what typer says about mistakes."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from typer.main import get_command

from cli.help import ScribeGroup, add_language_option, confirm, iter_help_texts, translate_help
from cli.language import (
    CHINESE,
    ENGLISH,
    find_language,
    format_exception,
    get_language,
    translate,
    translate_like,
)
from cli.line_breaks import split_words
from cli.local.speech import MODEL_TEXTS
from cli.main import app, format_error
from cli.operate.prices import Price
from cli.package import show_label
from shared.errors import SettingsError
from shared.messages import message
from shared.settings import load_settings
from tests.helpers.chinese import list_english, speak_chinese

COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]  # it is a group
SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}")
VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


@pytest.fixture
def chinese() -> Iterator[None]:
    with speak_chinese():
        yield


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run a command line in this process; return its exit status and what it prints."""
    with pytest.raises(SystemExit) as stopped:
        get_command(app)(list(arguments), prog_name="scribe")
    printed = capsys.readouterr()
    return int(stopped.value.code or 0), printed.out + printed.err


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ENGLISH),
        ({"LANG": "zh_CN.UTF-8"}, CHINESE),
        ({"LANG": "zh_TW"}, CHINESE),
        ({"LANG": "zh-Hans"}, CHINESE),
        ({"LANG": "en_GB.UTF-8"}, ENGLISH),
        ({"LANG": "de_DE.UTF-8"}, ENGLISH),
        ({"LANG": "C"}, ENGLISH),
        ({"LANG": "POSIX"}, ENGLISH),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, ENGLISH),
        ({"LANG": "C", "LC_MESSAGES": "zh_CN.UTF-8"}, CHINESE),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, CHINESE),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"}, CHINESE),
    ],
)
def test_language_is_that_of_the_environment(environ: dict[str, str], expected: str) -> None:
    assert find_language(["list"], environ) == expected


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["list", "--json", "calls/zh.mp3", "--limit"])),
    st.sampled_from([["--lang", "zh"], ["--lang=zh"], ["--lang", "zh_CN"]]),
    st.lists(st.sampled_from(["why", "--json", "en"])),
    st.dictionaries(st.sampled_from(VARIABLES), st.sampled_from(["C", "en_US.UTF-8", "", "fr"])),
)
def test_option_is_found_anywhere_and_overrides_the_environment(
    before: list[str], option: list[str], after: list[str], environ: dict[str, str]
) -> None:
    assert find_language([*before, *option, *after], environ) == CHINESE
    assert find_language(["--", *before, *option], environ) == ENGLISH


def test_every_help_text_is_translated(chinese: None) -> None:
    group = get_command(app)
    add_language_option(group)
    english = set(iter_help_texts(group))
    translate_help(group)
    left = {text for text in iter_help_texts(group) if SENTENCE.search(text)}
    assert len(english) > 80
    assert left == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_page_is_chinese_and_fits(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, page = run(capsys, command, "--lang", "zh", "--help")
    assert status == 0
    assert f"用法：scribe {command}" in page
    assert "显示本帮助后退出。" in page
    assert "…" not in page, "a text is cut off"
    assert not SENTENCE.search(page), page
    frames = [line for line in page.splitlines() if line[:1] in "│╭╰" and line]
    assert {cell_len(line) for line in frames} == {80}


def test_next_command_line_has_its_own_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert "选项" in run(capsys, "--lang", "zh")[1]
    assert get_language() == ENGLISH
    english = run(capsys)[1]
    assert "Options" in english
    assert not re.search(r"[\u4e00-\u9fff]", english)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("lst",), "没有命令 'lst'"),
        (("list", "--stat", "open"), "没有选项 --stat"),
        (("list", "--limit"), "选项 '--limit' 需要一个值"),
        (("list", "--limit", "many"), "'--limit' 的值无效：应为整数"),
        (("list", "--limit", "0"), "'--limit' 的值无效：应大于或等于 1"),
        (
            ("list", "--state", "lost"),
            "'--state' 的值无效：'lost' 不是 'open'、'waiting'、'done'、'failed' 之一",
        ),
        (("why",), "缺少参数 '对象键'"),
        (("why", "a.mp3", "b.mp3"), "多余的参数（b.mp3）"),
        (("list", "--json=1"), "选项 '--json' 不带值"),
        (("invoke", "upload", "no.json"), "文件 'no.json' 不存在"),
    ],
)
def test_wrong_use_is_explained_in_chinese(
    arguments: tuple[str, ...],
    expected: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    monkeypatch.setenv("COLUMNS", "120")
    status, text = run(capsys, *arguments)
    assert status == 2
    assert expected in text
    assert "错误" in text
    assert not SENTENCE.search(text), text


def test_unknown_language_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    status, text = run(capsys, "list", "--lang", "fr")
    assert status == 2
    assert "there are no texts in 'fr': use en or zh" in text


def test_commands_of_the_test_are_those_of_the_application() -> None:
    assert isinstance(get_command(app), ScribeGroup)
    assert {"demo", "deploy", "list", "why"} <= set(COMMANDS)


def test_every_mistake_in_the_settings_is_in_chinese(chinese: None) -> None:
    environ = {
        "INPUT_BUCKETS": "recordings，calls",
        "CALLBACK_TOKEN": "short",
        "REGION": "Guangzhou",
        "OPTIONS": "speaker=auto",
        "SINCE": "yesterday",
        "NOTIFY_FEISHU": "http://example.com",
    }
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    text = format_error(caught.value)
    assert text.startswith("6 个配置项有误：INPUT_BUCKETS 中的 'recordings，calls' 不是存储桶的完整名称")
    assert "（含有全角字符 ，，请改用半角字符）" in text
    assert "REGION 的值 'Guangzhou' 不是地域" in text
    assert "是否应为 speakers？" in text
    assert list_english(text) == []
    assert str(caught.value).startswith(
        "6 settings are wrong: INPUT_BUCKETS holds 'recordings，calls', which is"
    )


def test_text_of_another_program_is_translated(chinese: None) -> None:
    text = "Joining the Whisper model (148 MB) in /home/me/.cache"
    assert translate_like(text, MODEL_TEXTS) == "正在 /home/me/.cache 中合并 Whisper 模型（148 MB）"
    assert translate_like("something else", MODEL_TEXTS) == "something else"


@pytest.mark.parametrize(
    ("answers", "expected"), [("maybe\n是\n", True), ("y\n", True), ("\n", False), ("否\n", False)]
)
def test_question_takes_chinese_answers(
    answers: str,
    expected: bool,
    chinese: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answers))
    assert confirm("确定删除？") is expected
    printed = capsys.readouterr().out
    assert printed.startswith("确定删除？ [y/N]: ")
    assert ("输入无效" in printed) is ("maybe" in answers)


def test_message_is_translated_with_its_values(chinese: None) -> None:
    text = message("{words} and {last}", words=message("Options"), last="b")
    assert text == "Options and b"
    assert translate(text) == "选项 和 b"
    assert format_exception(ValueError(text)) == "选项 和 b"
    assert format_exception(ValueError("a {brace}")) == "a {brace}"
    assert translate("unknown {text}") == "unknown {text}"


@settings(deadline=None)
@given(st.text(alphabet="录音（）“，。a1 \n-", max_size=40))
def test_no_line_begins_with_a_comma_or_ends_with_a_bracket(text: str) -> None:
    with speak_chinese():
        parts = list(split_words(text))
    if text.strip():
        assert "".join(part for _, _, part in parts).strip() == text.strip()
    for start, end, part in parts:
        assert text[start:end] == part
        words = part.strip()
        assert words[0] not in "，。）" or not words.strip("，。）")
        assert words[-1] not in "（“" or not words.strip("（“")


def test_chinese_lines_are_filled(chinese: None) -> None:
    stream = io.StringIO()
    Console(file=stream, width=20).print("把录音上传到 COS，即可在存储桶中得到转写结果。")
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert lines == ["把录音上传到 COS，即", "可在存储桶中得到转写", "结果。"]


@pytest.mark.process
def test_process_speaks_the_language_of_the_system() -> None:
    environ = {**os.environ, "LANG": "zh_CN.UTF-8", "COLUMNS": "80", "PYTHONUTF8": "1"}
    words = [sys.executable, "-m", "cli.main", "list", "--help"]
    process = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)
    assert "列出录音及其状态" in process.stdout
    assert process.stderr == ""


@pytest.mark.usefixtures("chinese")
def test_money_and_the_package_have_chinese_names() -> None:
    assert Price(Decimal("1.75"), "CNY").format(Decimal(2)) == "2.00 元"
    assert Price(Decimal("1.75"), "USD").format(Decimal(2)) == "2.00 USD"
    assert show_label("Scribe 0.1.0, package 3f2a") == "Scribe 0.1.0，部署包 3f2a"
