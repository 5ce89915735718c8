"""Which modules each function loads: a cold start pays for every one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.local.emulator import (
    CALLBACK_TOKEN,
    INPUT_BUCKET,
    OUTPUT_BUCKET,
    SETTINGS,
    Emulator,
    OperatorClients,
    start_emulator,
)
from cli.package import build
from shared.settings import DEFAULT_FORMATS
from shared.transcript import FORMATS
from tests.helpers.loopback import send_request

pytestmark = pytest.mark.process


def modules(folder: str, names: str) -> set[str]:
    return {folder} | {f"{folder}.{name}" for name in names.split()}


EVERY_FUNCTION = (
    {"certifi", "h11", "httpcore", "httpx", "idna", "xmltodict"}
    | modules("shared", "errors events logger messages settings")
    | modules("shared.options", "check choose ci combine engines model parse sidecar")
    | modules(
        "shared.tencent",
        "auth client clock cos hosts resolver speech speech_models speech_xml transport xml",
    )
    | modules(
        "shared.recordings",
        "changed_options content context failures filters index keys models options outputs proof receipt receipt_store"
        " sidecars submit",
    )
)
RESULTS = modules("shared.recordings", "complete supersede") | modules(
    "shared.transcript",
    "caption_limits caption_lines captions cue_runs formats formats.context formats.json_document formats.paragraphs"
    " models parser phrases text voices word_times",
)
FORMAT_MODULES = {name: f"shared.transcript.formats.{each.module}" for name, each in FORMATS.items()}
OWN = {
    "upload": {"upload", "shared.recordings.ingest"},
    "callback": {"callback", "shared.recordings.complete", "shared.events"} | RESULTS,
    "sweep": {"sweep"} | modules("shared.recordings", "ingest limiter resume sweep") | RESULTS,
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
response = module.main_handler(event, {"request_id": "r", "time_limit_in_ms": 60000})
print(json.dumps({"imported": imported, "loaded": loaded(), "response": response}))
"""


@dataclass
class Cloud:
    """A local cloud without functions, and the package; each cold start is its own process."""

    emulator: Emulator
    clients: OperatorClients
    package: Path

    def first_event(self, function: str, event: dict[str, Any], **settings: str) -> dict[str, Any]:
        environ = {**SETTINGS, **settings} | {
            "CLOUD_ENDPOINT": self.emulator.endpoint,
            "TENCENTCLOUD_SECRETID": self.emulator.secret_id,
            "TENCENTCLOUD_SECRETKEY": self.emulator.secret_key,
            "PYTHONPATH": str(self.package),
            "PYTHONDONTWRITEBYTECODE": "x",
        }
        words = [sys.executable, "-S", "-s", "-c", ONE_COLD_START, function, json.dumps(event)]
        words.append(f"{self.package}{os.sep}")
        process = subprocess.run(
            words, cwd=self.package, env=environ, capture_output=True, text=True, check=False
        )
        assert process.returncode == 0, process.stderr
        output: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
        return output


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    package = build(tmp_path_factory.mktemp("built") / "package", pythons=()).tree
    with start_emulator(tmp_path_factory.mktemp("cloud"), SETTINGS, ["--speech", "scripted"]) as emulator:
        clients = OperatorClients.for_emulator(emulator)
        clients.ensure_bucket(INPUT_BUCKET)
        clients.ensure_bucket(OUTPUT_BUCKET)
        clients.speech.enable_bucket(INPUT_BUCKET)
        yield Cloud(emulator, clients, package)


def test_function_loads_only_what_it_uses(cloud: Cloud) -> None:
    cloud.clients.cos.put(INPUT_BUCKET, "a.wav", b"speech " * 300)
    submitted = cloud.first_event("upload", build_event("a.wav"))
    (recording,) = submitted["response"]["recordings"]
    idle_url = f"{cloud.emulator.endpoint}/-/idle?timeout=20"
    assert send_request("GET", idle_url, headers=cloud.emulator.admin_headers).json() is True
    notified = cloud.first_event("callback", build_notification(recording["job_id"]))
    swept = cloud.first_event("sweep", {"Message": "reconcile"})

    assert recording["status"] == "submitted"
    assert notified["response"]["statusCode"] == 200
    assert f"transcripts/{recording['key']}.json" in [
        item.key for item in cloud.clients.cos.iter_objects(OUTPUT_BUCKET)
    ]
    assert swept["response"]["reconciled"] == {}
    for function, output in (("upload", submitted), ("sweep", swept), ("callback", notified)):
        expected = EVERY_FUNCTION | OWN[function]
        assert set(output["imported"]) == expected, function
        later = set(output["loaded"]) - expected
        if function != "callback":
            assert later == set(), function
    # The formats are loaded with the first transcript, and only those that are written.
    assert all(name.startswith("shared.transcript.") for name in later)
    loaded_formats = set(notified["loaded"]) & set(FORMAT_MODULES.values())
    assert loaded_formats == {FORMAT_MODULES[name] for name in DEFAULT_FORMATS}


def test_notices_are_loaded_only_with_a_target(cloud: Cloud) -> None:
    """SETTINGS has the variables of every target, each empty."""
    assert SETTINGS["NOTIFY_WEBHOOK"] == ""
    target = {"NOTIFY_WECOM": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1111-2222"}
    for settings, expected in (({}, False), (target, True)):
        output = cloud.first_event("sweep", {"Message": "reconcile"}, **settings)
        loaded = {
            name for name in output["loaded"] if "notice" in name or name.endswith((".announcer", ".outbox"))
        }
        assert ({"shared.recordings.announcer", "shared.notices.sender"} <= loaded) is expected
        assert bool(loaded) is expected, loaded
        assert not any("notice" in name for name in output["imported"])


def test_budget_is_loaded_only_with_its_setting(cloud: Cloud) -> None:
    modules_of_it = modules("shared.recordings", "budget usage") - {"shared.recordings"}
    for minutes in ("", "600"):
        cloud.clients.cos.put(INPUT_BUCKET, f"budget{minutes}.wav", b"speech " * 300)
        output = cloud.first_event("upload", build_event(f"budget{minutes}.wav"), MONTHLY_MINUTES=minutes)
        (recording,) = output["response"]["recordings"]
        assert recording["status"] == "submitted"
        assert set(output["loaded"]) & modules_of_it == (modules_of_it if minutes else set())


def build_event(key: str) -> dict[str, Any]:
    short, _, appid = INPUT_BUCKET.rpartition("-")
    url = f"http://{INPUT_BUCKET}.cos.ap-guangzhou.myqcloud.com/{key}"
    members = {
        "cosObject": {"url": url, "key": f"/{appid}/{short}/{key}"},
        "cosBucket": {"name": short, "appid": appid, "region": "gz"},
    }
    return {"Records": [{"cos": members, "event": {"eventName": "cos:ObjectCreated:Put"}}]}


def build_notification(job_id: str) -> dict[str, Any]:
    body = json.dumps({"JobsDetail": [{"JobId": job_id, "Input": {"BucketId": INPUT_BUCKET}}]})
    return {"path": f"/{CALLBACK_TOKEN}", "httpMethod": "POST", "body": body}
