"""`scribe console` as it is typed: a recording is uploaded, followed, read, heard, and the console ends at Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.local.emulator import CALLBACK_TOKEN, INPUT_BUCKET
from tests.helpers.account import Account
from tests.helpers.flow import Flow
from tests.helpers.loopback import open_client

pytestmark = pytest.mark.process

KEY = "控制台/<b>interview</b> 1.wav"
NAME = {"bucket": INPUT_BUCKET, "key": KEY}


@pytest.fixture
def process(flow: Flow, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / ".env").write_text(f"CALLBACK_TOKEN={CALLBACK_TOKEN}\n", "utf-8")
    account = Account(flow.pipeline.emulator, tmp_path)
    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", "console", "--write", "--no-open"],
        cwd=tmp_path,
        env=account.process_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def iter_events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in response.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def test_recording_is_uploaded_followed_read_and_heard(flow: Flow, process: subprocess.Popen[str]) -> None:
    assert process.stdout
    address = process.stdout.readline().strip()
    origin = address.partition("/?token=")[0]
    body = b"speech for the console " * 20_000
    with open_client(base_url=origin, timeout=60) as page:
        assert page.get(address).status_code == 303
        with page.stream("GET", "/api/events") as stream:
            events = iter_events(stream)
            assert next(events)[0] == "changed"
            upload = page.put("/api/upload", params=NAME, content=body, headers={"Origin": origin})
            assert upload.status_code == 201, upload.text
            phases = []
            while "done" not in phases:
                name, data = next(events)
                assert name == "changed"
                phases += [row["phase"] for row in data["rows"] if row["key"] == KEY]
            assert phases[0] == "uploaded"
            transcript = page.get("/api/transcript", params=NAME).json()
            assert [each["text"] for each in transcript["sentences"]] == [
                each["text"] for each in flow.transcript(KEY)["sentences"]
            ]
            sound = page.get(transcript["sound"], headers={"Range": "bytes=7-9"})
            assert (sound.status_code, sound.content) == (206, body[7:10])
            # Ctrl-C with an open stream of events.
            process.send_signal(signal.SIGINT)
            assert list(events) is not None
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert address.partition("token=")[2] not in output
