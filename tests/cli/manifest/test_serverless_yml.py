"""serverless.yml agrees with the code, with .env.example and with the settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.config import load_config
from cli.local.emulator import SETTINGS
from cli.manifest.loader import load_manifest
from cli.notice_settings import NOTICE_SETTINGS
from shared.events import parse_timer_event
from shared.settings import load_settings

ROOT = Path(__file__).resolve().parents[3]
RAW = (ROOT / "serverless.yml").read_text("utf-8")
INPUTS: dict[str, Any] = yaml.safe_load(RAW)["inputs"]
NAMED = set(re.findall(r"\$\{env:([A-Z_]+)\}", RAW))
EXAMPLE = (ROOT / ".env.example").read_text("utf-8")
# Settings of the functions that serverless.yml does not set, each with its reason.
NOT_DEPLOYED = {
    "REGION": "the functions read the platform's own TENCENTCLOUD_REGION",
    "CLOUD_ENDPOINT": "points to a local cloud",
}
# The operator's key in .env.example, in the spelling of Tencent's CLI.
KEY = {"TENCENT_SECRET_ID", "TENCENT_SECRET_KEY"}
# Read by `scribe deploy` itself, which sets CALLBACK_URL; by `scribe cost` and `scribe backfill`.
COMMAND = {"SCRIBE_CALLBACK", "PRICE_PER_HOUR", "PRICE_CURRENCY"}


def test_serverless_yml_is_valid() -> None:
    manifest = load_manifest(ROOT, SETTINGS)
    assert set(manifest.functions) == {"upload", "callback", "sweep"}
    assert {trigger.function for trigger in manifest.triggers} == set(manifest.functions)


def test_each_function_has_its_own_role() -> None:
    roles = {key: function.role for key, function in load_manifest(ROOT, SETTINGS).functions.items()}
    assert roles == {"upload": "local-upload", "callback": "local-callback", "sweep": "local-sweep"}


def test_environments_is_a_list_because_a_map_is_ignored() -> None:
    assert isinstance(INPUTS["environments"], list)
    assert "environment:" not in RAW


def test_every_variable_is_set_in_the_local_pipeline() -> None:
    assert NAMED - set(SETTINGS) == set()


def test_env_example_has_every_variable_and_the_key() -> None:
    assert set(re.findall(r"^([A-Z_]+)=", EXAMPLE, re.MULTILINE)) == NAMED | KEY | COMMAND


def test_env_example_explains_every_variable() -> None:
    for paragraph in EXAMPLE.split("\n\n"):
        first, *_ = paragraph.strip().splitlines()
        assert first.startswith("# "), paragraph


def test_env_example_has_no_values() -> None:
    assert re.findall(r"^[A-Z_]+=.+$", EXAMPLE, re.MULTILINE) == []


def test_completed_env_example_is_enough_to_deploy(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    minimal = {
        "REGION": "ap-chengdu",
        "INPUT_BUCKETS": "media-1250000000",
        "CALLBACK_TOKEN": "made-up-token-0001",
    }
    filled = re.sub(
        r"^([A-Z_]+)=$", lambda line: f"{line[1]}={minimal.get(line[1], '')}", EXAMPLE, flags=re.MULTILINE
    )
    file.write_text(filled, "utf-8")
    manifest = load_manifest(ROOT, load_config(file, {}))
    assert manifest.region == "ap-chengdu"
    assert manifest.functions["sweep"].role == "scribe-prod-sweep"
    assert manifest.functions["sweep"].variables == {
        "INPUT_BUCKETS": "media-1250000000",
        "CALLBACK_TOKEN": "made-up-token-0001",
    }


def test_every_setting_is_deployed_or_has_a_reason_not_to_be() -> None:
    source = (ROOT / "shared" / "settings.py").read_text("utf-8")
    read = set(re.findall(r'reader\.read_(?:text|list|int|time|options)\(\s*"([A-Z_]+)"', source))
    deployed = {entry["key"] for entry in INPUTS["environments"]}
    assert deployed | set(NOT_DEPLOYED) == read | set(NOTICE_SETTINGS)
    assert not deployed & set(NOT_DEPLOYED)
    assert all(entry["value"] == f"${{env:{entry['key']}}}" for entry in INPUTS["environments"])


@pytest.mark.parametrize("message", ["reconcile", "audit"])
def test_timer_argument_is_known_to_the_sweep(message: str) -> None:
    (timer,) = [trigger for trigger in load_manifest(ROOT, SETTINGS).triggers if trigger.name == message]
    assert parse_timer_event({"Message": timer.argument}) == message


def test_upload_timeout_is_shorter_than_the_lease() -> None:
    settings = load_settings({**SETTINGS, "SWEEP_AFTER": "300"})
    assert load_manifest(ROOT, SETTINGS).functions["upload"].timeout_s < settings.lease_s
