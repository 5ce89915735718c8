"""Where the operator's key is looked for, and what is said when it is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.config import load_operator_credentials
from cli.errors import OperatorError

SDK = {"TENCENTCLOUD_SECRET_ID": "id-of-sdk", "TENCENTCLOUD_SECRET_KEY": "key-of-sdk"}
SCF = {"TENCENTCLOUD_SECRETID": "id-of-scf", "TENCENTCLOUD_SECRETKEY": "key-of-scf"}
CLI = {"TENCENT_SECRET_ID": "id-of-cli", "TENCENT_SECRET_KEY": "key-of-cli"}


def profile(home: Path, text: str) -> Path:
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
def test_the_first_whole_key_is_taken(environ: dict[str, str], secret_id: str, tmp_path: Path) -> None:
    assert load_operator_credentials(environ, tmp_path).secret_id == secret_id


@pytest.mark.parametrize(
    ("environ", "token_name"),
    [
        (SDK, "TENCENTCLOUD_TOKEN"),
        (SCF, "TENCENTCLOUD_SESSIONTOKEN"),
        (CLI, "TENCENT_TOKEN"),
    ],
)
def test_the_token_of_a_temporary_key_has_the_same_spelling(
    environ: dict[str, str], token_name: str, tmp_path: Path
) -> None:
    every = {"TENCENTCLOUD_TOKEN": "a", "TENCENTCLOUD_SESSIONTOKEN": "b", "TENCENT_TOKEN": "c"}
    assert load_operator_credentials({**environ, **every}, tmp_path).token == every[token_name]
    assert load_operator_credentials(environ, tmp_path).token == ""


def test_the_profile_of_the_sdk_is_read_when_the_environment_has_no_key(tmp_path: Path) -> None:
    text = "[default]\r\nsecret_id = id-of-profile\r\nsecret_key = 100%of$profile\r\ntoken = t\r\n"
    found = load_operator_credentials({}, profile(tmp_path, text))
    assert (found.secret_id, found.secret_key, found.token) == ("id-of-profile", "100%of$profile", "t")
    assert load_operator_credentials(CLI, tmp_path).secret_id == "id-of-cli"


@pytest.mark.parametrize(
    "text", ["", "[other]\nsecret_id = a\nsecret_key = b\n", "[default]\nsecret_id = a\n"]
)
def test_without_a_key_it_is_said_what_to_set(text: str, tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        load_operator_credentials({}, profile(tmp_path, text))
    for name in ("TENCENT_SECRET_ID", "TENCENT_SECRET_KEY", str(tmp_path / ".tencentcloud")):
        assert name in str(caught.value)


def test_half_a_key_is_named_and_no_other_account_steps_in(tmp_path: Path) -> None:
    home = profile(tmp_path, "[default]\nsecret_id = id-of-profile\nsecret_key = key-of-profile\n")
    with pytest.raises(
        OperatorError, match="TENCENT_SECRET_KEY is set, but TENCENT_SECRET_ID is not"
    ) as caught:
        load_operator_credentials({"TENCENT_SECRET_KEY": "hush-hush-hush"}, home)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("text", ["secret_key = hush\n", "[default]\nhush hush\n", "[default]\n[default]\n"])
def test_a_profile_that_cannot_be_read_is_named_and_not_quoted(text: str, tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        load_operator_credentials({}, profile(tmp_path, text))
    assert "cannot be read" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
