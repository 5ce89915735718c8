"""`scribe list` and `why` as processes: exit statuses, Ctrl-C, a key without permissions, a cloud that is gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.local.emulator import (
    APPID,
    INPUT_BUCKET,
    OUTPUT_BUCKET,
    REGION,
    Emulator,
    OperatorClients,
    start_emulator,
)
from shared.recordings.receipt import Recording
from tests.helpers.explain import ROOT
from tests.helpers.loopback import send_request
from tests.helpers.receipts import build_receipt

OTHER_BUCKET = f"calls-{APPID}"
OPTIONS = ["--region", REGION, "--appid", APPID, "--speech", "scripted"]

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A cloud with one open recording in each of two buckets, which keep their receipts themselves."""
    with start_emulator(tmp_path_factory.mktemp("cloud"), {}, OPTIONS) as emulator:
        clients = OperatorClients.for_emulator(emulator)
        for bucket in (INPUT_BUCKET, OTHER_BUCKET, OUTPUT_BUCKET):
            clients.ensure_bucket(bucket)
            receipt = build_receipt(Recording(bucket, "a.mp3", "0" * 32, 9), region=REGION, job_id="s1")
            clients.cos.put(bucket, f".scribe/open/{receipt.id}", receipt.to_json())
        yield emulator


def start(cloud: Emulator, folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    environ = {
        "REGION": REGION,
        "INPUT_BUCKETS": INPUT_BUCKET,
        "CLOUD_ENDPOINT": cloud.endpoint,
        "TENCENT_SECRET_ID": cloud.secret_id,
        "TENCENT_SECRET_KEY": cloud.secret_key,
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "COLUMNS": "80",
        **variables,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def run(cloud: Emulator, folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Return the exit status, standard output and standard error."""
    with start(cloud, folder, *arguments, **variables) as process:
        output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def list_requests(cloud: Emulator, since: int = 0) -> list[dict[str, Any]]:
    url = f"{cloud.endpoint}/-/requests?since={since}"
    rows: list[dict[str, Any]] = send_request("GET", url, headers=cloud.admin_headers).json()
    return rows


def wait_for_poll(cloud: Emulator, since: int) -> None:
    """Wait until open receipts were listed twice: what was there is printed, and changes are waited for."""
    deadline = time.monotonic() + 60
    while sum("open" in row["query"] for row in list_requests(cloud, since)) < 2:
        assert time.monotonic() < deadline, "no second listing"
        time.sleep(0.05)


LINE = "open     2026-11-10 08:40          a.mp3  job s1 was submitted\n"


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_watch_ends_on_ctrl_c_without_a_stack_trace(
    signal_number: signal.Signals, cloud: Emulator, tmp_path: Path
) -> None:
    number = list_requests(cloud)[-1]["number"]
    with start(cloud, tmp_path, "list", "-w") as process:
        wait_for_poll(cloud, number)
        process.send_signal(signal_number)
        output, errors = process.communicate(timeout=60)
    assert output.endswith(f"{LINE}1 open.\n\nStopped.\n")
    assert (process.returncode, errors) == (130, "")


def test_watch_for_programs_prints_nothing_but_objects(cloud: Emulator, tmp_path: Path) -> None:
    number = list_requests(cloud)[-1]["number"]
    with start(cloud, tmp_path, "list", "-w", "--json") as process:
        wait_for_poll(cloud, number)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert [json.loads(line)["key"] for line in output.splitlines()] == ["a.mp3"]
    assert (process.returncode, errors) == (130, "")


def test_exit_statuses_are_those_of_the_contract(cloud: Emulator, tmp_path: Path) -> None:
    status, output, errors = run(cloud, tmp_path, "list", "none/")
    assert (status, errors) == (0, "")
    assert output.startswith("Scribe knows no recording with a key that begins with none/.")
    assert run(cloud, tmp_path, "list", "none/", "--json") == (0, "[]\n", "")
    unknown = f"scribe: others-1 is not in INPUT_BUCKETS, which has {INPUT_BUCKET}\n"
    assert run(cloud, tmp_path, "list", "--bucket", "others-1") == (1, "", unknown)
    assert run(cloud, tmp_path, "why", "a.mp3", "--bucket", "others-1") == (1, "", unknown)
    status, output, errors = run(cloud, tmp_path, "why", "none.mp3")
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith(f"scribe: none.mp3 is not known: {INPUT_BUCKET} has no such object")
    status, output, _ = run(cloud, tmp_path, "why", "a.mp3", "--json")
    assert (status, json.loads(output)["state"]) == (0, "open")
    for arguments in (("list", "--since", "soon"), ("list", "--state", "lost"), ("why",)):
        status, output, errors = run(cloud, tmp_path, *arguments)
        assert (status, output) == (2, "")
        assert "Traceback" not in errors


def test_key_may_lack_permissions_for_one_of_several_buckets(cloud: Emulator, tmp_path: Path) -> None:
    resource = f"qcs::cos:{REGION}:uid/{APPID}:{INPUT_BUCKET}/*"
    key = create_key(cloud, {"effect": "allow", "action": "*", "resource": resource})
    buckets = {"INPUT_BUCKETS": f"{INPUT_BUCKET},{OTHER_BUCKET}", **key}
    status, output, errors = run(cloud, tmp_path, "list", **buckets)
    assert status == 1
    assert f"open     2026-11-10 08:40          {INPUT_BUCKET}  a.mp3" in output
    assert errors.startswith(f"scribe: {OTHER_BUCKET} is not in this list: {OTHER_BUCKET}/: 403 AccessDenied")
    assert "`scribe policy operator` prints what the key of the account needs" in errors
    assert errors.count("\n") == 1
    status, output, errors = run(cloud, tmp_path, "list", "--json", **buckets)
    assert (status, len(json.loads(output)), errors.count("\n")) == (1, 1, 1)
    status, output, errors = run(cloud, tmp_path, "why", "a.mp3", "--bucket", OTHER_BUCKET, **buckets)
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert "403" in errors


def create_key(cloud: Emulator, statement: dict[str, Any]) -> dict[str, str]:
    """Create a key with this permission. Return it as variables of the environment."""
    policy = {"version": "2.0", "statement": [statement]}
    url = f"{cloud.endpoint}/-/keys"
    key = send_request("POST", url, json={"policies": [policy]}, headers=cloud.admin_headers).json()
    return {
        "TENCENT_SECRET_ID": key["secret_id"],
        "TENCENT_SECRET_KEY": key["secret_key"],
        "TENCENT_TOKEN": key["token"],
    }


def test_cloud_that_does_not_answer_is_one_line(cloud: Emulator, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        for arguments in (("list",), ("list", "--json"), ("why", "a.mp3")):
            status, output, errors = run(cloud, tmp_path, *arguments, CLOUD_ENDPOINT=endpoint)
            assert (status, output, errors.count("\n")) == (1, "", 1)
            assert errors.startswith("scribe: ")
