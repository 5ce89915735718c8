"""`scribe policy`: what it prints, without an account and with one, and the roles that it creates."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from cli.cloud.cam import CamClient
from cli.cloud.client import ApiClient
from cli.config import CliContext
from cli.errors import OperatorError
from cli.local.emulator import Emulator, start_emulator
from cli.policy.command import NAMES, UNKNOWN_UIN, PolicyOptions, policy
from shared.tencent.auth import Credentials

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[3]
CONFIG = {
    "REGION": "ap-guangzhou",
    "INPUT_BUCKETS": "recordings-1250000000",
    "OUTPUT_BUCKET": "transcripts-1250000000",
}


@dataclass(frozen=True)
class Output:
    stdout: str
    stderr: str


def run(tmp_path: Path, options: PolicyOptions, **process: str) -> Output:
    stdout, stderr = io.StringIO(), io.StringIO()
    context = CliContext(ROOT, tmp_path / ".env", {**CONFIG, **process}, tmp_path)
    policy(Console(file=stdout, width=80, highlight=False), Console(file=stderr, width=80), options, context)
    return Output(stdout.getvalue(), stderr.getvalue())


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(tmp_path_factory.mktemp("cloud"), {}) as running:
        yield running


def key_variables(emulator: Emulator) -> dict[str, str]:
    return {
        "TENCENTCLOUD_SECRET_ID": emulator.secret_id,
        "TENCENTCLOUD_SECRET_KEY": emulator.secret_key,
        "CLOUD_ENDPOINT": emulator.endpoint,
    }


def test_without_account_everything_is_printed_with_a_placeholder(tmp_path: Path) -> None:
    output = run(tmp_path, PolicyOptions())
    assert UNKNOWN_UIN in output.stdout
    assert UNKNOWN_UIN in output.stderr
    for name in NAMES:
        assert f"{name}: " in output.stdout
    assert "scribe-prod-callback" in output.stdout
    assert "cos:HeadObject on recordings: " in output.stdout


def test_with_an_account_the_documents_contain_its_id(tmp_path: Path, emulator: Emulator) -> None:
    output = run(tmp_path, PolicyOptions("upload", as_json=True), **key_variables(emulator))
    assert output.stderr == ""
    assert "qcs::cam::uin/100000000001:roleName/CI_QCSRole" in output.stdout


@pytest.mark.parametrize("name", NAMES)
def test_one_document_as_json_is_a_complete_policy(tmp_path: Path, name: str) -> None:
    document = json.loads(run(tmp_path, PolicyOptions(name, as_json=True)).stdout)
    assert document["version"] == "2.0"
    assert all(statement["effect"] == "allow" for statement in document["statement"])
    everything = json.loads(run(tmp_path, PolicyOptions(as_json=True)).stdout)
    assert everything[name] == document


def test_long_resource_is_not_wrapped(tmp_path: Path) -> None:
    prefix = "a-rather-long-folder/" * 4
    output = run(tmp_path, PolicyOptions("upload", as_json=True), INPUT_PREFIX=prefix)
    assert f"recordings-1250000000/{prefix}*" in output.stdout


def test_unknown_name_is_rejected_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="upload, callback, sweep, deployer"):
        run(tmp_path, PolicyOptions("uploads"))


def test_roles_are_created_once_and_then_unchanged(tmp_path: Path, emulator: Emulator) -> None:
    stage = {"SCRIBE_STAGE": "made"}
    first = run(tmp_path, PolicyOptions(create_role=True), **key_variables(emulator), **stage)
    assert first.stdout.splitlines() == [
        f"scribe-made-{name}: created or updated" for name in ("upload", "callback", "sweep")
    ]
    again = run(tmp_path, PolicyOptions(create_role=True), **key_variables(emulator), **stage)
    assert again.stdout.splitlines() == [
        f"scribe-made-{name}: unchanged" for name in ("upload", "callback", "sweep")
    ]
    key = Credentials(emulator.secret_id, emulator.secret_key)
    role = CamClient(ApiClient(key, emulator.region, emulator.endpoint)).get_role("scribe-made-sweep")
    assert role is not None
    assert role.trusts_scf


def test_roles_are_not_created_without_account_or_for_a_user(tmp_path: Path, emulator: Emulator) -> None:
    with pytest.raises(OperatorError, match="TENCENT_SECRET_ID"):
        run(tmp_path, PolicyOptions(create_role=True))
    with pytest.raises(OperatorError, match="attach it to their user"):
        run(tmp_path, PolicyOptions("deployer", create_role=True), **key_variables(emulator))
