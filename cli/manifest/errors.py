"""The mistakes in serverless.yml and in the variables that fill it, each with its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from cli.errors import OperatorError
from cli.language import _, ngettext
from cli.output import escape_line
from cli.redaction import is_target_secret, list_address_secrets

YamlPath = tuple[str | int, ...]  # the keys and list positions that lead to a value, from the top of the file


_AFTER_THE_FILE = 1_000_000  # a line number that sorts mistakes in .env after those in the file
_SECRET_WORDS = ("TOKEN", "SECRET")  # no message may quote a variable with such a name
_MIN_SECRET_LENGTH = 8  # anything shorter is an ordinary word


class Variables(NamedTuple):
    """The variables in the text at a path; `is_whole` when the text is one variable and nothing else."""

    names: tuple[str, ...]
    is_whole: bool


class ManifestError(OperatorError):
    """serverless.yml, or the variables that fill it, cannot work. The message lists every mistake."""

    def __init__(self, file: Path, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        number = len(mistakes)
        heading = ngettext(
            "{count} mistake in {file} or in its settings:",
            "{count} mistakes in {file} or in its settings:",
            number,
            count=number,
            file=file,
        )
        super().__init__("\n  ".join([heading, *mistakes]))


def _list_secrets(name: str, value: str) -> list[str]:
    if any(word in name for word in _SECRET_WORDS):
        return value.split(",")
    return list_address_secrets(name, value) if is_target_secret(name) else []


class ErrorCollector:
    """Collects mistakes instead of stopping at the first.

    `root` is the file as composed by PyYAML, which has the line numbers; `env_file` is where variables are set; the
    secrets in `config` are never quoted.
    """

    def __init__(self, root: yaml.Node | None, config: Mapping[str, str], env_file: Path) -> None:
        self._root = root
        self.env_file = env_file
        self._secrets = [
            part.strip()
            for name, value in config.items()
            for part in _list_secrets(name, value)
            if len(part.strip()) >= _MIN_SECRET_LENGTH
        ]
        self._texts: dict[tuple[int, str], None] = {}
        self._paths: set[YamlPath] = set()
        self._missing: dict[str, list[str]] = {}

    def add(self, path: YamlPath, text: str) -> None:
        """Add a mistake in the file. `text` follows the path, e.g. `is 1000; write 1 to 900`."""
        self._paths.add(path)
        line = self._find_line(path)
        located = _("line {line}: {path} {text}", line=line, path=format_path(path), text=text)
        self._texts[line, located] = None

    def add_duplicate(self, key: yaml.Node) -> None:
        """Add a key that its map has already."""
        line = key.start_mark.line + 1
        text = _("line {line}: {name} is there twice; remove one of them", line=line, name=key.value)
        self._texts[line, text] = None

    def add_config_error(self, text: str) -> None:
        """Add a mistake in .env or in the environment."""
        self._texts[_AFTER_THE_FILE, text] = None

    def add_missing(self, variable: str, path: YamlPath) -> None:
        """Add a variable that is not set, although the value at `path` is required."""
        self._paths.add(path)
        self._missing.setdefault(variable, []).append(format_path(path))

    def is_missing(self, variable: str) -> bool:
        """Whether the variable was added as missing."""
        return variable in self._missing

    def has_error_at(self, path: YamlPath) -> bool:
        """Whether there is a mistake at exactly this path."""
        return path in self._paths

    def is_valid(self, *path: str) -> bool:
        """Whether there is no mistake at or below this path."""
        return not any(wrong[: len(path)] == path for wrong in self._paths)

    @property
    def messages(self) -> list[str]:
        """Every mistake, without secrets: missing variables first, because other mistakes may follow from them."""
        missing = [
            _(
                "{variable} is not set: add it to {file}, see .env.example ({paths} needs it)",
                variable=variable,
                file=self.env_file,
                paths=_(", ").join(dict.fromkeys(paths)),
            )
            for variable, paths in self._missing.items()
        ]
        return [self._redact(text) for text in (*missing, *(text for _line, text in sorted(self._texts)))]

    def _redact(self, text: str) -> str:
        """Remove secrets and line breaks: a token can be in the wrong place, and a message quotes what is there."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return escape_line(text)

    def _find_line(self, path: YamlPath) -> int:
        """Return the line of the value, or of the part in which it is missing, counted from 1."""
        node, line = self._root, 1
        for step in path:
            if isinstance(node, yaml.MappingNode):
                pair = next((pair for pair in node.value if pair[0].value == str(step)), None)
                if pair is None:
                    break
                line, node = pair[0].start_mark.line + 1, pair[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                node = node.value[step]
                line = node.start_mark.line + 1
        return line


def format_path(path: YamlPath) -> str:
    """Format a path, e.g. inputs.triggers[0].type."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.lstrip(".") or _("the file")
