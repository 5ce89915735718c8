"""What the docs tell people to type, to click or to look up must exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cli.doctor.runner import CHECKS
from cli.main import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")])
GUIDES = ["docs/deploy.md", "docs/deploy.zh.md"]

each_page = pytest.mark.parametrize("page", PAGES)


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def commands_on(page: str) -> list[list[str]]:
    """Each `scribe ...` inside a code span or a code block, in words, up to the comment."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)
    spans = re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    )
    lines = [line for block in blocks for line in block.splitlines()] + spans
    found = (re.match(r"(?:\.venv/bin/)?scribe +([^#]+)", line.strip()) for line in lines)
    return [match[1].split() for match in found if match]


def known_commands() -> dict[str, Any]:
    return dict(getattr(get_command(app), "commands"))  # noqa: B009 - typer's own group class is no public type


def anchors_of(page: str) -> set[str]:
    """What GitHub makes of the headings: lower case, blanks to hyphens, other marks dropped."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_every_command_and_option_that_a_page_names_exists(page: str) -> None:
    known = known_commands()
    for name, *words in commands_on(page):
        assert name in known, f"{page} names `scribe {name}`"
        options = {option for parameter in known[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, f"{page}: scribe {name} {words}"


def test_pages_name_commands() -> None:
    named = {words[0] for page in PAGES for words in commands_on(page)}
    assert named >= {"demo", "local", "invoke", "deploy", "remove", "doctor", "policy"}


@each_page
def test_every_link_to_a_file_or_heading_has_a_target(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        aim = (ROOT / page).parent / file if file else ROOT / page
        assert aim.is_file(), f"{page} links to {target}"
        if anchor:
            assert anchor in anchors_of(aim.resolve().relative_to(ROOT).as_posix()), (
                f"{page} links to {target}"
            )


@pytest.mark.parametrize("guide", GUIDES)
def test_the_guide_explains_every_check_of_the_doctor(guide: str) -> None:
    explained = [
        name
        for cell in re.findall(r"^\| (`[a-z].*?) \|", text_of(guide), re.MULTILINE)
        for name in cell.split(", ")
    ]
    assert {f"`{name}`" for name in ["settings", *(check.name for check in CHECKS)]} <= set(explained)


def test_both_languages_of_the_guide_give_the_same_commands() -> None:
    english, chinese = [
        re.findall(r"^```sh\n(.*?)^```", text_of(guide), re.DOTALL | re.MULTILINE) for guide in GUIDES
    ]
    assert len(english) > 8
    assert [re.sub(r"<.*?>", "<>", block) for block in english] == [
        re.sub(r"<.*?>", "<>", block) for block in chinese
    ]
    assert commands_on(GUIDES[0]) != []
    assert len(anchors_of(GUIDES[0])) == len(anchors_of(GUIDES[1]))
