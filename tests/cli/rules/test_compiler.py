"""What is compiled is what the functions read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.rules.compiler import compile_rules
from cli.rules.loader import load_rules_file
from cli.rules.models import RulesFile
from shared.options.model import OPTIONS
from shared.options.rules import load_rules, match_rules

VALUES = {
    "engine": ["16k_en"],
    "channels": ["1", "2"],
    "speakers": ["off", "auto", "3"],
    "line-length": ["off", "20"],
    "flash": ["yes", "no"],
    "template": ["off", "t1"],
    "hot-words": ["off", "words.txt"],
    "priority": ["0", "2"],
    "formats": ["txt", "[vtt, json]"],
    "title": ['""', "'周会: 一'", "off"],
    "speaker-names": ['""', "[王, 李]", "off"],
    "caption-width": ["auto", "16"],
    "caption-lines": ["3"],
    "caption-seconds": ["15"],
    "times": ["yes"],
    "notify": ["no"],
}


def load(folder: Path, text: str) -> RulesFile:
    (folder / "rules.yml").write_text(text, "utf-8")
    return load_rules_file(folder / "rules.yml")


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_the_same_after_compilation(name: str, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("Scribe\n", "utf-8")
    values = VALUES.get(name) or OPTIONS[name].choices
    assert values
    for value in values:
        beside = "  words: subtitles\n" if name == "line-length" else ""
        beside += "  engine: 8k_zh\n" if name == "channels" else ""
        file = load(
            tmp_path,
            f"rules:\n- match: [calls/, '*.mp3']\n  bucket: a-1250000000\n  {name}: {value}\n{beside}",
        )
        (tmp_path / "rules.json").write_bytes(compile_rules(file))
        assert load_rules(tmp_path / "rules.json") == file.rules, value


def test_compiled_rules_have_the_form_that_the_functions_know(tmp_path: Path) -> None:
    text = "rules:\n- match: calls/**\n  engine: 8k_zh\n  channels: 2\n- {match: 课, title: 课}\n"
    compiled = compile_rules(load(tmp_path, text))
    assert json.loads(compiled) == {
        "version": 1,
        "rules": [
            {"line": 2, "match": ["calls/**"], "buckets": [], "options": {"channels": 2, "engine": "8k_zh"}},
            {"line": 5, "match": ["课"], "buckets": [], "options": {"title": "课"}},
        ],
    }
    assert compile_rules(load(tmp_path, text.replace("\n", "\r\n"))) == compiled
    assert compile_rules(None) == b""


def test_compiled_rules_apply_in_their_order(tmp_path: Path) -> None:
    file = load(tmp_path, "rules:\n- {match: '*.mp3', title: a}\n- {match: x/, title: b}\n")
    (tmp_path / "rules.json").write_bytes(compile_rules(file))
    matching = match_rules(load_rules(tmp_path / "rules.json"), "any", "x/y.mp3")
    assert [rule.choices["title"].value for rule in matching] == ["a", "b"]
