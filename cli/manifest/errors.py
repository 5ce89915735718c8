"""The mistakes found in serverless.yml so far, each with the place where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from cli.errors import OperatorError

_CONFIG_ERRORS_LINE = 1_000_000  # lines

YamlPath = tuple[str | int, ...]  # the keys and list positions that lead to a value, from the top of the file


class ManifestError(OperatorError):
    """serverless.yml, or the settings that it is filled with, cannot work; the message lists every mistake."""

    def __init__(self, file: Path, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__("\n  ".join([f"{count} in {file} or the settings chosen for it:", *mistakes]))


class ErrorCollector:
    """Collects instead of stopping at the first."""

    def __init__(self, root: yaml.Node | None) -> None:
        """`root` is the file as PyYAML composes it: it knows the lines."""
        self._root = root
        self._told: dict[tuple[int, str], None] = {}
        self._places: set[YamlPath] = set()
        self._needed: dict[str, list[str]] = {}

    def add(self, place: YamlPath, text: str) -> None:
        """`text` goes on after the place, e.g. `is 1000; write 1 to 900`."""
        self._places.add(place)
        line = self._line(place)
        self._told[line, f"line {line}: {format_path(place)} {text}"] = None

    def add_choice(self, text: str) -> None:
        """A mistake in what the operator chose rather than in the file."""
        self._told[_CONFIG_ERRORS_LINE, text] = None

    def need(self, variable: str, place: YamlPath) -> None:
        """`place` cannot do without a variable that nobody chose."""
        self._places.add(place)
        self._needed.setdefault(variable, []).append(format_path(place))

    def is_needed(self, variable: str) -> bool:
        """Whether it was already told that nobody chose this variable."""
        return variable in self._needed

    def is_told(self, place: YamlPath) -> bool:
        """Whether something was said about this very place."""
        return place in self._places

    def is_sound(self, *place: str) -> bool:
        """Whether nothing at this place or below it is wrong, so that it may be read."""
        return not any(wrong[: len(place)] == place for wrong in self._places)

    @property
    def found(self) -> tuple[str, ...]:
        """Each mistake in plain words: first what was not chosen, since other mistakes may follow from it."""
        needed = (
            f"{variable} is not set, which {', '.join(dict.fromkeys(places))} cannot do without: "
            "write it into .env, see .env.example"
            for variable, places in self._needed.items()
        )
        return (*needed, *(text for _, text in sorted(self._told)))

    def _line(self, place: YamlPath) -> int:
        """Where it stands, or where it would stand, counted from 1."""
        node, line = self._root, 1
        for step in place:
            if isinstance(node, yaml.MappingNode):
                pair = next((pair for pair in node.value if pair[0].value == str(step)), None)
                if pair is None:
                    break
                line, node = pair[0].start_mark.line + 1, pair[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                node = node.value[step]
                line = node.start_mark.line + 1
        return line


def format_path(place: YamlPath) -> str:
    """E.g. inputs.triggers[0].type."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.lstrip(".") or "the file"
