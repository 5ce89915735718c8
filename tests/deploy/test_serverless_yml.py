"""This repository's serverless.yml agrees with the code, with .env.example and with what an operator may choose."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.config import load_config
from cli.local.emulator import SETTINGS
from cli.manifest.loader import load_manifest
from shared.events import parse_timer_event
from shared.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
RAW = (ROOT / "serverless.yml").read_text("utf-8")
INPUTS: dict[str, Any] = yaml.safe_load(RAW)["inputs"]
NAMED = set(re.findall(r"\$\{env:([A-Z_]+)\}", RAW))
EXAMPLE = (ROOT / ".env.example").read_text("utf-8")
# Settings of the functions that serverless.yml does not set, each with its reason.
NOT_DEPLOYED = {
    "REGION": "the functions read the platform's own TENCENTCLOUD_REGION",
    "CLOUD_ENDPOINT": "leads to a stand-in on the same machine",
}
# What .env.example has beside the variables of serverless.yml: the operator's key, under the names of Tencent's CLI.
KEY = {"TENCENT_SECRET_ID", "TENCENT_SECRET_KEY"}


def test_it_is_without_a_mistake() -> None:
    wanted = load_manifest(ROOT, SETTINGS)
    assert set(wanted.functions) == {"upload", "callback", "sweep"}
    assert {trigger.function for trigger in wanted.triggers} == set(wanted.functions)


def test_each_function_has_a_role_of_its_own() -> None:
    roles = {key: function.role for key, function in load_manifest(ROOT, SETTINGS).functions.items()}
    assert roles == {"upload": "local-upload", "callback": "local-callback", "sweep": "local-sweep"}


def test_settings_are_a_list_because_a_map_would_be_dropped() -> None:
    assert isinstance(INPUTS["environments"], list)
    assert "environment:" not in RAW


def test_each_variable_that_it_names_is_known_to_the_local_run() -> None:
    assert NAMED - set(SETTINGS) == set()


def test_the_example_of_choices_names_the_variables_of_serverless_yml_and_the_key() -> None:
    assert set(re.findall(r"^([A-Z_]+)=", EXAMPLE, re.MULTILINE)) == NAMED | KEY


def test_each_choice_of_the_example_is_explained_above_it() -> None:
    for paragraph in EXAMPLE.split("\n\n"):
        first, *_ = paragraph.strip().splitlines()
        assert first.startswith("# "), paragraph


def test_the_example_holds_no_values_so_that_a_copy_chooses_nothing() -> None:
    assert re.findall(r"^[A-Z_]+=.+$", EXAMPLE, re.MULTILINE) == []


def test_the_filled_in_example_is_enough_to_deploy(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    least = {
        "REGION": "ap-chengdu",
        "INPUT_BUCKETS": "media-1250000000",
        "CALLBACK_TOKEN": "made-up-token-0001",
    }
    filled = re.sub(
        r"^([A-Z_]+)=$", lambda line: f"{line[1]}={least.get(line[1], '')}", EXAMPLE, flags=re.MULTILINE
    )
    file.write_text(filled, "utf-8")
    wanted = load_manifest(ROOT, load_config(file, {}))
    assert wanted.region == "ap-chengdu"
    assert wanted.functions["sweep"].role == "scribe-prod-sweep"
    assert wanted.functions["sweep"].variables == {
        "INPUT_BUCKETS": "media-1250000000",
        "CALLBACK_TOKEN": "made-up-token-0001",
    }


def test_each_setting_of_the_functions_can_be_chosen_or_has_a_reason_why_not() -> None:
    source = (ROOT / "shared" / "settings.py").read_text("utf-8")
    read = set(re.findall(r'reader\.read_(?:text|list|int)\(\s*"([A-Z_]+)"', source))
    deployed = {entry["key"] for entry in INPUTS["environments"]}
    assert deployed | set(NOT_DEPLOYED) == read
    assert not deployed & set(NOT_DEPLOYED)
    assert all(entry["value"] == f"${{env:{entry['key']}}}" for entry in INPUTS["environments"])


@pytest.mark.parametrize("message", ["reconcile", "audit"])
def test_each_timer_says_what_the_sweep_understands(message: str) -> None:
    (timer,) = [trigger for trigger in load_manifest(ROOT, SETTINGS).triggers if trigger.name == message]
    assert parse_timer_event({"Message": timer.argument}) == message


def test_a_live_upload_is_never_taken_for_dead() -> None:
    settings = load_settings({**SETTINGS, "SWEEP_AFTER": "300"})
    assert load_manifest(ROOT, SETTINGS).functions["upload"].timeout_s < settings.lease_s
