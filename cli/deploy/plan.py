"""From what is wanted and what is found to the steps between them. Pure: nothing is asked, nothing written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cli.cloud.functions import MOST_RETRIES
from cli.cloud.triggers import FoundTrigger
from cli.deploy.before import receipts_moved
from cli.deploy.found import Deployed, Found, region_of
from cli.deploy.function_steps import Code, CreateFunction, SetRetries, UpdateCode, UpdateConfiguration
from cli.deploy.role_steps import ensured, is_too_long_together
from cli.deploy.speech_steps import EnableSpeech, MakeBucket, SilenceQueue, TellCallback, is_told, tells
from cli.deploy.steps import Step
from cli.deploy.trigger_steps import CreateTrigger, DeleteTrigger, OpenTrigger, ReplaceTrigger
from cli.doctor.recordings import AUDIT
from cli.manifest.models import CALLBACK, FunctionSpec, Manifest, TriggerSpec
from shared.settings import Settings

_ASYNCHRONOUS = frozenset({"cos", "timer"})
_OURS = frozenset({"cos", "timer", "http"})


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a deployment is to arrive: the description, the settings in it, the package, each role's document."""

    wanted: Manifest
    settings: Settings
    code: Code
    documents: Mapping[str, Mapping[str, Any]]  # by role name


def plan(aim: Aim, found: Found) -> tuple[Step, ...]:
    """The steps, in an order in which a deployment that stops halfway takes in no recording that it cannot finish.

    So what wakes the functions comes late, but for the address, which the queue needs; and what a role may no longer do
    is taken from it last.
    """
    functions = [(aim.wanted.functions[key], found.functions[key]) for key in aim.wanted.functions]
    steps: list[Step] = [MakeBucket(one, region_of(one, aim.settings)) for one in found.missing_buckets]
    roles = [ensured(name, aim.documents[name], role) for name, role in found.roles.items()]
    steps += [step for before, _ in roles for step in before]
    for function, deployed in functions:
        steps += _function(function, deployed, aim.code)
        if any(one.type in _ASYNCHRONOUS for one in aim.wanted.triggers_of(function.key)):
            steps += _retries(function, deployed)
    for function, deployed in functions:
        steps += _triggers(function, deployed, aim.wanted.triggers_of(function.key), {"http"})
    steps += _speech(aim, found)
    steps += _silence(aim, found)
    for function, deployed in functions:
        steps += _triggers(function, deployed, aim.wanted.triggers_of(function.key), _ASYNCHRONOUS)
    steps += [step for _, after in roles for step in after]
    return tuple(steps)


def notes(aim: Aim, found: Found) -> list[str]:
    """What differs and is left as it is."""
    told = list(_moved(aim, found))
    told += [
        f"this key may not look at role {name}, which is taken to be right; `scribe policy` prints what it must allow"
        for name in found.unreadable_roles
    ]
    told += [
        f"role {name}: its permissions of now and those to come are together longer than CAM takes, so they change at "
        "once; what fails for that in the next minutes is tried again"
        for name, role in found.roles.items()
        if role and is_too_long_together(role, aim.documents[name])
    ]
    told += [
        f"{bucket} was an input bucket, and this key may not look at its speech queue: see in the Cloud Infinite "
        "console that its notification is off"
        for bucket in found.unreadable_left
    ]
    for key, wanted in aim.wanted.functions.items():
        there = found.functions[key]
        # Tags beside ours are somebody's own.
        if there.function and _stays(there) and not wanted.tags.items() <= there.function.tags.items():
            told.append(
                f"{wanted.name} has other tags; SCF takes them at creation only: change them in its console"
            )
        told += [
            f"{wanted.name} also has a {one.type} trigger {one.name}, which is left alone"
            for one in there.triggers
            if one.type not in _OURS
        ]
    return told


