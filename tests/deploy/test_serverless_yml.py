"""serverless.yml, checked without a network: its form, and that its parts agree with each other and with the code."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cli.local import SETTINGS
from shared.events import timer_message
from shared.settings import settings_from

ROOT = Path(__file__).resolve().parents[2]
RAW = (ROOT / "serverless.yml").read_text("utf-8")
DOCUMENT: dict[str, Any] = yaml.safe_load(RAW)
INPUTS: dict[str, Any] = DOCUMENT["inputs"]
FUNCTIONS: dict[str, Any] = INPUTS["functions"]


def filled(value: str) -> str:
    """${env:NAME} as whoever deploys would have it."""
    return re.sub(r"\$\{env:([A-Z_]+)\}", lambda match: SETTINGS.get(match[1], ""), value)


def test_it_has_the_form_of_the_component() -> None:
    schema = json.loads(Path(__file__).with_name("serverless.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(DOCUMENT)


def test_settings_are_a_list_because_a_map_would_be_dropped() -> None:
    assert isinstance(INPUTS["environments"], list)
    assert "environment:" not in RAW


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_handler_is_a_module_at_the_packages_root_and_callable(name: str) -> None:
    module, function = FUNCTIONS[name]["handler"].split(".")
    assert (ROOT / "handlers" / f"{module}.py").is_file()
    assert callable(getattr(importlib.import_module(f"handlers.{module}"), function))


def test_each_trigger_wakes_a_function_that_exists_and_each_function_is_woken() -> None:
    assert {trigger["function"] for trigger in INPUTS["triggers"]} == set(FUNCTIONS)


def test_each_variable_that_it_names_is_known_to_the_local_run() -> None:
    named = set(re.findall(r"\$\{env:([A-Z_]+)\}", RAW))
    assert named - set(SETTINGS) == set()


def test_the_functions_accept_the_settings_that_it_sets() -> None:
    environ = {entry["key"]: filled(entry["value"]) for entry in INPUTS["environments"]}
    settings = settings_from({**environ, "TENCENTCLOUD_REGION": filled(INPUTS["region"])})
    assert settings.input_buckets == (SETTINGS["INPUT_BUCKETS"],)
    assert sum(len(key) + len(value) for key, value in environ.items()) < 4096


def test_the_bucket_of_the_trigger_is_an_input_bucket_in_the_functions_region() -> None:
    (cos,) = [trigger["parameters"] for trigger in INPUTS["triggers"] if trigger["type"] == "cos"]
    host = filled(cos["bucket"])
    assert host == f"{SETTINGS['INPUT_BUCKETS']}.cos.{filled(INPUTS['region'])}.myqcloud.com"


def test_each_timer_says_what_the_sweep_understands() -> None:
    messages = {
        timer_message({"Message": trigger["parameters"]["argument"]})
        for trigger in INPUTS["triggers"]
        if trigger["type"] == "timer"
    }
    assert messages == {"reconcile", "audit"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_full_name_of_each_function_is_short_enough(name: str) -> None:
    full = f"{DOCUMENT['name']}-{filled(DOCUMENT['stage'])}-{DOCUMENT['app']}-{name}"
    assert len(full) <= 60


def test_a_live_upload_is_never_taken_for_dead() -> None:
    settings = settings_from({**SETTINGS, "SWEEP_AFTER": "300"})
    assert FUNCTIONS["upload"]["timeout"] < settings.lease_s
