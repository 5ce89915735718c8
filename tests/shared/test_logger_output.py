"""A log line never stops the work: standard output in real processes, and values that cannot be printed."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from shared.logger import MAX_VALUE_LENGTH, Logger
from tests.helpers.outputs import BROKEN_OUTPUTS, ENCODINGS, FULL_DISK, run_python

pytestmark = pytest.mark.process

KEY = "calls/会议 é 😀.mp3"
LOG_AND_GO_ON = f"""
import os, sys
from shared.logger import Logger
log = Logger({{"function": "upload"}})
log.info("first", key={KEY!r})
log.error("second", key="a\\ud800b")
sys.stderr.write("worked")
sys.stderr.flush()
os._exit(0)  # without the interpreter's own last flush
"""


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_output_of_another_encoding_gets_the_same_line(encoding: str) -> None:
    completed = run_python(LOG_AND_GO_ON, output=encoding)
    assert (completed.returncode, completed.stderr) == (0, b"worked")
    text = completed.stdout.decode()
    first, second = map(json.loads, text.splitlines())
    assert (first["event"], first["key"]) == ("first", KEY)
    assert (second["event"], second["key"]) == ("second", "a?b")
    assert text.isascii() is (encoding != "utf-8")


@pytest.mark.parametrize("output", BROKEN_OUTPUTS)
def test_output_that_cannot_be_written_does_not_stop_the_work(output: str) -> None:
    if output == "full" and not FULL_DISK.exists():
        pytest.skip("this system has no /dev/full")
    completed = run_python(LOG_AND_GO_ON, output=output)
    assert (completed.returncode, completed.stderr) == (0, b"worked")


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def log_value(value: Any) -> dict[str, Any]:
    lines: list[str] = []
    Logger({"job": "s01"}, lines.append).info("m", value=value)
    (line,) = map(json.loads, lines)
    assert line["job"] == "s01"
    logged: dict[str, Any] = line
    return logged


def test_value_without_a_text_is_logged_as_its_type() -> None:
    assert log_value(Unprintable())["value"] == "<Unprintable>"
    assert log_value({Unprintable(): 1})["value"] == {"<Unprintable>": 1}
    assert log_value(10**5000)["value"].startswith(("<int>", "1000"))
    assert len(log_value("é" * 2000)["value"]) == MAX_VALUE_LENGTH + 1


def test_value_that_contains_itself_drops_the_line_only() -> None:
    lines: list[str] = []
    endless: list[Any] = []
    endless.append(endless)
    log = Logger({}, lines.append)
    log.info("m", value=endless)
    log.info("next")
    assert [json.loads(line)["event"] for line in lines] == ["next"]


@pytest.mark.parametrize(
    "error", [OSError(28, "no space"), ValueError("closed"), MemoryError(), RecursionError()]
)
def test_error_of_the_output_does_not_reach_the_caller(error: Exception) -> None:
    def write(line: str) -> None:
        raise error

    Logger({}, write).error("m")


def test_output_that_does_not_name_its_encoding_gets_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform may put an object of its own into sys.stdout."""
    written = bytearray()

    class Output:
        def write(self, text: str) -> None:
            written.extend(text.encode("latin-1"))

        def flush(self) -> None:
            pass

    monkeypatch.setattr(sys, "stdout", Output())
    Logger({}).info("m", key=KEY)
    assert json.loads(written)["key"] == KEY


def test_what_ends_the_process_passes() -> None:
    def write(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Logger({}, write).error("m")
