"""Command lines in messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.commands import Commands
from cli.surroundings import Surroundings


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


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        (".env", "scribe deploy, see .env", "scribe deploy, see .env"),
        (
            "test.env",
            "change it in .env: scribe deploy",
            "change it in test.env: scribe deploy --env-file test.env",
        ),
        ("test.env", "see .env.example or test.env", "see .env.example or test.env"),
        ("my stage.env", "`scribe remove`", "`scribe remove --env-file 'my stage.env'`"),
        ("test.env", "function scribe-prod-scribe-sweep", "function scribe-prod-scribe-sweep"),
        ("a/.env", "scribe doctor --env-file a/.env", "scribe doctor --env-file a/.env"),
    ],
)
def test_configuration_errors_name_the_file_of_settings(file: str, text: str, told: str) -> None:
    assert Surroundings(Path(), Path(file), {}, Path()).told(text) == told
