"""What a deployment says about transcripts that move and about recordings that are left unfinished."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.deploy.command import DeployOptions
from cli.deploy.outputs import NameMove, OutputFolders, OutputPlace, find_moves, read_output_folders
from cli.deploy.planner import list_losses, list_plan_warnings
from shared.recordings.receipt import Recording
from shared.settings import Settings, load_settings
from tests.helpers.account import REGION, Account
from tests.helpers.deployment import build_target, deployed_state, with_values
from tests.helpers.receipts import build_receipt

A, B, OUTPUT = "names-a-1250000000", "names-b-1250000000", "names-out-1250000000"
ROOT_PLACE = OutputPlace(OUTPUT, "transcripts/")
OLD = OutputFolders(other="transcripts/x.mp3.txt")


def settings(*buckets: str, output: str = OUTPUT, **variables: str) -> Settings:
    return load_settings(
        {
            "INPUT_BUCKETS": ",".join(buckets),
            "OUTPUT_BUCKET": output,
            "REGION": REGION,
            "CALLBACK_TOKEN": "any-token-of-16-up",
            **variables,
        }
    )


def folder(bucket: str) -> OutputPlace:
    return OutputPlace(OUTPUT, f"transcripts/{bucket}/")


@pytest.mark.parametrize(
    ("previous", "new", "folders", "expected"),
    [
        (settings(A), settings(A), OLD, []),
        (settings(A), settings(A, B), OLD, [(A, ROOT_PLACE, folder(A))]),
        # The deployed version has a folder for each bucket, as this one; or it kept the first one without.
        (settings(A, B), settings(A, B), OutputFolders(), []),
        (settings(A, B), settings(A, B), OutputFolders(frozenset({A}), "transcripts/x.mp3.txt"), []),
        (settings(A, B), settings(A, B), OLD, [(A, ROOT_PLACE, folder(A))]),
        (settings(A, B), settings(B, A), OLD, [(A, ROOT_PLACE, folder(A))]),
        (settings(A, B), settings(A), OutputFolders(frozenset({A, B})), [(A, folder(A), ROOT_PLACE)]),
        (settings(A, B), settings(A), OLD, []),
        (settings(A, B), settings(B), OLD, [(B, folder(B), ROOT_PLACE)]),
        (settings(A, B, output=""), settings(A, output=""), OutputFolders(), []),
        (
            settings(A),
            settings(A, OUTPUT_PREFIX="text/"),
            OutputFolders(),
            [(A, ROOT_PLACE, OutputPlace(OUTPUT, "text/"))],
        ),
    ],
)
def test_moved_names_are_found(
    previous: Settings,
    new: Settings,
    folders: OutputFolders,
    expected: list[tuple[str, OutputPlace, OutputPlace]],
) -> None:
    assert list(find_moves([previous], new, folders)) == [NameMove(*move) for move in expected]


CONFIG = {
    "SCRIBE_STAGE": "names",
    "SCF_ROLE_NAME": "scribe-names",
    "INPUT_BUCKETS": A,
    "OUTPUT_BUCKET": OUTPUT,
    "CALLBACK_TOKEN": "a-token-for-names-01",
}
BOTH = {**CONFIG, "INPUT_BUCKETS": f"{A},{B}"}
APART = {**BOTH, "OUTPUT_BUCKET": ""}
DRY_RUN = DeployOptions(dry_run=True)


@pytest.fixture(scope="module")
def env_file(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    cos = account.clients.cos(REGION)
    for bucket in (A, B, OUTPUT):
        cos.create_bucket(bucket)
    env_file = tmp_path_factory.mktemp("names") / ".env"
    env_file.touch()
    yield env_file
    account.remove(CONFIG)


@pytest.mark.process
def test_plan_says_where_transcripts_go_from_now_on(account: Account, env_file: Path) -> None:
    cos = account.clients.cos(REGION)
    moved = (
        f"! {A}: from now on its transcripts go to {OUTPUT}/transcripts/{A}/. Those that are there already stay where "
        f"they are, in {OUTPUT}/transcripts/. Nothing is transcribed or billed again for that"
    )
    passed, output = account.deploy(config=CONFIG, env_file=env_file)
    assert passed, output
    assert "from now on" not in output
    cos.put(OUTPUT, "transcripts/calls/x.mp3.txt", b"words")
    _, output = account.deploy(DRY_RUN, BOTH, env_file=env_file)
    assert moved in output
    passed, output = account.deploy(config=BOTH, env_file=env_file)
    assert passed, output
    # As after an update from a version that kept the first bucket without a folder.
    _, output = account.deploy(DRY_RUN, BOTH, env_file=env_file)
    assert moved in output
    cos.put(OUTPUT, f"transcripts/{A}/y.mp3.txt", b"words")
    cos.put(OUTPUT, ".scribe/open/x", b"")
    _, output = account.deploy(DRY_RUN, BOTH, env_file=env_file)
    assert "from now on" not in output
    assert read_output_folders(cos, settings(A, B), OUTPUT) == OutputFolders(
        frozenset({A}), "transcripts/calls/"
    )
    cos.delete(OUTPUT, ".scribe/open/x")


@pytest.mark.process
@pytest.mark.parametrize("config", [BOTH, APART])
def test_bucket_with_open_receipts_is_not_left_unasked(
    account: Account, env_file: Path, config: dict[str, str]
) -> None:
    cos = account.clients.cos(REGION)
    passed, output = account.deploy(config=config, env_file=env_file)
    assert passed, output
    state_bucket = config["OUTPUT_BUCKET"] or B
    keys = []
    for name in ("x.mp3", "y.mp3"):
        receipt = build_receipt(
            Recording(B, name, "0" * 32, 1), region=REGION, job_id="s1", waits_since_s=1.0
        )
        keys.append(f".scribe/open/{receipt.id}")
        cos.put(state_bucket, keys[-1], receipt.to_json())
    fewer = {**config, "INPUT_BUCKETS": A}
    since = account.last_request()
    passed, output = account.deploy(config=fewer, env_file=env_file)
    assert not passed
    assert f"{B} is not in INPUT_BUCKETS any more, and 2 recordings of it are not finished" in output
    assert ("no function looks there any more" in output) is (not config["OUTPUT_BUCKET"])
    assert "nothing was changed: recordings would not be finished" in output
    assert "--yes" in output
    questions: list[str] = []

    def disagree(question: str) -> bool:
        questions.append(question)
        return False

    passed, output = account.deploy(config=fewer, env_file=env_file, confirm=disagree)
    assert not passed
    assert questions == ["Deploy this, and leave these recordings as they are?"]
    assert account.list_writes(since) == []
    # A deployment reports what was wrong with recordings before, but does not fail because of it.
    passed, output = account.deploy(config={**config, "SWEEP_AFTER": "400"}, env_file=env_file)
    assert passed, output
    assert "note    waiting " in output
    assert "every open receipt can be read" not in output
    for key in keys:
        cos.delete(state_bucket, key)
    passed, output = account.deploy(config=fewer, env_file=env_file)
    assert passed, output


def test_receipts_of_a_former_bucket_that_cannot_be_listed_give_a_warning() -> None:
    target = build_target()
    state = with_values(deployed_state(target), abandoned_receipts={"old-1250000000": None})
    assert list_losses(target, state) == []
    [warning] = list_plan_warnings(target, state)
    assert warning.startswith(
        "old-1250000000 was an input bucket, and this key has no permission to list its"
    )
