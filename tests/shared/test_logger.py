from __future__ import annotations

import io
import json
import sys
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.logger import MAX_VALUE_LENGTH, Logger
from shared.recordings.models import Status

NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=timezone.utc)


def log_into(lines: list[str], **fields: Any) -> Logger:
    return Logger(fields, lines.append, lambda: NOON)


def test_line_has_time_level_event_and_fields() -> None:
    lines: list[str] = []
    log_into(lines, request="r1").warning("looked", job="s01", tries=2, ok=True, none=None)
    assert [json.loads(line) for line in lines] == [
        {
            "time": "2026-01-02T12:00:00.123+00:00",
            "level": "warning",
            "event": "looked",
            "request": "r1",
            "job": "s01",
            "tries": 2,
            "ok": True,
            "none": None,
        }
    ]


def test_each_method_writes_its_level() -> None:
    lines: list[str] = []
    log = log_into(lines)
    log.info("a")
    log.warning("b")
    log.error("c")
    assert [json.loads(line)["level"] for line in lines] == ["info", "warning", "error"]


def test_bind_adds_fields_to_a_new_logger() -> None:
    lines: list[str] = []
    wide = log_into(lines, request="r1")
    wide.bind(key="a.mp3").info("narrow")
    wide.info("wide")
    narrow, wide_line = map(json.loads, lines)
    assert (narrow["request"], narrow["key"]) == ("r1", "a.mp3")
    assert "key" not in wide_line


@given(text=st.text(max_size=300))
@settings(max_examples=120, deadline=None)
def test_any_text_is_one_line_of_utf8_json(text: str) -> None:
    lines: list[str] = []
    log_into(lines).info(text, key=text)
    (line,) = lines
    assert "\n" not in line
    assert "\r" not in line
    assert json.loads(line.encode("utf-8"))["key"] == text.encode("utf-8", "replace").decode()


def test_lone_surrogate_is_replaced() -> None:
    lines: list[str] = []
    log_into(lines).error("bad key", key="a\ud800b")
    assert json.loads(lines[0].encode("utf-8"))["key"] == "a?b"


def test_longest_key_is_written_whole() -> None:
    lines: list[str] = []
    log_into(lines).info("m", key="k" * 850)
    assert json.loads(lines[0])["key"] == "k" * 850


def test_long_value_is_cut() -> None:
    lines: list[str] = []
    log_into(lines).info("m", words="word " * 5000)
    assert len(json.loads(lines[0])["words"]) == MAX_VALUE_LENGTH + 1
    assert json.loads(lines[0])["words"].endswith("…")


def test_time_has_utc_offset() -> None:
    lines: list[str] = []
    Logger({}, lines.append, lambda: NOON.astimezone(timezone(timedelta(hours=8)))).info("m")
    assert json.loads(lines[0])["time"] == "2026-01-02T20:00:00.123+08:00"


def test_default_is_stdout_and_utc(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Logger({"function": "upload"}).info("m")
    output = capsys.readouterr()
    assert output.err == ""
    assert output.out.endswith("}\n")
    assert json.loads(output.out)["time"].endswith("+00:00")


@pytest.mark.parametrize("encoding", ["gb18030", "latin-1", "ascii"])
def test_output_of_another_encoding_gets_ascii(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """The collector expects UTF-8, and GB 18030 could write these characters in another way."""
    output = io.BytesIO()
    with io.TextIOWrapper(output, encoding=encoding) as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        Logger({}).info("m", key="会议 é 😀")
        monkeypatch.undo()
        written = output.getvalue()
    assert written.isascii()
    assert json.loads(written)["key"] == "会议 é 😀"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from([b"x", Status.FAILED]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=8,
)


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@given(value=VALUES)
@example(value=[float("nan"), {"a": float("-inf")}])
@settings(max_examples=200, deadline=None)
def test_any_value_is_written_as_a_json_value(value: Any) -> None:
    lines: list[str] = []
    log_into(lines).info("m", value=value, counts={"a": (1, 2)})
    line = json.loads(lines[0], parse_constant=refuse_constant)
    assert line["counts"] == {"a": [1, 2]}
    if value is None or isinstance(value, (bool, int, list, dict)):
        assert type(line["value"]) is type(value)
