"""The .env file as people write it, and the callback token that is saved in it."""

from __future__ import annotations

import re
import resource
import stat
import subprocess
from pathlib import Path
from random import Random, SystemRandom

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.config import (
    check_secrets_not_tracked,
    generate_token,
    load_config,
    load_operator_credentials,
    save_token,
)
from cli.errors import OperatorError
from cli.manifest.errors import ManifestError
from cli.manifest.loader import load_manifest
from cli.redaction import SECRETS
from shared.settings import load_settings

pytestmark = pytest.mark.process

DEFAULTS = {"SCRIBE_STAGE": "prod", "SCF_ROLE_NAME": "scribe-prod"}
TOKEN = "made-up-token-000000024c"
ROOT = Path(__file__).resolve().parents[2]


def write_env(folder: Path, text: str | bytes) -> Path:
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
def test_env_file_is_read_in_every_common_form(text: str, tmp_path: Path) -> None:
    config = load_config(write_env(tmp_path, text), {})
    assert config == {**DEFAULTS, "REGION": "ap-chengdu", "INPUT_PREFIX": "calls/"}


def test_value_never_refers_to_another_variable(tmp_path: Path) -> None:
    file = write_env(tmp_path, "TENCENT_SECRET_KEY=a$HOME-${REGION}\nINPUT_PREFIX='#1 calls/'\n")
    config = load_config(file, {"HOME": "/nowhere", "REGION": "ap-chengdu"})
    assert config["TENCENT_SECRET_KEY"] == "a$HOME-${REGION}"
    assert config["INPUT_PREFIX"] == "#1 calls/"


def test_environment_wins_unless_its_variable_is_empty(tmp_path: Path) -> None:
    file = write_env(tmp_path, "REGION=ap-chengdu\nENGINE=16k_en\n")
    config = load_config(file, {"REGION": "ap-beijing", "ENGINE": " ", "QUEUE_ID": ""})
    assert config == {**DEFAULTS, "REGION": "ap-beijing", "ENGINE": "16k_en"}


def test_environment_alone_is_enough(tmp_path: Path) -> None:
    config = load_config(tmp_path / ".env", {"SCRIBE_STAGE": "trial", "REGION": "ap-chengdu"})
    assert config == {"SCRIBE_STAGE": "trial", "SCF_ROLE_NAME": "scribe-trial", "REGION": "ap-chengdu"}


def test_missing_env_file_is_named_with_its_full_path(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=rf"there is no file {re.escape(str(tmp_path))}/\.env: copy"):
        load_config(tmp_path / ".env", {"PATH": "/bin", "REGION": " "})


def test_unknown_variable_in_the_env_file_is_reported(tmp_path: Path) -> None:
    file = write_env(
        tmp_path,
        "ENGIEN=16k_en\nregion=ap-chengdu\nTENCENT_SECRETID=hush-hush\nQUX=1\nCLOUD_ENDPOINT=\nSCRIBE_STAGE=t\n"
        "TENCENTCLOUD_SESSIONTOKEN=t\nCALLBACK_TOKEN=a-made-up-token-of-24-c\nEMPTY=\n",
    )
    with pytest.raises(ManifestError) as caught:
        load_manifest(ROOT, load_config(file, {"ENGINES": "of the shell, and not meant for us"}))
    mistakes = caught.value.mistakes
    assert [mistake for mistake in mistakes if "is not a setting" in mistake] == [
        "ENGIEN is not a setting; did you mean ENGINE? Correct or remove it in .env",
        "QUX is not a setting; the settings are in .env.example. Correct or remove it in .env",
        "TENCENT_SECRETID is not a setting; did you mean TENCENT_SECRET_ID? Correct or remove it in .env",
        "region is not a setting; did you mean REGION? Correct or remove it in .env",
    ]
    assert any(mistake.startswith("REGION is not set") for mistake in mistakes)
    assert "hush" not in str(caught.value)


