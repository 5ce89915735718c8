"""The `scribe` command as a user types it, with real speech."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from rich.cells import cell_len

from cli.main import MAX_MESSAGE_LENGTH, format_error

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
SCRIBE = (sys.executable, "-m", "cli.main")


def scribe(
    *arguments: str, cwd: Path, seconds: float = 110, **variables: str
) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **variables}
    return subprocess.run(
        [*SCRIBE, *arguments],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def test_help_and_wrong_arguments_wait_for_no_library() -> None:
    program = "import sys, cli.main; print(*sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in process.stdout.split()}
    assert {"cli", "typer"} <= loaded
    libraries = {
        "httpx",
        "localcloud",
        "pydantic",
        "starlette",
        "tencentcloud",
        "uvicorn",
        "xmltodict",
        "yaml",
    }
    assert loaded.isdisjoint(libraries)


def test_demo_transcribes_every_sample(tmp_path: Path) -> None:
    process = scribe("demo", cwd=tmp_path)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "All expected words and files are there." in process.stdout
    assert "welcome to the meeting" in process.stdout
    page = "scribe-demo/transcripts/welcome.wav.html"
    assert process.stdout.splitlines()[-1] == f"Open {page} in a browser to read and hear it."
    assert (tmp_path / page).with_suffix("").read_bytes() == (ROOT / "samples/welcome.wav").read_bytes()
    results = tmp_path / "scribe-demo" / "transcripts"
    call = json.loads((results / "support-call.wav.json").read_text("utf-8"))
    assert {sentence["channel"] for sentence in call["sentences"]} == {1, 2}
    assert (results / "会议 recording 01.mp3.srt").read_text("utf-8").startswith("1\n00:00:0")
    assert (results / "silence.wav.txt").read_bytes() == b""
    assert "next_step" in (results / "not-audio.mp3.error.json").read_text("utf-8")


def test_demo_transcribes_a_folder_and_fails_if_one_recording_fails(tmp_path: Path) -> None:
    own = tmp_path / "录音 一" / "二 月" / "我的 录音.wav"
    own.parent.mkdir(parents=True)
    own.write_bytes((ROOT / "samples" / "welcome.wav").read_bytes())
    own.with_name(own.name + ".transcript.txt").write_text("大家好，欢迎来开会。", "utf-8")
    note = tmp_path / "录音 一" / "note.mp3"
    note.write_text("no audio", "utf-8")
    process = scribe("demo", "录音 一", "--results", "out", cwd=tmp_path, COLUMNS="60")
    assert process.returncode == 1, process.stderr
    lines = process.stdout.splitlines()
    assert lines[0] == "录音 一: 1 file left out (1 .transcript.txt)"
    assert "1 of 2 recordings failed." in lines
    assert "Failed: note.mp3" in lines
    assert "  Open out/transcripts/二 月/我的 录音.wav.txt (the text)" in lines
    assert lines[-1] == "Open 'out/transcripts/二 月/我的 录音.wav.html' in a browser to read and hear it."
    assert (tmp_path / "out/transcripts/二 月/我的 录音.wav").read_bytes() == own.read_bytes()
    assert max(cell_len(line) for line in lines if "out/transcripts" not in line) <= 60
    results = tmp_path / "out" / "transcripts"
    assert (results / "二 月" / "我的 录音.wav.txt").read_text("utf-8") == "大家好，欢迎来开会。\n"
    assert (results / "note.mp3.error.json").is_file()


def test_every_wrong_argument_of_the_demo_is_named(tmp_path: Path) -> None:
    (tmp_path / "note.txt").touch()
    process = scribe("demo", "missing.mp3", "note.txt", "no folder", cwd=tmp_path, seconds=20)
    assert process.returncode == 2
    for problem in (
        "missing.mp3: no such file or folder",
        "note.txt: not a recording by its name (.txt)",
        "no folder: no such file or folder",
    ):
        assert problem in process.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--speech-model", "x"), "--speech-model is for --speech whisper only"),
        (("--engine", "16k zh"), "ENGINE is '16k zh', not an engine"),
        (("--speech", "whisper", "--speech-model", "no/folder"), "no folder no/folder"),
    ],
)
@pytest.mark.parametrize("command", ["demo", "local"])
def test_wrong_speech_option_is_one_line(
    command: str, options: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    process = scribe(command, *options, cwd=tmp_path, seconds=20)
    assert process.returncode == 1
    assert message in process.stderr
    assert process.stderr.count("\n") == 1


@pytest.mark.whisper
@pytest.mark.skipif(not find_spec("faster_whisper"), reason="needs the extras `whisper` and `whisper-model`")
def test_demo_with_whisper_reads_every_sample(tmp_path: Path) -> None:
    process = scribe("demo", "--speech", "whisper", cwd=tmp_path)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "All expected words and files are there." in process.stdout
    text = (tmp_path / "scribe-demo" / "transcripts" / "welcome.wav.txt").read_text("utf-8")
    assert text.startswith("Welcome to the meeting")
    # Punctuation marks are no words.
    assert re.search(r"^✓ welcome\.wav \(.*\): 11 words$", process.stdout, re.MULTILINE)


def test_demo_receives_a_notice_of_each_recording(tmp_path: Path) -> None:
    own = tmp_path / "会议.wav"
    own.write_bytes((ROOT / "samples" / "welcome.wav").read_bytes())
    own.with_name(own.name + ".transcript.txt").write_text("大家好，欢迎来开会。", "utf-8")
    process = scribe("demo", str(own), "--notify", cwd=tmp_path)
    assert process.returncode == 0, process.stdout + process.stderr
    assert re.search(
        r"^msg_[0-9a-f]{8}\.\.\.  transcript\.done +会议\.wav +[1-9]", process.stdout, re.MULTILINE
    )
    assert "Every signature is valid; each recording has its notice." in process.stdout
    assert "whsec_" not in process.stdout


def test_results_folder_is_created_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    process = scribe("demo", "--results", "file/below", cwd=tmp_path, seconds=20)
    assert process.returncode == 1
    assert "--results" in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize(
    ("ending", "moment"),
    [(signal.SIGINT, "Local cloud at"), (signal.SIGTERM, "Local cloud at"), (signal.SIGINT, "✓ ")],
)
def test_interrupted_demo_stops_and_leaves_no_process(
    tmp_path: Path, ending: signal.Signals, moment: str
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
        assert any(line.startswith(moment) for line in process.stdout)
        process.send_signal(ending)
        output = process.stdout.read()
        assert process.wait(20) == 130
    assert "Stopped." in output
    assert "Traceback" not in output
    assert not list(tmp_path.glob("scribe-*/cloud"))


def test_invoke_prints_requests_and_result(tmp_path: Path) -> None:
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
            deadline = time.monotonic() + 60
            while True:
                process = scribe("invoke", "upload", str(ROOT / "events" / "cos-put.json"), cwd=tmp_path)
                if "already_done" in process.stdout or time.monotonic() > deadline:
                    break
                time.sleep(0.3)
            assert process.returncode == 0, process.stderr
            assert "already_done" in process.stdout
            assert "HEAD recordings-1250000000" in process.stdout
            unknown = scribe("invoke", "unknown", str(ROOT / "events" / "cos-put.json"), cwd=tmp_path)
            assert unknown.returncode == 1
            assert "upload, callback or sweep" in unknown.stderr
        finally:
            local.terminate()
            local.wait(20)


def test_invoke_without_a_local_cloud_says_how_to_start_one(tmp_path: Path) -> None:
    process = scribe("invoke", "upload", str(ROOT / "events" / "cos-put.json"), cwd=tmp_path)
    assert process.returncode == 1
    assert "scribe local" in process.stderr


def test_invoke_says_when_the_local_cloud_has_stopped(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # refuses connections: it does not listen
        ready = dict.fromkeys(("region", "appid", "secret_id", "secret_key"), "x")
        ready["endpoint"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        (tmp_path / "scribe-local").mkdir()
        (tmp_path / "scribe-local" / "ready.json").write_text(json.dumps(ready), "utf-8")
        process = scribe("invoke", "upload", str(ROOT / "events" / "cos-put.json"), cwd=tmp_path)
    assert process.returncode == 1
    assert "Is `scribe local --data scribe-local` running?" in process.stderr


def test_invoke_names_an_event_file_that_is_not_json(tmp_path: Path) -> None:
    process = scribe("invoke", "upload", str(ROOT / "README.md"), cwd=tmp_path)
    assert process.returncode == 1
    assert f"{ROOT / 'README.md'} is not a JSON event" in process.stderr


def test_version_is_printed(tmp_path: Path) -> None:
    process = scribe("--version", cwd=tmp_path)
    assert process.returncode == 0
    assert re.fullmatch(r"scribe \d+\.\d+\.\d+\n", process.stdout)


@pytest.mark.parametrize("command", ["demo", "local", "invoke", "deploy", "remove", "doctor", "policy"])
def test_command_list_has_one_line_per_command(command: str, tmp_path: Path) -> None:
    lines = scribe("--help", cwd=tmp_path, COLUMNS="80").stdout.splitlines()
    (number,) = [number for number, line in enumerate(lines) if re.match(rf"│ {command} ", line)]
    assert not lines[number + 1].startswith("│  ")


def test_make_help_lists_every_target() -> None:
    output = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert re.findall(r"^  make (\S+) +\S", output, re.MULTILINE) == phony.split()
    assert max(map(len, output.splitlines())) < 90


@pytest.mark.parametrize(
    ("arguments", "extras", "command"),
    [
        ((), "'.[cli,local]'", "scribe demo"),
        (("SPEECH=whisper",), "'.[cli,local,whisper,whisper-model]'", "scribe demo --speech whisper"),
    ],
)
def test_make_demo_installs_what_its_speech_needs(
    arguments: tuple[str, ...], extras: str, command: str
) -> None:
    # With a folder that does not exist every step is listed.
    make = subprocess.run(
        ["make", "--dry-run", "demo", "VENV=no-such-folder", *arguments],
        cwd=ROOT,
        # `make test` passes its own options and variables on.
        env={name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = make.stdout.splitlines()
    assert set(re.findall(r"--editable ('[^']*')", make.stdout)) == {extras}
    assert lines[-1] == f"no-such-folder/bin/{command}"


def test_missing_env_file_is_named_with_its_full_path(tmp_path: Path) -> None:
    variables = {
        "REGION": "ap-guangzhou",
        "INPUT_BUCKETS": "recordings-1250000000",
    }  # as of another deployment
    process = scribe("deploy", "--env-file", "prod.env", cwd=tmp_path, seconds=20, **variables)
    assert process.returncode == 1
    assert f"there is no file {tmp_path}/prod.env: copy .env.example" in process.stderr


def test_key_in_a_tracked_file_gives_a_warning_first(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TENCENT_SECRET_KEY=hush-hush\nENGIEN=16k_en\n", "utf-8")
    for words in (["init", "--quiet"], ["add", ".env"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    process = scribe("deploy", "--dry-run", cwd=tmp_path, seconds=20)
    warning, *_, engine = process.stderr.splitlines()
    assert warning.startswith("! git tracks .env, which holds TENCENT_SECRET_KEY: run `git rm --cached .env`")
    assert "did you mean ENGINE?" in engine
    assert "hush" not in process.stdout + process.stderr


def test_system_error_names_the_file(tmp_path: Path) -> None:
    blocked = tmp_path / "scribe-local"
    blocked.write_text("a file in the way", "utf-8")
    process = scribe("local", "--data", str(blocked), cwd=tmp_path, seconds=20)
    assert process.returncode == 1
    assert process.stderr == f"scribe: {blocked}: File exists\n"


def test_long_system_error_is_cut() -> None:
    error = shutil.Error([("from", "to", "[Errno 5] Input/output error")] * 200)
    assert len(format_error(error)) == MAX_MESSAGE_LENGTH + len("...")
    assert (
        format_error(OSError(18, "Invalid cross-device link", "a", None, "b"))
        == "a and b: Invalid cross-device link"
    )


def test_policy_gives_advice_when_the_account_is_unreachable(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        (tmp_path / ".env").write_text(
            "REGION=ap-guangzhou\nINPUT_BUCKETS=recordings-1250000000\nTENCENT_SECRET_ID=a\nTENCENT_SECRET_KEY=b\n"
            f"CLOUD_ENDPOINT=http://127.0.0.1:{listener.getsockname()[1]}\n"
        )
        created = scribe("policy", "--create-role", cwd=tmp_path, seconds=20)
        shown = scribe("policy", "upload", cwd=tmp_path, seconds=20)
    advice = "What to do: no usable response arrived: check the connection of this machine"
    assert (created.returncode, advice in created.stderr) == (1, True)
    assert (shown.returncode, advice in shown.stderr) == (0, True)
    assert "YOUR-ACCOUNT-UIN" in shown.stdout
