"""Compiled rules: which options the operator chose for which keys. Loaded only if the package has rules.

The command line compiles `rules.yml` into `rules.json` at the top of the package: `{"version": 1, "rules": [{"line": 3,
"match": ["calls/**"], "buckets": [], "options": {"engine": "8k_zh"}}]}`. Every rule that matches applies; of two that
set one option, the later one wins.

Patterns are those of .gitignore without negation. Between slashes, `*`, `?` and `[...]` match parts of a name, in upper
and lower case; `**` is any number of folders, and at the end at least one name. A pattern without a slash, or with one
at its end only, matches in every folder; a slash at its start fixes it to the start of the key. A slash at the end
means everything in that folder.
"""

from __future__ import annotations

import fnmatch
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from shared.errors import SettingsError
from shared.messages import message, with_chinese
from shared.options.model import InvalidOption
from shared.options.parse import Choice, parse_values

RULES_VERSION = 1
MAX_PATTERN_LENGTH = 200  # characters
MAX_WILDCARDS = 20

_ANY_PARTS = "**"
_WILDCARD = re.compile(r"\*\*?|[?\[]")
_CONTROLS = frozenset({"Cc", "Cs"})  # categories of Unicode: control characters, and halves of a character


class Rule(NamedTuple):
    """One rule: the line of rules.yml, which keys and buckets (empty: all) it is for, and its options."""

    line: int
    patterns: tuple[str, ...]
    buckets: tuple[str, ...]
    choices: Mapping[str, Choice]

    @property
    def source(self) -> str:
        """Return the place of its options, as receipts and messages name it."""
        return format_source(self.line)


def format_source(line: int) -> str:
    """Return the name of a rule's place."""
    return f"rules.yml line {line}"


def parse_rules(document: object) -> tuple[Rule, ...]:
    """Parse compiled rules. Raises ValueError (InvalidOption for an option), which names the rule."""
    if not isinstance(document, Mapping) or document.get("version") != RULES_VERSION:
        raise ValueError(f"they are not compiled rules of version {RULES_VERSION}")
    return tuple(map(_parse_rule, _as_list(document.get("rules"), "rules")))


def _parse_rule(raw: object) -> Rule:
    if not isinstance(raw, Mapping) or type(raw.get("line")) is not int:
        raise ValueError("a rule has no line")
    source = format_source(raw["line"])
    patterns = _as_texts(raw.get("match"), source)
    if not patterns:
        raise ValueError(f"{source} has no pattern")
    for pattern in patterns:
        try:
            normalize_pattern(pattern)
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from None
    choices = parse_values(source, raw.get("options"), is_operator=True)
    return Rule(raw["line"], patterns, _as_texts(raw.get("buckets", []), source), MappingProxyType(choices))


def _as_list(raw: object, name: str) -> list[Any]:
    if not isinstance(raw, list):
        raise ValueError(f"{name} is not a list")  # noqa: TRY004 - one more way in which the file is wrong
    return raw


def _as_texts(raw: object, source: str) -> tuple[str, ...]:
    texts = _as_list(raw, f"a member of {source}")
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{source} has a value that is not a text")
    return tuple(texts)


