"""What the command prints: no secrets, no control characters, valid JSON, aligned tables."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import TextIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.cloud.client import ApiError
from cli.deploy.preflight import PreflightFailed
from cli.main import format_error
from cli.output import SafeConsole, SafeStream, escape_line, escape_markup, format_json, print_json
from cli.redaction import SecretFilter
from shared.errors import RequestRejected

ROOT = Path(__file__).resolve().parents[2]
KEY = "AbCdEfGh0123456789-of-a-test"
# ESC, CSI, OSC with BEL, DEL, C1, carriage return, line and paragraph separators, bidi override and isolate.
HOSTILE = "a\x1b[31mb\x9b2Jc\x1b]0;t\x07d\x7fe\rf\u2028g\u2029h\u202ei\u2066j\x00k"
HOSTILE_CHARACTERS = {character for character in HOSTILE if not character.isprintable()}
CHINESE = "会议 🎙️ 👨‍👩‍👧 é"


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> SecretFilter:
    """Hide no secret of another test of this process: hypothesis finds its texts in the tests, too."""
    secrets = SecretFilter()
    monkeypatch.setattr("cli.output.SECRETS", secrets)
    return secrets


@pytest.fixture
def _known_key(_own_secrets: SecretFilter) -> None:
    _own_secrets.add(KEY)


def print_to_terminal(*objects: object, width: int = 200) -> str:
    output = io.StringIO()
    SafeConsole(file=output, force_terminal=True, width=width, highlight=False).print(*objects)
    return output.getvalue()


def is_dangerous(text: str) -> bool:
    return any(character in HOSTILE_CHARACTERS for character in text)


def test_control_characters_are_escaped_and_other_languages_are_not() -> None:
    assert escape_line(HOSTILE) == (
        r"a\x1b[31mb\x9b2Jc\x1b]0;t\x07d\x7fe\rf\u2028g\u2029h\u202ei\u2066j\x00k"
    )
    assert escape_line("two\nlines\tand a tab") == r"two\nlines\tand a tab"
    assert escape_line(CHINESE) == CHINESE


@settings(deadline=None)
@given(st.text())
def test_escaped_line_has_only_what_a_terminal_shows(text: str) -> None:
    escaped = escape_line(text)
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in escaped)
    assert not any(
        unicodedata.bidirectional(character)
        in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        for character in escaped
    )


@pytest.mark.parametrize(
    "printed", [f"[bold]{escape(HOSTILE)}[/]", Text(HOSTILE), f"[red]{escape_markup(HOSTILE)}[/]"]
)
def test_console_prints_its_own_colours_and_no_other_ones(printed: object) -> None:
    text = print_to_terminal(printed, "[green]ok[/]")
    assert r"a\x1b[31mb\x9b2J" in text
    for code in ("\x1b[32m", "\x1b[1m", "\x1b[31m", "\x1b[0m"):
        text = text.replace(code, "")
    assert not is_dangerous(text)


def test_table_stays_aligned() -> None:
    table = Table("name", "value")
    for name in (HOSTILE, CHINESE, "plain"):
        table.add_row(name, Text(name))
    lines = print_to_terminal(table).replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
    assert len({cell_len(line) for line in lines}) == 1
    assert not any(map(is_dangerous, lines))
    assert any(CHINESE in line for line in lines)


@settings(deadline=None)
@given(
    st.recursive(st.text() | st.none() | st.integers(), lambda v: st.lists(v) | st.dictionaries(st.text(), v))
)
def test_json_is_valid_and_has_the_same_values(document: object) -> None:
    text = format_json(document)
    assert json.loads(text) == document
    assert not is_dangerous(text)
    assert json.loads(format_json(document, "ascii")) == document
    assert format_json(document, "ascii").isascii()


@pytest.mark.usefixtures("_known_key")
@settings(deadline=None)
@given(st.text(max_size=4), st.text(max_size=4))
def test_json_with_a_secret_is_valid_and_does_not_show_it(before: str, after: str) -> None:
    document = {f"{before}{KEY}": [f"{before}\n{KEY}{after}", {"x": repr(f"{KEY}\n")}], "n": 1}
    output = io.StringIO()
    print_json(SafeConsole(file=cast("TextIO", SafeStream(output))), document)
    assert json.loads(output.getvalue())["n"] == 1
    assert KEY not in output.getvalue()


@pytest.mark.usefixtures("_known_key")
def test_secret_is_hidden_before_a_line_is_wrapped() -> None:
    for printed in (f"value {KEY} end", Text(f"value {KEY} end")):
        output = io.StringIO()
        SafeConsole(file=output, width=15).print(printed)
        assert output.getvalue() == "value *** end\n"


@pytest.mark.usefixtures("_known_key")
def test_stream_cleans_what_does_not_come_from_the_console() -> None:
    output = io.StringIO()
    stream = SafeStream(output)
    stream.write(f"\x1b[31mred\x1b[0m \x1b[2J {KEY!r}\n")
    assert output.getvalue() == "\x1b[31mred\x1b[0m \\x1b[2J '***'\n"
    assert not hasattr(stream, "buffer")


def test_message_of_the_cloud_is_one_line_without_control_characters() -> None:
    messages = (
        str(ApiError("GetFunction", "Code\x1b", "no\nfunction \x9b", "id")),
        format_error(RequestRejected(resource="bucket-1250000000/a\n\x1b[2J", code="AccessDenied")),
        format_error(OSError(2, "No such file", "a\nb\x1b")),
    )
    for message in messages:
        assert escape_line(message) == message
    assert str(PreflightFailed(["one\nline", "two"])) == "nothing was changed:\n  one\\nline\n  two"


@pytest.mark.process
def test_stack_trace_shows_no_secret() -> None:
    code = (
        "import sys, cli.main as m; from cli.redaction import SECRETS\n"
        f"SECRETS.add({KEY!r})\n"
        "@m.app.command()\n"
        "def broken():\n"
        f"    raise TypeError({KEY!r} + chr(27) + '[2J') from KeyError({KEY!r})\n"
        "print(sys.argv[0], sys.stdout is None)\n"
        "sys.argv = ['scribe', 'broken']; m.app()\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert process.returncode == 1
    assert KEY not in process.stdout + process.stderr
    assert "TypeError: ***\\x1b[2J" in process.stderr
    assert "\x1b" not in process.stderr


@pytest.mark.process
@pytest.mark.parametrize(
    "words", [["deploy", "--dry-run"], ["doctor"], ["doctor", "--json"], ["policy", "--create-role"]]
)
@pytest.mark.parametrize(
    "name", ["TENCENT_TOKEN", "TENCENT_SECRET_KEY", "TENCENT_SECRET_ID", "CALLBACK_TOKEN"]
)
@pytest.mark.parametrize("end", ["\n", "\ntail-of-the-value"])
def test_value_with_a_line_break_is_refused_by_name(
    words: list[str], name: str, end: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").touch()
    value = f"hush-{KEY}{end}"
    variables = {
        "REGION": "ap-guangzhou",
        "INPUT_BUCKETS": "recordings-1250000000",
        "CLOUD_ENDPOINT": "http://127.0.0.1:9",
        "TENCENT_SECRET_ID": "AKIDexample0123456789",
        "TENCENT_SECRET_KEY": "example-key-0123456789",
        name: value,
    }
    process = subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    output = process.stdout + process.stderr
    assert process.returncode == 1
    place = "at its end" if end == "\n" else "inside"
    assert f"{name} has a line break {place}" in output
    for piece in (KEY, "hush-AbCd", "tail-of-the-value"):
        assert piece not in output
