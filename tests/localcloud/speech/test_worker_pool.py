"""The pool of worker processes: what happens when one dies, or is closed in the middle; several recordings at once."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from localcloud.speech import Progress, Recognition, RecognitionError, SpeechSetupError, worker_pool
from localcloud.speech.worker_pool import WorkerPool
from tests.localcloud.speech.recogniser import join_words, repeat_welcome, running_recogniser
from tests.localcloud.stand_in import SAMPLES

pytestmark = pytest.mark.process

EXPECTED = json.loads((SAMPLES / "expected.json").read_text("utf-8"))


@pytest.fixture
def long_recording(tmp_path: Path) -> Path:
    """The welcome sample four times, with pauses: 21 s."""
    return repeat_welcome(tmp_path / "long.wav", 4)


def test_dead_worker_is_replaced() -> None:
    async def kill_between() -> tuple[tuple[int, ...], tuple[int, ...], Recognition]:
        async with running_recogniser() as recogniser:
            before = recogniser.pids
            os.kill(before[0], signal.SIGKILL)
            recognition = await recogniser.recognise(
                SAMPLES / "welcome.wav", engine="16k_en", channels=1, sidecar=None
            )
            return before, recogniser.pids, recognition

    before, after, recognition = asyncio.run(kill_between())
    assert before != after
    assert join_words(recognition) == EXPECTED["welcome.wav"]["words"]


def test_recording_is_retried_when_its_worker_dies() -> None:
    async def kill_during() -> Recognition:
        async with running_recogniser() as recogniser:
            job = asyncio.create_task(
                recogniser.recognise(SAMPLES / "welcome.wav", engine="16k_en", channels=1, sidecar=None)
            )
            await asyncio.sleep(
                0.1
            )  # recognition takes several times as long; the exact moment does not matter
            os.kill(recogniser.pids[0], signal.SIGKILL)
            return await job

    assert join_words(asyncio.run(kill_during())) == EXPECTED["welcome.wav"]["words"]


def test_close_during_recording_leaves_no_process() -> None:
    async def close_during() -> tuple[int, ...]:
        async with running_recogniser(workers=2) as recogniser:
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


def test_short_recordings_end_before_long_ones(long_recording: Path) -> None:
    ended: list[Path] = []

    async def recognise_all() -> list[Progress]:
        progress: list[Progress] = []
        async with running_recogniser(workers=1) as recogniser:

            async def recognise(recording: Path) -> None:
                await recogniser.recognise(
                    recording, engine="16k_en", channels=1, sidecar=None, on_progress=progress.append
                )
                ended.append(recording)

            recordings = [long_recording, long_recording, *[SAMPLES / "welcome.wav"] * 4]
            await asyncio.gather(*map(recognise, recordings))
        return progress

    progress = asyncio.run(recognise_all())
    assert ended == [*[SAMPLES / "welcome.wav"] * 4, long_recording, long_recording]
    # As soon as both long ones have begun, they are recognised in turn, a sentence of one and one of the other.
    done_ms = [step.done_ms for step in progress if step.duration_ms and step.duration_ms > 20_000]
    in_turn = done_ms[len(done_ms) - done_ms[::-1].index(0) :]
    assert in_turn == sorted(in_turn)
    assert len(done_ms) > 8


def test_recording_that_ends_its_worker_again_and_again_fails(long_recording: Path) -> None:
    async def kill_always() -> tuple[str, Recognition]:
        async with running_recogniser() as recogniser:

            def kill(_progress: Progress) -> None:
                for pid in recogniser.pids:
                    os.kill(pid, signal.SIGKILL)

            with pytest.raises(RecognitionError) as caught:
                await recogniser.recognise(
                    long_recording, engine="16k_en", channels=1, sidecar=None, on_progress=kill
                )
            after = await recogniser.recognise(
                SAMPLES / "welcome.wav", engine="16k_en", channels=1, sidecar=None
            )
            return caught.value.message, after

    message, after = asyncio.run(kill_always())
    assert "ended" in message
    assert join_words(after) == EXPECTED["welcome.wav"]["words"]


def test_cancelled_recording_makes_room(long_recording: Path) -> None:
    async def cancel_in_the_middle() -> int:
        begun = asyncio.Event()
        async with running_recogniser() as recogniser:
            job = asyncio.create_task(
                recogniser.recognise(
                    long_recording,
                    engine="16k_en",
                    channels=1,
                    sidecar=None,
                    on_progress=lambda _: begun.set(),
                )
            )
            await begun.wait()
            pids = recogniser.pids
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)
            await recogniser.recognise(SAMPLES / "welcome.wav", engine="16k_en", channels=1, sidecar=None)
            assert recogniser.pids == pids
            return recogniser.recording_count

    assert asyncio.run(cancel_in_the_middle()) == 0


def test_process_without_a_message_is_ended_while_recordings_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stop_and_add() -> tuple[tuple[int, ...], tuple[int, ...]]:
        async with running_recogniser() as recogniser:
            before = recogniser.pids
            os.kill(before[0], signal.SIGSTOP)
            monkeypatch.setattr(worker_pool, "_STEP_TIMEOUT_S", 1.0)
            jobs: list[asyncio.Task[Recognition]] = []
            # A recording arrives more often than the timeout ends.
            while recogniser.pids == before and len(jobs) < 40:
                jobs.append(
                    asyncio.create_task(
                        recogniser.recognise(
                            SAMPLES / "silence.wav", engine="16k_en", channels=1, sidecar=None
                        )
                    )
                )
                await asyncio.wait(jobs, timeout=0.25)
            after = recogniser.pids
            monkeypatch.setattr(worker_pool, "_STEP_TIMEOUT_S", 900.0)
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            return before, after

    before, after = asyncio.run(stop_and_add())
    assert before != after


def test_recording_whose_process_cannot_be_replaced_fails_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def kill_and_start_too_slowly() -> RecognitionError:
        async with running_recogniser() as recogniser:
            os.kill(recogniser.pids[0], signal.SIGKILL)
            monkeypatch.setattr(worker_pool, "_START_TIMEOUT_S", 0.01)
            with pytest.raises(RecognitionError) as caught:
                await recogniser.recognise(SAMPLES / "welcome.wav", engine="16k_en", channels=1, sidecar=None)
            return caught.value

    error = asyncio.run(kill_and_start_too_slowly())
    assert error.code == "LocalCloud.RecogniserEnded"
    assert "did not load its model in 0.01 s" in error.message


def test_process_that_ends_at_its_start_is_a_clear_error() -> None:
    async def start() -> None:
        await WorkerPool(["no-such-engine"]).start()

    with pytest.raises(SpeechSetupError, match="ended with exit status 2 before its model was loaded"):
        asyncio.run(start())


def test_packages_of_an_engine_may_be_in_pythonpath(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "faster_whisper.py").write_text("raise ImportError('found in PYTHONPATH')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def start() -> None:
        await WorkerPool(["whisper", "--model", str(tmp_path)]).start()

    with pytest.raises(SpeechSetupError, match=r"Whisper cannot be loaded \(found in PYTHONPATH\)"):
        asyncio.run(start())
