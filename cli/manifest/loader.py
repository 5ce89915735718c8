"""Loads serverless.yml (`component: multi-scf`) with its variables filled in, and lists every mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from cli.config import ENV_FILE
from cli.language import _
from cli.manifest.errors import ErrorCollector, ManifestError, Variables, YamlPath
from cli.manifest.models import Manifest
from cli.manifest.validation import check_unknown_variables, validate

FILE_NAME = "serverless.yml"
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_FILE_VARIABLES = ("app", "stage", "name")  # Tencent's engine resolves these from the file itself


def load_manifest(folder: Path, config: Mapping[str, str], env_file: Path = ENV_FILE) -> Manifest:
    """Load FOLDER/serverless.yml. An empty variable in `config` counts as not set; messages name `env_file`.

    Raises ManifestError, which lists every mistake that can be found without a request to the cloud.
    """
    file = folder / FILE_NAME
    root, raw = _parse_yaml(file)
    errors = ErrorCollector(root, config, env_file)
    for key in find_duplicate_keys(root):
        errors.add_duplicate(key)
    interpolator = Interpolator(config, raw, errors)
    document = interpolator.interpolate(raw)
    check_unknown_variables(config, interpolator.names, errors)
    manifest = validate(document, folder, interpolator.sources, errors, config)
    if manifest is None or errors.messages:
        raise ManifestError(file, errors.messages)
    return manifest


def _parse_yaml(file: Path) -> tuple[yaml.Node | None, dict[str, Any]]:
    try:
        text = file.read_text("utf-8-sig")
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        raw = loader.construct_document(root) if root else None
    except FileNotFoundError:
        mistake = _("there is no such file: run this in the checkout, the folder that has it")
    except (yaml.YAMLError, ValueError) as error:
        mistake = _("it is not YAML: {reason}", reason=" ".join(str(error).split()))
    else:
        if isinstance(raw, dict):
            return root, raw
        mistake = _("it is empty") if raw is None else _("it is not a map of settings")
    raise ManifestError(file, [mistake])


def find_duplicate_keys(node: yaml.Node | None) -> Iterator[yaml.Node]:
    """Find keys that their map has already. Tencent's command line refuses them; PyYAML takes the last one."""
    if isinstance(node, yaml.MappingNode):
        keys = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in keys:
                    yield key
                keys.add(key.value)
            yield from find_duplicate_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from find_duplicate_keys(item)


class Interpolator:
    """Fills in `${env:NAME}`, `${app}`, `${stage}` and `${name}`. A text that is one variable without a value is None.

    `names` are the variables that the file uses, `sources` those in the text at each path.
    """

    def __init__(
        self, config: Mapping[str, str], document: Mapping[str, Any], errors: ErrorCollector
    ) -> None:
        self._config, self._errors = config, errors
        self.names: set[str] = set()
        self.sources: dict[YamlPath, Variables] = {}
        self._file_values: dict[str, Any] = {}
        self._file_values = {key: self.interpolate(document.get(key), (key,)) for key in _FILE_VARIABLES}

    def interpolate(self, value: Any, path: YamlPath = ()) -> Any:
        """Replace the variables in one pass: the value of a variable is never searched for variables."""
        if isinstance(value, dict):
            return {key: self.interpolate(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self.interpolate(item, (*path, number)) for number, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        names = _VARIABLE.findall(value)
        texts = {name: self._get(name, path) for name in names}
        variables = tuple(name.removeprefix("env:") for name in names if name.startswith("env:"))
        is_whole = value == f"${{{names[0]}}}" if names else False
        if variables:
            self.sources[path] = Variables(variables, is_whole)
        if None not in texts.values():
            return _VARIABLE.sub(lambda match: texts[match[1]] or "", value)
        if not is_whole:  # a longer text needs all of its variables
            for variable in variables:
                if texts[f"env:{variable}"] is None:
                    self._errors.add_missing(variable, path)
        return None

    def _get(self, name: str, path: YamlPath) -> str | None:
        if name.startswith("env:"):
            variable = name.removeprefix("env:")
            self.names.add(variable)
            return self._config.get(variable) or None
        if name in self._file_values:
            return str(self._file_values[name] or "")
        message = _(
            "holds {variable}; write {choices} or {last}",
            variable="${" + name + "}",
            choices=_(", ").join(("${env:NAME}", "${app}", "${stage}")),
            last="${name}",
        )
        self._errors.add(path, message)
        return None
