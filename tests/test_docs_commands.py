"""docs/commands.md and commands.zh.md: each example is what the command prints; each command and option is there."""

from __future__ import annotations

import json
import re

import pytest
import typer.main

from cli.language import ENGLISH
from cli.main import app
from cli.operate.app import PANEL
from tests.helpers.command_examples import PAGES, read_examples, run_example_in

EXAMPLES = [(language, *example) for language in PAGES for example in read_examples(language)]
GROUP = typer.main.get_group(app)
COMMANDS = {
    name: command
    for name, command in GROUP.commands.items()
    if getattr(command, "rich_help_panel", "") == PANEL
}

WITHOUT_OUTPUT = frozenset({"console"})  # it prints the address of its page, and no document


@pytest.mark.parametrize(
    ("language", "line", "shown"), EXAMPLES, ids=[f"{language} {line}" for language, line, _ in EXAMPLES]
)
def test_example_is_what_the_command_prints(language: str, line: str, shown: str) -> None:
    assert shown == run_example_in(language, line), "write them again: make docs"


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - WITHOUT_OUTPUT))
def test_command_has_an_example_of_its_text_and_of_its_json(name: str) -> None:
    lines = [line for language, line, _ in EXAMPLES if language == ENGLISH and line.split()[0] == name]
    assert any("--json" in line for line in lines), lines
    assert any("--json" not in line for line in lines), lines


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_option_is_explained(name: str) -> None:
    section = PAGES[ENGLISH].read_text("utf-8").partition(f"\n## `scribe {name}")[2].partition("\n## ")[0]
    assert section
    options = {
        option for parameter in COMMANDS[name].params for option in parameter.opts if option.startswith("--")
    }
    missing = {option for option in options - {"--env-file", "--help"} if f"`{option}" not in section}
    assert missing == set()


def test_json_examples_are_json() -> None:
    documents = [json.loads(shown) for _, line, shown in EXAMPLES if "--json" in line]
    assert len(documents) >= 2 * len(COMMANDS.keys() - WITHOUT_OUTPUT)


def test_names_in_json_are_the_same_in_chinese() -> None:
    both = [[(line, list_names(shown)) for line, shown in read_examples(language)] for language in PAGES]
    assert both[0] == both[1]


def list_names(document: str) -> list[str]:
    """List the names of the members in a JSON document, in their order; none of another text."""
    return re.findall(r'^ *"(\w+)":', document, re.MULTILINE)
