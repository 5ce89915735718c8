"""Command lines in messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.config import CliContext, Commands, EnvFileValue
from cli.errors import OperatorError
from cli.manifest.errors import ManifestError
from cli.manifest.loader import load_manifest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("file", "words", "line"),
    [
        (".env", ("deploy",), "scribe deploy"),
        ("test.env", ("deploy",), "scribe deploy --env-file test.env"),
        ("my stage.env", ("remove",), "scribe remove --env-file 'my stage.env'"),
        ("a/.env", ("doctor",), "scribe doctor --env-file a/.env"),
        ("test.env", ("deploy", "--take-over"), "scribe deploy --env-file test.env --take-over"),
        ("test.env", ("policy", "--create-role"), "scribe policy --env-file test.env --create-role"),
    ],
)
def test_command_line_names_the_file_of_settings(file: str, words: tuple[str, ...], line: str) -> None:
    assert Commands(Path(file)).line(*words) == line


@pytest.mark.parametrize("file", ["test.env", "my stage.env", "a/.env"])
@pytest.mark.parametrize(
    "config",
    [
        {"REGION": "ap-chengdu", "CALLBACK_TOKEN": "made-up-token-0001"},
        {"REGION": "ap-chengdu", "INPUT_BUCKETS": "media-1250000000", "CALLBACK_TOKEN": ""},
        {"REGION": "ap-chengdu", "INPUT_BUCKETS": "media-1250000000", "CALLBACK_TOKEN": "short"},
        {"REGION": "ap-chengdu", "INPUT_BUCKETS": "media-1250000000", "ENGIEN": EnvFileValue("16k_zh")},
    ],
    ids=["missing", "missing token", "wrong", "unknown"],
)
def test_manifest_errors_name_the_file_of_settings(file: str, config: dict[str, str]) -> None:
    with pytest.raises(ManifestError) as caught:
        load_manifest(ROOT, {"SCRIBE_STAGE": "prod", "SCF_ROLE_NAME": "scribe-prod", **config}, Path(file))
    for mistake in caught.value.mistakes:
        text = mistake.replace(".env.example", "")
        assert file in text
        assert ".env" not in text.replace(file, "")


@pytest.mark.parametrize("file", ["test.env", "my stage.env", "a/.env"])
def test_missing_key_error_names_the_file_of_settings(file: str, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=f"set TENCENT_SECRET_ID and TENCENT_SECRET_KEY in {file} or"):
        CliContext(ROOT, Path(file), {}, tmp_path).load_credentials({})
