"""Several places into the options of one recording: name by name, the nearer place wins."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from shared.options.model import DEFAULTS, OPTIONS, RecordingOptions
from shared.options.parse import Choice

DEFAULT_SOURCE = "default"


class ChosenOptions(NamedTuple):
    """The options of a recording, and which place each came from, by name."""

    options: RecordingOptions
    sources: Mapping[str, str]


def combine(*places: Mapping[str, Choice]) -> ChosenOptions:
    """Combine the places, the farthest first: settings, rules in their order, metadata, sidecar."""
    chosen: dict[str, Choice] = {}
    for place in places:
        chosen.update(place)
    values: dict[str, Any] = {OPTIONS[name].field: choice.value for name, choice in chosen.items()}
    sources = {name: chosen[name].source if name in chosen else DEFAULT_SOURCE for name in OPTIONS}
    return ChosenOptions(DEFAULTS._replace(**values), MappingProxyType(sources))
