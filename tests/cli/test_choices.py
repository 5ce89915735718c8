"""The file .env as people write it, and the callback token that is kept in it."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path
from random import Random, SystemRandom

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.choices import choices_from, keep_token, new_token
from cli.errors import OperatorError
from shared.settings import settings_from

DEFAULTS = {"SCRIBE_STAGE": "prod", "SCF_ROLE_NAME": "scribe-prod"}
TOKEN = "made-up-token-000000024c"


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / ".env"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


@pytest.mark.parametrize(
    "text",
    [
        "REGION=ap-chengdu\nINPUT_PREFIX=calls/\n",
        "REGION=ap-chengdu\r\nINPUT_PREFIX=calls/\r\n",
        "\ufeffREGION=ap-chengdu\nINPUT_PREFIX=calls/",
        "export REGION='ap-chengdu'\nexport INPUT_PREFIX=\"calls/\"\n",
        "  REGION = ap-chengdu  # where the bucket is\n\n# a remark\nINPUT_PREFIX =  calls/\t\n",
        "REGION=ap-beijing\nREGION=ap-chengdu\nINPUT_PREFIX=calls/\nENGINE=\nFORMATS=''\n",
    ],
)
def test_a_file_is_read_however_it_is_written(text: str, tmp_path: Path) -> None:
    chosen = choices_from(written(tmp_path, text), {})
    assert chosen == {**DEFAULTS, "REGION": "ap-chengdu", "INPUT_PREFIX": "calls/"}


def test_nothing_in_a_value_stands_for_another_variable(tmp_path: Path) -> None:
    file = written(tmp_path, "TENCENT_SECRET_KEY=a$HOME-${REGION}\nINPUT_PREFIX='#1 calls/'\n")
    chosen = choices_from(file, {"HOME": "/nowhere", "REGION": "ap-chengdu"})
    assert chosen["TENCENT_SECRET_KEY"] == "a$HOME-${REGION}"
    assert chosen["INPUT_PREFIX"] == "#1 calls/"


def test_the_environment_wins_but_an_empty_variable_hides_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, "REGION=ap-chengdu\nENGINE=16k_en\n")
    chosen = choices_from(file, {"REGION": "ap-beijing", "ENGINE": " ", "QUEUE_ID": ""})
    assert chosen == {**DEFAULTS, "REGION": "ap-beijing", "ENGINE": "16k_en"}


def test_without_a_file_there_is_the_environment(tmp_path: Path) -> None:
    chosen = choices_from(tmp_path / ".env", {"SCRIBE_STAGE": "trial"})
    assert chosen == {"SCRIBE_STAGE": "trial", "SCF_ROLE_NAME": "scribe-trial"}


@pytest.mark.parametrize("line", ["hush hush", "SECRET: hush", "=hush", "HUSH"])
def test_a_line_that_is_none_is_told_by_its_number_and_not_quoted(line: str, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"line 4 cannot be read") as caught:
        choices_from(written(tmp_path, f"REGION=ap-chengdu\n\n\n{line}\nENGINE=16k_en\n"), {})
    assert "hush" not in str(caught.value).lower()


def test_a_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="save it again as UTF-8"):
        choices_from(written(tmp_path, "REGION=ap-chengdu\n".encode("utf-16")), {})


@given(st.randoms(use_true_random=False))
def test_a_new_token_is_one_that_the_functions_accept_in_a_url(random: Random) -> None:
    token = new_token(random)
    assert re.fullmatch(r"[A-Za-z0-9]{24}", token)
    settings_from({"INPUT_BUCKETS": "media-1250000000", "REGION": "ap-chengdu", "CALLBACK_TOKEN": token})


def test_two_new_tokens_differ() -> None:
    assert new_token(SystemRandom()) != new_token(SystemRandom())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, f"CALLBACK_TOKEN={TOKEN}\n"),
        ("REGION=ap-chengdu", f"REGION=ap-chengdu\nCALLBACK_TOKEN={TOKEN}\n"),
        ("# why\nCALLBACK_TOKEN=\nENGINE=\n", f"# why\nCALLBACK_TOKEN={TOKEN}\nENGINE=\n"),
        ("export CALLBACK_TOKEN='' # mine\nENGINE=\n", f"CALLBACK_TOKEN={TOKEN}\nENGINE=\n"),
    ],
)
def test_a_token_is_kept_where_its_place_is(before: str | None, after: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    if before is not None:
        file.write_text(before, "utf-8")
    keep_token(file, TOKEN)
    assert file.read_text("utf-8") == after
    assert choices_from(file, {})["CALLBACK_TOKEN"] == TOKEN
    assert list(tmp_path.iterdir()) == [file]


def test_only_the_owner_can_read_a_kept_token(tmp_path: Path) -> None:
    file = written(tmp_path, "REGION=ap-chengdu\n")
    file.chmod(0o644)
    keep_token(file, TOKEN)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def repository(folder: Path, ignored: str) -> Path:
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    (folder / ".gitignore").write_text(ignored, "utf-8")
    return folder


def test_a_file_that_git_ignores_gets_the_token(tmp_path: Path) -> None:
    file = repository(tmp_path, ".env\n") / ".env"
    keep_token(file, TOKEN)
    assert TOKEN in file.read_text("utf-8")


def test_a_file_that_git_would_track_never_gets_a_token(tmp_path: Path) -> None:
    file = repository(tmp_path, "*.log\n") / ".env"
    with pytest.raises(OperatorError, match=r"add \.env to \.gitignore") as caught:
        keep_token(file, TOKEN)
    assert TOKEN not in str(caught.value)
    assert not file.exists()


def test_a_file_that_git_tracks_already_never_gets_a_token_though_it_is_ignored(tmp_path: Path) -> None:
    file = written(repository(tmp_path, ".env\n"), "REGION=ap-chengdu\n")
    subprocess.run(["git", "-C", str(tmp_path), "add", "--force", ".env"], check=True)
    with pytest.raises(OperatorError, match="git rm --cached"):
        keep_token(file, TOKEN)
    assert file.read_text("utf-8") == "REGION=ap-chengdu\n"


def test_a_file_in_a_folder_below_the_repository_is_looked_at_too(tmp_path: Path) -> None:
    folder = repository(tmp_path, "") / "deployments"
    folder.mkdir()
    with pytest.raises(OperatorError):
        keep_token(folder / "prod.env", TOKEN)
