"""`scribe doctor` where there is little to look at: no network, no key, wrong settings."""

from __future__ import annotations

import io
import json
import socket
from pathlib import Path
from typing import Any

from rich.console import Console

from cli.config import CliContext
from cli.doctor.command import doctor

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "REGION": "ap-guangzhou",
    "INPUT_BUCKETS": "recordings-1250000000",
    "INPUT_PREFIX": "calls/",
    "CALLBACK_TOKEN": "a-token-that-nobody-knows",
}
KEY = {"TENCENTCLOUD_SECRET_ID": "AKIDsomebody", "TENCENTCLOUD_SECRET_KEY": "a-secret-of-somebody"}


def look(folder: Path, **process: str) -> tuple[bool, list[dict[str, Any]]]:
    said = io.StringIO()
    around = CliContext(ROOT, folder / "none.env", process, folder)
    is_well = doctor(Console(file=said), around, as_json=True)
    document = json.loads(said.getvalue())
    assert document["ok"] is is_well
    found: list[dict[str, Any]] = document["findings"]
    assert "a-token-that-nobody-knows" not in said.getvalue()
    assert "a-secret-of-somebody" not in said.getvalue()
    return is_well, found


def test_wrong_settings_are_all_told_at_once(tmp_path: Path) -> None:
    is_well, found = look(tmp_path, **{**SETTINGS, "INPUT_BUCKETS": "recordings", "SWEEP_AFTER": "soon"})
    assert not is_well
    [settings] = found
    assert (settings["name"], settings["state"]) == ("settings", "wrong")
    assert "INPUT_BUCKETS" in settings["says"]
    assert "SWEEP_AFTER" in settings["says"]


def test_without_a_key_the_doctor_says_what_to_set(tmp_path: Path) -> None:
    is_well, found = look(tmp_path, **SETTINGS)
    assert not is_well
    assert [(one["name"], one["state"]) for one in found] == [("settings", "ok"), ("key", "wrong")]
    assert "TENCENT_SECRET_ID" in found[1]["says"]


def test_without_a_connection_one_check_is_wrong_and_the_rest_is_skipped(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        is_well, found = look(tmp_path, **SETTINGS, **KEY, CLOUD_ENDPOINT=endpoint)
    assert not is_well
    assert [one["name"] for one in found if one["state"] == "wrong"] == ["clock"]
    [clock] = [one for one in found if one["name"] == "clock"]
    assert "connection" in clock["mend"]
    assert {one["says"] for one in found if one["state"] == "skipped"} == {"not looked at: first mend clock"}


def test_an_endpoint_that_is_not_of_this_machine_is_refused(tmp_path: Path) -> None:
    is_well, found = look(tmp_path, **SETTINGS, **KEY, CLOUD_ENDPOINT="http://cloud.example.com")
    assert not is_well
    assert found[0]["name"] == "settings"
    assert "CLOUD_ENDPOINT" in found[0]["says"]
