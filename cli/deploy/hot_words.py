"""Hot words of a deployment as values: what the rules need, what the cloud has, and the object that functions read.

A bucket has a table for each list of hot words, and a template for each set of members that the rules give with it.
Their names begin with that of the deployment, so that other deployments and other programs keep theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from cli.cloud.hot_words import TABLE_ELEMENT, HotWordTable, SpeechTemplate
from cli.deploy.clients import Clients
from cli.errors import OperatorError
from cli.language import _, translate
from cli.manifest.models import Manifest
from cli.rules.hot_word_templates import FLASH_PROBLEM, TemplateSpec, find_flash_rules, list_templates
from cli.rules.hot_words import load_hot_words
from shared.errors import CloudError, NotFound, RequestRejected
from shared.options.hot_words import (
    MAX_OBJECT_BYTES,
    find_templates_bucket,
    parse_templates_object,
    templates_object_key,
)
from shared.options.parse import Choice
from shared.options.rules import Rule
from shared.recordings.context import format_deployment
from shared.settings import Settings

SUBMITTING_FUNCTIONS = ("upload", "sweep")
_DIGEST_LENGTH = 12
# What CI has for members that are not sent, of those that Scribe can send (1045/73387).
_DEFAULTS = {
    **dict.fromkeys(("FilterPunc", "FilterModal", "FilterDirty", "SpeakerDiarization"), "0"),
    **dict.fromkeys(("SpeakerNumber", "SentenceMaxLength"), "0"),
    "FlashAsr": "false",
    TABLE_ELEMENT: "",
}


class HotWordsTarget(NamedTuple):
    """What the rules need: the words of each list by its name, and the templates of each input bucket.

    `deployments` are the names of the deployment as the functions compute them, usually one. `warnings`: hot words that
    have no effect.
    """

    deployments: tuple[str, ...] = ()
    lists: Mapping[str, Mapping[str, int]] = MappingProxyType({})
    templates: Mapping[str, tuple[TemplateSpec, ...]] = MappingProxyType({})
    warnings: tuple[str, ...] = ()

    @property
    def name_prefix(self) -> str:
        """The beginning of the names of this deployment's tables and templates: at most 64 letters in all."""
        return f"scribe-{_compute_digest(self.deployments[0])}-"

    def table_name(self, list_name: str) -> str:
        """The name of the table of a list."""
        return self.name_prefix + _compute_digest(list_name)

    def template_name(self, spec: TemplateSpec) -> str:
        """The name of a template."""
        return self.name_prefix + spec.key

    def list_names(self, bucket: str) -> tuple[str, ...]:
        """The lists that a bucket needs."""
        return tuple(dict.fromkeys(spec.list_name for spec in self.templates.get(bucket, ())))


NO_HOT_WORDS = HotWordsTarget()


class ObjectPlace(NamedTuple):
    """An object with the ids of templates, and the input buckets that it is for."""

    region: str
    bucket: str
    key: str
    input_buckets: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}"


TemplateIds = Mapping[str, Mapping[str, str]]  # by input bucket and the template's key


class HotWordsState(NamedTuple):
    """What the cloud has. `objects`: without those that do not exist; one that cannot be read is empty.

    `tables` and `templates` by input bucket, those of this deployment only; without the buckets in `refusals`.
    """

    objects: Mapping[ObjectPlace, TemplateIds] = MappingProxyType({})
    tables: Mapping[str, tuple[HotWordTable, ...]] = MappingProxyType({})
    templates: Mapping[str, tuple[SpeechTemplate, ...]] = MappingProxyType({})
    refusals: Mapping[str, CloudError] = MappingProxyType({})

    def find_table(self, bucket: str, name: str) -> HotWordTable | None:
        """The table with this name."""
        return next((table for table in self.tables.get(bucket, ()) if table.name == name), None)

    def find_template(self, bucket: str, name: str) -> SpeechTemplate | None:
        """The template with this name."""
        return next((each for each in self.templates.get(bucket, ()) if each.name == name), None)


