"""The stand-in as a process: start, ready line, admin pages, clean stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.loopback import open_client
from tests.localcloud.clients import MakeRaw, MakeSdk
from tests.localcloud.stand_in import ROOT, StartCloud, eventually, get_start_error

pytestmark = pytest.mark.process

COMMAND = (sys.executable, "-m", "localcloud", "--port", "0")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the processor time from /proc")
def test_stand_in_starts_fast(start_cloud: StartCloud) -> None:
    start_cloud()
    # Processor time, because other tests share the processors; twice the promise of one second.
    cloud = start_cloud(folder="measured")
    user, system = Path(f"/proc/{cloud.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    assert (int(user) + int(system)) / os.sysconf("SC_CLK_TCK") < 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_it_cleanly(start_cloud: StartCloud, number: int) -> None:
    cloud = start_cloud()
    assert cloud.ready()["pid"] == cloud.process.pid
    with open_client(base_url=cloud.endpoint) as client:
        client.get(
            "/-/health", headers=cloud.admin_headers
        )  # a kept-alive connection must not delay the stop
        started_s = time.monotonic()
        assert cloud.stop(number) == 0
        assert time.monotonic() - started_s < 5
    assert not (cloud.folder / "ready.json").exists()
    assert cloud.log() == ""


def test_it_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--until-stdin-closes", "--data", str(tmp_path / "data"), "--speech", "scripted"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    with process.stdout:
        assert json.loads(process.stdout.readline())["pid"] == process.pid
        process.stdin.close()
        assert process.wait(10) == 0
    assert not (tmp_path / "data" / "ready.json").exists()


def test_signal_stops_it_while_the_speech_model_loads(tmp_path: Path) -> None:
    # Every Python process below waits when it starts; the stand-in itself only at the recognition process.
    (tmp_path / "sitecustomize.py").write_text(
        "import pathlib, sys, time\n"
        "if 'localcloud.speech.worker' in sys.orig_argv:\n"
        f"    pathlib.Path({str(tmp_path)!r}, 'loading').touch()\n"
        "    time.sleep(50)\n"
    )
    process = subprocess.Popen(
        [*COMMAND, "--data", str(tmp_path / "data"), "--speech", "pocketsphinx"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    eventually((tmp_path / "loading").exists)
    started_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert time.monotonic() - started_s < 10


def test_ready_line_has_what_clients_need(start_cloud: StartCloud) -> None:
    cloud = start_cloud(
        "--region", "eu-frankfurt", "--appid", "1259999999", "--secret-id", "AKIDMINE", "--secret-key", "mine"
    )
    assert cloud.ready() == {
        "endpoint": cloud.endpoint,
        "region": "eu-frankfurt",
        "appid": "1259999999",
        "secret_id": "AKIDMINE",
        "secret_key": "mine",
        "admin_secret": cloud.admin_secret,
        "functions": {},
        "pid": cloud.process.pid,
    }


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is an address of this machine on Linux only")
def test_listens_on_loopback_only(start_cloud: StartCloud) -> None:
    port = int(start_cloud().endpoint.rpartition(":")[2])
    with socket.socket() as other_address:
        # The port is free on the other addresses, or this would fail.
        other_address.bind(("127.0.0.2", port))


def test_port_in_use_is_one_line_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        error = get_start_error(tmp_path, "--port", str(taken.getsockname()[1]))
    assert error.startswith("localcloud cannot start: ")
    assert error.count("\n") == 1


def test_data_folder_is_locked(start_cloud: StartCloud) -> None:
    cloud = start_cloud()
    error = get_start_error(cloud.folder)
    assert "is used by another stand-in" in error
    assert error.count("\n") == 1
    assert cloud.admin("GET", "health")["status"] == "ok"


def test_objects_survive_a_kill(start_cloud: StartCloud, make_raw: MakeRaw) -> None:
    first = start_cloud()
    host = first.bucket_host(f"b-{first.appid}")
    raw = make_raw(first)
    raw.send("PUT", host)
    for number in range(20):
        raw.send("PUT", host, f"/calls/{number}", body=str(number).encode())
    (first.folder / "incoming" / ("0" * 32)).write_bytes(b"half a body")
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    second = start_cloud()
    raw = make_raw(second)
    for number in range(20):
        assert raw.send("GET", host, f"/calls/{number}").content == str(number).encode()
    assert not list((second.folder / "incoming").iterdir())


def test_versioned_option_creates_buckets(start_cloud: StartCloud, make_sdk: MakeSdk) -> None:
    cloud = start_cloud("--versioned", "state", "other")
    sdk = make_sdk(cloud)
    for name in ("state", "other"):
        assert sdk.get_bucket_versioning(f"{name}-{cloud.appid}")["Status"] == "Enabled"
