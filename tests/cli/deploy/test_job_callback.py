"""`scribe deploy --callback job`: each job carries the address, and the queue's notification is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.deploy.command import DeployOptions
from cli.deploy.preflight import PreflightFailed
from cli.errors import OperatorError
from shared.tencent.speech_models import NotifyConfig
from tests.helpers.account import REGION, Account

pytestmark = pytest.mark.process

INPUT = "shared-1250000000"
CONFIG = {
    "SCRIBE_STAGE": "jobs",
    "SCF_ROLE_NAME": "scribe-jobs",
    "INPUT_BUCKETS": INPUT,
    "OUTPUT_BUCKET": "",
    "INPUT_PREFIX": "in/",
    "CALLBACK_TOKEN": "a-token-for-jobs-001",
}
THEIRS = NotifyConfig("On", "https://hooks.example.com/their-own-secret", "Url", "TaskFinish", "XML")


@pytest.fixture(scope="module")
def sharing(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A deployment to a bucket of which the queue notifies another program. Its .env, and what was printed."""
    speech = account.clients.speech
    account.clients.cos(REGION).create_bucket(INPUT)
    speech.enable_bucket(INPUT)
    account.clients.poller.poll(lambda: speech.list_queues(INPUT).queues, bool, 10)
    [queue] = speech.list_queues(INPUT).queues
    speech.update_queue(INPUT, queue._replace(notification=THEIRS))
    env_file = tmp_path_factory.mktemp("jobs") / ".env"
    env_file.write_text("SCRIBE_CALLBACK=job\n", "utf-8")
    passed, output = account.deploy(config=CONFIG, env_file=env_file)
    assert passed, output
    yield env_file, output
    account.remove(CONFIG)


def test_jobs_notify_while_the_queue_serves_another_program(
    account: Account, sharing: tuple[Path, str]
) -> None:
    _, output = sharing
    assert "changed notification of the jobs of scribe-jobs-scribe-upload" in output
    assert CONFIG["CALLBACK_TOKEN"] not in output
    cos = account.clients.cos(REGION)
    cos.put(INPUT, "in/call.mp3", b"some seconds of speech")
    assert account.admin("GET", "idle?timeout=30") is True
    assert cos.get(INPUT, "transcripts/in/call.mp3.txt").body.strip()
    assert account.clients.speech.list_queues(INPUT).queues[0].notification == THEIRS


def test_later_deployment_keeps_the_choice(
    account: Account, sharing: tuple[Path, str], tmp_path: Path
) -> None:
    for options, env_file in (
        (DeployOptions(), sharing[0]),
        (DeployOptions(callback="job"), tmp_path / ".env"),
        (DeployOptions(), tmp_path / ".env"),
    ):
        passed, output = account.deploy(options, CONFIG, env_file=env_file)
        assert passed, output
        assert "No changes" in output
    with pytest.raises(PreflightFailed, match="--take-over"):
        account.deploy(DeployOptions(callback="queue"), CONFIG, env_file=tmp_path / ".env")


def test_new_token_reaches_the_jobs(account: Account, sharing: tuple[Path, str]) -> None:
    new = {**CONFIG, "CALLBACK_TOKEN": f"another-token-for-jobs,{CONFIG['CALLBACK_TOKEN']}"}
    _, output = account.deploy(DeployOptions(dry_run=True), new, env_file=sharing[0])
    assert output.count("CALLBACK_URL: set -> another value") == 2


@pytest.mark.parametrize(
    ("options", "config", "message"),
    [
        (DeployOptions(callback="jobs"), {}, "--callback is 'jobs'; it is queue or job"),
        (DeployOptions(), {"SCRIBE_CALLBACK": "none"}, "SCRIBE_CALLBACK in .* is 'none'"),
        (
            DeployOptions(callback="queue"),
            {"CALLBACK_URL": f"https://a.example.com/{CONFIG['CALLBACK_TOKEN']}"},
            "CALLBACK_URL is set in",
        ),
    ],
)
def test_wrong_choice_is_refused(
    account: Account, tmp_path: Path, options: DeployOptions, config: dict[str, str], message: str
) -> None:
    with pytest.raises(OperatorError, match=message):
        account.deploy(options, {**CONFIG, **config}, env_file=tmp_path / ".env")
