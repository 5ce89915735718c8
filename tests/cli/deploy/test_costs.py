"""A deployment spends nothing and restarts nothing unasked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.deploy.command import DeployOptions
from cli.deploy.state import CurrentState
from shared.tencent.speech_models import Queue
from tests.helpers.account import REGION, Account
from tests.helpers.deployment import build_target, deployed_state, with_function

INPUT, OUTPUT, ADDED = "spend-1250000000", "spent-1250000000", "more-1250000000"
CONFIG = {
    "SCRIBE_STAGE": "spend",
    "SCF_ROLE_NAME": "scribe-spend",
    "INPUT_BUCKETS": INPUT,
    "OUTPUT_BUCKET": OUTPUT,
    "CALLBACK_TOKEN": "a-token-for-costs-01",
    "SWEEP_AFTER": "0",
}
MOVED = {**CONFIG, "STATE_PREFIX": "moved/"}


@pytest.fixture(scope="module")
def spending(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A deployment with an old recording, which it leaves alone, and one that is transcribed. Its .env."""
    cos = account.clients.cos(REGION)
    for bucket in (INPUT, OUTPUT, ADDED):
        cos.create_bucket(bucket)
    cos.put(INPUT, "old.mp3", b"old speech")
    cos.put(ADDED, "there.mp3", b"speech")
    env_file = tmp_path_factory.mktemp("costs") / ".env"
    env_file.touch()
    passed, output = account.deploy(config=CONFIG, env_file=env_file)
    assert passed, output
    cos.put(INPUT, "new.mp3", b"new speech")
    assert account.admin("GET", "idle?timeout=30") is True
    yield env_file
    account.remove(CONFIG)


def count_jobs(account: Account) -> int:
    """Run the audit; return how many jobs there are then."""
    account.admin("POST", "functions/scribe-spend-scribe-sweep/invoke", {"Type": "Timer", "Message": "audit"})
    assert account.admin("GET", "idle?timeout=30") is True
    return len([job for job in account.admin("GET", "jobs") if job["bucket"] in {INPUT, ADDED}])


@pytest.mark.process
def test_deployment_that_bills_again_is_refused_without_a_terminal(account: Account, spending: Path) -> None:
    since = account.last_request()
    for config, words in (
        (MOVED, "bills again 1 recording that is already done"),
        ({**CONFIG, "SINCE": "all"}, f"{INPUT}: with the changed settings the next audit also transcribes"),
        (
            {**CONFIG, "INPUT_BUCKETS": f"{INPUT},{ADDED}", "SINCE": "2020-01-01T00:00:00Z"},
            f"{ADDED}: with the",
        ),
    ):
        passed, output = account.deploy(config=config, env_file=spending)
        assert not passed
        assert words in output
        assert "nothing was changed: recordings would be billed" in output
        assert "--yes" in output
        passed, output = account.deploy(config=config, env_file=spending, confirm=lambda _: False)
        assert not passed
        assert output.endswith("Nothing was changed.\n")
    assert account.list_writes(since) == []


@pytest.mark.process
def test_copied_receipts_keep_finished_work_finished(account: Account, spending: Path) -> None:
    jobs = count_jobs(account)
    questions = []

    def agree(question: str) -> bool:
        questions.append(question)
        return True

    cos = account.clients.cos(REGION)
    name_claim = f"claim/{INPUT}/~name/{'0' * 32}/{'1' * 32}.owns"
    cos.put(OUTPUT, f".scribe/{name_claim}", b"{}")
    passed, output = account.deploy(config=MOVED, env_file=spending, confirm=agree)
    assert passed, output
    [question] = questions
    assert (
        f"Copy the receipts from {OUTPUT}/.scribe/done/{INPUT}/ to {OUTPUT}/moved/done/{INPUT}/" in question
    )
    assert f"created copies of the receipts of {INPUT}" in output
    assert cos.get(OUTPUT, f"moved/{name_claim}").body == b"{}"
    [receipt] = cos.list_objects(OUTPUT, prefix="moved/done/").objects
    assert cos.head(OUTPUT, receipt.key).metadata == {"scribe-output": "state"}
    assert count_jobs(account) == jobs
    # Back again: the receipts of before are still there.
    passed, output = account.deploy(config=CONFIG, env_file=spending)
    assert passed, output
    assert count_jobs(account) == jobs


@pytest.mark.process
def test_paused_queue_stays_paused_until_it_is_resumed(account: Account, spending: Path) -> None:
    def read() -> Queue:
        return account.clients.speech.list_queues(INPUT).queues[0]

    account.clients.speech.update_queue(INPUT, read()._replace(state="Paused"))
    passed, output = account.deploy(config={**CONFIG, "ENGINE": "16k_en"}, env_file=spending)
    assert passed, output
    assert "It stays paused, because an operator did that" in output
    assert read().state == "Paused"
    passed, output = account.deploy(DeployOptions(resume_queue=True), CONFIG, env_file=spending)
    assert passed, output
    assert read().state == "Active"
    assert "paused" not in output.lower().replace("state: paused", "")


@pytest.mark.process
def test_agreed_costs_are_paid(account: Account, spending: Path) -> None:
    jobs = count_jobs(account)
    passed, output = account.deploy(DeployOptions(yes=True), {**CONFIG, "SINCE": "all"}, env_file=spending)
    assert passed, output
    assert "up to 2 recordings (20 bytes)" in output or "up to 1 recording (10 bytes)" in output
    assert count_jobs(account) == jobs + 1


def test_prefixes_of_an_older_version_are_known_to_have_moved() -> None:
    target = build_target(STATE_PREFIX="state/", OUTPUT_PREFIX="out/")
    state: CurrentState = deployed_state(target)
    for key, function in state.functions.items():
        variables = {**function.variables, "STATE_PREFIX": "state", "OUTPUT_PREFIX": "out"}
        state = with_function(state, key, variables=variables)
    [move] = state.moved_receipts
    assert str(move.current) == "transcripts-1250000000/statedone/recordings-1250000000/"
    assert str(move.new) == "transcripts-1250000000/state/done/recordings-1250000000/"


def test_command_that_agrees_keeps_the_other_options() -> None:
    options = DeployOptions(make_buckets=True, copy_receipts=True, callback="job", yes=True)
    line = options.as_command_line(build_target().commands)
    assert line == "scribe deploy --make-buckets --yes --copy-receipts --callback job"
