"""The scripted recogniser."""

import asyncio
from pathlib import Path

import pytest

from localcloud.speech import Recognition, RecognitionError, make_recogniser


def recognise(recording: Path, channels: int = 1, sidecar: Path | None = None) -> Recognition:
    recogniser = make_recogniser("scripted")
    return asyncio.run(recogniser.recognise(recording, engine="16k_zh", channels=channels, sidecar=sidecar))


def write_recording(folder: Path, data: bytes) -> Path:
    recording = folder / "object"
    recording.write_bytes(data)
    return recording


def test_same_bytes_give_same_words(tmp_path: Path) -> None:
    first = recognise(write_recording(tmp_path, b"one" * 9_000))
    second = recognise(write_recording(tmp_path, b"one" * 9_000))
    other = recognise(write_recording(tmp_path, b"two" * 9_000))
    assert first == second
    assert [sentence.text for sentence in first.sentences] != [sentence.text for sentence in other.sentences]


def test_channels_take_turns(tmp_path: Path) -> None:
    recognition = recognise(write_recording(tmp_path, bytes(64_000)), channels=2)
    assert recognition.duration_ms == 4_000
    assert [sentence.channel for sentence in recognition.sentences] == [0, 1, 0, 1]
    times = [word.start_ms for sentence in recognition.sentences for word in sentence.words]
    assert times == sorted(times)
    assert max(sentence.end_ms for sentence in recognition.sentences) <= recognition.duration_ms


def test_bytes_can_request_silence_or_failure(tmp_path: Path) -> None:
    assert recognise(write_recording(tmp_path, b"SILENCE please")).sentences == ()
    with pytest.raises(RecognitionError):
        recognise(write_recording(tmp_path, b"NOT AUDIO at all"))


def test_bytes_can_request_two_speakers(tmp_path: Path) -> None:
    plain = recognise(write_recording(tmp_path, b"one" * 9_000))
    assert [sentence.speaker for sentence in plain.sentences] == [0, 0]
    talk = recognise(write_recording(tmp_path, b"TWO SPEAKERS" * 9_000))
    assert [(sentence.channel, sentence.speaker) for sentence in talk.sentences] == [(0, 0), (0, 1)]


def test_sidecar_is_returned(tmp_path: Path) -> None:
    sidecar = tmp_path / "sidecar"
    sidecar.write_text("[1] 您好 100%。\nGood morning, all!\n[0] 再见", "utf-8")
    recognition = recognise(write_recording(tmp_path, bytes(32_000)), channels=2, sidecar=sidecar)
    assert sorted((sentence.channel, sentence.text) for sentence in recognition.sentences) == [
        (0, "Good morning, all!"),
        (0, "再见"),
        (1, "您好 100%。"),
    ]
    assert [
        word.text for sentence in recognition.sentences for word in sentence.words if sentence.channel
    ] == [
        *("您好", "100%", "。"),
    ]


def test_sidecar_that_is_not_utf8_fails(tmp_path: Path) -> None:
    sidecar = tmp_path / "sidecar"
    sidecar.write_bytes("会议".encode("gbk"))
    with pytest.raises(RecognitionError, match="UTF-8") as caught:
        recognise(write_recording(tmp_path, b"abc"), sidecar=sidecar)
    assert caught.value.code == "LocalCloud.InvalidSidecar"


def test_empty_sidecar_is_silence(tmp_path: Path) -> None:
    sidecar = tmp_path / "sidecar"
    sidecar.write_text("\n \n")
    assert recognise(write_recording(tmp_path, b"abc"), sidecar=sidecar).sentences == ()
