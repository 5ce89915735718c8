"""A key with the policy `operator` runs every command of every day; without it, a command says what the key needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cli.local.emulator import CALLBACK_TOKEN, INPUT_BUCKET, OUTPUT_BUCKET, SETTINGS
from cli.policy.documents import operator_policy
from tests.helpers.account import Account
from tests.helpers.flow import Flow, StartFlow
from tests.helpers.permissions import build_scope

pytestmark = pytest.mark.process

SCOPE = build_scope({})
UNREADABLE = {"code": "FailedOperation.ErrorRecognize", "message": "Failed to decode the audio."}
BODY = b"speech in a recording " * 100


@pytest.fixture
def flow(start_flow: StartFlow) -> Flow:
    return start_flow(SWEEP_AFTER="0")


@pytest.fixture
def account(flow: Flow, tmp_path: Path) -> Account:
    (tmp_path / ".env").write_text(f"CALLBACK_TOKEN={CALLBACK_TOKEN}\nSWEEP_AFTER=0\n", "utf-8")
    return Account(flow.pipeline.emulator, tmp_path)


def run(account: Account, key: Mapping[str, str], *words: str, status: int = 0) -> str:
    finished = account.scribe(*words, environment=key)
    assert finished.returncode == status, (words, finished.stdout, finished.stderr)
    assert "Traceback" not in finished.stderr
    return finished.stdout + finished.stderr


def test_policy_is_enough_for_every_command(flow: Flow, account: Account) -> None:
    assert (SETTINGS["INPUT_BUCKETS"], SETTINGS["OUTPUT_BUCKET"]) == (INPUT_BUCKET, OUTPUT_BUCKET)
    key = account.create_key(operator_policy(SCOPE))
    flow.upload("calls/done.wav", BODY)
    flow.settle()
    flow.admin("PUT", "fail_jobs", UNREADABLE)
    flow.upload("calls/broken.wav", BODY + b"2")
    flow.settle()
    flow.admin("DELETE", "fail_jobs")
    assert "calls/broken.wav" in run(account, key, "list")
    assert "ErrorRecognize" in run(account, key, "why", "calls/broken.wav").replace("\n  ", "")
    assert "submitted" in run(account, key, "retry", "calls/broken.wav")
    flow.settle()
    assert "done" in run(account, key, "retry", "calls/broken.wav")
    assert len(flow.jobs()) == 3
    assert "done" in run(account, key, "open", "calls/done.wav", "--no-open")
    assert "http" in run(account, key, "link", "calls/done.wav")
    assert "calls/" in run(account, key, "cost")
    assert "forgotten" in run(account, key, "forget", "calls/done.wav", "--recording", "--yes")


def test_backfill_with_the_policy_submits(flow: Flow, account: Account) -> None:
    key = account.create_key(operator_policy(SCOPE))
    flow.admin("PUT", "faults", {"seed": 1, "rates": {"lost_event": 1.0}})
    flow.upload("calls/lost.wav", BODY)
    flow.settle()
    flow.admin("PUT", "faults", {})
    assert flow.jobs() == []
    document: dict[str, Any] = json.loads(run(account, key, "backfill", "--missed", "--yes", "--json"))
    assert (document["found"], document["submitted"]) == (1, 1)
    flow.settle()
    assert len(flow.jobs()) == 1
    assert flow.transcript("calls/lost.wav")["sentences"]


@pytest.mark.parametrize("action", ["ci:CreateAsrJobs", "cos:GetBucket"])
def test_missing_permission_names_the_policy(flow: Flow, account: Account, action: str) -> None:
    policy = operator_policy(SCOPE)
    statements = [
        {**statement, "action": [each for each in statement["action"] if each != action]}
        for statement in policy["statement"]
    ]
    key = account.create_key({**policy, "statement": [each for each in statements if each["action"]]})
    flow.admin("PUT", "faults", {"seed": 1, "rates": {"lost_event": 1.0}})
    flow.upload("calls/lost.wav", BODY)
    flow.settle()
    flow.admin("PUT", "faults", {})
    answer = run(account, key, "backfill", "--yes", status=1)
    assert f"`scribe policy --env-file {account.folder}/.env operator` prints what" in answer
    assert flow.jobs() == []
