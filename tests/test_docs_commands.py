"""docs/commands.md: each example is what the command prints, and each command and option is there."""

from __future__ import annotations

import json

import pytest
import typer.main

from cli.main import app
from cli.operate.app import PANEL
from tests.helpers.command_examples import PAGE, read_examples, run_example

EXAMPLES = read_examples()
GROUP = typer.main.get_group(app)
COMMANDS = {
    name: command
    for name, command in GROUP.commands.items()
    if getattr(command, "rich_help_panel", "") == PANEL
}

WITHOUT_OUTPUT = frozenset({"console"})  # it prints the address of its page, and no document


@pytest.mark.parametrize(("line", "shown"), EXAMPLES, ids=[line for line, _ in EXAMPLES])
def test_example_is_what_the_command_prints(line: str, shown: str) -> None:
    assert shown == run_example(line), "write them again: python -m tests.helpers.command_examples"


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - WITHOUT_OUTPUT))
def test_command_has_an_example_of_its_text_and_of_its_json(name: str) -> None:
    lines = [line for line, _ in EXAMPLES if line.split()[0] == name]
    assert any("--json" in line for line in lines), lines
    assert any("--json" not in line for line in lines), lines


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_option_is_explained(name: str) -> None:
    section = PAGE.read_text("utf-8").partition(f"\n## `scribe {name}")[2].partition("\n## ")[0]
    assert section
    options = {
        option for parameter in COMMANDS[name].params for option in parameter.opts if option.startswith("--")
    }
    missing = {option for option in options - {"--env-file", "--help"} if f"`{option}" not in section}
    assert missing == set()


def test_json_examples_are_json() -> None:
    documents = [json.loads(shown) for line, shown in EXAMPLES if "--json" in line]
    assert len(documents) >= len(COMMANDS.keys() - WITHOUT_OUTPUT)
