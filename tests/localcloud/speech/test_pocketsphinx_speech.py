"""Real recognition of the shipped samples, through worker processes."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from localcloud.speech import Recognition, RecognitionError, make_recogniser
from localcloud.speech.pocketsphinx import PocketSphinxRecogniser

pytestmark = pytest.mark.process

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
EXPECTED = json.loads((SAMPLES / "expected.json").read_text("utf-8"))


@asynccontextmanager
async def listening(workers: int = 1) -> AsyncIterator[PocketSphinxRecogniser]:
    recogniser = make_recogniser("pocketsphinx", workers=workers)
    assert isinstance(recogniser, PocketSphinxRecogniser)
    await recogniser.start()
    try:
        yield recogniser
    finally:
        await recogniser.close()


def hear(
    recording: Path, *, engine: str = "16k_en", channels: int = 1, sidecar: Path | None = None
) -> Recognition:
    async def once() -> Recognition:
        async with listening() as recogniser:
            return await recogniser.recognise(recording, engine=engine, channels=channels, sidecar=sidecar)

    return asyncio.run(once())


def words_of(recognition: Recognition, channel: int = 0) -> str:
    return " ".join(sentence.text for sentence in recognition.sentences if sentence.channel == channel)


def test_every_sample_is_heard_without_a_mistake_by_two_workers() -> None:
    async def all_of_them() -> dict[str, Recognition]:
        async with listening(workers=2) as recogniser:
            names = [name for name, expected in EXPECTED.items() if "error" not in expected]
            heard = await asyncio.gather(
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
            return dict(zip(names, heard, strict=True))

    for name, recognition in asyncio.run(all_of_them()).items():
        expected = EXPECTED[name].get("channels", [EXPECTED[name].get("words")])
        assert [words_of(recognition, channel) for channel in range(len(expected))] == expected, name
        starts = [sentence.start_ms for sentence in recognition.sentences]
        assert starts == sorted(starts)
        for sentence in recognition.sentences:
            times = [time for word in sentence.words for time in (word.start_ms, word.end_ms)]
            assert times == sorted(times)
            assert sentence.start_ms == times[0]
            assert sentence.end_ms == times[-1]
            assert 0 <= times[0] < times[-1] <= recognition.duration_ms


def test_the_duration_is_the_recordings_own() -> None:
    assert hear(SAMPLES / "silence.wav") == Recognition(2000, 1, ())


def test_text_is_not_audio() -> None:
    with pytest.raises(RecognitionError, match="could not be decoded as audio") as caught:
        hear(SAMPLES / "not-audio.mp3")
    assert caught.value.code == "FailedOperation.ErrorRecognize"


def test_a_file_that_only_begins_like_audio_is_not_audio(tmp_path: Path) -> None:
    heads = [
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"ID3\x04",
        b"\xff\xfb\x90\x64",
        b"fLaC",
        b"OggS\0vorbis",
        b"caf",
        b"",
    ]

    async def all_of_them() -> tuple[int, ...]:
        async with listening() as recogniser:
            first = recogniser.pids
            for head in heads:
                recording = tmp_path / "object"
                recording.write_bytes(head)
                with pytest.raises(RecognitionError, match=r"decoded as audio|no sound"):
                    await recogniser.recognise(recording, engine="16k_en", channels=1, sidecar=None)
            assert recogniser.pids == first, "no odd file may end the worker"
            return first

    assert asyncio.run(all_of_them())


def test_two_channels_cannot_be_heard_in_a_mono_recording() -> None:
    with pytest.raises(RecognitionError, match="ChannelNum is 2"):
        hear(SAMPLES / "welcome.wav", channels=2)


def test_a_chinese_engine_needs_a_transcript_beside_the_recording() -> None:
    with pytest.raises(RecognitionError, match=r"English only; put a <recording>\.transcript\.txt"):
        hear(SAMPLES / "welcome.wav", engine="16k_zh")


def test_a_chinese_transcript_is_spread_over_the_speech_that_is_there(tmp_path: Path) -> None:
    sidecar = tmp_path / "welcome.wav.transcript.txt"
    sidecar.write_text("欢迎参加会议。\n\n我们几分钟后开始。\n", "utf-8")
    recognition = hear(SAMPLES / "welcome.wav", engine="16k_zh", sidecar=sidecar)
    first, second = recognition.sentences
    assert [first.text, second.text] == ["欢迎参加会议。", "我们几分钟后开始。"]
    assert [word.text for word in first.words] == ["欢", "迎", "参", "加", "会", "议。"]
    # The pause between the two spoken sentences lies at about 1.4 to 2.1 s.
    assert first.end_ms < 1_900 < second.start_ms < second.end_ms <= recognition.duration_ms


def test_a_worker_that_dies_is_replaced() -> None:
    async def kill_between() -> tuple[tuple[int, ...], tuple[int, ...], Recognition]:
        async with listening() as recogniser:
            before = recogniser.pids
            os.kill(before[0], signal.SIGKILL)
            heard = await recogniser.recognise(
                SAMPLES / "welcome.wav", engine="16k_en", channels=1, sidecar=None
            )
            return before, recogniser.pids, heard

    before, after, heard = asyncio.run(kill_between())
    assert before != after
    assert words_of(heard) == EXPECTED["welcome.wav"]["words"]


def test_a_worker_that_dies_in_the_middle_hears_its_recording_again() -> None:
    async def kill_during() -> Recognition:
        async with listening() as recogniser:
            job = asyncio.create_task(
                recogniser.recognise(SAMPLES / "welcome.wav", engine="16k_en", channels=1, sidecar=None)
            )
            await asyncio.sleep(0.1)  # recognition takes several times as long; earlier or later is as good
            os.kill(recogniser.pids[0], signal.SIGKILL)
            return await job

    assert words_of(asyncio.run(kill_during())) == EXPECTED["welcome.wav"]["words"]


def test_close_leaves_no_process_behind_even_in_the_middle_of_a_recording() -> None:
    async def close_during() -> tuple[int, ...]:
        async with listening(workers=2) as recogniser:
            pids = recogniser.pids
            job = asyncio.create_task(
                recogniser.recognise(SAMPLES / "welcome.wav", engine="16k_en", channels=1, sidecar=None)
            )
            await asyncio.sleep(0)
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)
            return pids

    for pid in asyncio.run(close_during()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_an_unknown_recogniser_is_refused() -> None:
    with pytest.raises(ValueError, match="'whisper'"):
        make_recogniser("whisper")
