"""`scribe doctor` without a network, without a key, with wrong settings."""

from __future__ import annotations

import io
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.config import CliContext
from cli.doctor.command import doctor

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = {
    "REGION": "ap-guangzhou",
    "INPUT_BUCKETS": "recordings-1250000000",
    "INPUT_PREFIX": "calls/",
    "CALLBACK_TOKEN": "a-token-that-no-function-has",
}
KEY = {"TENCENTCLOUD_SECRET_ID": "AKIDmadeup", "TENCENTCLOUD_SECRET_KEY": "a-secret-of-a-key"}


def run_doctor(folder: Path, **process: str) -> tuple[bool, list[dict[str, Any]]]:
    output = io.StringIO()
    context = CliContext(ROOT, folder / "none.env", process, folder)
    passed = doctor(Console(file=output), context, as_json=True)
    document = json.loads(output.getvalue())
    assert document["ok"] is passed
    findings: list[dict[str, Any]] = document["findings"]
    assert "a-token-that-no-function-has" not in output.getvalue()
    assert "a-secret-of-a-key" not in output.getvalue()
    return passed, findings


def test_all_wrong_settings_are_reported_at_once(tmp_path: Path) -> None:
    passed, findings = run_doctor(
        tmp_path, **{**SETTINGS, "INPUT_BUCKETS": "recordings", "SWEEP_AFTER": "soon"}
    )
    assert not passed
    [settings] = findings
    assert (settings["name"], settings["status"]) == ("settings", "wrong")
    assert "INPUT_BUCKETS" in settings["message"]
    assert "SWEEP_AFTER" in settings["message"]


def test_without_a_key_the_message_says_what_to_set(tmp_path: Path) -> None:
    passed, findings = run_doctor(tmp_path, **SETTINGS)
    assert not passed
    assert [(finding["name"], finding["status"]) for finding in findings] == [
        ("settings", "ok"),
        ("key", "wrong"),
    ]
    assert "TENCENT_SECRET_ID" in findings[1]["message"]


@pytest.mark.process  # pip may have to install the libraries of the package first
def test_without_a_connection_one_check_fails_and_the_rest_is_skipped(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        passed, findings = run_doctor(tmp_path, **SETTINGS, **KEY, CLOUD_ENDPOINT=endpoint)
    assert not passed
    assert [finding["name"] for finding in findings if finding["status"] == "wrong"] == ["clock"]
    [clock] = [finding for finding in findings if finding["name"] == "clock"]
    assert "connection" in clock["fix"]
    assert {finding["message"] for finding in findings if finding["status"] == "skipped"} == {
        "depends on `clock`"
    }


def test_endpoint_of_another_machine_is_rejected(tmp_path: Path) -> None:
    passed, findings = run_doctor(tmp_path, **SETTINGS, **KEY, CLOUD_ENDPOINT="http://cloud.example.com")
    assert not passed
    assert findings[0]["name"] == "settings"
    assert "CLOUD_ENDPOINT" in findings[0]["message"]
