"""Which templates the rules need: each list of hot words with each set of members that surely comes with it.

Only what is certain before a recording is there: the settings, a rule, and the rules that apply wherever it does. A
recording of which metadata or a sidecar change a member of the job has no template, and no hot words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cli.language import N_
from cli.rules.coverage import combine_certain
from shared.options.check import check_options
from shared.options.ci import build_job_members
from shared.options.combine import ChosenOptions
from shared.options.hot_words import template_key
from shared.options.parse import Choice
from shared.options.rules import Rule

FLASH_PROBLEM = N_("flash recognition has no hot words, because a template is for one format of files")


class TemplateSpec(NamedTuple):
    """A template: `key` as the functions compute it, the name of the list, and SpeechRecognition without the table."""

    key: str
    list_name: str
    speech: Mapping[str, str]


def list_templates(
    rules: Sequence[Rule], settings: Mapping[str, Choice], buckets: Sequence[str]
) -> dict[str, tuple[TemplateSpec, ...]]:
    """List the templates that each of the input buckets needs; without buckets that need none."""
    templates: dict[str, dict[str, TemplateSpec]] = {}
    for rule in (None, *rules):
        spec = _build_spec(combine_certain(rules, rule, settings))
        if spec is None:
            continue
        for bucket in buckets:
            if rule is None or not rule.buckets or bucket in rule.buckets:
                templates.setdefault(bucket, {})[spec.key] = spec
    return {bucket: tuple(specs.values()) for bucket, specs in templates.items()}


def find_flash_rules(rules: Sequence[Rule], settings: Mapping[str, Choice]) -> list[str]:
    """Find the places whose hot words have no effect, because their recordings have flash recognition."""
    chosen = [combine_certain(rules, rule, settings) for rule in (None, *rules)]
    places = [each.sources["hot-words"] for each in chosen if each.options.hot_words and each.options.flash]
    return list(dict.fromkeys(places))


def _build_spec(chosen: ChosenOptions) -> TemplateSpec | None:
    options = chosen.options
    if not options.hot_words or options.template or options.flash or check_options(chosen).refusals:
        return None
    return TemplateSpec(template_key(options), options.hot_words, build_job_members(options, "").speech)
