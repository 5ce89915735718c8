"""`scribe policy`: what it prints, without an account and with one, and the roles that it makes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from cli.cloud.control import Control
from cli.config import CliContext
from cli.errors import OperatorError
from cli.local.emulator import Emulator, start_emulator
from cli.policy.command import NAMES, UNKNOWN_UIN, Request, policy
from cli.policy.roles import Roles
from shared.tencent.auth import Credentials

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
CHOICES = {
    "REGION": "ap-guangzhou",
    "INPUT_BUCKETS": "recordings-1250000000",
    "OUTPUT_BUCKET": "transcripts-1250000000",
}


@dataclass(frozen=True)
class Said:
    out: str
    notes: str


def run(tmp_path: Path, asked: Request, **process: str) -> Said:
    out, notes = io.StringIO(), io.StringIO()
    around = CliContext(ROOT, tmp_path / ".env", {**CHOICES, **process}, tmp_path)
    policy(Console(file=out, width=80, highlight=False), Console(file=notes, width=80), asked, around)
    return Said(out.getvalue(), notes.getvalue())


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(tmp_path_factory.mktemp("cloud"), {}) as running:
        yield running


def key_of(standin: Emulator) -> dict[str, str]:
    return {
        "TENCENTCLOUD_SECRET_ID": standin.secret_id,
        "TENCENTCLOUD_SECRET_KEY": standin.secret_key,
        "CLOUD_ENDPOINT": standin.endpoint,
    }


def test_without_an_account_everything_is_printed_and_what_to_fill_in_is_said(tmp_path: Path) -> None:
    said = run(tmp_path, Request())
    assert UNKNOWN_UIN in said.out
    assert UNKNOWN_UIN in said.notes
    for name in NAMES:
        assert f"{name}: " in said.out
    assert "scribe-prod-callback" in said.out
    assert "cos:HeadObject on recordings: " in said.out


def test_with_an_account_its_own_id_stands_in_the_documents(tmp_path: Path, standin: Emulator) -> None:
    said = run(tmp_path, Request("upload", as_json=True), **key_of(standin))
    assert said.notes == ""
    assert "qcs::cam::uin/100000000001:roleName/CI_QCSRole" in said.out


@pytest.mark.parametrize("name", NAMES)
def test_one_document_as_json_can_be_given_to_the_cloud_as_it_is(tmp_path: Path, name: str) -> None:
    document = json.loads(run(tmp_path, Request(name, as_json=True)).out)
    assert document["version"] == "2.0"
    assert all(one["effect"] == "allow" for one in document["statement"])
    everything = json.loads(run(tmp_path, Request(as_json=True)).out)
    assert everything[name] == document


def test_a_long_resource_is_never_broken_into_two_lines(tmp_path: Path) -> None:
    prefix = "a-rather-long-folder/" * 4
    said = run(tmp_path, Request("upload", as_json=True), INPUT_PREFIX=prefix)
    assert f"recordings-1250000000/{prefix}*" in said.out


def test_an_unknown_name_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="upload, callback, sweep, deployer"):
        run(tmp_path, Request("uploads"))


def test_the_roles_are_made_once_and_then_as_they_should_be(tmp_path: Path, standin: Emulator) -> None:
    stage = {"SCRIBE_STAGE": "made"}
    first = run(tmp_path, Request(create_role=True), **key_of(standin), **stage)
    assert first.out.splitlines() == [
        f"scribe-made-{name}: made or mended" for name in ("upload", "callback", "sweep")
    ]
    again = run(tmp_path, Request(create_role=True), **key_of(standin), **stage)
    assert again.out.splitlines() == [
        f"scribe-made-{name}: as it should be" for name in ("upload", "callback", "sweep")
    ]
    key = Credentials(standin.secret_id, standin.secret_key)
    role = Roles(Control(key, standin.region, standin.endpoint)).find("scribe-made-sweep")
    assert role is not None
    assert role.trusts_scf


def test_roles_are_not_made_without_an_account_or_for_a_person(tmp_path: Path, standin: Emulator) -> None:
    with pytest.raises(OperatorError, match="TENCENT_SECRET_ID"):
        run(tmp_path, Request(create_role=True))
    with pytest.raises(OperatorError, match="attach it to their user"):
        run(tmp_path, Request("deployer", create_role=True), **key_of(standin))
