"""The `scribe` command as a user types it, with real speech."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.main import MAX_MESSAGE_LENGTH, format_error

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
SCRIBE = (sys.executable, "-m", "cli.main")


def scribe(
    *arguments: str, cwd: Path, seconds: float = 110, **chosen: str
) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **chosen}
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
    assert "All expected words and files are there." in done.stdout
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
        assert "Local cloud at" in process.stdout.readline()
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
            assert "Local cloud at" in local.stdout.readline()
            ends = time.monotonic() + 60
            while True:
                done = scribe("invoke", "upload", str(ROOT / "events" / "cos-put.json"), cwd=tmp_path)
                if "already_done" in done.stdout or time.monotonic() > ends:
                    break
                time.sleep(0.3)
            assert done.returncode == 0, done.stderr
            assert "already_done" in done.stdout
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


def test_a_file_of_settings_that_is_not_there_is_told_by_its_whole_path(tmp_path: Path) -> None:
    chosen = {"REGION": "ap-guangzhou", "INPUT_BUCKETS": "recordings-1250000000"}  # as of another deployment
    done = scribe("deploy", "--env-file", "prod.env", cwd=tmp_path, seconds=20, **chosen)
    assert done.returncode == 1
    assert f"there is no file {tmp_path}/prod.env: copy .env.example" in done.stderr


def test_a_key_in_a_file_that_git_tracks_is_warned_of_before_the_work(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TENCENT_SECRET_KEY=hush-hush\nENGIEN=16k_en\n", "utf-8")
    for words in (["init", "--quiet"], ["add", ".env"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    done = scribe("deploy", "--dry-run", cwd=tmp_path, seconds=20)
    warning, *_, engine = done.stderr.splitlines()
    assert warning.startswith("! git tracks .env, which holds TENCENT_SECRET_KEY: run `git rm --cached .env`")
    assert "did you mean ENGINE?" in engine
    assert "hush" not in done.stdout + done.stderr


def test_what_the_system_says_names_the_file(tmp_path: Path) -> None:
    blocked = tmp_path / "scribe-local"
    blocked.write_text("a file in the way", "utf-8")
    done = scribe("local", "--data", str(blocked), cwd=tmp_path, seconds=20)
    assert done.returncode == 1
    assert done.stderr == f"scribe: {blocked}: File exists\n"


def test_what_the_system_says_of_every_file_at_once_is_cut() -> None:
    every = shutil.Error([("from", "to", "[Errno 5] Input/output error")] * 200)
    assert len(format_error(every)) == MAX_MESSAGE_LENGTH + len("...")
    assert (
        format_error(OSError(18, "Invalid cross-device link", "a", None, "b"))
        == "a and b: Invalid cross-device link"
    )


def test_the_policy_says_what_to_do_where_the_account_cannot_be_asked(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        (tmp_path / ".env").write_text(
            "REGION=ap-guangzhou\nINPUT_BUCKETS=recordings-1250000000\nTENCENT_SECRET_ID=a\nTENCENT_SECRET_KEY=b\n"
            f"CLOUD_ENDPOINT=http://127.0.0.1:{nobody.getsockname()[1]}\n"
        )
        made = scribe("policy", "--create-role", cwd=tmp_path, seconds=20)
        shown = scribe("policy", "upload", cwd=tmp_path, seconds=20)
    advice = "What to do: no usable answer came: look at this machine's connection"
    assert (made.returncode, advice in made.stderr) == (1, True)
    assert (shown.returncode, advice in shown.stderr) == (0, True)
    assert "YOUR-ACCOUNT-UIN" in shown.stdout
