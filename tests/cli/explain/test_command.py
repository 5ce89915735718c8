"""`scribe explain` as a user types it: arguments, wrong settings, no network, and the stand-in cloud."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.errors import OperatorError
from cli.explain.command import parse_metadata_argument
from cli.local.emulator import Emulator, OperatorClients
from cli.rules.models import RulesError
from shared.errors import SettingsError
from shared.notices.models import TargetKind
from shared.recordings.receipt import TRANSCRIBED, Receipt, Recording
from tests.helpers.explain import (
    CONFIG,
    INPUT_BUCKET,
    OUTPUT_BUCKET,
    ROOT,
    ExplainFolder,
    find_controls,
    open_folder,
)
from tests.helpers.loopback import send_request
from tests.helpers.notices import SECRET, URLS
from tests.helpers.receipts import build_receipt

RULES = "rules:\n  - match: calls/\n    engine: 8k_zh\n    channels: 2\n"
KEY_OF_ACCOUNT = {
    "TENCENTCLOUD_SECRET_ID": "AKIDzyxwvut98765",
    "TENCENTCLOUD_SECRET_KEY": "a-secret-of-a-key",
}


def scribe(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("TENCENT", "SCRIBE"))
    }
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "explain", *arguments],
        cwd=cwd,
        env={**environ, "PYTHONPATH": str(ROOT), "HOME": str(cwd), "COLUMNS": "80", **CONFIG, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("argument", "name", "value"),
    [
        ("speakers=auto", "scribe-speakers", "auto"),
        ("scribe-speakers=2", "scribe-speakers", "2"),
        ("X-Cos-Meta-Scribe-Speakers=2", "scribe-speakers", "2"),
        ("x-cos-meta-engine=16k_en", "engine", "16k_en"),
        ("title=a=b", "scribe-title", "a=b"),
        ("title=", "scribe-title", ""),
    ],
)
def test_metadata_are_named_with_or_without_prefix(argument: str, name: str, value: str) -> None:
    assert parse_metadata_argument(argument) == (name, value)


@pytest.mark.process
def test_command_explains_what_was_typed(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"title": "周会"}', "utf-8")
    process = scribe(
        "in/a.mp3", "--metadata", "speakers=2", "--sidecar", "a.json", "--size", "9", "--json", cwd=tmp_path
    )
    assert process.returncode == 0, process.stderr
    document = json.loads(process.stdout)
    assert document["options"]["speakers"] == {"value": "2", "source": "x-cos-meta-scribe-speakers"}
    assert document["options"]["title"] == {"value": "周会", "source": "a.mp3.scribe.json"}
    refused = scribe("in/a.mp3", "--metadata", "speakers=1", cwd=tmp_path)
    assert (refused.returncode, refused.stderr) == (1, "")
    assert "Refused" in refused.stdout


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("in/a.mp3", "--metadata", "speakers"), 2, "NAME=VALUE"),
        (("in/a.mp3", "--size", "-1"), 2, "--size"),
        (("in/a.mp3", "--sidecar", "none.json"), 2, "does not exist"),
        (("",), 1, "KEY is empty: name an object, such as calls/a.mp3"),
        ((), 2, "KEY"),
    ],
)
def test_wrong_arguments_are_named(
    arguments: tuple[str, ...], status: int, message: str, tmp_path: Path
) -> None:
    process = scribe(*arguments, cwd=tmp_path)
    assert process.returncode == status
    assert message in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.process
def test_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    process = scribe(os.fsdecode(b"in/\xff.mp3"), cwd=tmp_path)
    assert (process.returncode, process.stderr) == (1, "scribe: KEY is not UTF-8, as every key is\n")


@pytest.mark.process
def test_hostile_name_does_not_reach_the_terminal(tmp_path: Path) -> None:
    key = "in/\x1b]0;owned\x07\u202e\n.mp3"
    for arguments, variables in (
        ((), {}),
        (("--json",), {}),
        (("--metadata", f"{key}=1"), {}),
        ((), {**KEY_OF_ACCOUNT, "CLOUD_ENDPOINT": "http://127.0.0.1:9"}),
    ):
        process = scribe(key, *arguments, cwd=tmp_path, **variables)
        assert process.stdout + process.stderr
        assert find_controls(process.stdout + process.stderr) == []


def test_wrong_setting_and_wrong_rule_are_named(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    with pytest.raises((OperatorError, SettingsError), match="ENGINE"):
        ExplainFolder(tmp_path / "a", ENGINE="16k zh").run("in/a.mp3")
    with pytest.raises(OperatorError, match=r"rules\.yml line 3: .speekers. .*speakers"):
        ExplainFolder(tmp_path / "b", "rules:\n  - match: calls/\n    speekers: 2\n").run("in/a.mp3")
    with pytest.raises(OperatorError, match="TENCENTCLOUD_SECRET_KEY"):
        ExplainFolder(tmp_path / "c", TENCENTCLOUD_SECRET_ID="AKIDzyxwvut98765").run("in/a.mp3")


def test_one_of_several_buckets_has_to_be_named(tmp_path: Path) -> None:
    folder = ExplainFolder(tmp_path, INPUT_BUCKETS=f"{INPUT_BUCKET},calls-1250000000")
    with pytest.raises(OperatorError, match=f"--bucket {INPUT_BUCKET} or calls-1250000000"):
        folder.run("in/a.mp3")
    document = folder.run("in/a.mp3", bucket="calls-1250000000", as_json=True).document
    assert document["outputs"][0] == "transcripts/calls-1250000000/in/a.mp3.json"
    other = folder.run("in/a.mp3", bucket="others-1250000000", as_json=True)
    assert (other.passed, other.document["is_recording"]) == (True, False)
    assert other.document["reason"].startswith("the bucket is not in INPUT_BUCKETS: ")


def test_large_sidecar_is_refused(tmp_path: Path) -> None:
    explained = ExplainFolder(tmp_path).run("in/a.mp3", sidecar=b" " * 65_537, as_json=True)
    assert not explained.passed
    assert "65536 bytes" in explained.document["refusals"][0]["reason"]


def test_hot_words_are_named_without_a_network(tmp_path: Path) -> None:
    folder = ExplainFolder(tmp_path, "rules:\n  - match: calls/\n    hot-words: words.txt\n")
    (tmp_path / "words.txt").write_text("腾讯云 8\n", "utf-8")
    document = folder.run("in/calls/a.mp3", as_json=True).document
    assert document["options"]["hot-words"] == {"value": "words.txt", "source": "rules.yml line 2"}
    assert document["warnings"][0].startswith("hot-words (rules.yml line 2) are not in this job: ")


def test_notify_is_shown_with_a_warning_if_it_names_no_target(tmp_path: Path) -> None:
    folder = ExplainFolder(tmp_path, "rules:\n  - match: calls/\n    notify: no\n")
    assert folder.run("in/calls/a.mp3", as_json=True).document["options"]["notify"] == {
        "value": False,
        "source": "rules.yml line 2",
    }
    document = folder.run("in/calls/a.mp3", {"scribe-notify": "wecom-support"}, as_json=True).document
    assert document["options"]["notify"]["value"] == ["wecom-support"]
    assert document["warnings"] == [
        (
            "notify (x-cos-meta-scribe-notify): wecom-support is not a target, so the default targets get its notices; "
            "no target is set (NOTIFY_...)"
        )
    ]


def test_notify_may_name_the_targets_of_the_configuration(tmp_path: Path) -> None:
    rules = "rules:\n  - match: calls/\n    notify: [wecom-support, webhook]\n"
    webhook = {"NOTIFY_WEBHOOK": URLS[TargetKind.WEBHOOK], "NOTIFY_WEBHOOK_SECRET": SECRET}
    support = {"NOTIFY_WECOM_SUPPORT": URLS[TargetKind.WECOM]}
    folder = ExplainFolder(tmp_path, rules, **webhook, **support)
    document = folder.run("in/calls/a.mp3", as_json=True).document
    assert document["options"]["notify"]["value"] == ["wecom-support", "webhook"]
    assert document["warnings"] == []
    for name in support:
        del folder.config[name]
    with pytest.raises(
        RulesError,
        match="line 3: notify names 'wecom-support', which is not a target; the targets are webhook",
    ):
        folder.run("in/calls/a.mp3")


def test_message_without_a_network_names_offline(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        folder = ExplainFolder(tmp_path, CLOUD_ENDPOINT=endpoint, **KEY_OF_ACCOUNT)
        with pytest.raises(OperatorError, match=r"`scribe explain .* in/a\.mp3 --offline` reads nothing"):
            folder.run("in/a.mp3")
        assert folder.run("in/a.mp3", offline=True).passed
        assert folder.run("out/a.mp3").passed  # its name says that it is no recording: nothing is read


@pytest.mark.process
def test_key_without_permissions_gets_advice(emulator: Emulator, tmp_path: Path) -> None:
    policy = {"version": "2.0", "statement": [{"effect": "deny", "action": "*", "resource": "*"}]}
    folder = open_folder(tmp_path, emulator, RULES, **create_key(emulator, policy))
    with pytest.raises(OperatorError, match=r"403.*`scribe policy .*deployer` prints .* --offline` reads"):
        folder.run("in/a.mp3")


def create_key(emulator: Emulator, policy: Any) -> dict[str, str]:
    """Create a key with the permissions of this policy. Return it as variables of the environment."""
    response = send_request(
        "POST", f"{emulator.endpoint}/-/keys", json={"policies": [policy]}, headers=emulator.admin_headers
    )
    members = ("secret_id", "secret_key", "token")
    return {f"TENCENTCLOUD_{member.upper()}": response.json()[member] for member in members}


def put_transcribed(emulator: Emulator, key: str) -> Receipt:
    """Upload a recording, and store the receipt of its transcript."""
    cos = OperatorClients.for_emulator(emulator).cos
    cos.put(INPUT_BUCKET, key, b"speech " * 99, content_type="audio/mpeg")
    head = cos.head(INPUT_BUCKET, key)
    receipt = build_receipt(
        Recording(INPUT_BUCKET, key, head.etag, head.size),
        region="ap-guangzhou",
        engine="16k_zh",
        job_id="s12345",
        modified_s=head.modified_s,
    ).close(TRANSCRIBED, head.modified_s + 9)
    cos.put(OUTPUT_BUCKET, f".scribe/done/{receipt.id}", receipt.to_json())
    return receipt


@pytest.mark.process
def test_metadata_sidecar_and_receipt_are_read_from_the_bucket(emulator: Emulator, tmp_path: Path) -> None:
    folder = open_folder(tmp_path, emulator, RULES)
    receipt = put_transcribed(emulator, "in/会议.mp3")
    cos = OperatorClients.for_emulator(emulator).cos
    document = folder.run("in/会议.mp3", as_json=True).document
    state = document["state"]
    assert (state["exists"], state["receipt"], state["job_id"]) == (True, "transcribed", "s12345")
    assert (state["on_upload"], state["changed"], state["size"]) == ("already_done", [], receipt.size)
    cos.put(INPUT_BUCKET, "in/会议.mp3.scribe.json", b'{"speakers": 2}')
    text = " ".join(folder.run("in/会议.mp3").output.split())
    assert "is a new job, which is billed, because of: speakers 2 (会议.mp3.scribe.json), before off." in text
    assert "receipt transcribed job s12345" in text
    assert folder.run("in/会议.mp3", offline=True, as_json=True).document["state"] is None
    missing = folder.run("in/calls/none.mp3", as_json=True).document
    assert (missing["state"]["exists"], missing["state"]["on_upload"]) == (False, "submitted")
    assert [rule["source"] for rule in missing["rules"]] == ["rules.yml line 2"]


@pytest.mark.process
def test_key_of_the_deployer_may_read_what_is_explained(emulator: Emulator, tmp_path: Path) -> None:
    put_transcribed(emulator, "in/a.mp3")
    OperatorClients.for_emulator(emulator).cos.put(INPUT_BUCKET, "in/a.mp3.scribe.json", b'{"title": "A"}')
    policy = json.loads(run_policy(tmp_path))
    (tmp_path / "checkout").mkdir()
    folder = open_folder(tmp_path / "checkout", emulator, RULES, **create_key(emulator, policy))
    document = folder.run("in/a.mp3", as_json=True).document
    assert document["options"]["title"]["source"] == "a.mp3.scribe.json"
    assert (document["state"]["receipt"], document["warnings"]) == ("transcribed", [])
    assert folder.run("in/none.mp3", as_json=True).document["state"]["exists"] is False


def run_policy(folder: Path) -> str:
    process = subprocess.run(
        [sys.executable, "-m", "cli.main", "policy", "deployer", "--json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), **CONFIG},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return process.stdout
