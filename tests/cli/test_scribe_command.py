"""The `scribe` command as a user types it, with real speech."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIBE = (sys.executable, "-m", "cli.main")


def scribe(*arguments: str, cwd: Path, seconds: float = 110) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.run(
        [*SCRIBE, *arguments],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def test_the_demo_hears_every_sample(tmp_path: Path) -> None:
    done = scribe("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every expected word and file is there." in done.stdout
    assert "welcome to the meeting" in done.stdout
    results = tmp_path / "scribe-demo" / "transcripts"
    call = json.loads((results / "support-call.wav.json").read_text("utf-8"))
    assert {sentence["channel"] for sentence in call["sentences"]} == {1, 2}
    assert (results / "会议 recording 01.mp3.srt").read_text("utf-8").startswith("1\n00:00:0")
    assert (results / "silence.wav.txt").read_bytes() == b""
    assert "next_step" in (results / "not-audio.mp3.error.json").read_text("utf-8")


def test_a_users_own_files_are_transcribed_and_failures_are_told_by_the_exit_status(tmp_path: Path) -> None:
    own = tmp_path / "我的 录音.wav"
    own.write_bytes((ROOT / "samples" / "welcome.wav").read_bytes())
    own.with_name(own.name + ".transcript.txt").write_text("大家好，欢迎来开会。", "utf-8")
    note = tmp_path / "note.mp3"
    note.write_text("no audio", "utf-8")
    done = scribe("demo", own.name, note.name, "--results", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "1 of 2 recordings" in done.stdout
    assert (tmp_path / "out" / "transcripts" / f"{own.name}.txt").read_text(
        "utf-8"
    ) == "大家好，欢迎来开会。\n"
    assert (tmp_path / "out" / "transcripts" / "note.mp3.error.json").is_file()


def test_a_folder_for_results_that_cannot_be_made_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = scribe("demo", "--results", "file/below", cwd=tmp_path, seconds=20)
    assert done.returncode == 1
    assert "--results" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_ends_at_once_and_leaves_no_process(
    tmp_path: Path, ending: signal.Signals
) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [*SCRIBE, "demo"],
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        assert "A cloud runs at" in process.stdout.readline()
        process.send_signal(ending)
        said = process.stdout.read()
        assert process.wait(20) == 130
    assert "Stopped." in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("scribe-*/cloud"))


def test_invoke_runs_one_function_on_one_event_and_shows_what_it_did(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*SCRIBE, "local"],
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as local:
        try:
            assert local.stdout
            assert "A cloud runs at" in local.stdout.readline()
            ends = time.monotonic() + 60
            while True:
                done = scribe("invoke", "upload", str(ROOT / "events" / "cos-put.json"), cwd=tmp_path)
                if "already done" in done.stdout or time.monotonic() > ends:
                    break
                time.sleep(0.3)
            assert done.returncode == 0, done.stderr
            assert "already done" in done.stdout
            assert "HEAD recordings-1250000000" in done.stdout
            unknown = scribe("invoke", "nobody", str(ROOT / "events" / "cos-put.json"), cwd=tmp_path)
            assert unknown.returncode == 1
            assert "upload, callback or sweep" in unknown.stderr
        finally:
            local.terminate()
            local.wait(20)


def test_invoke_without_a_stand_in_says_how_to_start_one(tmp_path: Path) -> None:
    done = scribe("invoke", "upload", str(ROOT / "events" / "cos-put.json"), cwd=tmp_path)
    assert done.returncode == 1
    assert "scribe local" in done.stderr
