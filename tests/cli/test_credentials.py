"""Where the operator's key is read from, and the error when it is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.config import load_operator_credentials
from cli.errors import OperatorError
from shared.tencent.auth import Credentials

SDK = {"TENCENTCLOUD_SECRET_ID": "id-of-sdk", "TENCENTCLOUD_SECRET_KEY": "key-of-sdk"}
SCF = {"TENCENTCLOUD_SECRETID": "id-of-scf", "TENCENTCLOUD_SECRETKEY": "key-of-scf"}
CLI = {"TENCENT_SECRET_ID": "id-of-cli", "TENCENT_SECRET_KEY": "key-of-cli"}


def write_profile(home: Path, text: str) -> Path:
    (home / ".tencentcloud").mkdir()
    (home / ".tencentcloud" / "credentials").write_text(text, "utf-8")
    return home


@pytest.mark.parametrize(
    ("environ", "secret_id"),
    [
        ({**CLI, **SCF, **SDK}, "id-of-sdk"),
        ({**CLI, **SCF}, "id-of-scf"),
        (CLI, "id-of-cli"),
        ({**CLI, "TENCENTCLOUD_SECRET_ID": "", "TENCENTCLOUD_SECRET_KEY": " "}, "id-of-cli"),
        ({**CLI, "TENCENTCLOUD_SECRET_ID": "half a key"}, "id-of-cli"),
    ],
)
def test_first_complete_key_is_used(environ: dict[str, str], secret_id: str, tmp_path: Path) -> None:
    assert load_operator_credentials(environ, tmp_path).secret_id == secret_id


@pytest.mark.parametrize(
    ("environ", "token_name"),
    [
        (SDK, "TENCENTCLOUD_TOKEN"),
        (SCF, "TENCENTCLOUD_SESSIONTOKEN"),
        (CLI, "TENCENT_TOKEN"),
    ],
)
def test_session_token_has_the_spelling_of_its_key(
    environ: dict[str, str], token_name: str, tmp_path: Path
) -> None:
    tokens = {"TENCENTCLOUD_TOKEN": "a", "TENCENTCLOUD_SESSIONTOKEN": "b", "TENCENT_TOKEN": "c"}
    assert load_operator_credentials({**environ, **tokens}, tmp_path).token == tokens[token_name]
    assert load_operator_credentials(environ, tmp_path).token == ""


def test_sdk_profile_is_used_when_the_environment_has_no_key(tmp_path: Path) -> None:
    text = "[default]\r\nsecret_id = id-of-profile\r\nsecret_key = 100%of$profile\r\ntoken = t\r\n"
    credentials = load_operator_credentials({}, write_profile(tmp_path, text))
    assert credentials == Credentials("id-of-profile", "100%of$profile", "t")
    assert load_operator_credentials(CLI, tmp_path).secret_id == "id-of-cli"


@pytest.mark.parametrize(
    "text", ["", "[other]\nsecret_id = a\nsecret_key = b\n", "[default]\nsecret_id = a\n"]
)
def test_missing_key_error_names_what_to_set(text: str, tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        load_operator_credentials({}, write_profile(tmp_path, text))
    for name in ("TENCENT_SECRET_ID", "TENCENT_SECRET_KEY", str(tmp_path / ".tencentcloud")):
        assert name in str(caught.value)


def test_incomplete_key_is_reported_and_the_profile_is_not_used(tmp_path: Path) -> None:
    home = write_profile(tmp_path, "[default]\nsecret_id = id-of-profile\nsecret_key = key-of-profile\n")
    with pytest.raises(
        OperatorError, match="TENCENT_SECRET_KEY is set, but TENCENT_SECRET_ID is not"
    ) as caught:
        load_operator_credentials({"TENCENT_SECRET_KEY": "hush-hush-hush"}, home)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("text", ["secret_key = hush\n", "[default]\nhush hush\n", "[default]\n[default]\n"])
def test_unreadable_profile_is_named_and_not_quoted(text: str, tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        load_operator_credentials({}, write_profile(tmp_path, text))
    assert "cannot be read" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
