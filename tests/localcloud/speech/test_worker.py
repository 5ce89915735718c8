"""The order in which a worker recognises several recordings, and what it says after each step."""

import io
import json
import queue
from collections.abc import Iterator
from typing import Any

from localcloud.speech.audio import SpeechSegment
from localcloud.speech.models import RecognitionError
from localcloud.speech.recording import Step
from localcloud.speech.worker import LENGTH, RecognitionLoop
from tests.localcloud.stand_in import SAMPLES


class StepsEngine:
    """Takes as many steps of 10 s as the engine's name says; `5!` fails after 5."""

    def recognise(self, segments: Iterator[SpeechSegment], engine: str, channel: int) -> Iterator[Step]:
        for number in range(int(engine.rstrip("!"))):
            yield Step((), (number + 1) * 10_000)
        if engine.endswith("!"):
            raise RecognitionError("it cannot be read further")
        list(segments)


class Loop:
    def __init__(self) -> None:
        self._requests: queue.Queue[dict[str, Any]] = queue.Queue()
        self._output = io.BytesIO()
        self._loop = RecognitionLoop(StepsEngine(), self._requests, self._output)

    def add(self, number: int, steps: str, recording: str = "welcome.wav", channels: int = 1) -> None:
        path = str(SAMPLES / recording)
        self._requests.put(
            {"id": number, "recording": path, "engine": steps, "channels": channels, "sidecar": None}
        )

    def cancel(self, number: int) -> None:
        self._requests.put({"cancel": number})

    def run(self, steps: int) -> list[dict[str, Any]]:
        """Run this many steps; return the messages of these steps without those that say that a step begins."""
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


def list_ended(messages: list[dict[str, Any]]) -> list[int]:
    return [message["id"] for message in messages if "progress" not in message]


def test_short_recording_passes_long_ones_that_came_first() -> None:
    loop = Loop()
    loop.add(1, "60")
    loop.add(2, "60")
    loop.run(20)
    loop.add(3, "2")
    loop.add(4, "1")
    assert list_ended(loop.run(5)) == [4, 3]


def test_recordings_of_one_length_share_the_time() -> None:
    loop = Loop()
    loop.add(1, "3")
    loop.add(2, "3")
    assert [message["id"] for message in loop.run(8)] == [1, 2, 1, 2, 1, 2, 1, 2]


def test_progress_is_in_milliseconds_of_recording() -> None:
    loop = Loop()
    loop.add(1, "2")
    first, second, end = loop.run(3)
    assert first["progress"] == {"done_ms": 10_000, "duration_ms": 4_192}
    assert second["progress"]["done_ms"] == 20_000
    assert end["recognition"]["duration_ms"] == 4_191


def test_first_channel_of_two_is_half_of_the_work() -> None:
    loop = Loop()
    loop.add(1, "1", "support-call.wav", channels=2)
    first, second, _ = loop.run(3)
    assert first["progress"]["done_ms"] == 5_000
    assert second["progress"]["done_ms"] == (6_724 + 10_000) // 2


def test_failure_of_one_recording_leaves_the_others() -> None:
    loop = Loop()
    loop.add(1, "1!")
    loop.add(2, "1")
    loop.add(3, "1", "not-audio.mp3")
    messages = loop.run(5)
    assert list_ended(messages) == [3, 1, 2]
    codes = {message["id"]: message["code"] for message in messages if "code" in message}
    assert codes == {1: "FailedOperation.ErrorRecognize", 3: "FailedOperation.ErrorRecognize"}


def test_missing_file_is_an_error_of_its_recording_only() -> None:
    loop = Loop()
    loop.add(1, "1", "missing.wav")
    loop.add(2, "1")
    first, *rest = loop.run(3)
    assert first["code"] == "LocalCloud.UnreadableRecording"
    assert "could not be read" in first["message"]
    assert list_ended(rest) == [2]


def test_cancelled_recording_is_not_continued() -> None:
    loop = Loop()
    loop.add(1, "60")
    loop.run(2)
    loop.cancel(1)
    loop.cancel(9)  # unknown, or ended before
    loop.add(2, "1")
    assert {message["id"] for message in loop.run(2)} == {2}
