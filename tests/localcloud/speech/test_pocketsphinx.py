"""Real recognition of the shipped samples, through worker processes."""

import asyncio
import json
from pathlib import Path

import pytest

from localcloud.speech import Recognition, RecognitionError, make_recogniser
from tests.localcloud.speech.recogniser import join_words, recognise, running_recogniser
from tests.localcloud.stand_in import SAMPLES

pytestmark = pytest.mark.process

EXPECTED = json.loads((SAMPLES / "expected.json").read_text("utf-8"))


def test_two_workers_recognise_every_english_sample_correctly() -> None:
    async def recognise_all() -> dict[str, Recognition]:
        async with running_recogniser(workers=2) as recogniser:
            # silence.wav has no language.
            names = [name for name, expected in EXPECTED.items() if expected.get("language") == "en"]
            names.append("silence.wav")
            recognitions = await asyncio.gather(
                *(
                    recogniser.recognise(
                        SAMPLES / name,
                        engine="16k_en",
                        channels=len(EXPECTED[name].get("channels", [""])),
                        sidecar=None,
                    )
                    for name in names
                )
            )
            return dict(zip(names, recognitions, strict=True))

    for name, recognition in asyncio.run(recognise_all()).items():
        expected = EXPECTED[name].get("channels", [EXPECTED[name].get("words")])
        assert [join_words(recognition, channel) for channel in range(len(expected))] == expected, name
        starts = [sentence.start_ms for sentence in recognition.sentences]
        assert starts == sorted(starts)
        for sentence in recognition.sentences:
            times = [time for word in sentence.words for time in (word.start_ms, word.end_ms)]
            assert times == sorted(times)
            assert sentence.start_ms == times[0]
            assert sentence.end_ms == times[-1]
            assert 0 <= times[0] < times[-1] <= recognition.duration_ms


def test_duration_is_that_of_recording() -> None:
    assert recognise(SAMPLES / "silence.wav") == Recognition(2000, 1, ())


def test_text_file_is_not_audio() -> None:
    with pytest.raises(RecognitionError, match="could not be decoded as audio") as caught:
        recognise(SAMPLES / "not-audio.mp3")
    assert caught.value.code == "FailedOperation.ErrorRecognize"


def test_file_that_only_begins_like_audio_is_not_audio(tmp_path: Path) -> None:
    heads = [
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"ID3\x04",
        b"\xff\xfb\x90\x64",
        b"fLaC",
        b"OggS\0vorbis",
        b"caf",
        b"",
    ]

    async def recognise_all() -> tuple[int, ...]:
        async with running_recogniser() as recogniser:
            first = recogniser.pids
            for head in heads:
                recording = tmp_path / "object"
                recording.write_bytes(head)
                with pytest.raises(RecognitionError, match=r"decoded as audio|no sound"):
                    await recogniser.recognise(recording, engine="16k_en", channels=1, sidecar=None)
            assert recogniser.pids == first, "no odd file may stop the worker"
            return first

    assert asyncio.run(recognise_all())


def test_mono_recording_has_no_second_channel() -> None:
    with pytest.raises(RecognitionError, match="ChannelNum is 2"):
        recognise(SAMPLES / "welcome.wav", channels=2)


def test_chinese_engine_needs_sidecar() -> None:
    with pytest.raises(RecognitionError, match=r"English only.*<recording>\.transcript\.txt") as caught:
        recognise(SAMPLES / "welcome.wav", engine="16k_zh")
    assert caught.value.code == "LocalCloud.EnglishOnly"


def test_chinese_sidecar_is_distributed_over_speech(tmp_path: Path) -> None:
    sidecar = tmp_path / "welcome.wav.transcript.txt"
    sidecar.write_text("欢迎参加会议。\n\n我们几分钟后开始。\n", "utf-8")
    recognition = recognise(SAMPLES / "welcome.wav", engine="16k_zh", sidecar=sidecar)
    first, second = recognition.sentences
    assert [first.text, second.text] == ["欢迎参加会议。", "我们几分钟后开始。"]
    assert [word.text for word in first.words] == ["欢迎", "参加", "会议", "。"]
    # The pause between the two spoken sentences is at about 1.4 to 2.1 s.
    assert first.end_ms < 1_900 < second.start_ms < second.end_ms <= recognition.duration_ms


def test_unknown_recogniser_is_rejected() -> None:
    with pytest.raises(ValueError, match="there are pocketsphinx, whisper, scripted"):
        make_recogniser("festival")
