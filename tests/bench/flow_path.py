"""How many files and functions of the product one event passes: `python -m tests.bench.flow_path` prints a table.

Runs the handlers in this process against the local cloud and records each function of `handlers/` and `shared/` that
is entered. Each event is run once before, so that imports and caches do not count. The table goes to standard error,
because the handlers log to standard output.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

from cli.local.emulator import (
    CALLBACK_TOKEN,
    INPUT_BUCKET,
    OUTPUT_BUCKET,
    SETTINGS,
    Emulator,
    OperatorClients,
    start_emulator,
)
from handlers import callback, sweep, upload

ROOT = Path(__file__).resolve().parents[2]
PRODUCT_FOLDERS = tuple(f"{ROOT / name}{os.sep}" for name in ("handlers", "shared"))
CONTEXT = {"request_id": "flow-path", "time_limit_in_ms": 60_000}
FORMATS = "json,txt,srt,vtt,html"
IDLE_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class FlowPath:
    """What one event entered: `calls` counts by file and function."""

    calls: Counter[tuple[str, str]]
    file_changes: int

    @property
    def files(self) -> int:
        """Count the files of the product."""
        return len({file for file, _ in self.calls})

    def as_row(self, name: str) -> str:
        """Format the row of a Markdown table."""
        total = sum(self.calls.values())
        return f"| {name} | {self.files} | {len(self.calls)} | {total} | {self.file_changes} |"


def record(run: Callable[[], object]) -> FlowPath:
    """Run a function and record which functions of the product it enters."""
    calls: Counter[tuple[str, str]] = Counter()
    file_changes = 0
    last_file = ""

    def profile(frame: FrameType, event: str, _: Any) -> None:
        nonlocal file_changes, last_file
        file = frame.f_code.co_filename
        if event != "call" or not file.startswith(PRODUCT_FOLDERS):
            return
        function = f"{frame.f_code.co_name}:{frame.f_code.co_firstlineno}"
        calls[os.path.relpath(file, ROOT), function] += 1
        file_changes += file != last_file
        last_file = file

    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(None)
    return FlowPath(calls, file_changes)


@contextmanager
def running_cloud() -> Iterator[tuple[Emulator, OperatorClients]]:
    """Start a local cloud with two buckets and a queue that notifies no one."""
    with (
        tempfile.TemporaryDirectory() as folder,
        start_emulator(Path(folder), SETTINGS, ["--speech", "scripted"]) as emulator,
    ):
        operator = OperatorClients.for_emulator(emulator)
        operator.ensure_bucket(INPUT_BUCKET)
        operator.ensure_bucket(OUTPUT_BUCKET)
        operator.speech.enable_bucket(INPUT_BUCKET)
        yield emulator, operator


def upload_event(key: str) -> Mapping[str, Any]:
    """Build the COS event of an upload."""
    name, _, appid = INPUT_BUCKET.rpartition("-")
    cos = {
        "cosObject": {
            "url": f"http://{INPUT_BUCKET}.cos.ap-guangzhou.myqcloud.com/{key}",
            "key": f"/{appid}/{name}/{key}",
        },
        "cosBucket": {"name": name, "appid": appid, "region": "gz"},
    }
    return {"Records": [{"cos": cos, "event": {"eventName": "cos:ObjectCreated:Put"}}]}


def notification_event(job_id: str) -> Mapping[str, Any]:
    """Build the function-URL event of a notification."""
    body = (
        "<Response><EventName>TaskFinish</EventName><JobsDetail>"
        f"<JobId>{job_id}</JobId><State>Success</State>"
        f"<Input><BucketId>{INPUT_BUCKET}</BucketId></Input></JobsDetail></Response>"
    )
    return {"path": f"/{CALLBACK_TOKEN}", "httpMethod": "POST", "body": body}


def measure(emulator: Emulator, operator: OperatorClients, key: str) -> dict[str, FlowPath]:
    """Run the four events of one recording and record each. The recording ends with its transcripts written."""
    operator.cos.put(INPUT_BUCKET, key, b"speech " * 300)
    paths = {"upload": record(lambda: upload.main_handler(upload_event(key), CONTEXT))}
    with httpx.Client(
        base_url=f"{emulator.endpoint}/-/", headers=emulator.admin_headers, trust_env=False, timeout=60
    ) as client:
        assert client.get(f"idle?timeout={IDLE_TIMEOUT_S}").json() is True
        jobs = client.get("jobs").json()
    event = notification_event(jobs[-1]["job_id"])
    paths["notification, 5 formats"] = record(lambda: callback.main_handler(event, CONTEXT))
    paths["redelivered event"] = record(lambda: upload.main_handler(upload_event(key), CONTEXT))
    paths["idle sweep"] = record(lambda: sweep.main_handler({"Message": "reconcile"}, CONTEXT))
    keys = json.dumps(operator_keys(operator))
    assert f"transcripts/{key}.vtt" in keys
    assert ".scribe/open" not in keys
    return paths


def operator_keys(operator: OperatorClients) -> list[str]:
    """List the keys of the output bucket."""
    return [item.key for item in operator.cos.iter_objects(OUTPUT_BUCKET)]


def main() -> None:
    """Print the table."""
    with running_cloud() as (emulator, operator):
        os.environ |= SETTINGS | {
            "FORMATS": FORMATS,
            "CLOUD_ENDPOINT": emulator.endpoint,
            "TENCENTCLOUD_SECRETID": emulator.secret_id,
            "TENCENTCLOUD_SECRETKEY": emulator.secret_key,
        }
        measure(emulator, operator, "warm-up.wav")
        paths = measure(emulator, operator, "a.wav")
    sys.stderr.write("Product code entered by one event (handlers/ and shared/):\n\n")
    rows = [
        "| event | files | functions | calls | file changes |",
        "|---|---|---|---|---|",
        *(path.as_row(name) for name, path in paths.items()),
    ]
    sys.stderr.write("\n".join(rows) + "\n")
    for name, path in paths.items():
        sys.stderr.write(f"\n{name}: {', '.join(sorted({file for file, _ in path.calls}))}\n")


if __name__ == "__main__":
    main()