def load_rules(path: Path) -> tuple[Rule, ...]:
    """Load compiled rules; a file that did not change is parsed once in a process. Raises SettingsError."""
    try:
        state = path.stat()
        return _load_rules(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise SettingsError(
            [message("rules.json cannot be read: {reason}", reason=type(error).__name__)]
        ) from None
    except InvalidOption as error:
        raise SettingsError(
            [message("rules.json: {reason}", reason=with_chinese(error.message, error.message_zh))]
        ) from None
    except (ValueError, RecursionError) as error:
        reason = "it is not JSON" if isinstance(error, (json.JSONDecodeError, UnicodeError)) else str(error)
        raise SettingsError([f"rules.json: {reason}"]) from None


@lru_cache(maxsize=4)
def _load_rules(path: Path, modified_ns: int, size: int) -> tuple[Rule, ...]:  # noqa: ARG001 - what the cache compares
    return parse_rules(json.loads(path.read_bytes()))


def match_rules(rules: Iterable[Rule], bucket: str, key: str) -> list[Rule]:
    """Return the rules that apply to a key, in their order: a later one wins."""
    return [
        rule for rule in rules if (not rule.buckets or bucket in rule.buckets) and matches(rule.patterns, key)
    ]


def matches(patterns: Iterable[str], key: str) -> bool:
    """Check whether one of the patterns matches the key. Raises ValueError for a pattern that is none."""
    names = unicodedata.normalize("NFC", key).split("/")
    return any(_match_parts(normalize_pattern(pattern), names) for pattern in patterns)


@lru_cache(maxsize=1024)
def normalize_pattern(pattern: str) -> tuple[str, ...]:
    """Return the parts of a pattern from the start of the key on: `calls/` is `**`, `calls`, `**`.

    Raises ValueError with what is wrong with it.
    """
    if not pattern.strip("/"):
        raise ValueError(
            message("the pattern {pattern} names nothing", pattern=repr(pattern))
            if pattern
            else message("a pattern is empty")
        )
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise ValueError(
            message(
                "the pattern {pattern}... has more than {limit} characters",
                pattern=repr(pattern[:40]),
                limit=MAX_PATTERN_LENGTH,
            )
        )
    if any(unicodedata.category(character) in _CONTROLS for character in pattern):
        raise ValueError(message("the pattern {pattern} has a control character", pattern=repr(pattern)))
    if len(_WILDCARD.findall(pattern)) > MAX_WILDCARDS:
        raise ValueError(
            message(
                "the pattern {pattern} has more than {limit} wildcards",
                pattern=repr(pattern),
                limit=MAX_WILDCARDS,
            )
        )
    if pattern.startswith("!"):
        raise ValueError(
            message(
                "the pattern {pattern} begins with `!`: a rule names what it is for, not what not",
                pattern=repr(pattern),
            )
        )
    if "//" in pattern:
        raise ValueError(
            message("the pattern {pattern} has two slashes, one after the other", pattern=repr(pattern))
        )
    body = unicodedata.normalize("NFC", pattern)
    parts = body.strip("/").split("/")
    for part in parts:
        _check_part(part, pattern)
    if "/" not in body.removesuffix("/"):
        parts.insert(0, _ANY_PARTS)
    if body.endswith("/"):
        parts.append(_ANY_PARTS)
    return tuple(
        part for part, before in zip(parts, ["", *parts], strict=False) if (part, before) != (_ANY_PARTS,) * 2
    )


def _check_part(part: str, pattern: str) -> None:
    if part in {".", ".."}:
        raise ValueError(
            message(
                "the pattern {pattern} has the part `{part}`, which no key has",
                pattern=repr(pattern),
                part=part,
            )
        )
    if _ANY_PARTS in part and part != _ANY_PARTS:
        raise ValueError(
            message(
                "the pattern {pattern} has `**` beside something else; write it between slashes",
                pattern=repr(pattern),
            )
        )
    position = 0
    while (start := part.find("[", position)) >= 0:
        # As fnmatch reads it: a `]` at the start of the set is a member of it.
        first = start + 2 if part[start + 1 : start + 2] == "!" else start + 1
        end = part.find("]", first + 1)
        if end < 0:
            raise ValueError(message("the pattern {pattern} has `[` without `]`", pattern=repr(pattern)))
        if _has_empty_range(part[first:end]):
            raise ValueError(
                message(
                    "the pattern {pattern} has a range whose end is before its start", pattern=repr(pattern)
                )
            )
        position = end + 1


def _has_empty_range(members: str) -> bool:
    """Check for a range such as `z-a`: versions of Python read it differently."""
    position = 0
    while position + 2 < len(members):
        if members[position + 1] == "-":
            if members[position] > members[position + 2]:
                return True
            position += 2
        position += 1
    return False


@lru_cache(maxsize=1024)
def _compile_part(part: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(part), re.IGNORECASE)


def _match_parts(parts: Sequence[str], names: Sequence[str]) -> bool:
    """Match parts with names: after a mismatch, the last `**` takes one name more. Quadratic time at most."""
    if parts[-1] == _ANY_PARTS:
        parts = (*parts, "*")  # at least one name
    part_index = name_index = 0
    retry_part, retry_name = -1, 0
    while name_index < len(names):
        if part_index < len(parts) and parts[part_index] == _ANY_PARTS:
            part_index += 1
            retry_part, retry_name = part_index, name_index
        elif part_index < len(parts) and _compile_part(parts[part_index]).match(names[name_index]):
            part_index += 1
            name_index += 1
        elif retry_part >= 0:
            retry_name += 1
            part_index, name_index = retry_part, retry_name
        else:
            return False
    return all(part == _ANY_PARTS for part in parts[part_index:])
