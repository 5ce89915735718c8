"""Reads serverless.yml (`component: multi-scf`) with the operator's choices filled in, and checks all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from cli.description.agreement import check_agreement, read_settings
from cli.description.form import check_form
from cli.description.functions import read_functions, read_variables
from cli.description.mistakes import DescriptionError, Mistakes
from cli.description.names import check_names
from cli.description.triggers import read_triggers
from cli.description.variables import Filling
from cli.description.wanted import Wanted, WantedFunction, WantedTrigger

FILE_NAME = "serverless.yml"
_NAMES = ("app", "stage", "name")
_SECRETS = ("TOKEN", "SECRET")  # in the names of choices that no message may quote
_SHORTEST_SECRET = 8  # anything shorter is an ordinary word, and no secret


def wanted_from(folder: Path, choices: Mapping[str, str]) -> Wanted:
    """What FOLDER/serverless.yml asks for. An empty choice counts as none.

    Raises DescriptionError, which lists every mistake that can be found without asking the cloud.
    """
    file = folder / FILE_NAME
    root, raw = _parsed(file)
    mistakes = Mistakes(root)
    for key in _twice(root):
        mistakes.add_choice(
            f"line {key.start_mark.line + 1}: {key.value} is there twice; take one of them out"
        )
    filling = Filling(choices, raw, mistakes)
    document = filling.filled(raw)
    check_names(choices, filling.named, mistakes)
    check_form(document, filling.unset, mistakes)
    functions, triggers = _read(document, folder, mistakes)
    if mistakes.found:
        raise DescriptionError(file, [_without_secrets(mistake, choices) for mistake in mistakes.found])
    return Wanted(
        app=document["app"],
        stage=document["stage"],
        name=document["name"],
        region=document["inputs"]["region"],
        functions=functions,
        triggers=triggers,
    )


def _parsed(file: Path) -> tuple[yaml.Node | None, dict[str, Any]]:
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
    raise DescriptionError(file, [wrong])


def _twice(node: yaml.Node | None) -> Iterator[yaml.Node]:
    """Keys that their map has already. Tencent's command line refuses them; PyYAML takes the last in silence."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield key
                seen.add(key.value)
            yield from _twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _twice(item)


def _read(
    document: Mapping[str, Any], folder: Path, mistakes: Mistakes
) -> tuple[dict[str, WantedFunction], tuple[WantedTrigger, ...]]:
    """Whatever can be read. A part whose form is wrong is left out; that it is wrong is known already."""
    inputs = document.get("inputs")
    if not isinstance(inputs, dict):
        return {}, ()
    sound = {key: value for key, value in inputs.items() if mistakes.is_sound("inputs", key)}
    region = sound.get("region", "")
    variables, settings = {}, None
    if "environments" in sound:
        variables = read_variables(sound["environments"], mistakes)
        settings = read_settings(variables, region, mistakes)
    functions = {}
    if {"runtime", "functions"} <= set(sound) and all(mistakes.is_sound(name) for name in _NAMES):
        functions = read_functions({**document, "inputs": sound}, variables, folder, mistakes)
    triggers: tuple[WantedTrigger, ...] = ()
    if {"region", "functions", "triggers"} <= set(sound):
        triggers = read_triggers(sound["triggers"], sound["functions"], region, mistakes)
    if settings and triggers:
        check_agreement(settings, functions, triggers, mistakes)
    return functions, triggers


def _without_secrets(text: str, choices: Mapping[str, str]) -> str:
    """A token may stand where it does not belong, and a message quotes what stands there."""
    for name, value in choices.items():
        if any(word in name for word in _SECRETS):
            for part in value.split(","):
                if len(part.strip()) >= _SHORTEST_SECRET:
                    text = text.replace(part.strip(), "***")
    return text