def _moved(aim: Aim, found: Found) -> Iterator[str]:
    """The audit knows by its receipt what was done: where it is not found, the recording is one from before."""
    if not any(one.type == "timer" and one.argument == AUDIT for one in aim.wanted.triggers):
        return
    for old, new in receipts_moved(found.before, aim.settings):
        yield (
            f"receipts are to lie in another place, {new} and no longer {old}: the next audit transcribes and bills "
            "again every recording that was done before. Copy the receipts there first, or set INPUT_PREFIX to a "
            "folder for new recordings"
        )


def _function(wanted: FunctionSpec, deployed: Deployed, code: Code) -> Iterator[Step]:
    there = deployed.function
    if not there or there.status == "CreateFailed":
        yield CreateFunction(wanted, code, failed_before=there)
        return
    update = UpdateCode(wanted, there, code)
    if update.changes:
        yield update
    configuration = UpdateConfiguration(wanted, there, code.label)
    if configuration.changes:
        yield configuration


def _retries(wanted: FunctionSpec, deployed: Deployed) -> Iterator[Step]:
    there = deployed.retries if _stays(deployed) else None
    if there != MOST_RETRIES:
        yield SetRetries(wanted, MOST_RETRIES, there)


def _triggers(
    function: FunctionSpec,
    deployed: Deployed,
    wanted: tuple[TriggerSpec, ...],
    kinds: frozenset[str] | set[str],
) -> Iterator[Step]:
    """Deletions first: a new rule may need the room of an old one."""
    left = [one for one in deployed.triggers if one.type in kinds] if _stays(deployed) else []
    steps: list[Step] = []
    changed: list[TriggerSpec] = []
    for trigger in (one for one in wanted if one.type in kinds):
        same = next((one for one in left if one.matches(trigger)), None)
        if not same:
            changed.append(trigger)
            continue
        left.remove(same)
        if trigger.is_open and not same.is_open:
            steps.append(OpenTrigger(function, same))
    for trigger in changed:
        before = next((one for one in left if _is_that_one(one, trigger)), None)
        if before:
            left.remove(before)
            steps.append(ReplaceTrigger(function, before, trigger))
        else:
            steps.append(CreateTrigger(function, trigger))
    yield from (DeleteTrigger(function.name, function.namespace, one) for one in left)
    yield from steps


def _is_that_one(found: FoundTrigger, wanted: TriggerSpec) -> bool:
    """Whether a trigger is the former state of a wanted one. There is one address for each version of a function."""
    if found.type == "http":
        return wanted.type == "http" and found.qualifier == wanted.qualifier
    return (found.type, found.name) == (wanted.type, wanted.name)


def _speech(aim: Aim, found: Found) -> Iterator[Step]:
    callback = aim.wanted.functions[CALLBACK]
    deployed = found.functions[CALLBACK]
    # A URL of another version goes with this plan.
    qualifier = next((one.qualifier for one in aim.wanted.triggers_of(CALLBACK) if one.type == "http"), "")
    address = deployed.address_of(qualifier) if _stays(deployed) else ""
    token = aim.settings.callback_tokens[0]  # the others are still taken from the queue's last address
    for bucket in aim.settings.input_buckets:
        there = found.speech.get(bucket)
        if not there or not there.is_on:
            yield EnableSpeech(bucket)
        queue = there.queue if there else None
        if not (queue and address and is_told(queue, address, token)):
            yield TellCallback(bucket, aim.settings.queue_id, callback, qualifier, token, address, queue)


def _silence(aim: Aim, found: Found) -> Iterator[Step]:
    """Before the triggers of those buckets go: after a halt they are what still tells of them."""
    address = found.functions[CALLBACK].address
    for bucket, speech in found.left.items():
        if speech.queue and tells(speech.queue, address, found.tokens.union(aim.settings.callback_tokens)):
            yield SilenceQueue(bucket, speech.queue)


def _stays(deployed: Deployed) -> bool:
    return deployed.function is not None and deployed.function.status != "CreateFailed"
