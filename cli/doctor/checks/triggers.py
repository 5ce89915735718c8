"""Checks of the triggers: as in serverless.yml, no others, no overlap with another function, no loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cli.cloud.scf import TriggerInfo, cos_rules, parse_rule
from cli.deploy.state import BucketRef
from cli.doctor.models import CheckContext, Finding, fail, ok, warn
from cli.language import _
from cli.manifest.models import EVERY_UPLOAD, TriggerSpec
from cli.policy.permissions import load_settings_without_notices
from shared.errors import SettingsError
from shared.recordings.keys import ERROR_EXTENSION, TRANSCRIPT_EXTENSIONS, is_output_key
from shared.settings import Settings

# A name for each kind of receipt and raw result.
_STATE_NAMES = ("open/a!0", "done/a!0", "raw/a!0.txt", "raw/a!0.txt.detail")


class WrittenObject(NamedTuple):
    """An object that a function could write. `is_state`: a receipt or a raw result, of no use to other functions."""

    bucket: str
    host: str
    key: str
    is_state: bool


def check_triggers(context: CheckContext) -> Iterator[Finding]:
    """Check that every trigger exists, as in serverless.yml, and is open."""
    state, fix = context.state, context.commands.deploy
    for spec in state.manifest.triggers:
        if not state.get_usable_function(spec.function):
            continue
        subject = _format_subject(spec.function, spec)
        trigger = state.find_trigger(spec)
        if trigger is None:
            yield fail(_("the trigger does not exist"), fix=fix, subject=subject)
        elif not trigger.matches(spec):
            yield fail(_describe_difference(spec, trigger), fix=fix, subject=subject)
        elif spec.is_open and not trigger.is_open:
            yield fail(_("the trigger is closed"), fix=fix, subject=subject)
        elif trigger.is_open and not spec.is_open:
            yield fail(_("the trigger is open, and should be closed"), fix=fix, subject=subject)
        else:
            yield ok(_("as in serverless.yml"), subject=subject)


def _format_subject(key: str, trigger: TriggerSpec | TriggerInfo) -> str:
    """The function, the type and the name; the event too if it is not that of uploads."""
    event = trigger.event if trigger.event != EVERY_UPLOAD else ""
    return " ".join(filter(None, (key, trigger.type, trigger.name, event)))


def _describe_difference(spec: TriggerSpec, trigger: TriggerInfo) -> str:
    fields = [
        (_("the description"), spec.description, trigger.description),
        (_("the argument"), spec.argument, trigger.argument),
        (_("the qualifier"), spec.qualifier, trigger.qualifier),
    ]
    empty = _("empty")
    return _("; ").join(
        _(
            "{name} is {current}, not {expected}",
            name=name,
            current=current or empty,
            expected=expected or empty,
        )
        for name, expected, current in fields
        if expected != current
    )


def check_extra_triggers(context: CheckContext) -> Iterator[Finding]:
    """Look for triggers that serverless.yml does not have, e.g. a forgotten function URL, which anyone could call."""
    state = context.state
    for key, triggers in state.triggers.items():
        expected = [state.find_trigger(spec) for spec in state.manifest.triggers_for(key)]
        extra = [trigger for trigger in triggers if trigger not in expected]
        for trigger in extra:
            yield fail(
                _("serverless.yml does not have this trigger, which is open")
                if trigger.is_open
                else _("serverless.yml does not have this trigger, which is closed"),
                fix=context.commands.deploy,
                subject=_format_subject(key, trigger),
            )
        if not extra:
            yield ok(_("no other trigger"), subject=key)


def check_overlap(context: CheckContext) -> Iterator[Finding]:
    """Look for COS rules of other functions that overlap ours: SCF gives an object to one function only."""
    state = context.state
    own_rules = [
        parse_rule(spec.function, spec.name, spec.description, is_open=spec.is_open)
        for spec in state.manifest.triggers
        if spec.type == "cos"
    ]
    overlaps = [(own, other) for own in own_rules for other in state.foreign_rules if own.overlaps(other)]
    # One finding for all events of a bucket.
    unique = {(own.bucket, other.owner, other.pattern): (own, other) for own, other in overlaps}
    for own, other in unique.values():
        yield fail(
            _(
                "function {function} already has a rule for {pattern} in {bucket}",
                function=other.owner,
                pattern=other.pattern,
                bucket=other.bucket,
            ),
            fix=_(
                "delete that trigger in the SCF console, or set another bucket; then run `{deploy}`",
                deploy=context.commands.deploy,
            ),
            subject=own.bucket,
        )
    if not overlaps:
        yield ok(_("no other function has a rule for these recordings"))


def check_loops(context: CheckContext) -> Iterator[Finding]:
    """Check whether an object that the functions write invokes a function that writes again."""
    written = list(dict.fromkeys(_list_written_objects(context)))
    findings = [*_find_own_loops(context, written), *_find_foreign_loops(context, written)]
    yield from findings
    if not findings:
        yield ok(_("no function is invoked by what Scribe writes"))


def _find_own_loops(context: CheckContext, written: list[WrittenObject]) -> Iterator[Finding]:
    """Upload ignores outputs, which it recognizes by its own settings: those of all functions must agree."""
    for key, triggers in context.state.triggers.items():
        settings = _load_deployed_settings(context, key)
        for rule in cos_rules(key, triggers):
            matched = [each for each in written if rule.matches(each.host, each.key)]
            subject = f"{key} cos {rule.host}"
            unknown = [
                each for each in matched if settings and not is_output_key(settings, each.bucket, each.key)
            ]
            if unknown:
                yield fail(
                    _(
                        "{function} handles outputs of the functions, such as {key}, as recordings: they would be "
                        "submitted and billed again and again",
                        function=key,
                        key=unknown[0].key,
                    ),
                    fix=_(
                        "set the same OUTPUT_PREFIX, STATE_PREFIX and OUTPUT_BUCKET for all functions with `{deploy}`",
                        deploy=context.commands.deploy,
                    ),
                    subject=subject,
                )
            elif matched:
                yield warn(
                    _(
                        "{function} is also invoked by each transcript and receipt, and ignores them",
                        function=key,
                    ),
                    fix=_("set INPUT_PREFIX, or another bucket as OUTPUT_BUCKET, to avoid these calls"),
                    subject=subject,
                )


def _find_foreign_loops(context: CheckContext, written: list[WrittenObject]) -> Iterator[Finding]:
    settings = context.state.settings
    for rule in context.state.foreign_rules:
        matched = [each for each in written if rule.matches(each.host, each.key)]
        if any(each.is_state for each in matched):
            yield fail(
                _(
                    "function {function} is invoked by every receipt, because its rule is for {pattern} in {bucket}: "
                    "what it writes in response may become a recording again, without end",
                    function=rule.owner,
                    pattern=rule.pattern,
                    bucket=rule.bucket,
                ),
                fix=_(
                    "set a prefix outside {state_prefix} for its trigger, such as {output_prefix}, or use another "
                    "bucket as OUTPUT_BUCKET",
                    state_prefix=settings.state_prefix,
                    output_prefix=settings.output_prefix,
                ),
                subject=rule.owner,
            )
        elif matched:
            yield warn(
                _(
                    "function {function} is invoked by transcripts, because its rule is for {pattern} in {bucket}",
                    function=rule.owner,
                    pattern=rule.pattern,
                    bucket=rule.bucket,
                ),
                fix=_("not needed if it writes nothing that is a recording for Scribe"),
                subject=rule.owner,
            )


def _list_written_objects(context: CheckContext) -> Iterator[WrittenObject]:
    """What the functions would write with the settings that are deployed now."""
    for key in context.state.functions:
        settings = _load_deployed_settings(context, key)
        if settings is None:
            continue
        region = settings.output_region or context.state.manifest.region
        for bucket in dict.fromkeys(map(settings.output_bucket_for, settings.input_buckets)):
            host = BucketRef(bucket, region).host
            for name in _STATE_NAMES:
                yield WrittenObject(bucket, host, settings.state_prefix + name, is_state=True)
            for extension in (
                *TRANSCRIPT_EXTENSIONS,
                ERROR_EXTENSION,
            ):  # a recording may have formats of its own
                yield WrittenObject(bucket, host, f"{settings.output_prefix}a.{extension}", is_state=False)


def _load_deployed_settings(context: CheckContext, key: str) -> Settings | None:
    """None if they are invalid, which another check reports: such a function writes nothing."""
    try:
        return load_settings_without_notices(
            context.state.manifest.region, context.state.functions[key].variables
        )
    except SettingsError:
        return None
