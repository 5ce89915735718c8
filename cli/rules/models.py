"""The rules of a rules.yml, and its mistakes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cli.errors import OperatorError
from cli.language import _, ngettext
from cli.output import escape_line
from shared.options.rules import Rule

RULES_NAME = "rules.yml"  # in the checkout, beside serverless.yml


class RulesFile(NamedTuple):
    """A valid rules.yml.

    `hot_words_files` are the files of the rules' hot words, each once: paths with `/`, relative to the folder of
    rules.yml.
    """

    path: Path
    rules: tuple[Rule, ...]
    hot_words_files: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The name of the file and the number of rules."""
        return ngettext("{file}: {count} rule", "{file}: {count} rules", len(self.rules), file=RULES_NAME)


class Mistake(NamedTuple):
    """A mistake and its line, counted from 1; 0 is the file."""

    line: int
    text: str


class RulesError(OperatorError):
    """rules.yml cannot be used. The message lists every mistake that was found, with its line."""

    def __init__(self, path: Path, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(dict.fromkeys(sorted(mistakes)))
        head = ngettext(
            "{count} mistake in {path}:", "{count} mistakes in {path}:", len(self.mistakes), path=path
        )
        lines = [
            _("{file} line {line}: {mistake}", file=RULES_NAME, line=line, mistake=text)
            if line
            else _("{file}: {mistake}", file=RULES_NAME, mistake=text)
            for line, text in self.mistakes
        ]
        super().__init__("\n  ".join([head, *map(escape_line, lines)]))