def test_every_variable_of_the_example_is_known(tmp_path: Path) -> None:
    names = re.findall(r"^([A-Z_]+)=$", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE)
    assert "TENCENT_SECRET_ID" in names
    with pytest.raises(ManifestError) as caught:
        load_manifest(ROOT, load_config(write_env(tmp_path, "".join(f"{name}=:\n" for name in names)), {}))
    assert "is not a setting" not in str(caught.value)


ID, KEY, SESSION = "TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_TOKEN"
PERMANENT = {ID: "a", KEY: "b"}
TEMPORARY = {ID: "c", KEY: "d", SESSION: "e"}


@pytest.mark.parametrize(
    ("in_file", "in_process", "expected"),
    [
        (PERMANENT, {SESSION: "left over"}, ("a", "b", "")),
        (TEMPORARY, {SESSION: "left over"}, ("c", "d", "e")),
        (TEMPORARY, PERMANENT, ("a", "b", "")),
        (PERMANENT, TEMPORARY, ("c", "d", "e")),
        ({SESSION: "e"}, PERMANENT, ("a", "b", "")),
        ({ID: "c"}, {KEY: "d", SESSION: "e"}, ("c", "d", "")),
        ({}, TEMPORARY, ("c", "d", "e")),
    ],
)
def test_session_token_is_used_only_with_the_key_of_its_source(
    in_file: dict[str, str], in_process: dict[str, str], expected: tuple[str, str, str], tmp_path: Path
) -> None:
    file = write_env(tmp_path, "".join(f"{name}={value}\n" for name, value in in_file.items()))
    credentials = load_operator_credentials(load_config(file, in_process), tmp_path)
    assert (credentials.secret_id, credentials.secret_key, credentials.token) == expected


@pytest.mark.parametrize("line", ["hush hush", "SECRET: hush", "=hush", "HUSH"])
def test_invalid_line_is_reported_by_number_and_not_quoted(line: str, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"line 4 cannot be read") as caught:
        load_config(write_env(tmp_path, f"REGION=ap-chengdu\n\n\n{line}\nENGINE=16k_en\n"), {})
    assert "hush" not in str(caught.value).lower()


def test_other_encoding_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="save it again as UTF-8"):
        load_config(write_env(tmp_path, "REGION=ap-chengdu\n".encode("utf-16")), {})


@given(st.randoms(use_true_random=False))
def test_generated_token_is_accepted_and_needs_no_quoting(random: Random) -> None:
    token = generate_token(random)
    assert re.fullmatch(r"[A-Za-z0-9]{24}", token)
    load_settings({"INPUT_BUCKETS": "media-1250000000", "REGION": "ap-chengdu", "CALLBACK_TOKEN": token})


