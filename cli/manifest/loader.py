"""Reads serverless.yml (`component: multi-scf`) with the operator's choices filled in, and checks all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from cli.manifest.errors import ErrorCollector, ManifestError, YamlPath
from cli.manifest.models import FunctionSpec, Manifest, TriggerSpec
from cli.manifest.validation import (
    check_consistency,
    check_unknown_variables,
    parse_environment,
    parse_functions,
    parse_settings,
    parse_triggers,
    validate_schema,
)

FILE_NAME = "serverless.yml"
_NAMES = ("app", "stage", "name")
_SECRET_WORDS = ("TOKEN", "SECRET")  # in the names of choices that no message may quote
_MIN_SECRET_LENGTH = 8  # anything shorter is an ordinary word, and no secret


def load_manifest(folder: Path, choices: Mapping[str, str]) -> Manifest:
    """What FOLDER/serverless.yml asks for. An empty choice counts as none.

    Raises DescriptionError, which lists every mistake that can be found without asking the cloud.
    """
    file = folder / FILE_NAME
    root, raw = _parse_yaml(file)
    mistakes = ErrorCollector(root)
    for key in _find_duplicate_keys(root):
        mistakes.add_choice(
            f"line {key.start_mark.line + 1}: {key.value} is there twice; take one of them out"
        )
    filling = Interpolator(choices, raw, mistakes)
    document = filling.filled(raw)
    check_unknown_variables(choices, filling.named, mistakes)
    validate_schema(document, filling.unset, mistakes)
    functions, triggers = _read(document, folder, mistakes)
    if mistakes.found:
        raise ManifestError(file, [_redact_secrets(mistake, choices) for mistake in mistakes.found])
    return Manifest(
        app=document["app"],
        stage=document["stage"],
        name=document["name"],
        region=document["inputs"]["region"],
        functions=functions,
        triggers=triggers,
    )


def _parse_yaml(file: Path) -> tuple[yaml.Node | None, dict[str, Any]]:
    try:
        text = file.read_text("utf-8-sig")
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        raw = loader.construct_document(root) if root else None
    except FileNotFoundError:
        wrong = "there is no such file: run this in the folder that has it, the checkout"
    except (yaml.YAMLError, ValueError) as error:
        wrong = f"it is not YAML: {' '.join(str(error).split())}"
    else:
        if isinstance(raw, dict):
            return root, raw
        wrong = "it is empty" if raw is None else "it holds no map of settings"
    raise ManifestError(file, [wrong])


def _find_duplicate_keys(node: yaml.Node | None) -> Iterator[yaml.Node]:
    """Keys that their map has already. Tencent's command line refuses them; PyYAML takes the last in silence."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield key
                seen.add(key.value)
            yield from _find_duplicate_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _find_duplicate_keys(item)


def _read(
    document: Mapping[str, Any], folder: Path, mistakes: ErrorCollector
) -> tuple[dict[str, FunctionSpec], tuple[TriggerSpec, ...]]:
    """Whatever can be read. A part whose form is wrong is left out; that it is wrong is known already."""
    inputs = document.get("inputs")
    if not isinstance(inputs, dict):
        return {}, ()
    sound = {key: value for key, value in inputs.items() if mistakes.is_sound("inputs", key)}
    region = sound.get("region", "")
    variables, settings = {}, None
    if "environments" in sound:
        variables = parse_environment(sound["environments"], mistakes)
        settings = parse_settings(variables, region, mistakes)
    functions = {}
    if {"runtime", "functions"} <= set(sound) and all(mistakes.is_sound(name) for name in _NAMES):
        functions = parse_functions({**document, "inputs": sound}, variables, folder, mistakes)
    triggers: tuple[TriggerSpec, ...] = ()
    if {"region", "functions", "triggers"} <= set(sound):
        triggers = parse_triggers(sound["triggers"], sound["functions"], region, mistakes)
    if settings and triggers:
        check_consistency(settings, functions, triggers, mistakes)
    return functions, triggers


def _redact_secrets(text: str, choices: Mapping[str, str]) -> str:
    """A token may stand where it does not belong, and a message quotes what stands there."""
    for name, value in choices.items():
        if any(word in name for word in _SECRET_WORDS):
            for part in value.split(","):
                if len(part.strip()) >= _MIN_SECRET_LENGTH:
                    text = text.replace(part.strip(), "***")
    return text


_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_OWN = ("app", "stage", "name")  # what Tencent's engine resolves from the file itself


class Interpolator:
    """Fills a parsed file. A whole text whose variable nobody chose becomes None; `unset` knows which it was.

    `named` are the variables that the file asks for.
    """

    def __init__(
        self, choices: Mapping[str, str], document: Mapping[str, Any], mistakes: ErrorCollector
    ) -> None:
        self._choices, self._mistakes = choices, mistakes
        self.unset: dict[YamlPath, str] = {}
        self.named: set[str] = set()
        self._own: dict[str, Any] = {}
        self._own = {key: self.filled(document.get(key), (key,)) for key in _OWN}

    def filled(self, value: Any, place: YamlPath = ()) -> Any:
        """The value with its variables replaced. In one pass: what a variable holds is never read as one again."""
        if isinstance(value, dict):
            return {key: self.filled(item, (*place, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item, (*place, number)) for number, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        names = _VARIABLE.findall(value)
        texts = {name: self._text(name, place) for name in names}
        absent = [name for name in names if texts[name] is None]
        if not absent:
            return _VARIABLE.sub(lambda found: texts[found[1]] or "", value)
        for name in absent:
            variable = name.removeprefix("env:")
            if name == variable:  # said already, where it stands itself or as an unknown form
                continue
            if value == f"${{{name}}}":
                self.unset[place] = variable
            else:
                self._mistakes.need(variable, place)
        return None

    def _text(self, name: str, place: YamlPath) -> str | None:
        if name.startswith("env:"):
            self.named.add(name.removeprefix("env:"))
            return self._choices.get(name.removeprefix("env:")) or None
        if name in self._own:
            return str(self._own[name] or "")
        self._mistakes.add(
            place, f"holds ${{{name}}}; write ${{env:NAME}}, ${{app}}, ${{stage}} or ${{name}}"
        )
        return None
