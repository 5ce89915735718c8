"""docs/options.md and docs/options.zh.md say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from cli.explain.command import parse_metadata_argument
from cli.explain.models import Explanation
from cli.rules.document import MAX_FILE_BYTES
from cli.rules.loader import MAX_PATTERNS, MAX_RULES, load_rules_file
from shared.options.check import check_options
from shared.options.combine import combine
from shared.options.engines import ENGINES, SEPARATING_ENGINE, Engine, list_engines
from shared.options.model import OPTIONS, Option, format_value
from shared.options.parse import parse_metadata
from shared.options.rules import MAX_PATTERN_LENGTH, MAX_WILDCARDS, match_rules, matches
from shared.options.sidecar import parse_sidecar
from shared.settings import load_settings
from tests.helpers.explain import ExplainFolder

PAGE_FOLDER = Path(__file__).parents[1] / "docs"
PAGE = (PAGE_FOLDER / "options.md").read_text("utf-8")


def read_table(first_column: str, page: str = PAGE) -> dict[str, list[str]]:
    """Return the rows of the table that begins with this heading, by their first cell."""
    lines = page[page.index(f"\n| {first_column} |") + 1 :].partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in rows}


def format_default(option: Option) -> str:
    if option.name == "engine":
        return "the setting `ENGINE`"
    return (
        f"`{format_value(option.name, option.default)}`"
        if option.name not in {"title", "speaker-names"}
        else "-"
    )


def test_table_has_every_option_with_its_values_default_and_member() -> None:
    rows = read_table("name")
    assert list(rows) == list(OPTIONS)
    for option in OPTIONS.values():
        elements = ", ".join(f"`{element}`" for element in option.element.split(", ") if element) or "-"
        assert rows[option.name][:3] == [option.values, format_default(option), elements]
        assert all(rows[option.name][3:]), option.name


def test_engines_of_each_option_are_those_of_the_check() -> None:
    engines = {name: cells[3] for name, cells in read_table("name").items()}
    for name, member in (
        ("speakers", "has_speakers"),
        ("flash", "has_flash"),
        ("channels", "has_two_channels"),
    ):
        confirmed = engines[name].partition("not confirmed")[0]
        assert tuple(re.findall("`(.+?)`", confirmed)) == list_engines(member), name
    filtered = {name for name, cell in engines.items() if cell.startswith("Mandarin")}
    assert filtered == {"punctuation", "fillers", "dirty-words", "line-length"}


def test_table_of_engines_is_that_of_the_check() -> None:
    assert read_table("engine") == {name: format_engine(name, engine) for name, engine in ENGINES.items()}


def format_engine(name: str, engine: Engine) -> list[str]:
    speakers = "by itself" if name == SEPARATING_ENGINE else "yes" if engine.has_speakers else "-"
    flash = "yes" if engine.has_flash else "-"
    return [
        "yes" if engine.has_filters else "-",
        {True: "yes", False: "-", None: "not confirmed"}[engine.has_two_channels],
        speakers,
        "only" if engine.is_flash_only else flash,
    ]


def test_example_is_read_as_it_says() -> None:
    block = re.search(r"```\n(.+?)```", PAGE, re.DOTALL)
    assert block
    lines = [line.partition(": ") for line in block[1].splitlines()]
    chosen = combine(parse_metadata({name.removeprefix("x-cos-meta-"): value for name, _, value in lines}))
    assert (chosen.options.engine, chosen.options.speakers, chosen.options.title) == (
        "16k_zh_video",
        "auto",
        "周会",
    )
    assert check_options(chosen, "a.mp3", 9) == ((), ())


def read_section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_rules_of_the_page_are_combined_as_it_says(tmp_path: Path) -> None:
    [block] = re.findall(r"```yaml\n(.+?)```", read_section("Rules"), re.DOTALL)
    (tmp_path / "rules.yml").write_text(block, "utf-8")
    rules = load_rules_file(tmp_path / "rules.yml").rules
    matching = match_rules(rules, "recordings-1250000000", "meetings/english/a.m4a")
    options = combine(*(rule.choices for rule in matching)).options
    assert (options.engine, options.speakers, options.speaker_names) == ("16k_en", "", ("王老师", "李明"))


def test_patterns_of_the_page_match_its_examples() -> None:
    rows = read_table("pattern")
    assert len(rows) == 8
    for pattern, (matching, other) in rows.items():
        keys = [key for key in re.findall("`([^`]+)`", matching) if re.search(r"\.[mM]", key)]
        assert keys or pattern in {"/calls/", "2026/calls/", "**"}
        assert all(matches([pattern], key) for key in keys), pattern
        assert not any(matches([pattern], key) for key in re.findall("`([^`]+)`", other)), pattern
    assert all(matches([pattern], "calls/a.mp3") for pattern in ("/calls/", "**"))
    assert matches(["2026/calls/"], "2026/calls/a.mp3")
    limits = (MAX_RULES, MAX_PATTERNS, MAX_FILE_BYTES // 1024, MAX_PATTERN_LENGTH, MAX_WILDCARDS)
    text = " ".join(read_section("Rules").split())
    assert "At most {} rules, {} patterns and {} KB".format(*limits) in text
    assert "at most {3} characters and {4} wildcards".format(*limits) in text


# Both pages

PAGES = {"options.md": PAGE, "options.zh.md": (PAGE_FOLDER / "options.zh.md").read_text("utf-8")}
CHINESE = PAGES["options.zh.md"]

each_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


def list_blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def test_both_pages_have_the_same_examples_and_sections() -> None:
    for language in ("sh", "python", "json", "yaml", "text"):
        english, chinese = [
            [re.sub(" +#.*", "", block) for block in list_blocks(page, language)] for page in PAGES.values()
        ]
        assert english == chinese != []
    headings = [re.findall("^(#+) ", page, re.MULTILINE) for page in PAGES.values()]
    assert headings[0] == headings[1]


def test_chinese_table_has_every_option_with_its_values_default_and_member() -> None:
    rows = read_table("名称", CHINESE)
    assert list(rows) == list(OPTIONS)
    for option in OPTIONS.values():
        elements = ", ".join(f"`{element}`" for element in option.element.split(", ") if element) or "-"
        default = format_default(option).replace("the setting", "配置项")
        assert rows[option.name][:3] == [option.values_zh, default, elements]
        assert all(rows[option.name][3:]), option.name


def test_chinese_table_of_engines_is_that_of_the_check() -> None:
    words = {
        "yes": "是",
        "-": "-",
        "not confirmed": "未确认",
        "by itself": "自动区分",
        "only": "仅限",
    }
    expected = {
        name: [words[cell] for cell in format_engine(name, engine)] for name, engine in ENGINES.items()
    }
    assert read_table("引擎", CHINESE) == expected


@each_page
def test_command_lines_send_metadata_that_are_valid(page: str) -> None:
    commands = "\n".join(list_blocks(page, "sh"))
    headers: list[dict[str, str]] = [
        yaml.safe_load(each) for each in re.findall(r'^coscmd .* -H "(\{.*\})"', commands, re.MULTILINE)
    ]
    metas = re.findall(r'^coscli .* --meta "(.*)"', commands, re.MULTILINE)
    headers += [dict(each.split(":") for each in meta.split("#")) for meta in metas]
    assert len(headers) == 4
    for each in headers:
        metadata = {name.removeprefix("x-cos-meta-"): value for name, value in each.items()}
        chosen = combine(parse_metadata(metadata))
        assert check_options(chosen, "a.mp3", 9) == ((), ())
        assert sum(source != "default" for source in chosen.sources.values()) == len(each)


@each_page
def test_metadata_of_the_sdk_are_valid(page: str) -> None:
    (block,) = list_blocks(page, "python")
    sent: list[dict[str, Any]] = []
    body = block.replace('open("weekly.mp3", "rb")', "b''")
    exec(body, {"client": SimpleNamespace(put_object=lambda **arguments: sent.append(arguments))})  # noqa: S102
    metadata = sent[0]["Metadata"]
    chosen = combine(
        parse_metadata({name.removeprefix("x-cos-meta-"): value for name, value in metadata.items()})
    )
    assert (chosen.options.speakers, chosen.options.title) == ("auto", "周会")


@each_page
def test_sidecars_are_valid(page: str) -> None:
    sidecars = list_blocks(page, "json")
    assert len(sidecars) == 2
    for sidecar in sidecars:
        choices = parse_sidecar(sidecar.encode(), "talk.mp3")
        assert check_options(combine(choices), "talk.mp3", 9) == ((), ())
        assert len(choices) == len(set(json.loads(sidecar)) - {"recording"})


@each_page
def test_rules_are_valid(page: str, tmp_path: Path) -> None:
    hot_words = tmp_path / "hotwords/calls.txt"
    hot_words.parent.mkdir()
    hot_words.write_text("腾讯云 8\n", "utf-8")
    for text in list_blocks(page, "yaml"):
        for name in re.findall("hot-words: (.+)", text):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        path = tmp_path / "rules.yml"
        path.write_text(text, "utf-8")
        for rule in load_rules_file(path).rules:
            assert check_options(combine(rule.choices), "a.mp3", 9) == ((), ())


@each_page
def test_setting_of_options_is_valid(page: str) -> None:
    (line,) = re.findall(r'^OPTIONS="(.*)"$', page, re.MULTILINE)
    settings = load_settings(
        {
            "REGION": "ap-guangzhou",
            "INPUT_BUCKETS": "recordings-1250000000",
            "CALLBACK_TOKEN": "a-token-of-some-length",
            "OPTIONS": line,
        }
    )
    assert {name: choice.value for name, choice in settings.options.items()} == {
        "speakers": "auto",
        "fillers": "none",
        "title": "内部资料",
    }


@each_page
def test_members_of_the_json_are_named(page: str) -> None:
    (start,) = re.findall(r"^- `--json` .*?^- ", page, re.DOTALL | re.MULTILINE)
    named = re.findall("`([a-z_]+)`", start)
    assert [name for name in Explanation("", "", None).as_json() if name not in named] == []


def test_output_of_explain_is_that_of_the_command(tmp_path: Path) -> None:
    (output,) = list_blocks(PAGE, "text")
    (argument,) = re.findall(
        r'^scribe explain lessons/english/07\.mp4 --metadata "(.*)" --offline$', PAGE, re.MULTILINE
    )
    school = next(text for text in list_blocks(PAGE, "yaml") if "lessons/english/" in text)
    folder = ExplainFolder(tmp_path, school, INPUT_PREFIX="")
    metadata = dict([parse_metadata_argument(argument)])
    assert folder.run("lessons/english/07.mp4", metadata, offline=True).output == output
