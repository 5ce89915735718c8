"""Compiles rules.yml into rules.json at the top of the package. The same rules give the same bytes."""

from __future__ import annotations

import json

from cli.rules.models import RulesFile
from shared.options.model import as_json_value
from shared.options.rules import RULES_VERSION, Rule


def compile_rules(file: RulesFile | None) -> bytes:
    """Return the JSON that `shared.options.rules.parse_rules` reads; empty if there is no file."""
    if not file:
        return b""
    document = {"version": RULES_VERSION, "rules": [_as_json(rule) for rule in file.rules]}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _as_json(rule: Rule) -> dict[str, object]:
    return {
        "line": rule.line,
        "match": list(rule.patterns),
        "buckets": list(rule.buckets),
        "options": {name: as_json_value(name, choice.value) for name, choice in sorted(rule.choices.items())},
    }
