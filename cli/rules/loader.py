"""Loads rules.yml and lists every mistake: its form, names and values of options, patterns, buckets, combinations."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import yaml

from cli.config import CliContext
from cli.language import _, choose_text, format_exception
from cli.rules.coverage import combine_certain
from cli.rules.document import ALIAS_TAG, read_document
from cli.rules.models import RULES_NAME, Mistake, RulesError, RulesFile
from shared.options.check import SETTINGS_SOURCE, check_options, find_unknown_targets
from shared.options.choose import settings_choices
from shared.options.combine import DEFAULT_SOURCE
from shared.options.model import OPTIONS, InvalidOption, Value
from shared.options.parse import Choice, parse_values
from shared.options.rules import Rule, format_source, normalize_pattern
from shared.settings import Settings

MAX_RULES = 100
MAX_PATTERNS = 500  # in the file: each recording is compared with all of them

_RULES, _MATCH, _BUCKET, _HOT_WORDS = "rules", "match", "bucket", "hot-words"
_NOTIFY = "notify"
_NAMES = (_MATCH, _BUCKET, *OPTIONS)
_NULL_TAG = "tag:yaml.org,2002:null"
_ABSOLUTE = re.compile(r"/|~|[A-Za-z]:")
_MAX_SHOWN = 60  # characters of a wrong name


def load_rules(folder: Path, settings: Settings | None = None) -> RulesFile | None:
    """Load FOLDER/rules.yml, see `load_rules_file`; None if there is none."""
    path = folder / RULES_NAME
    # A link to a file that is gone is a mistake, not a folder without rules.
    return load_rules_file(path, settings) if path.is_symlink() or path.exists() else None


def load_context_rules(context: CliContext, settings: Settings | None = None) -> RulesFile | None:
    """Load the rules of a command, see `load_rules`; None if it does not use them."""
    return load_rules(context.folder, settings) if context.uses_rules else None


def load_rules_file(path: Path, settings: Settings | None = None) -> RulesFile:
    """Load and check a rules.yml. With settings, buckets, targets and combinations with ENGINE are checked too.

    Not so with those of a local cloud (CLOUD_ENDPOINT): the same rules are for the real one, which has other buckets
    and another ENGINE. Raises RulesError with every mistake.
    """
    root, mistakes = read_document(path)
    settings = None if settings and settings.cloud_endpoint else settings
    reader = _Reader(path.parent, settings)
    rules = tuple(reader.read(root))
    mistakes += reader.mistakes
    mistakes += _check_combinations(rules, settings)
    if mistakes:
        raise RulesError(path, mistakes)
    files = [str(rule.choices[_HOT_WORDS].value) for rule in rules if _HOT_WORDS in rule.choices]
    return RulesFile(path, rules, tuple(dict.fromkeys(filter(None, files))))


def _check_combinations(rules: Sequence[Rule], settings: Settings | None) -> Iterator[Mistake]:
    """Check the options that surely come together. Without settings, only those of which rules chose both."""
    base = settings_choices(settings) if settings else {}
    refused = {refusal.reason for refusal in check_options(combine_certain([], None, base)).refusals}
    for rule in rules:
        for refusal in check_options(combine_certain(rules, rule, base)).refusals:
            is_ours = settings is not None or not {DEFAULT_SOURCE, SETTINGS_SOURCE} & {*refusal.places}
            if is_ours and refusal.reason not in refused:
                refused.add(refusal.reason)
                yield Mistake(rule.line, choose_text(refusal.reason, refusal.reason_zh))


@dataclass(slots=True)
class _Parts:
    """What was read of a rule. `is_valid` if its patterns and options have no mistake."""

    line: int
    is_valid: bool = True
    patterns: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    choices: dict[str, Choice] = field(default_factory=dict)


class _Reader:
    """Reads the nodes of the file. A rule with wrong patterns or options is not checked further."""

    def __init__(self, folder: Path, settings: Settings | None) -> None:
        self._folder = folder
        self._buckets = settings.input_buckets if settings else ()
        self._target_names = [target.name for target in settings.targets] if settings else None
        self._pattern_count = 0
        self.mistakes: list[Mistake] = []

    def read(self, root: yaml.Node | None) -> Iterator[Rule]:
        """Yield the rules in their order, without those with wrong patterns or options."""
        nodes = self._find_rules(root)
        if len(nodes) > MAX_RULES:
            text = _(
                "there are {number} rules; {maximum} is the maximum", number=len(nodes), maximum=MAX_RULES
            )
            self._add(nodes[MAX_RULES], text)
        for node in nodes:
            if rule := self._read_rule(node):
                yield rule
        if self._pattern_count > MAX_PATTERNS:
            text = _(
                "there are {number} patterns; {maximum} is the maximum",
                number=self._pattern_count,
                maximum=MAX_PATTERNS,
            )
            self.mistakes.append(Mistake(0, text))

    def _find_rules(self, root: yaml.Node | None) -> Sequence[yaml.Node]:
        if root is None or _is_null(root):
            self.mistakes.append(Mistake(0, _describe_empty(_("it is empty"))))
            return ()
        if not isinstance(root, yaml.MappingNode):
            text = _("the file is a text; begin it with `rules:`, and write the list of rules below")
            if isinstance(root, yaml.SequenceNode):
                text = _("the file is a list; begin it with `rules:`, and write the list of rules below")
            self._add(root, text)
            return ()
        rules: Sequence[yaml.Node] | None = None
        for name, value in root.value:
            if name.value != _RULES:
                text = _("{name} is not known here; the file has one list, `rules:`", name=_show(name.value))
                self._add(name, text)
            elif _is_null(value) or (isinstance(value, yaml.SequenceNode) and not value.value):
                self._add(name, _describe_empty(_("it has no rules")))
                rules = ()
            elif isinstance(value, yaml.SequenceNode):
                rules = rules or value.value
            else:
                self._add(name, _("rules is not a list; begin each rule with `- match:`"))
                rules = ()
        if rules is None and not self.mistakes:
            self._add(root, _("`rules:` is missing"))
        return rules or ()

    def _read_rule(self, node: yaml.Node) -> Rule | None:
        if not isinstance(node, yaml.MappingNode):
            if node.tag != ALIAS_TAG:
                self._add(node, _("the rule is not names with values; begin it with `- match:`"))
            return None
        parts = _Parts(node.start_mark.line + 1)
        names = set()
        for name, value in node.value:
            names.add(name.value if isinstance(name, yaml.ScalarNode) else "")
            if not isinstance(name, yaml.ScalarNode):
                self._add(name, _("a name in a rule is a text"))
                continue
            if value.tag != ALIAS_TAG:
                count = len(self.mistakes)
                self._read_member(parts, name, value)
                parts.is_valid &= name.value == _BUCKET or len(self.mistakes) == count
        is_misspelt = any(_find_similar(name, _NAMES) == _MATCH for name in names)
        if _MATCH not in names and not is_misspelt:
            self._add(node, _("the rule has no `match`, the pattern of the keys that it is for"))
        if not names - {_MATCH, _BUCKET}:
            text = _("the rule has no options; add one, such as `engine: 8k_zh`, or remove the rule")
            self._add(node, text)
        if not parts.is_valid or not parts.patterns:
            return None
        return Rule(parts.line, parts.patterns, parts.buckets, MappingProxyType(parts.choices))

    def _read_member(self, parts: _Parts, name: yaml.ScalarNode, value: yaml.Node) -> None:
        if name.value == _MATCH:
            parts.patterns = self._read_patterns(name, value)
        elif name.value == _BUCKET:
            parts.buckets = self._read_buckets(name, value)
        elif name.value in OPTIONS:
            parts.choices |= self._read_option(name, value, format_source(parts.line))
        else:
            hint = _suggest(name.value)
            text = _("{name} is not a name in a rule; {hint}", name=_show(name.value), hint=hint)
            self._add(name, text)

    def _read_patterns(self, name: yaml.Node, value: yaml.Node) -> tuple[str, ...]:
        patterns = self._read_texts(name, value)
        self._pattern_count += len(patterns)
        for pattern, node in patterns:
            try:
                normalize_pattern(pattern)
            except ValueError as error:
                self._add(node, format_exception(error))
        return tuple(dict.fromkeys(pattern for pattern, _node in patterns))

    def _read_buckets(self, name: yaml.Node, value: yaml.Node) -> tuple[str, ...]:
        buckets = self._read_texts(name, value)
        for bucket, node in buckets:
            if self._buckets and bucket not in self._buckets:
                hint = _suggest_similar(bucket, self._buckets) or _(
                    "INPUT_BUCKETS has {names}", names=_(", ").join(self._buckets)
                )
                text = _("the bucket {name} is not in INPUT_BUCKETS; {hint}", name=_show(bucket), hint=hint)
                self._add(node, text)
        return tuple(dict.fromkeys(bucket for bucket, _node in buckets))

    def _read_texts(self, name: yaml.Node, value: yaml.Node) -> list[tuple[str, yaml.Node]]:
        """Read a text, or a list of them; a number is its digits."""
        nodes = value.value if isinstance(value, yaml.SequenceNode) else [value]
        texts: list[tuple[str, yaml.Node]] = []
        for node in nodes:
            if node.tag == ALIAS_TAG:
                continue
            if not isinstance(node, yaml.ScalarNode) or _is_null(node) or not node.value:
                text = _("{name} is not a text; it is a text, or a list of texts", name=name.value)
                if isinstance(node, yaml.ScalarNode):
                    text = _("{name} is empty; it is a text, or a list of texts", name=name.value)
                self._add(node, text)
            else:
                texts.append((node.value, node))
        if not nodes:
            self._add(name, _("{name} is an empty list", name=name.value))
        return texts

    def _read_option(self, name: yaml.Node, node: yaml.Node, source: str) -> dict[str, Choice]:
        option: str = name.value
        try:
            value = parse_values("", {option: _get_value(node)}, is_operator=True)[option].value
        except InvalidOption as error:
            self._add(name, choose_text(error.message, error.message_zh))
            return {}
        if option == _HOT_WORDS and value:
            value = self._check_path(name, str(value))
        if option == _NOTIFY:
            self._check_targets(name, value)
        return {option: Choice(value, source)}

    def _check_targets(self, name: yaml.Node, value: Value) -> None:
        """Find names that are no targets of notices. Without settings, the targets are not known."""
        if self._target_names is None:
            return
        for target in find_unknown_targets(value, self._target_names):
            hint = _suggest_similar(target, self._target_names) or self._list_targets()
            text = _("notify names {name}, which is not a target; {hint}", name=_show(target), hint=hint)
            self._add(name, text)

    def _list_targets(self) -> str:
        if not self._target_names:
            return _("no target is set (NOTIFY_...)")
        return _("the targets are {names}", names=_(", ").join(self._target_names))

    def _check_path(self, name: yaml.Node, path: str) -> str:
        """Return the path of a list of hot words with `/` and without `.`."""
        normalized = posixpath.normpath(path.replace("\\", "/"))
        if _ABSOLUTE.match(normalized) or normalized.startswith(".."):
            text = _(
                "hot-words is {path}; it is the path of a file below the folder of rules.yml",
                path=_show(path),
            )
            self._add(name, text)
        elif not (self._folder / normalized).is_file():
            text = _("hot-words is {path}, and there is no such file beside rules.yml", path=_show(path))
            self._add(name, text)
        return normalized

    def _add(self, node: yaml.Node, text: str) -> None:
        self.mistakes.append(Mistake(node.start_mark.line + 1, text))


def _get_value(node: yaml.Node) -> object:
    """Return the value as written, as in metadata: YAML would read `0123`, `1:30` and `yes` as something else."""
    if isinstance(node, yaml.SequenceNode):
        return [_get_value(each) for each in node.value]
    if isinstance(node, yaml.MappingNode):
        return {}
    return None if _is_null(node) else node.value


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _NULL_TAG


def _describe_empty(what: str) -> str:
    return _(
        "{problem}; write `rules:` and a list of rules, as in rules.example.yml, or delete the file",
        problem=what,
    )


def _suggest(name: str) -> str:
    return _suggest_similar(name, _NAMES) or _("the names are {names}", names=_(", ").join(_NAMES))


def _suggest_similar(name: str, known: Sequence[str]) -> str:
    similar = _find_similar(name, known)
    return _("did you mean {name}?", name=similar) if similar else ""


def _find_similar(name: str, known: Sequence[str]) -> str:
    return next(iter(difflib.get_close_matches(name[:_MAX_SHOWN].lower(), known, 1)), "")


def _show(text: object) -> str:
    if not isinstance(text, str):
        return _("a list or a map")
    return repr(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}...")
