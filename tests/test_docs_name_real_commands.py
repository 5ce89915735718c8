"""What the docs tell people to type, to click or to look up must exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cli.doctor.checks import CHECKS
from cli.main import app
from tests.helpers.markdown_pages import parse_sections

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("README*.md"), *ROOT.glob("docs/**/*.md"))
)
GUIDES = ["docs/deploy.md", "docs/deploy.zh.md"]

each_page = pytest.mark.parametrize("page", PAGES)


def read_page(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def list_commands(page: str) -> list[list[str]]:
    """List each `scribe ...` in a code span or a code block, in words, up to the comment."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", read_page(page), re.DOTALL | re.MULTILINE)
    spans = re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", read_page(page), flags=re.DOTALL | re.MULTILINE)
    )
    lines = [line for block in blocks for line in block.splitlines()] + spans
    matches = (re.match(r"(?:\.venv/bin/)?scribe +([^#]+)", line.strip()) for line in lines)
    return [match[1].split() for match in matches if match]


def load_commands() -> dict[str, Any]:
    return dict(getattr(get_command(app), "commands"))  # noqa: B009 - typer's own group class is no public type


def list_anchors(page: str) -> set[str]:
    return {section.anchor for section in parse_sections(read_page(page))}


@each_page
def test_every_command_and_option_that_a_page_names_exists(page: str) -> None:
    known = load_commands()
    for name, *words in list_commands(page):
        assert name in known, f"{page} names `scribe {name}`"
        options = {option for parameter in known[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, f"{page}: scribe {name} {words}"


def test_pages_name_commands() -> None:
    named = {words[0] for page in PAGES for words in list_commands(page)}
    assert named >= {"demo", "local", "invoke", "deploy", "remove", "doctor", "policy"}


@each_page
def test_every_link_to_a_file_or_heading_has_a_target(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", read_page(page)):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        target_file = (ROOT / page).parent / file if file else ROOT / page
        assert target_file.is_file(), f"{page} links to {target}"
        if anchor:
            assert anchor in list_anchors(target_file.resolve().relative_to(ROOT).as_posix()), (
                f"{page} links to {target}"
            )


@pytest.mark.parametrize("guide", GUIDES)
def test_the_guide_explains_every_check_of_the_doctor(guide: str) -> None:
    explained = [
        name
        for cell in re.findall(r"^\| (`[a-z].*?) \|", read_page(guide), re.MULTILINE)
        for name in cell.split(", ")
    ]
    assert {f"`{name}`" for name in ["settings", *(check.name for check in CHECKS)]} <= set(explained)


def test_both_languages_of_the_guide_give_the_same_commands() -> None:
    english, chinese = [
        re.findall(r"^```sh\n(.*?)^```", read_page(guide), re.DOTALL | re.MULTILINE) for guide in GUIDES
    ]
    assert len(english) > 8
    assert [re.sub(r"<.*?>", "<>", block) for block in english] == [
        re.sub(r"<.*?>", "<>", block) for block in chinese
    ]
    assert list_commands(GUIDES[0]) != []
    assert len(list_anchors(GUIDES[0])) == len(list_anchors(GUIDES[1]))
