"""`scribe local` as its user sees it: blocks that work as printed, a line for everything that happens, its port."""

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.checkout import copy_checkout

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[3]
SCRIBE = (sys.executable, "-m", "cli.main", "local")
TIMEOUT_S = 60.0


class RunningLocal:
    """A running `scribe local` whose output goes to a file."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process, self._output = process, output

    def read(self) -> str:
        return self._output.read_text("utf-8")

    def wait_for(self, text: str) -> str:
        """Wait until a text is in the output; return the output."""
        deadline = time.monotonic() + TIMEOUT_S
        while text not in self.read():
            assert self._process.poll() is None, self.read()
            assert time.monotonic() < deadline, self.read()
            time.sleep(0.05)
        return self.read()

    def get_block(self, client: str) -> str:
        """Return the printed lines from the title of a client to the next empty line."""
        match = re.search(rf"^# {re.escape(client)}.*?(?=\n\n)", self.read(), re.DOTALL | re.MULTILINE)
        assert match, self.read()
        return match[0]

    def stop(self) -> int:
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(20)


@contextmanager
def run_local(folder: Path, *arguments: str, checkout: Path = ROOT) -> Iterator[RunningLocal]:
    output = folder / "output.txt"
    environ = {**os.environ, "PYTHONPATH": str(checkout), "COLUMNS": "80"}
    with (
        output.open("wb") as file,
        subprocess.Popen(
            [*SCRIBE, *arguments], cwd=folder, env=environ, stdout=file, stderr=subprocess.STDOUT
        ) as process,
    ):
        local = RunningLocal(process, output)
        try:
            local.wait_for("Ctrl-C stops the local cloud.")
            yield local
        finally:
            if process.poll() is None:
                process.kill()


def run_shell(block: str, cwd: Path) -> None:
    process = subprocess.run(
        ["sh", "-e", "-c", block], cwd=cwd, capture_output=True, text=True, check=False, timeout=60
    )
    assert process.returncode == 0, process.stdout + process.stderr


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_rules_of_the_checkout_apply_to_uploads(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    (checkout / "rules.yml").write_text("rules:\n- match: welcome.wav\n  title: By rule\n", "utf-8")
    with run_local(checkout, checkout=checkout) as local:
        assert "rules.yml: 1 rule, from " in local.read()
        local.wait_for("✓ welcome.wav (")
        [transcript] = (checkout / "scribe-local/buckets").glob("transcripts-*/transcripts/welcome.wav.json")
        document = json.loads(transcript.read_text("utf-8"))
        assert (document["title"], document["options"]["title"]["source"]) == ("By rule", "rules.yml line 2")


@pytest.mark.timeout(300)  # two starts of the whole pipeline
def test_printed_blocks_upload_and_every_result_is_printed(tmp_path: Path) -> None:
    port = find_free_port()
    with run_local(tmp_path, "--port", str(port)) as local:
        assert f"Local cloud at http://127.0.0.1:{port}, data in scribe-local." in local.read()
        assert f"  scribe local --data scribe-local --port {port}\n" in local.read()
        # The printed text, as it is.
        sdk = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", local.get_block("Tencent's Python SDK")],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert sdk.returncode == 0, sdk.stderr
        if shutil.which("curl"):
            run_shell(local.get_block("curl"), tmp_path)
            local.wait_for("✓ curl/welcome.wav (")
        if shutil.which("coscmd"):
            run_shell(local.get_block("coscmd"), tmp_path)
            local.wait_for("✓ coscmd/welcome.wav (")
        local.wait_for("✓ sdk/welcome.wav (")
        local.wait_for("✗ not-audio.mp3 (")
        output = local.wait_for("✓ silence.wav (")
        lines = output.splitlines()
        uploaded = lines.index("↑ sdk/welcome.wav uploaded")
        result = next(line for line in lines[uploaded:] if line.startswith("✓ sdk/welcome.wav ("))
        assert re.fullmatch(r".* \(\d+\.\d s\): 11 words in 4\.2 s of audio", result)
        (error,) = [line for line in lines if line.startswith("✗ ")]
        assert error.endswith("; see transcripts-1250000000/transcripts/not-audio.mp3.error.json")
        key = re.search(r"secret key (\w+)", output)
        assert local.stop() == 130
    # The same address and key again; what is there already is not uploaded again.
    with run_local(tmp_path, "--port", str(port)) as again:
        output = again.wait_for("are there from an earlier start.")
        assert key
        assert f"http://127.0.0.1:{port}," in output
        assert key[0] in output
        run_shell(again.get_block("curl"), tmp_path)
        output = again.wait_for("- curl/welcome.wav: transcribed before, nothing to do")
        assert "↑ welcome.wav" not in output
        assert again.stop() == 130


def test_port_that_is_taken_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        process = subprocess.run(
            [*SCRIBE, "--port", str(port)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert process.returncode == 1
    assert process.stdout == ""
    assert process.stderr == (
        f"scribe: port {port} is taken by another program, perhaps another `scribe local`: stop it, "
        "or choose another port with --port\n"
    )
