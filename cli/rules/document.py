"""Reads rules.yml as YAML nodes, which have the line of each name and value.

The file is other people's text, too (someone may send it): its size and depth have limits, and what could make a
small file large, or a value something else than it seems, is refused: aliases, anchors and tags.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cli.manifest.loader import find_duplicate_keys
from cli.rules.models import Mistake, RulesError

MAX_FILE_BYTES = 65_536
MAX_DEPTH = 8  # a rule needs four levels
ALIAS_TAG = "alias"  # of a node in place of an alias, which is a mistake already

_QUOTES_HINT = "; put quotes around a pattern that begins with one of * [ ] { } ! & @ %"


class _TooDeep(Exception):
    """There are more levels than any rule has."""

    def __init__(self, line: int) -> None:
        self.line = line
        super().__init__(line)


class _Loader(yaml.SafeLoader):
    """Composes nodes, and collects what the file must not have."""

    def __init__(self, text: str, mistakes: list[Mistake]) -> None:
        super().__init__(text)
        self.mistakes = mistakes
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        start = event.start_mark
        line = start.line + 1
        if isinstance(event, yaml.AliasEvent):
            self.get_event()  # type: ignore[no-untyped-call]
            hint = f'if it is a pattern, put quotes around it: "*{event.anchor}"'
            self.mistakes.append(
                Mistake(line, f"*{event.anchor} is an alias of YAML, which is refused; {hint}")
            )
            return yaml.ScalarNode(ALIAS_TAG, "", start, start)
        if event.anchor:
            self.mistakes.append(
                Mistake(line, f"&{event.anchor} is an anchor of YAML, which is refused; remove it")
            )
        if event.tag:
            self.mistakes.append(
                Mistake(
                    line, f"{event.tag} is a tag of YAML, which is refused; put quotes around text with !"
                )
            )
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _TooDeep(line)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def read_document(path: Path) -> tuple[yaml.Node | None, list[Mistake]]:
    """Read the file's only document; None if it is empty. Mistakes that leave the other lines readable are returned.

    Raises RulesError for the others.
    """
    text = _read_text(path)
    mistakes: list[Mistake] = []
    try:
        root = _Loader(text, mistakes).get_single_node()
    except yaml.YAMLError as error:
        raise RulesError(path, [*mistakes, _describe_syntax(error, text)]) from None
    except _TooDeep as error:
        mistake = f"it is nested deeper than {MAX_DEPTH} levels; a rule has names with values"
        raise RulesError(path, [*mistakes, Mistake(error.line, mistake)]) from None
    for key in find_duplicate_keys(root):
        line = key.start_mark.line + 1
        mistakes.append(Mistake(line, f"{key.value} is there twice; remove one of them"))
    return root, mistakes


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise RulesError(path, [Mistake(0, "it is not a file")])
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise RulesError(path, [Mistake(0, f"it cannot be read: {error.strerror}")]) from None
    if len(content) > MAX_FILE_BYTES:
        raise RulesError(path, [Mistake(0, f"it has more than {MAX_FILE_BYTES:,} bytes")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RulesError(path, [Mistake(line, "it is not UTF-8; save the file as UTF-8")]) from None


def _describe_syntax(error: yaml.YAMLError, text: str) -> Mistake:
    """Return the line and the reason of an error of the scanner, the parser or the composer."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "it cannot be read"
        start = error.context_mark
        if start and mark and start.line != mark.line:
            reason += f" ({error.context}, which begins in line {start.line + 1})"
        elif error.context and error.context != reason:
            reason += f" ({error.context})"
        if "\\t" in reason:
            hint = "; indent with spaces, not with tabs"
        elif "mapping values" in reason:
            hint = "; begin every rule with `- match:`, indent its other lines alike, and quote text that has `: `"
        else:
            hint = _QUOTES_HINT
        return Mistake(mark.line + 1 if mark else 0, f"it is not YAML: {reason}{hint}")
    if isinstance(error, yaml.reader.ReaderError):
        line = text[: error.position].count("\n") + 1
        return Mistake(
            line, f"it has the character U+{_get_code(error.character):04X}, which YAML does not allow"
        )
    return Mistake(0, f"it is not YAML: {' '.join(str(error).split())}")


def _get_code(character: object) -> int:
    """Return the code of a character, which PyYAML has as a number or as a text."""
    return character if isinstance(character, int) else ord(str(character))
