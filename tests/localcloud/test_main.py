"""The stand-in as a process: start, ready line, admin pages, clean stop."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]


def test_stand_in_starts_fast(start_cloud: Callable[..., Any]) -> None:
    start_cloud()
    # The limit is twice the promise of one second: other tests share the processors.
    assert min(start_cloud(folder=f"again-{number}").started_in_s for number in range(2)) < 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_it_cleanly(start_cloud: Callable[..., Any], number: int) -> None:
    cloud = start_cloud()
    assert json.loads((cloud.folder / "ready.json").read_text())["pid"] == cloud.process.pid
    with httpx.Client(base_url=cloud.endpoint, trust_env=False) as client:
        client.get("/-/health")  # a kept-alive connection must not delay the stop
        started_s = time.monotonic()
        assert cloud.stop(number) == 0
        assert time.monotonic() - started_s < 5
    assert not (cloud.folder / "ready.json").exists()
    assert cloud.log() == ""


def test_ready_line_has_what_clients_need(start_cloud: Callable[..., Any]) -> None:
    cloud = start_cloud(
        "--region", "eu-frankfurt", "--appid", "1259999999", "--secret-id", "AKIDMINE", "--secret-key", "mine"
    )
    ready = json.loads((cloud.folder / "ready.json").read_text())
    assert ready == {
        "endpoint": cloud.endpoint,
        "region": "eu-frankfurt",
        "appid": "1259999999",
        "secret_id": "AKIDMINE",
        "secret_key": "mine",
        "functions": {},
        "pid": cloud.process.pid,
    }


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is an address of this machine on Linux only")
def test_listens_on_loopback_only(start_cloud: Callable[..., Any]) -> None:
    port = int(start_cloud().endpoint.rpartition(":")[2])
    with socket.socket() as elsewhere:
        # The port is free on the other addresses, or this would fail.
        elsewhere.bind(("127.0.0.2", port))


def test_port_in_use_is_one_line_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [
            sys.executable,
            "-m",
            "localcloud",
            "--port",
            str(taken.getsockname()[1]),
            "--data",
            str(tmp_path),
        ]
        completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr.startswith("localcloud cannot start: ")
    assert completed.stderr.count("\n") == 1


def test_data_folder_is_locked(start_cloud: Callable[..., Any]) -> None:
    cloud = start_cloud()
    command = [sys.executable, "-m", "localcloud", "--data", str(cloud.folder)]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert (completed.returncode, completed.stdout) == (1, "")
    assert "is used by another stand-in" in completed.stderr
    assert completed.stderr.count("\n") == 1
    assert cloud.admin("GET", "health")["status"] == "ok"


def test_objects_survive_a_kill(start_cloud: Callable[..., Any], make_raw: Callable[..., Any]) -> None:
    first = start_cloud()
    host = first.bucket_host(f"b-{first.appid}")
    raw = make_raw(first)
    raw.send("PUT", host)
    for number in range(20):
        raw.send("PUT", host, f"/calls/{number}", body=str(number).encode())
    (first.folder / "incoming" / ("0" * 32)).write_bytes(b"half a body")
    first.process.kill()
    first.process.wait()
    first.process.stdout.close()
    second = start_cloud()
    again = make_raw(second)
    for number in range(20):
        assert again.send("GET", host, f"/calls/{number}").content == str(number).encode()
    assert not list((second.folder / "incoming").iterdir())


def test_versioned_option_creates_buckets(
    start_cloud: Callable[..., Any], make_sdk: Callable[..., Any]
) -> None:
    cloud = start_cloud("--versioned", "state", "other")
    sdk = make_sdk(cloud)
    for name in ("state", "other"):
        assert sdk.get_bucket_versioning(f"{name}-{cloud.appid}")["Status"] == "Enabled"


def test_every_request_is_in_the_access_log(cloud: Any, raw: Any, bucket: str) -> None:
    before = max((row["number"] for row in cloud.admin("GET", "requests")), default=0)
    key = cloud.admin("POST", "keys")
    raw.send("PUT", cloud.bucket_host(bucket), "/a b", {}, {}, b"hello")
    raw.send("GET", cloud.ci_host(bucket), "/asrqueue", {"state": "Nonsense"})
    raw.send("GET", cloud.bucket_host(bucket), secret_id=key["secret_id"], secret_key="wrong")
    rows = cloud.admin("GET", f"requests?since={before}")
    requests = [
        (row["method"], row["path"], row["query"], row["status"], row["code"], row["body_bytes"])
        for row in rows
    ]
    assert requests == [
        ("PUT", "/a b", "", 200, "", 5),
        ("GET", "/asrqueue", "state=Nonsense", 400, "InvalidArgument", 0),
        ("GET", "/", "", 403, "AccessDenied", 0),
    ]
    assert [row["secret_id"] for row in rows] == [cloud.secret_id, cloud.secret_id, ""]
    assert rows[0]["host"] == cloud.bucket_host(bucket)


def test_admin_pages_are_on_both_loopback_names(cloud: Any, raw: Any) -> None:
    before = cloud.admin("GET", "invocations")
    for name in ("127.0.0.1", "localhost"):
        assert raw.target("GET", "/-/health", {"host": name}).json() == {"status": "ok"}
    assert raw.target("GET", "/", {"host": "localhost"}).status_code == 404
    assert raw.target("POST", "/-/timer/none", {"host": "localhost"}).status_code == 404
    assert raw.target("POST", "/-/functions/none/invoke", {"host": "localhost"}).status_code == 404
    assert raw.target("POST", "/-/ai_bucket/none", {"host": "localhost"}).status_code == 404
    assert cloud.admin("GET", "invocations") == before


def test_idle_cloud_reports_true(cloud: Any) -> None:
    assert cloud.admin("GET", "idle?timeout=20") is True
