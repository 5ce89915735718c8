"""The place where an option or a rule is, for people. In JSON it has its English name in every language."""

from __future__ import annotations

import re

from cli.language import N_, _
from cli.rules.models import RULES_NAME
from shared.options.check import SETTINGS_SOURCE
from shared.options.combine import DEFAULT_SOURCE

_PLACES = {SETTINGS_SOURCE: N_("settings"), DEFAULT_SOURCE: N_("default")}
_RULE = re.compile(rf"{re.escape(RULES_NAME)} line ([0-9]+)")


def format_source(source: str) -> str:
    """Format a place: `rules.yml line 5`, `settings`; the name of a sidecar or of a header stays as it is."""
    if match := _RULE.fullmatch(source):
        return _("{file} line {line}", file=RULES_NAME, line=match[1])
    return _(_PLACES[source]) if source in _PLACES else source