def find_deployments(manifest: Manifest) -> tuple[str, ...]:
    """The names of the deployment, as its functions that submit jobs compute them."""
    specs = (manifest.functions[key] for key in SUBMITTING_FUNCTIONS)
    names = (format_deployment(manifest.region, spec.namespace, spec.name) for spec in specs)
    return tuple(dict.fromkeys(names))


def build_hot_words_target(
    folder: Path,
    rules: Sequence[Rule],
    choices: Mapping[str, Choice],
    manifest: Manifest,
    settings: Settings,
) -> HotWordsTarget:
    """Build what the rules and settings need; files of hot words are in `folder`. Raises OperatorError.

    `choices` are those of the settings.
    """
    templates = list_templates(rules, choices, settings.input_buckets)
    names = dict.fromkeys(spec.list_name for specs in templates.values() for spec in specs)
    lists: dict[str, Mapping[str, int]] = {}
    mistakes = []
    for name in names:
        try:
            lists[name] = dict(load_hot_words(folder / name))
        except OperatorError as error:
            mistakes.append(str(error))
    if mistakes:
        raise OperatorError("\n".join(mistakes))
    warnings = tuple(
        _("{place}: the hot words have no effect: {problem}", place=place, problem=translate(FLASH_PROBLEM))
        for place in find_flash_rules(rules, choices)
    )
    return HotWordsTarget(find_deployments(manifest), lists, templates, warnings)


def find_places(
    target: HotWordsTarget, settings: Settings, regions: Mapping[str, str]
) -> tuple[ObjectPlace, ...]:
    """The objects that the functions read. `regions` has that of each bucket of receipts."""
    bucket = find_templates_bucket(settings.output_bucket, settings.input_buckets)
    return tuple(
        ObjectPlace(
            regions[bucket],
            bucket,
            templates_object_key(settings.state_prefix, deployment),
            settings.input_buckets,
        )
        for deployment in target.deployments
    )


def read_hot_words(
    clients: Clients, target: HotWordsTarget, places: Iterable[ObjectPlace], buckets: Iterable[str]
) -> HotWordsState:
    """Read the objects, and the tables and templates of `buckets` if the deployment has or had any.

    `buckets` have speech recognition; former input buckets are read, too. Raises CloudError if an object cannot be
    read.
    """
    objects = {place: ids for place in places if (ids := _read_object(clients, place)) is not None}
    if not objects and not target.templates:
        return HotWordsState()
    tables: dict[str, tuple[HotWordTable, ...]] = {}
    templates: dict[str, tuple[SpeechTemplate, ...]] = {}
    refusals: dict[str, CloudError] = {}
    former = (bucket for ids in objects.values() for bucket in ids)
    for bucket in dict.fromkeys((*buckets, *former)):
        try:
            tables[bucket] = tuple(clients.hot_words.list_tables(bucket, target.name_prefix))
            templates[bucket] = tuple(clients.hot_words.list_templates(bucket, target.name_prefix))
        except CloudError as error:
            tables.pop(bucket, None)
            if not isinstance(error, NotFound):  # a former bucket that was deleted
                refusals[bucket] = error
    return HotWordsState(objects, tables, templates, refusals)


def has_words(table: HotWordTable, words: Mapping[str, int]) -> bool:
    """Whether a table has exactly these words."""
    return dict(table.words) == dict(words)


def has_members(template: SpeechTemplate, speech: Mapping[str, str]) -> bool:
    """Whether a template has these members, and CI's defaults for the others that Scribe can send."""
    expected = {**_DEFAULTS, **speech}
    if "SpeakerDiarization" not in speech:
        del expected["SpeakerNumber"]  # it has no effect
    return all(
        template.speech.get(name, _DEFAULTS.get(name, "")) == value for name, value in expected.items()
    )


def _read_object(clients: Clients, place: ObjectPlace) -> TemplateIds | None:
    try:
        content = clients.cos(place.region).get(place.bucket, place.key, max_bytes=MAX_OBJECT_BYTES)
        return parse_templates_object(content.body)
    except RequestRejected:  # not found, or not for this key, which then cannot write it either
        return None
    except (ValueError, RecursionError):
        return {}


def _compute_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
