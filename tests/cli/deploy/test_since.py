"""SINCE: what a first deployment leaves alone, and what later ones keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cli.deploy.command import DeployOptions
from cli.deploy.recordings import MAX_PAGES, RecordingCount, count_old_recordings
from cli.deploy.target import DeployedChoices, complete_config
from cli.manifest.models import update_configuration_payload
from shared.settings import Settings
from shared.tencent.cos import CosClient, ListPage, ObjectSummary
from tests.helpers.account import REGION, Account

BUCKET = "archive-1250000000"
CONFIG = {
    "SCRIBE_STAGE": "since",
    "SCF_ROLE_NAME": "scribe-since",
    "INPUT_BUCKETS": BUCKET,
    "OUTPUT_BUCKET": "",
    "CALLBACK_TOKEN": "a-token-for-since-01",
}
UPLOAD = "scribe-since-scribe-upload"


def settings(**changes: object) -> Settings:
    return Settings((BUCKET,), ("a-token-of-16-chars",), REGION, **{"since_s": 1e9, **changes})  # type: ignore[arg-type]


class EndlessCos(CosClient):
    """A bucket with more pages than anyone counts, one recording of 10 bytes on each."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.requests = 0

    def list_objects(
        self, bucket: str, *, prefix: str = "", delimiter: str = "", marker: str = "", limit: int = 1000
    ) -> ListPage:
        self.requests += 1
        names = (f"{self.requests}.mp3", f"{self.requests}.pdf", f"transcripts/{self.requests}.mp3")
        items = tuple(ObjectSummary(name, "e", 10, "2001-01-01T00:00:00Z") for name in names)
        return ListPage(items, (), str(self.requests) if self.requests < self.pages else "")


def test_count_stops_after_a_hundred_pages() -> None:
    cos = EndlessCos(MAX_PAGES + 1)
    count = count_old_recordings(cos, settings(), BUCKET)
    assert str(count) == "more than 100 recordings (more than 1.0 kB)"
    assert cos.requests == MAX_PAGES
    assert count_old_recordings(EndlessCos(2), settings(), BUCKET) == RecordingCount(2, 20)


def test_nothing_is_listed_without_since() -> None:
    cos = EndlessCos(1)
    assert count_old_recordings(cos, settings(since_s=0.0), BUCKET).number == 0
    assert cos.requests == 0


@pytest.mark.parametrize(
    ("config", "deployed", "since"),
    [
        ({}, DeployedChoices(exists=True, since="2026-11-01T00:00:00Z"), "2026-11-01T00:00:00Z"),
        ({"SINCE": "all"}, DeployedChoices(exists=True, since="2026-11-01T00:00:00Z"), "all"),
        ({}, DeployedChoices(exists=True), None),  # of an older version
    ],
)
def test_deployed_since_is_kept_unless_the_operator_has_one(
    config: Mapping[str, str], deployed: DeployedChoices, since: str | None
) -> None:
    assert complete_config(config, deployed).get("SINCE") == since


@pytest.fixture(scope="module")
def first(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A first deployment to a bucket with old objects: its .env, and what was printed."""
    cos = account.clients.cos(REGION)
    cos.create_bucket(BUCKET)
    for key in ("old.MP3", "calls/old.wav", "notes.pdf", "transcripts/old.mp3", "README", "folder/"):
        cos.put(BUCKET, key, b"sound")
    env_file = tmp_path_factory.mktemp("since") / ".env"
    env_file.write_text("# mine\nSINCE=\n", "utf-8")
    passed, output = account.deploy(config=CONFIG, env_file=env_file)
    assert passed, output
    yield env_file, output
    account.remove(CONFIG)


@pytest.mark.process
def test_first_deployment_leaves_old_recordings_alone(account: Account, first: tuple[Path, str]) -> None:
    env_file, output = first
    [line] = [line for line in env_file.read_text("utf-8").splitlines() if line.startswith("SINCE=")]
    since = line.partition("=")[2]
    assert (
        output.count(f"{BUCKET}: 2 recordings (10 bytes) uploaded before SINCE ({since}) will stay untouched")
        == 1
    )
    assert f"set SINCE=all in {env_file}" in output
    assert output.index("stay untouched") < output.index("+ function")
    for function in account.call("ListFunctions")["Functions"]:
        if function["FunctionName"].startswith("scribe-since-"):
            info = account.clients.scf.get_function(function["FunctionName"], "default")
            assert info
            assert info.variables["SINCE"] == since


@pytest.mark.process
def test_first_deployment_of_everything_says_what_it_bills(account: Account, tmp_path: Path) -> None:
    bucket = "everything-1250000000"
    cos = account.clients.cos(REGION)
    cos.create_bucket(bucket)
    cos.put(bucket, "old.mp3", b"sound")
    config = {**CONFIG, "SCRIBE_STAGE": "everything", "INPUT_BUCKETS": bucket, "SINCE": "all"}
    _, output = account.deploy(DeployOptions(dry_run=True), config, env_file=tmp_path / ".env")
    assert (
        f"{bucket}: 1 recording (5 bytes) that it already contains will be transcribed and billed" in output
    )
    assert "untouched" not in output


@pytest.mark.process
def test_another_machine_adopts_the_deployed_since(
    account: Account, first: tuple[Path, str], tmp_path: Path
) -> None:
    passed, output = account.deploy(config=CONFIG, env_file=tmp_path / ".env")
    assert passed, output
    assert "No changes" in output
    assert not (tmp_path / ".env").exists()
    assert "2 recordings (10 bytes)" in output


@pytest.mark.process
def test_deployment_of_an_older_version_goes_on_with_everything(
    account: Account, first: tuple[Path, str], tmp_path: Path
) -> None:
    manifest = account.manifest(CONFIG)
    for spec in manifest.functions.values():  # without SINCE, as before
        account.clients.scf.update_configuration(update_configuration_payload(spec))
        account.clients.scf.wait_until_active(spec.name, spec.namespace)
    _, output = account.deploy(DeployOptions(dry_run=True), CONFIG, env_file=tmp_path / ".env")
    assert "SINCE" not in output
