"""Targets of notices reach the functions: those in serverless.yml, and further ones with names of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.config import EnvFileValue
from cli.manifest.errors import ManifestError
from cli.manifest.loader import load_manifest
from cli.manifest.models import Manifest
from shared.notices.models import TargetKind
from tests.helpers.notices import ROBOT_SECRET, SECRET, URLS

ROOT = Path(__file__).resolve().parents[3]
FEISHU, WEBHOOK = URLS[TargetKind.FEISHU], URLS[TargetKind.WEBHOOK]
SALES = {"NOTIFY_FEISHU_SALES": FEISHU, "NOTIFY_FEISHU_SALES_SECRET": ROBOT_SECRET}
CONFIG = {
    "SCRIBE_STAGE": "prod",
    "SCF_ROLE_NAME": "scribe-prod",
    "REGION": "ap-chengdu",
    "INPUT_BUCKETS": "media-1250000000",
    "CALLBACK_TOKEN": "made-up-token-0001",
}


def load(**config: str) -> Manifest:
    return load_manifest(ROOT, {**CONFIG, **config})


def load_mistakes(**config: str) -> tuple[str, ...]:
    with pytest.raises(ManifestError) as caught:
        load(**config)
    return caught.value.mistakes


def select_targets(manifest: Manifest) -> list[dict[str, str]]:
    return [
        {name: value for name, value in function.variables.items() if name.startswith("NOTIFY_")}
        for function in manifest.functions.values()
    ]


@pytest.mark.parametrize("is_in_file", [True, False])
def test_named_target_is_passed_to_every_function(is_in_file: bool) -> None:
    config = {name: EnvFileValue(value) if is_in_file else value for name, value in SALES.items()}
    assert select_targets(load(**config)) == [SALES] * 3


def test_listed_target_is_passed_once() -> None:
    webhook = {"NOTIFY_WEBHOOK": WEBHOOK, "NOTIFY_WEBHOOK_SECRET": SECRET, "NOTIFY_ON": "done"}
    assert select_targets(load(**webhook)) == [webhook] * 3


def test_variable_of_another_program_is_not_passed() -> None:
    assert select_targets(load(NOTIFY_SOCKET="/run/systemd/notify")) == [{}] * 3


def test_unknown_name_in_the_file_is_a_mistake_with_its_reason() -> None:
    (socket,) = load_mistakes(NOTIFY_SOCKET=EnvFileValue("x"))
    assert socket.startswith("NOTIFY_SOCKET is not a setting: a target is NOTIFY_WEBHOOK,")
    assert socket.endswith("change it in .env")
    (lark,) = load_mistakes(NOTIFY_LARK=EnvFileValue(FEISHU))
    assert "NOTIFY_FEISHU takes the addresses of Lark, too" in lark


def test_mistake_in_a_target_stops_the_deployment_without_its_address() -> None:
    (mistake,) = load_mistakes(NOTIFY_WECOM_NIGHT=FEISHU)
    assert (
        mistake == "NOTIFY_WECOM_NIGHT is the address of another robot: set NOTIFY_FEISHU: change it in .env"
    )


def test_address_in_another_setting_is_not_quoted() -> None:
    key = FEISHU.rpartition("/")[2]
    for mistake in load_mistakes(NOTIFY_FEISHU=FEISHU, ENGINE=f"16k {key}"):
        assert key not in mistake
        assert "ENGINE is '16k ***'" in mistake


def test_address_of_this_machine_is_for_a_local_cloud_only() -> None:
    local = {"NOTIFY_WEBHOOK": "http://127.0.0.1:8080/notices", "NOTIFY_WEBHOOK_SECRET": SECRET}
    assert "NOTIFY_WEBHOOK does not begin with https://" in load_mistakes(**local)[0]
    assert select_targets(load(**local, CLOUD_ENDPOINT="http://127.0.0.1:9000")) == [local] * 3


def test_variables_that_are_too_long_together_are_named_with_their_sizes() -> None:
    targets = {f"NOTIFY_WEBHOOK_{letter * 9}": f"https://hooks.example.com/{'a' * 900}" for letter in "ABCDE"}
    secrets = {f"{name}_SECRET": SECRET for name in targets}
    (mistake,) = load_mistakes(**targets, **secrets)
    assert "inputs.environments has 5216 bytes; SCF accepts 4096: shorten the longest, which are " in mistake
    assert mistake.endswith(", ".join(f"NOTIFY_WEBHOOK_{letter * 9} 950" for letter in "ABC"))
