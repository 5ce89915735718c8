"""An upload event with two records, in a process with a standard output that takes no line as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cli.local.emulator import (
    INPUT_BUCKET,
    OUTPUT_BUCKET,
    REGION,
    SETTINGS,
    Emulator,
    OperatorClients,
    start_emulator,
)
from tests.helpers.flow import Flow
from tests.helpers.outputs import FULL_DISK, run_python
from tests.helpers.pipeline import enable_speech

pytestmark = pytest.mark.process

INGEST = """
import json, os, sys
from handlers.upload import main_handler
returned = main_handler(json.loads(sys.argv[1]), {"request_id": "r1", "time_limit_in_ms": 30_000})
sys.stderr.write(json.dumps(returned))
sys.stderr.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A stand-in cloud that runs no function itself."""
    data = tmp_path_factory.mktemp("cloud")
    with start_emulator(
        data, {}, ["--region", REGION, "--speech", "scripted", "--settle-ms", "0"]
    ) as running:
        clients = OperatorClients.for_emulator(running)
        for bucket in (INPUT_BUCKET, OUTPUT_BUCKET):
            clients.ensure_bucket(bucket)
        enable_speech(clients, INPUT_BUCKET, "http://127.0.0.1:9/no-callback-here")
        yield running


@pytest.mark.parametrize("output", ["ascii", "latin-1", "utf-8", "closed", "full", "gone"])
def test_both_records_of_an_event_are_taken_whatever_the_output(emulator: Emulator, output: str) -> None:
    if output == "full" and not FULL_DISK.exists():
        pytest.skip("this system has no /dev/full")
    clients = OperatorClients.for_emulator(emulator)
    keys = [f"{output}/第一 é.mp3", f"{output}/第二.mp3"]
    for key in keys:
        clients.cos.put(INPUT_BUCKET, key, key.encode())
    records = [record for key in keys for record in Flow.build_event(key)["Records"]]
    environ = {
        **SETTINGS,
        "CLOUD_ENDPOINT": emulator.endpoint,
        "TENCENTCLOUD_SECRETID": emulator.secret_id,
        "TENCENTCLOUD_SECRETKEY": emulator.secret_key,
    }
    completed = run_python(INGEST, json.dumps({"Records": records}), output=output, environ=environ)
    assert completed.returncode == 0, completed.stderr
    results = json.loads(completed.stderr)["recordings"]
    assert [(result["key"], result["status"]) for result in results] == [(key, "submitted") for key in keys]
