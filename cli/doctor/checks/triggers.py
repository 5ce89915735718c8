"""Checks of the triggers: as in serverless.yml, no others, no overlap with another function, no loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cli.cloud.scf import CosTriggerRule, TriggerInfo, cos_rules, parse_rule
from cli.deploy.state import BucketRef
from cli.doctor.models import CheckContext, Finding, fail, ok, warn
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
            yield fail("the trigger does not exist", fix=fix, subject=subject)
        elif not trigger.matches(spec):
            yield fail(_describe_difference(spec, trigger), fix=fix, subject=subject)
        elif spec.is_open and not trigger.is_open:
            yield fail("the trigger is closed", fix=fix, subject=subject)
        elif trigger.is_open and not spec.is_open:
            yield fail("the trigger is open, and should be closed", fix=fix, subject=subject)
        else:
            yield ok("as in serverless.yml", subject=subject)


def _format_subject(key: str, trigger: TriggerSpec | TriggerInfo) -> str:
    """The function, the type and the name; the event too if it is not that of uploads."""
    event = trigger.event if trigger.event != EVERY_UPLOAD else ""
    return " ".join(filter(None, (key, trigger.type, trigger.name, event)))


def _describe_difference(spec: TriggerSpec, trigger: TriggerInfo) -> str:
    fields = [
        ("the description", spec.description, trigger.description),
        ("the argument", spec.argument, trigger.argument),
        ("the qualifier", spec.qualifier, trigger.qualifier),
    ]
    return "; ".join(
        f"{name} is {current or 'empty'}, not {expected or 'empty'}"
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
            status = "open" if trigger.is_open else "closed"
            yield fail(
                f"serverless.yml does not have this trigger, which is {status}",
                fix=context.commands.deploy,
                subject=_format_subject(key, trigger),
            )
        if not extra:
            yield ok("no other trigger", subject=key)


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
            f"function {other.owner} already has a rule for {_describe_rule(other)}",
            fix="delete that trigger in the SCF console, or set another bucket; then run "
            f"`{context.commands.deploy}`",
            subject=own.bucket,
        )
    if not overlaps:
        yield ok("no other function has a rule for these recordings")


def check_loops(context: CheckContext) -> Iterator[Finding]:
    """Check whether an object that the functions write invokes a function that writes again."""
    written = list(dict.fromkeys(_list_written_objects(context)))
    findings = [*_find_own_loops(context, written), *_find_foreign_loops(context, written)]
    yield from findings
    if not findings:
        yield ok("no function is invoked by what Scribe writes")


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
                    f"{key} handles outputs of the functions, such as {unknown[0].key}, as recordings: they would be "
                    "submitted and billed again and again",
                    fix="set the same OUTPUT_PREFIX, STATE_PREFIX and OUTPUT_BUCKET for all functions with "
                    f"`{context.commands.deploy}`",
                    subject=subject,
                )
            elif matched:
                yield warn(
                    f"{key} is also invoked by each transcript and receipt, and ignores them",
                    fix="set INPUT_PREFIX, or another bucket as OUTPUT_BUCKET, to avoid these calls",
                    subject=subject,
                )


def _find_foreign_loops(context: CheckContext, written: list[WrittenObject]) -> Iterator[Finding]:
    settings = context.state.settings
    for rule in context.state.foreign_rules:
        matched = [each for each in written if rule.matches(each.host, each.key)]
        if any(each.is_state for each in matched):
            yield fail(
                f"function {rule.owner} is invoked by every receipt, because its rule is for {_describe_rule(rule)}: "
                "what it writes in response may become a recording again, without end",
                fix=f"set a prefix outside {settings.state_prefix} for its trigger, such as {settings.output_prefix}, "
                "or use another bucket as OUTPUT_BUCKET",
                subject=rule.owner,
            )
        elif matched:
            yield warn(
                f"function {rule.owner} is invoked by transcripts, because its rule is for {_describe_rule(rule)}",
                fix="not needed if it writes nothing that is a recording for Scribe",
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


def _describe_rule(rule: CosTriggerRule) -> str:
    return f"{rule.pattern} in {rule.bucket}"
