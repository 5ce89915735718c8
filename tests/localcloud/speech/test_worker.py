"""The order in which a worker recognises several recordings, and what it says after each step."""

import io
import json
import queue
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from localcloud.speech.models import RecognitionError, Sentence
from localcloud.speech.recording import Piece
from localcloud.speech.worker import LENGTH, RecognitionLoop
from tests.localcloud.speech.recogniser import repeat_welcome
from tests.localcloud.stand_in import SAMPLES


class PieceEngine:
    """Finds the number of its channel in each piece; with the engine `bad`, the second piece is an error."""

    max_piece_ms = max_pause_ms = 0

    def open(self, engine: str) -> "PieceSession":
        return PieceSession(engine)


class PieceSession:
    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._count = 0

    def recognise(self, piece: Piece, channel: int) -> Iterable[Sentence]:
        self._count += 1
        if self._engine == "bad" and self._count == 2:
            raise RecognitionError("it cannot be read further")
        return [Sentence(str(channel), piece.start_ms, piece.end_ms, channel, ())]


class Loop:
    def __init__(self) -> None:
        self._requests: queue.Queue[dict[str, Any]] = queue.Queue()
        self._output = io.BytesIO()
        self._loop = RecognitionLoop(PieceEngine(), self._requests, self._output)

    def add(self, number: int, recording: Path, engine: str = "16k_en", channels: int = 1) -> None:
        request = {"recording": str(recording), "engine": engine, "channels": channels, "sidecar": None}
        self._requests.put({"id": number, **request})

    def cancel(self, number: int) -> None:
        self._requests.put({"cancel": number})

    def run(self, steps: int) -> list[dict[str, Any]]:
        """Run this many steps; return their messages without those that say that a step begins."""
        start = self._output.tell()
        for _ in range(steps):
            self._loop.take_requests()
            self._loop.run_step()
        self._output.seek(start)
        messages = []
        while header := self._output.read(LENGTH.size):
            messages.append(json.loads(self._output.read(LENGTH.unpack(header)[0])))
        begun = messages[::2]
        assert all(message["begins"] for message in begun)
        assert [message["id"] for message in begun] == [message["id"] for message in messages[1::2]]
        return messages[1::2]

    def run_until_end(self, count: int) -> list[dict[str, Any]]:
        """Run until this many recordings have ended; return the messages."""
        messages: list[dict[str, Any]] = []
        while len(list_ended(messages)) < count:
            assert len(messages) < 500
            messages += self.run(1)
        return messages


@pytest.fixture(scope="module")
def welcome() -> Path:
    return SAMPLES / "welcome.wav"


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repeat_welcome(tmp_path_factory.mktemp("recordings") / "long.wav", 20)


def list_ended(messages: list[dict[str, Any]]) -> list[int]:
    return [message["id"] for message in messages if "progress" not in message]


def test_short_recording_passes_long_ones_that_came_first(welcome: Path, long_recording: Path) -> None:
    loop = Loop()
    loop.add(1, long_recording)
    loop.add(2, long_recording)
    begun = loop.run(10)
    assert list_ended(begun) == []
    loop.add(3, welcome)
    loop.add(4, welcome)
    messages = loop.run_until_end(2)
    assert list_ended(messages) == [3, 4]
    assert {message["id"] for message in messages} == {3, 4}


def test_short_recordings_that_come_together_end_one_after_the_other(
    welcome: Path, long_recording: Path
) -> None:
    loop = Loop()
    loop.add(1, long_recording)
    for number in range(2, 6):
        loop.add(number, welcome)
    messages = loop.run_until_end(4)
    assert list_ended(messages) == [2, 3, 4, 5]
    # Each ends with its last piece: none waits until the others have come as far.
    ends = [index for index, message in enumerate(messages) if "progress" not in message]
    assert ends == list(range(ends[0], ends[0] + 4))


def test_recordings_of_one_length_share_the_time(long_recording: Path) -> None:
    loop = Loop()
    loop.add(1, long_recording)
    loop.add(2, long_recording)
    loop.run(6)  # both are opened, and their first sentence is recognised
    assert [message["id"] for message in loop.run(20)] == [1, 2] * 10


def test_progress_is_in_milliseconds_of_recording(welcome: Path) -> None:
    loop = Loop()
    loop.add(1, welcome)
    *steps, end = loop.run_until_end(1)
    assert {step["progress"]["duration_ms"] for step in steps} == {4_192}
    done_ms = [step["progress"]["done_ms"] for step in steps]
    first, second = end["recognition"]["sentences"]
    assert done_ms == [0, 0, first["end_ms"]]
    assert first["end_ms"] < second["start_ms"]
    assert end["recognition"]["duration_ms"] == 4_191


def test_first_channel_of_two_is_half_of_the_work() -> None:
    loop = Loop()
    loop.add(1, SAMPLES / "support-call.wav", channels=2)
    *steps, end = loop.run_until_end(1)
    done_ms = [step["progress"]["done_ms"] for step in steps]
    assert done_ms == sorted(done_ms)
    assert 6_724 // 2 in done_ms
    assert {sentence["text"] for sentence in end["recognition"]["sentences"]} == {"0", "1"}


def test_failure_of_one_recording_leaves_the_others(welcome: Path) -> None:
    loop = Loop()
    loop.add(1, welcome, "bad")
    loop.add(2, welcome)
    loop.add(3, SAMPLES / "not-audio.mp3")
    messages = loop.run_until_end(3)
    assert sorted(list_ended(messages)) == [1, 2, 3]
    codes = {message["id"]: message["code"] for message in messages if "code" in message}
    assert codes == {1: "FailedOperation.ErrorRecognize", 3: "FailedOperation.ErrorRecognize"}


def test_missing_file_is_an_error_of_its_recording_only(welcome: Path) -> None:
    loop = Loop()
    loop.add(1, SAMPLES / "missing.wav")
    loop.add(2, welcome)
    first, *rest = loop.run_until_end(2)
    assert first["code"] == "LocalCloud.UnreadableRecording"
    assert list_ended(rest) == [2]


def test_cancelled_recording_is_not_continued(welcome: Path, long_recording: Path) -> None:
    loop = Loop()
    loop.add(1, long_recording)
    loop.run(2)
    loop.cancel(1)
    loop.cancel(9)  # unknown, or ended before
    loop.add(2, welcome)
    assert {message["id"] for message in loop.run_until_end(1)} == {2}
