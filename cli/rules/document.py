"""Reads rules.yml as YAML nodes, which have the line of each name and value.

The file is other people's text, too (someone may send it): its size and depth have limits, and what could make a
small file large, or a value something else than it seems, is refused: aliases, anchors and tags.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cli.language import N_, _
from cli.manifest.loader import find_duplicate_keys
from cli.rules.models import Mistake, RulesError

MAX_FILE_BYTES = 65_536
MAX_DEPTH = 8  # a rule needs four levels
ALIAS_TAG = "alias"  # of a node in place of an alias, which is a mistake already

_QUOTES_HINT = N_("put quotes around a pattern that begins with one of * [ ] { } ! & @ %")
_TABS_HINT = N_("indent with spaces, not with tabs")
_MAPPING_HINT = N_(
    "begin every rule with `- match:`, indent its other lines alike, and quote text that has `: `"
)


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
            text = _(
                '*{name} is an alias of YAML, which is refused; if it is a pattern, put quotes around it: "*{name}"',
                name=event.anchor,
            )
            self.mistakes.append(Mistake(line, text))
            return yaml.ScalarNode(ALIAS_TAG, "", start, start)
        if event.anchor:
            text = _("&{name} is an anchor of YAML, which is refused; remove it", name=event.anchor)
            self.mistakes.append(Mistake(line, text))
        if event.tag:
            text = _("{tag} is a tag of YAML, which is refused; put quotes around text with !", tag=event.tag)
            self.mistakes.append(Mistake(line, text))
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
        mistake = _(
            "it is nested deeper than {number} levels; a rule has names with values", number=MAX_DEPTH
        )
        raise RulesError(path, [*mistakes, Mistake(error.line, mistake)]) from None
    for key in find_duplicate_keys(root):
        line = key.start_mark.line + 1
        mistakes.append(Mistake(line, _("{name} is there twice; remove one of them", name=key.value)))
    return root, mistakes


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise RulesError(path, [Mistake(0, _("it is not a file"))])
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        text = _("it cannot be read: {error}", error=error.strerror)
        raise RulesError(path, [Mistake(0, text)]) from None
    if len(content) > MAX_FILE_BYTES:
        text = _("it has more than {number:,} bytes", number=MAX_FILE_BYTES)
        raise RulesError(path, [Mistake(0, text)])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        text = _("it is not UTF-8; save the file as UTF-8")
        raise RulesError(path, [Mistake(line, text)]) from None


def _describe_syntax(error: yaml.YAMLError, text: str) -> Mistake:
    """Return the line and the reason of an error of the scanner, the parser or the composer."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or _("it cannot be read")
        hint = _QUOTES_HINT
        if "\\t" in f"{reason} {error.context}":
            hint = _TABS_HINT
        elif "mapping values" in f"{reason} {error.context}":  # not translated: PyYAML's
            hint = _MAPPING_HINT
        start = error.context_mark
        if start and mark and start.line != mark.line:
            reason = _(
                "{problem} ({context}, which begins in line {line})",
                problem=reason,
                context=error.context,
                line=start.line + 1,
            )
        elif error.context and error.context != reason:
            reason = _("{problem} ({context})", problem=reason, context=error.context)
        mistake = _("it is not YAML: {reason}; {hint}", reason=reason, hint=_(hint))
        return Mistake(mark.line + 1 if mark else 0, mistake)
    if isinstance(error, yaml.reader.ReaderError):
        line = text[: error.position].count("\n") + 1
        code = f"U+{_get_code(error.character):04X}"
        return Mistake(line, _("it has the character {code}, which YAML does not allow", code=code))
    return Mistake(0, _("it is not YAML: {reason}", reason=" ".join(str(error).split())))


def _get_code(character: object) -> int:
    """Return the code of a character, which PyYAML has as a number or as a text."""
    return character if isinstance(character, int) else ord(str(character))
