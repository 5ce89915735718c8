"""What each function loads, by name: a cold start pays for every module, so nothing of another function's work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.local import CALLBACK_TOKEN, INPUT_BUCKET, OUTPUT_BUCKET, SETTINGS
from cli.operator import Operator
from cli.package import build
from cli.standin import Standin, running_standin

pytestmark = pytest.mark.process


def within(folder: str, names: str) -> set[str]:
    return {folder} | {f"{folder}.{name}" for name in names.split()}


EVERY_FUNCTION = (
    {"anyio", "certifi", "h11", "httpcore", "httpx", "idna", "xmltodict"}
    | within("shared", "errors events logger settings")
    | within(
        "shared.tencent",
        "auth client cos speech speech_models transport xml",
    )
    | within(
        "shared.recordings",
        "context failures ingest keys models options receipt_store",
    )
)
RESULTS = within("shared.recordings", "complete") | within(
    "shared.transcript",
    "captions formats formats.json_document formats.plain_text formats.srt formats.vtt models parser text",
)
OWN = {
    "upload": {"upload"},
    "callback": {"callback", "shared.recordings.complete", "shared.events"} | RESULTS,
    "sweep": {"sweep"} | within("shared.recordings", "sweep") | RESULTS,
}

ONE_COLD_START = """
import importlib, json, sys
name, event = sys.argv[1], json.loads(sys.argv[2])
module = importlib.import_module(name)

def loaded():
    paths = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
    ours = {name for name, path in paths.items() if path.startswith(sys.argv[3])}
    return sorted(name if name.split(".")[0] in ("shared", "upload", "callback", "sweep") else name.split(".")[0]
                  for name in ours)

imported = loaded()
answer = module.main_handler(event, {"request_id": "r", "time_limit_in_ms": 60000})
print(json.dumps({"imported": imported, "answered": loaded(), "answer": answer}))
"""


@dataclass
class Cloud:
    """A cloud without functions, and the package, of which each cold start is a process of its own."""

    standin: Standin
    operator: Operator
    package: Path

    def first_event(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        environ = SETTINGS | {
            "CLOUD_ENDPOINT": self.standin.endpoint,
            "TENCENTCLOUD_SECRETID": self.standin.secret_id,
            "TENCENTCLOUD_SECRETKEY": self.standin.secret_key,
            "PYTHONPATH": str(self.package),
            "PYTHONDONTWRITEBYTECODE": "x",
        }
        words = [sys.executable, "-S", "-s", "-c", ONE_COLD_START, function, json.dumps(event)]
        words.append(f"{self.package}{os.sep}")
        done = subprocess.run(
            words, cwd=self.package, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return told


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    package = build(tmp_path_factory.mktemp("built") / "package", pythons=()).tree
    with running_standin(tmp_path_factory.mktemp("cloud"), SETTINGS, ["--speech", "scripted"]) as standin:
        operator = Operator.of(standin)
        operator.make_bucket(INPUT_BUCKET)
        operator.make_bucket(OUTPUT_BUCKET)
        operator.speech.enable_bucket(INPUT_BUCKET)
        yield Cloud(standin, operator, package)


def test_function_loads_only_what_it_uses(cloud: Cloud) -> None:
    cloud.operator.cos.put(INPUT_BUCKET, "a.wav", b"speech " * 300)
    submitted = cloud.first_event("upload", uploaded("a.wav"))
    (recording,) = submitted["answer"]["recordings"]
    assert httpx.get(f"{cloud.standin.endpoint}/-/idle?timeout=20", trust_env=False).json() is True
    notified = cloud.first_event("callback", notification(recording["job_id"]))
    swept = cloud.first_event("sweep", {"Message": "reconcile"})

    assert recording["status"] == "submitted"
    assert notified["answer"]["statusCode"] == 200
    assert f"transcripts/{recording['key']}.json" in [
        item.key for item in cloud.operator.cos.iter_objects(OUTPUT_BUCKET)
    ]
    assert swept["answer"]["reconciled"] == {}
    for function, told in (("upload", submitted), ("callback", notified), ("sweep", swept)):
        whole = EVERY_FUNCTION | OWN[function]
        assert set(told["imported"]) == whole, function
        assert set(told["answered"]) == whole, function


def uploaded(key: str) -> dict[str, Any]:
    short, _, appid = INPUT_BUCKET.rpartition("-")
    url = f"http://{INPUT_BUCKET}.cos.ap-guangzhou.myqcloud.com/{key}"
    about = {
        "cosObject": {"url": url, "key": f"/{appid}/{short}/{key}"},
        "cosBucket": {"name": short, "appid": appid, "region": "gz"},
    }
    return {"Records": [{"cos": about, "event": {"eventName": "cos:ObjectCreated:Put"}}]}


def notification(job_id: str) -> dict[str, Any]:
    body = json.dumps({"JobsDetail": [{"JobId": job_id, "Input": {"BucketId": INPUT_BUCKET}}]})
    return {"path": f"/{CALLBACK_TOKEN}", "httpMethod": "POST", "body": body}
