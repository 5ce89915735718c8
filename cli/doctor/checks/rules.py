"""The check of rules.yml: rules without effect, rules that match nothing, engines that no document names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cli.deploy.recordings import is_recording
from cli.doctor.models import CheckContext, Finding, fail, ok, warn
from cli.language import _, ngettext, translate
from cli.rules.coverage import combine_certain, find_hidden
from cli.rules.models import RULES_NAME, RulesError, RulesFile
from shared.notices.models import NoticeType
from shared.options import check
from shared.options.choose import settings_choices
from shared.options.rules import Rule, match_rules


@dataclass(frozen=True, slots=True)
class RecordingListing:
    """The keys of the recordings among the first objects of each bucket; `is_complete` if there are no others."""

    keys: Mapping[str, Sequence[str]]
    is_complete: bool


def check_rules(context: CheckContext) -> Iterator[Finding]:
    """Check the rules, then compare them with the first 1,000 objects of each input bucket: one request for each."""
    rules = context.rules
    if rules is None:
        yield ok(_("there is no {file}", file=RULES_NAME))
        return
    if isinstance(rules, RulesError):
        fix = _("correct {file}, then run `{deploy}`", file=RULES_NAME, deploy=context.commands.deploy)
        yield fail(str(rules), fix=fix, blocks=False)
        return
    findings = [*_find_hidden_rules(rules), *_find_unknown_options(context, rules)]
    findings += _find_unannounced_failures(context, rules)
    findings += _find_rules_without_recordings(context, rules)
    yield from findings or [ok(_("{rules}; each of them has an effect", rules=rules.summary))]


def _find_hidden_rules(file: RulesFile) -> Iterator[Finding]:
    for rule, hidden_by in find_hidden(file.rules):
        lines = _(", ").join(str(other.line) for other in hidden_by)
        yield warn(
            ngettext(
                "it has no effect: the rule in line {lines} match the same recordings and set the same options, and "
                "the later rule wins",
                "it has no effect: the rules in lines {lines} match the same recordings and set the same options, and "
                "the later rule wins",
                len(hidden_by),
                lines=lines,
            ),
            fix=_("move it below them, or remove it"),
            subject=rule.source,
        )


def _find_unknown_options(context: CheckContext, file: RulesFile) -> Iterator[Finding]:
    """Report what CI may refuse: an engine that no document names, or options that it may not have."""
    settings = settings_choices(context.state.settings)
    known = set(check.check_options(combine_certain([], None, settings)).warnings)
    for rule in file.rules:
        for warning in check.check_options(combine_certain(file.rules, rule, settings)).warnings:
            if warning not in known:
                known.add(warning)
                yield warn(
                    translate(warning),
                    fix=_("try it with one recording; docs/options.md has the engines"),
                    subject=rule.source,
                )


def _find_unannounced_failures(context: CheckContext, file: RulesFile) -> Iterator[Finding]:
    """Report rules that name targets, none of which gets the notices of failures."""
    targets = {target.name: target for target in context.state.settings.targets}
    for rule in file.rules:
        choice = rule.choices.get("notify")
        names = choice.value if choice and isinstance(choice.value, tuple) else ()
        named = [targets[name] for name in names if name in targets]
        if named and not any(NoticeType.FAILED in target.types for target in named):
            yield warn(
                ngettext(
                    "no target gets the failures of these recordings: {targets} gets notices of transcripts only",
                    "no target gets the failures of these recordings: {targets} get notices of transcripts only",
                    len(named),
                    targets=_(", ").join(names),
                ),
                fix=_(
                    "name a target that gets failures too, or set NOTIFY_..._ON=done,failed for {target}",
                    target=names[0],
                ),
                subject=rule.source,
            )


def _find_rules_without_recordings(context: CheckContext, file: RulesFile) -> Iterator[Finding]:
    state = context.state
    listing = _list_recordings(context)
    matched = {
        rule for bucket, keys in listing.keys.items() for key in keys for rule in _match(file, bucket, key)
    }
    for rule in file.rules:
        if rule.buckets and not {*rule.buckets} & {*state.settings.input_buckets}:
            yield warn(
                _(
                    "it is for {buckets}, not for a bucket of INPUT_BUCKETS, so it never applies",
                    buckets=_(", ").join(rule.buckets),
                ),
                fix=_("correct `bucket`, or INPUT_BUCKETS"),
                subject=rule.source,
            )
            continue
        count = sum(
            len(keys) for bucket, keys in listing.keys.items() if not rule.buckets or bucket in rule.buckets
        )
        if count and rule.line not in matched:
            patterns, number = _(", ").join(rule.patterns), f"{count:,}"
            message = (
                _("{patterns} matches none of the {number} recordings", patterns=patterns, number=number)
                if listing.is_complete
                else _(
                    "{patterns} matches none of the first {number} recordings",
                    patterns=patterns,
                    number=number,
                )
            )
            yield warn(
                message,
                fix=_(
                    "nothing, if such recordings are still to come; otherwise compare the pattern with their keys"
                ),
                subject=rule.source,
            )


def _match(file: RulesFile, bucket: str, key: str) -> list[int]:
    rules: list[Rule] = match_rules(file.rules, bucket, key)
    return [rule.line for rule in rules]


def _list_recordings(context: CheckContext) -> RecordingListing:
    state, settings = context.state, context.state.settings
    keys, is_complete = {}, True
    for bucket in state.input_buckets:
        if bucket not in state.existing_buckets:
            continue
        page = context.clients.cos(bucket.region).list_objects(bucket.name, prefix=settings.input_prefix)
        is_complete &= not page.next_marker
        keys[bucket.name] = [
            item.key for item in page.objects if is_recording(settings, bucket.name, item.key)
        ]
    return RecordingListing(keys, is_complete)