def test_two_generated_tokens_differ() -> None:
    assert generate_token(SystemRandom()) != generate_token(SystemRandom())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, f"CALLBACK_TOKEN={TOKEN}\n"),
        ("REGION=ap-chengdu", f"REGION=ap-chengdu\nCALLBACK_TOKEN={TOKEN}\n"),
        ("# why\nCALLBACK_TOKEN=\nENGINE=\n", f"# why\nCALLBACK_TOKEN={TOKEN}\nENGINE=\n"),
        ("export CALLBACK_TOKEN='' # mine\nENGINE=\n", f"CALLBACK_TOKEN={TOKEN}\nENGINE=\n"),
    ],
)
def test_token_is_saved_on_its_empty_line_or_at_the_end(
    before: str | None, after: str, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    if before is not None:
        file.write_text(before, "utf-8")
    save_token(file, TOKEN)
    assert file.read_text("utf-8") == after
    assert load_config(file, {})["CALLBACK_TOKEN"] == TOKEN
    assert list(tmp_path.iterdir()) == [file]


def test_only_the_owner_can_read_a_saved_token(tmp_path: Path) -> None:
    file = write_env(tmp_path, "REGION=ap-chengdu\n")
    file.chmod(0o644)
    save_token(file, TOKEN)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_failed_save_leaves_the_file_unchanged(
    tmp_path: Path,
) -> None:
    file = write_env(tmp_path, "REGION=ap-chengdu\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))  # a disk that is full after some bytes
    try:
        with pytest.raises(OperatorError, match=r"unchanged: File too large\. Free some") as caught:
            save_token(file, TOKEN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(file) in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_text("utf-8") == "REGION=ap-chengdu\n"


def create_repository(folder: Path, ignored: str) -> Path:
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    (folder / ".gitignore").write_text(ignored, "utf-8")
    return folder


def test_token_is_saved_in_a_file_that_git_ignores(tmp_path: Path) -> None:
    file = create_repository(tmp_path, ".env\n") / ".env"
    save_token(file, TOKEN)
    assert TOKEN in file.read_text("utf-8")


def test_token_is_not_saved_in_a_file_that_git_would_track(tmp_path: Path) -> None:
    file = create_repository(tmp_path, "*.log\n") / ".env"
    with pytest.raises(OperatorError, match=r"add \.env to \.gitignore") as caught:
        save_token(file, TOKEN)
    assert TOKEN not in str(caught.value)
    assert not file.exists()


def test_token_is_not_saved_in_a_file_that_git_tracks_already(tmp_path: Path) -> None:
    file = write_env(create_repository(tmp_path, ".env\n"), "REGION=ap-chengdu\n")
    subprocess.run(["git", "-C", str(tmp_path), "add", "--force", ".env"], check=True)
    with pytest.raises(OperatorError, match=r"git rm --cached .* in the environment"):
        save_token(file, TOKEN)
    assert file.read_text("utf-8") == "REGION=ap-chengdu\n"


def test_token_is_not_saved_in_a_subfolder_of_a_repository(tmp_path: Path) -> None:
    folder = create_repository(tmp_path, "") / "deployments"
    folder.mkdir()
    with pytest.raises(OperatorError):
        save_token(folder / "prod.env", TOKEN)


def test_git_runs_in_the_root_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = create_repository(tmp_path, "*.env\n") / "mounted"
    folder.mkdir()
    monkeypatch.setenv(
        "GIT_CEILING_DIRECTORIES", str(tmp_path)
    )  # stops git from looking further up, as a mount does
    save_token(folder / "prod.env", TOKEN)
    assert TOKEN in (folder / "prod.env").read_text("utf-8")


def test_unknown_git_status_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    with pytest.raises(OperatorError, match="git cannot say whether it ignores it") as caught:
        save_token(tmp_path / ".env", TOKEN)
    assert "git does not ignore" not in str(caught.value)
    assert check_secrets_not_tracked(write_env(tmp_path, f"CALLBACK_TOKEN={TOKEN}\n")) == ""


@pytest.mark.parametrize("name", ["CALLBACK_TOKEN", "TENCENT_SECRET_KEY", "TENCENTCLOUD_TOKEN"])
def test_tracked_file_with_a_secret_gives_a_warning(name: str, tmp_path: Path) -> None:
    file = write_env(create_repository(tmp_path, ""), f"{name}={TOKEN}\n")
    assert check_secrets_not_tracked(file) == ""
    subprocess.run(["git", "-C", str(tmp_path), "add", ".env"], check=True)
    assert check_secrets_not_tracked(file).startswith(
        f"git tracks {file}, which holds {name}: run `git rm --cached {file}`"
    )
    assert TOKEN not in check_secrets_not_tracked(file)
    file.write_text(f"REGION=ap-chengdu\n{name}=\n", "utf-8")
    assert check_secrets_not_tracked(file) == ""


def test_addresses_and_secrets_of_targets_are_hidden_wherever_they_are_set(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(
        "REGION=ap-guangzhou\nNOTIFY_FEISHU_SALES=https://open.feishu.cn/open-apis/bot/v2/hook/key-in-the-file\n"
    )
    environ = {
        "NOTIFY_WECOM": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=key-in-the-environment",
        "NOTIFY_DINGTALK_SECRET": "SEC-in-the-environment",
        "NOTIFY_SOCKET": "/run/socket-of-another-program",
    }
    load_config(env_file, environ)
    hidden = SECRETS.hide(
        "key-in-the-file key-in-the-environment SEC-in-the-environment /run/socket-of-another-program"
    )
    assert hidden == "*** *** *** /run/socket-of-another-program"
