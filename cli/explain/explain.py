"""From settings, key, metadata and sidecar to an Explanation, with the functions' own code. Sends no request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from cli.explain.models import Explanation, MatchingRule, Problem
from cli.language import N_, _, translate
from shared.options.check import SETTINGS_SOURCE, check_options, describe_source, warn_about_targets
from shared.options.choose import choose_options
from shared.options.ci import build_job_members
from shared.options.combine import DEFAULT_SOURCE, ChosenOptions
from shared.options.model import OPTIONS, InvalidOption, RecordingOptions
from shared.options.parse import (
    EARLIER_NAMES,
    METADATA_PREFIX,
    OPTION_PREFIX,
    Choice,
)
from shared.options.rules import Rule, match_rules
from shared.recordings.filters import check_skipped, check_skipped_by_metadata
from shared.recordings.keys import FULL_NAME, SHORT_NAME, get_extension, get_stem, transcript_key
from shared.recordings.models import Status
from shared.recordings.options import check_size
from shared.settings import Settings
from shared.tencent.cos import ObjectMetadata
from shared.tencent.speech_models import TAG

UNKNOWN_TYPE = N_("no extension: it is a recording if its Content-Type is audio or video")
UNKNOWN_BUCKET = N_("the bucket is not in INPUT_BUCKETS: {buckets}")


class Upload(NamedTuple):
    """What is known about an upload. `content_type` and `size` are None if they are not; the sidecar's bytes too."""

    metadata: Mapping[str, str]
    sidecar: bytes | None = None
    size: int | None = None
    content_type: str | None = None


def explain_key(
    settings: Settings, rules: Sequence[Rule], bucket: str, key: str, upload: Upload
) -> Explanation:
    """Explain what would happen to an upload with this key."""
    is_recording, reason = _check_recording(settings, bucket, key, upload)
    explanation = Explanation(bucket, key, is_recording, reason)
    if is_recording is False:
        return explanation
    matching = match_rules(rules, bucket, key)
    explanation = explanation._replace(rules=tuple(map(_describe_rule, matching)))
    size_problem = check_size(upload.size) if upload.size is not None else None
    if size_problem:
        refusal = Problem(size_problem.message, size_problem.message_zh)
        return explanation._replace(refusals=(refusal,))
    misnamed = tuple(_find_misnamed(upload.metadata))
    try:
        chosen = choose_options(settings, rules, bucket, key, upload.metadata, upload.sidecar)
    except InvalidOption as error:
        return refuse(explanation._replace(warnings=misnamed), error)
    refusals, warnings = check_options(chosen, key, upload.size or 0)
    return explanation._replace(
        chosen=chosen,
        options=_select_chosen(chosen),
        warnings=(
            *map(translate, (*warnings, *warn_about_targets(chosen, _list_target_names(settings)))),
            *misnamed,
        ),
        refusals=tuple(Problem(each.reason, each.reason_zh, each.nearest) for each in refusals),
        job={} if refusals else build_job(chosen.options, key),
        output_bucket=settings.output_bucket_for(bucket),
        outputs=()
        if refusals
        else list_outputs(settings, bucket, key, chosen.options, _guess_output_name(settings, key)),
    )


def add_hot_words(explanation: Explanation, template_id: str, problem: str) -> Explanation:
    """Return the explanation of a recording with hot words: its job has the template, or a warning says why not."""
    if problem or explanation.chosen is None:
        source = explanation.options["hot-words"].source
        warning = _(
            "hot-words ({source}) are not in this job: {problem}",
            source=describe_source(source),
            problem=translate(problem),
        )
        return explanation._replace(warnings=(*explanation.warnings, warning))
    options = explanation.chosen.options._replace(template=template_id)
    return explanation._replace(job=build_job(options, explanation.key))


def has_hot_words(explanation: Explanation) -> bool:
    """Check whether a job would be submitted that should have hot words."""
    return bool(explanation.job and explanation.chosen and explanation.chosen.options.hot_words)


def refuse(explanation: Explanation, error: InvalidOption) -> Explanation:
    """Return the explanation of a key whose options cannot be read."""
    problem = Problem(error.message, error.message_zh)
    return explanation._replace(
        refusals=(problem,), chosen=None, options={}, job={}, output_bucket="", outputs=()
    )


def list_outputs(
    settings: Settings, bucket: str, key: str, options: RecordingOptions, output_name: str
) -> tuple[str, ...]:
    """List the keys of the transcripts."""
    return tuple(
        transcript_key(settings, bucket, key, get_extension(name), output_name) for name in options.formats
    )


def _guess_output_name(settings: Settings, key: str) -> str:
    """Return how the outputs are named unless another recording has the short name, which only the bucket knows."""
    return SHORT_NAME if settings.output_names == "short" and get_stem(key) else FULL_NAME


def build_job(options: RecordingOptions, key: str) -> dict[str, Any]:
    """Build the members of the job's `Operation` that the options decide, as Cloud Infinite gets them."""
    members = build_job_members(options, key)
    job: dict[str, Any] = {"Tag": TAG}
    if members.template_id:
        job["TemplateId"] = members.template_id
    else:
        job["SpeechRecognition"] = dict(members.speech)
    if members.job_level:
        job["JobLevel"] = str(members.job_level)
    return job


def _check_recording(settings: Settings, bucket: str, key: str, upload: Upload) -> tuple[bool | None, str]:
    """Return whether it is a recording (None: unknown), and why not."""
    skipped = check_skipped(settings, bucket, key)
    if skipped is None and upload.content_type is not None:
        head = ObjectMetadata("", upload.size or 0, upload.content_type, metadata=upload.metadata)
        skipped = check_skipped_by_metadata(settings, bucket, key, head)
    if skipped:
        if skipped.status is Status.UNKNOWN_BUCKET:
            return False, _(UNKNOWN_BUCKET, buckets=_(", ").join(settings.input_buckets))
        return False, translate(skipped.reason)
    if upload.content_type is None and settings.has_recording_extension(key) is None:
        return None, _(UNKNOWN_TYPE)
    return True, ""


def _list_target_names(settings: Settings) -> list[str]:
    return [target.name for target in settings.targets]


def _describe_rule(rule: Rule) -> MatchingRule:
    options = {name: choice.value for name, choice in rule.choices.items()}
    return MatchingRule(rule.source, rule.patterns, options)


def _select_chosen(chosen: ChosenOptions) -> dict[str, Choice]:
    """Return the engine and the options that a place sets, by name; those of the settings only if they differ."""
    choices = {
        name: Choice(getattr(chosen.options, option.field), chosen.sources[name])
        for name, option in OPTIONS.items()
    }
    return {
        name: choice
        for name, choice in choices.items()
        if choice.source not in {DEFAULT_SOURCE, SETTINGS_SOURCE}
        or choice.value != OPTIONS[name].default
        or name == "engine"
    }


def _find_misnamed(metadata: Mapping[str, str]) -> Iterable[str]:
    """Yield a warning for each option that has its name without `scribe-`, which no function reads."""
    for name in metadata:
        option = name.strip().lower()
        if option in OPTIONS and option not in EARLIER_NAMES:
            yield _(
                "{name} is not read; the option is {option}",
                name=METADATA_PREFIX + option,
                option=METADATA_PREFIX + OPTION_PREFIX + option,
            )
