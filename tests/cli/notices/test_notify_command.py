"""`scribe notify` as a user types it: exit statuses, and the state in the bucket of the stand-in cloud."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local.emulator import Emulator, OperatorClients, start_emulator
from cli.manifest.loader import load_manifest
from cli.policy.documents import deployer_policy
from cli.policy.permissions import load_function_settings, scope_from_settings
from shared.notices.delivery import Delivery, TargetState, delivery_key, target_state_key
from tests.helpers.loopback import send_request
from tests.helpers.notices import NOW_S, OK, SECRET, build_notice, build_target, run_receiver

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[3]
BUCKET, REGION, PREFIX = "recordings-1250000000", "ap-guangzhou", ".scribe/"
DEPLOYMENT = "ap-guangzhou/default/scribe-prod-scribe-"  # as the functions name it
URL = "https://hooks.example.com/secret-path"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    arguments = ["--speech", "scripted", "--region", REGION, "--appid", "1250000000"]
    with start_emulator(tmp_path_factory.mktemp("cloud"), {}, arguments) as running:
        OperatorClients.for_emulator(running).ensure_bucket(BUCKET)
        yield running


class Folder:
    """A folder with a .env file, in which the command runs."""

    def __init__(self, folder: Path, emulator: Emulator, **settings: str) -> None:
        self.folder = folder
        values = {
            "REGION": REGION,
            "INPUT_BUCKETS": BUCKET,
            "CLOUD_ENDPOINT": emulator.endpoint,
            "TENCENT_SECRET_ID": emulator.secret_id,
            "TENCENT_SECRET_KEY": emulator.secret_key,
            **settings,
        }
        (folder / "a.env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TENCENT", "SCRIBE", "NOTIFY"))
        }
        process = subprocess.run(
            [sys.executable, "-m", "cli.main", "notify", "--env-file", "a.env", *arguments],
            cwd=self.folder,
            env={**environ, "PYTHONPATH": str(ROOT), "HOME": str(self.folder), "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "secret-path" not in process.stdout + process.stderr
        assert SECRET.removeprefix("whsec_") not in process.stdout + process.stderr
        return process


def test_test_ends_with_the_status_that_scripts_read(tmp_path: Path, emulator: Emulator) -> None:
    with run_receiver(lambda connection: connection.sendall(OK)) as receiver:
        url = f"http://127.0.0.1:{receiver.port}/secret-path"
        folder = Folder(tmp_path, emulator, NOTIFY_WEBHOOK=url, NOTIFY_WEBHOOK_SECRET=SECRET)
        taken = folder.run("--test", "--json")
        assert (taken.returncode, taken.stderr) == (0, "")
        assert json.loads(taken.stdout)["ok"] is True
    refused = folder.run("--test")
    assert refused.returncode == 1
    assert "fix: check that the receiver runs" in refused.stdout
    for arguments, message in (
        (("--test", "--target", "wecom"), "'wecom' is not a target"),
        (("--reset", "wecom", "--test"), "it is used alone"),
    ):
        wrong = folder.run(*arguments)
        assert wrong.returncode == 2, wrong.stdout + wrong.stderr
        assert message in wrong.stderr
    empty = Folder(tmp_path, emulator).run("--test")
    assert empty.returncode == 2
    assert "No target of notices is set" in empty.stderr
    private = Folder(tmp_path, emulator, NOTIFY_WECOM="https://10.0.0.8/secret-path").run("--test")
    assert private.returncode == 1
    assert "NOTIFY_WECOM is not the address of such a robot" in private.stderr


def test_state_is_read_from_the_bucket_and_reset(tmp_path: Path, emulator: Emulator) -> None:
    target = build_target(url=URL)
    cos = OperatorClients.for_emulator(emulator).cos
    state = TargetState(
        failures_in_row=1, stopped_fingerprint=target.fingerprint, reason="status 410", given_up=3
    )
    cos.put(BUCKET, target_state_key(PREFIX, target.name, DEPLOYMENT), state.to_json())
    for name in ("webhook", "wecom-old"):
        delivery = Delivery(build_notice(), name, NOW_S, NOW_S)
        cos.put(BUCKET, delivery_key(PREFIX, delivery), delivery.to_json())
    folder = Folder(tmp_path, emulator, NOTIFY_WEBHOOK=URL, NOTIFY_WEBHOOK_SECRET=SECRET)
    shown = folder.run()
    assert shown.returncode == 0, shown.stderr
    assert "webhook  hooks.example.com  failed" in shown.stdout
    assert "state stopped" in shown.stdout
    assert "open notices: 1, the oldest since 2027-01-15T08:00:00Z" in shown.stdout
    assert "scribe notify --env-file a.env --reset webhook" in shown.stdout
    document = json.loads(folder.run("--json").stdout)
    [listed] = document["targets"]
    assert (listed["state"], listed["open"], listed["given_up"]) == ("stopped", 1, 3)
    assert document["unknown_targets"] == [{"name": "wecom-old", "open": 1}]
    unconfirmed = folder.run("--reset", "webhook")
    assert unconfirmed.returncode == 1
    assert "no terminal to confirm on. Use --yes" in unconfirmed.stderr
    assert json.loads(folder.run("--json").stdout)["targets"][0]["state"] == "stopped"
    reset = folder.run("--reset", "webhook", "--yes")
    assert reset.returncode == 0, reset.stderr
    assert "webhook is as if no attempt had failed. Open notices go out when their next attempt is due" in (
        reset.stdout
    )
    assert json.loads(folder.run("--json").stdout)["targets"][0]["state"] == "ready"
    # What Scribe writes for itself is never taken for a recording.
    stored = cos.head(BUCKET, target_state_key(PREFIX, "webhook", DEPLOYMENT))
    assert stored.metadata == {"scribe-output": "state"}
    assert "Nothing to reset" in folder.run("--reset", "webhook", "--yes").stdout
    assert folder.run("--reset", "no-one", "--yes").returncode == 2


def test_deploying_key_may_read_and_reset(tmp_path: Path, emulator: Emulator) -> None:
    config = {"SCRIBE_STAGE": "prod", "SCF_ROLE_NAME": "scribe-prod", "CALLBACK_TOKEN": "a-token-of-a-test-1"}
    manifest = load_manifest(ROOT, {"REGION": REGION, "INPUT_BUCKETS": BUCKET, **config})
    settings = load_function_settings(REGION, manifest.functions["callback"].variables)
    policy = deployer_policy(scope_from_settings(settings, "100000000001"), manifest.functions.values())
    response = send_request(
        "POST",
        f"{emulator.endpoint}/-/keys",
        json={"policies": [policy]},
        headers=emulator.admin_headers,
    )
    key = response.json()
    cos = OperatorClients.for_emulator(emulator).cos
    cos.put(BUCKET, target_state_key(PREFIX, "webhook", DEPLOYMENT), TargetState(failures_in_row=7).to_json())
    folder = Folder(
        tmp_path,
        emulator,
        NOTIFY_WEBHOOK=URL,
        NOTIFY_WEBHOOK_SECRET=SECRET,
        TENCENT_SECRET_ID=key["secret_id"],
        TENCENT_SECRET_KEY=key["secret_key"],
        TENCENT_TOKEN=key["token"],
    )
    assert "failed attempts in a row: 7" in folder.run().stdout
    reset = folder.run("--reset", "webhook", "--yes")
    assert reset.returncode == 0, reset.stderr
    assert "failed attempts" not in folder.run().stdout


def test_wrong_key_gets_a_message_with_the_policy_it_needs(tmp_path: Path, emulator: Emulator) -> None:
    key = {"TENCENT_SECRET_ID": "AKIDunknown0000", "TENCENT_SECRET_KEY": "no-key-of-that-account"}
    folder = Folder(tmp_path, emulator, NOTIFY_WEBHOOK=URL, NOTIFY_WEBHOOK_SECRET=SECRET, **key)
    process = folder.run()
    assert process.returncode == 1
    assert "policy" in process.stderr
    assert "Traceback" not in process.stderr
