"""From the target and the current state to the steps between them. Sends no request and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from cli.cloud.cam import RoleInfo
from cli.cloud.ci_bucket import BOUND
from cli.cloud.scf import MAX_RETRY_CONFIG, TriggerInfo, find_public_url
from cli.config import CALLBACK_URL_NAME, SINCE_NAME, Commands
from cli.deploy.hot_word_steps import HotWordSteps, list_hot_words_warnings, plan_hot_words
from cli.deploy.notifications import is_notification_configured, is_paused, notifies_us
from cli.deploy.outputs import NameMove
from cli.deploy.receipts import MAX_COUNTED, MAX_COUNTED_RECEIPTS
from cli.deploy.recordings import RecordingCount
from cli.deploy.speech_steps import (
    bind_bucket,
    configure_notification,
    disable_notification,
    enable_speech,
    resume_queue,
)
from cli.deploy.state import EVENT_TYPES, CurrentState
from cli.deploy.steps import (
    SUBMITTING_FUNCTIONS,
    Step,
    copy_late_receipts_step,
    copy_receipts_step,
    create_bucket,
    create_function,
    delete_function,
    delete_role,
    ensure_role,
    ensure_service_role,
    extra_permissions,
    set_callback_url,
    update_code,
    update_configuration,
    update_retry_config,
)
from cli.deploy.target import Configuration, DeployTarget
from cli.deploy.trigger_steps import create_trigger, delete_trigger, enable_trigger, replace_trigger
from cli.language import _, ngettext
from cli.manifest.models import CALLBACK, FunctionSpec, TriggerSpec
from cli.policy.diff import Permission
from cli.policy.documents import MAX_DOCUMENT_LENGTH, serialize_document
from shared.settings import EVERYTHING
from shared.tencent.speech_models import Queue

_MANAGED_TYPES = frozenset({"cos", "timer", "http"})


class QueueChange(NamedTuple):
    """A queue whose notification has to be configured. `current` is None if the queue does not exist yet."""

    bucket: str
    current: Queue | None


class TriggerDiff(NamedTuple):
    """What has to be done with the triggers of a function."""

    delete: list[TriggerInfo]
    enable: list[TriggerInfo]
    replace: list[tuple[TriggerInfo, TriggerSpec]]
    create: list[TriggerSpec]


def create_plan(
    target: DeployTarget,
    state: CurrentState,
    *,
    with_roles: bool = True,
    resume_queues: bool = False,
    copy_receipts: bool = False,
) -> tuple[Step, ...]:
    """The steps, in an order in which an interrupted deployment accepts no recording that it cannot finish.

    So triggers come late, except for the address, which the queue needs; and permissions that a role loses are removed
    last. A paused queue stays paused without `resume_queues`. `copy_receipts`: those that the new settings would miss.
    """
    manifest = target.manifest
    regions = {bucket.name: bucket.region for bucket in state.all_buckets}
    steps = [create_bucket(name, regions[name]) for name in state.missing_buckets]
    if with_roles:
        steps += [
            ensure_service_role(role, current)
            for role, current in state.service_roles.items()
            if current.describe_problem(role)
        ]
    role_steps = _plan_roles(target, state) if with_roles else []
    steps += [step for before, _ in role_steps for step in before]
    hot_words = _plan_hot_words(state)
    has_speech = {*target.settings.input_buckets} <= {*state.speech_buckets}
    if has_speech:  # before the functions look for them
        steps += hot_words.before
    # Once more after the functions: what the old ones closed in between.
    copies = [copy_receipts_step(move, count) for move, count in state.missing_receipts.items()]
    steps += copies if copy_receipts else []
    for key, spec in manifest.functions.items():
        steps += _plan_function(spec, target, state)
        if any(trigger.type in EVENT_TYPES for trigger in manifest.triggers_for(key)):
            steps += _plan_retries(spec, state)
    steps += [copy_late_receipts_step(move) for move in state.missing_receipts] if copy_receipts else []
    for spec in manifest.functions.values():
        steps += _plan_triggers(spec, target, state, frozenset({"http"}))
    if target.job_callback:
        steps += _plan_callback_urls(target)
    steps += _plan_speech(target, state, resume=resume_queues)
    if not has_speech:  # no recording was submitted before
        steps += hot_words.before
    steps += hot_words.after
    # Before the triggers of those buckets are deleted: after an interruption only they still name the buckets.
    steps += _plan_former_queues(state)
    for spec in manifest.functions.values():
        steps += _plan_triggers(spec, target, state, EVENT_TYPES)
    steps += [step for _, after in role_steps for step in after]
    return tuple(steps)


def create_removal_plan(configuration: Configuration, state: CurrentState) -> tuple[Step, ...]:
    """The steps that remove a deployment: triggers first, so that nothing new starts; roles last."""
    steps: list[Step] = []
    for key, spec in configuration.manifest.functions.items():
        # An address is deleted with its function.
        steps += [
            delete_trigger(spec, trigger) for trigger in state.triggers.get(key, ()) if trigger.type != "http"
        ]
    steps += [
        disable_notification(bucket, queue)
        for bucket, queue in state.queues.items()
        if notifies_us(queue, state.callback_url, _our_tokens(state))
    ]
    steps += _plan_former_queues(state)
    steps += [delete_function(function) for function in state.functions.values()]
    steps += _plan_hot_words(state, is_removal=True).after
    steps += [delete_role(name) for name, role in state.roles.items() if role and role.is_ours]
    return tuple(steps)


def _plan_speech(target: DeployTarget, state: CurrentState, *, resume: bool) -> Iterator[Step]:
    """Bind the input buckets, switch their speech recognition on, and configure their queues."""
    for bucket in target.settings.input_buckets:
        # One that is created by this deployment has no status yet.
        if bucket in state.missing_buckets or state.ci_statuses.get(bucket, BOUND) != BOUND:
            yield bind_bucket(bucket, state.ci_statuses.get(bucket, ""))
        if bucket not in state.speech_buckets:
            yield enable_speech(bucket)
        yield from _plan_queue(bucket, target, state, resume=resume)


def _plan_hot_words(state: CurrentState, *, is_removal: bool = False) -> HotWordSteps:
    target = state.hot_words_target
    if not target:
        return HotWordSteps()
    needed = target._replace(lists={}, templates={}) if is_removal else target
    return plan_hot_words(needed, state.hot_words, state.hot_words_places)


def list_costs(target: DeployTarget, state: CurrentState, *, copy_receipts: bool) -> list[str]:
    """What will be billed because of changed settings although no one uploads anything; the operator has to agree."""
    costs = []
    if state.has_audit and not copy_receipts:
        # The audit recognizes finished recordings by their receipts.
        costs += [
            _(
                "the receipts will be expected in {new} and no longer in {current}: the next audit transcribes and "
                "bills again {recordings}. `{command}` copies the receipts first, then nothing is billed again",
                new=move.new,
                current=move.current,
                recordings=_count_done(count),
                command=target.commands.copy_receipts,
            )
            for move, count in state.missing_receipts.items()
        ]
    costs += [
        _(
            "{bucket}: with the changed settings the next audit also transcribes and bills up to {recordings} that it "
            "already contains. To leave them alone, set {variable} in {file} to a later time",
            bucket=bucket,
            recordings=count,
            variable=SINCE_NAME,
            file=target.commands.env_file,
        )
        for bucket, count in state.added_recordings.items()
        if not state.is_first  # the operator chose SINCE then, and a warning has the number
    ]
    return costs


def list_losses(target: DeployTarget, state: CurrentState) -> list[str]:
    """What will not be finished because of changed settings; the operator has to agree."""
    follow_up = (
        _(
            "the sweep writes transcripts only of jobs that it can still read, and an error object for the others"
        )
        if target.settings.output_bucket
        else _("no function looks there any more, so their paid jobs stay without transcripts")
    )
    return [
        _(
            "{bucket} is not in INPUT_BUCKETS any more, and {unfinished}: {follow_up}. To have them finished, keep it "
            "in INPUT_BUCKETS until they have their transcripts",
            bucket=bucket,
            unfinished=_count_open(count),
            follow_up=follow_up,
        )
        for bucket, count in state.abandoned_receipts.items()
        if count is not None
    ]


def _count_open(count: int) -> str:
    if count >= MAX_COUNTED_RECEIPTS:
        return _("at least {count} recordings of it are not finished", count=f"{count:,}")
    return ngettext(
        "{count} recording of it is not finished", "{count} recordings of it are not finished", count
    )


def describe_name_move(move: NameMove) -> str:
    """Where the transcripts of a bucket go from now on."""
    return _(
        "{bucket}: from now on its transcripts go to {new}. Those that are there already stay where they are, in "
        "{current}. Nothing is transcribed or billed again for that",
        bucket=move.input_bucket,
        new=move.new,
        current=move.current,
    )


def _count_done(count: int | None) -> str:
    if count is None:
        return _("every recording that is already done")
    if count >= MAX_COUNTED:
        return _("at least {count} recordings that are already done", count=f"{count:,}")
    return ngettext(
        "{count} recording that is already done", "{count} recordings that are already done", count
    )


def describe_paused_queue(queue: Queue) -> str:
    """What a paused queue means."""
    return _(
        "queue {queue} is {state}: jobs wait and nothing is transcribed",
        queue=queue.queue_id,
        state=queue.state,
    )


def list_plan_warnings(
    target: DeployTarget, state: CurrentState, *, with_roles: bool = True, resume_queues: bool = False
) -> list[str]:
    """What differs and will not be changed, and what the operator has to know before the plan is executed."""
    warnings = [
        _(
            "{bucket}: {problem}. {advice}",
            bucket=bucket,
            problem=describe_old_recordings(state, count),
            advice=advise_old_recordings(target.commands),
        )
        for bucket, count in state.old_recordings.items()
        if count.number or not count.is_complete
    ]
    if state.is_first:
        warnings += [
            _(
                "{bucket}: {recordings} that it already contains will be transcribed and billed. To leave them alone, "
                "remove {variable} from {file}: a first deployment then sets it to the current time",
                bucket=bucket,
                recordings=count,
                variable=SINCE_NAME,
                file=target.commands.env_file,
            )
            for bucket, count in state.added_recordings.items()
        ]
    warnings += [describe_name_move(move) for move in state.name_moves]
    if state.hot_words_target:
        warnings += list_hot_words_warnings(state.hot_words_target, state.hot_words)
    if not resume_queues:
        warnings += [
            _(
                "{bucket}: {problem}. It stays paused, because an operator did that. To start it again, run "
                "`{command}`",
                bucket=bucket,
                problem=describe_paused_queue(queue),
                command=target.commands.resume_queue,
            )
            for bucket, queue in state.queues.items()
            if is_paused(queue)
        ]
    if not with_roles:
        warnings += [
            _("{problem}; {advice}", problem=problem, advice=role.advice)
            for role, current in state.service_roles.items()
            if (problem := current.describe_problem(role))
        ]
    if with_roles:
        warnings += [
            _(
                "no permission to read role {role}; assuming that it is correct. `{command}` prints what it must allow",
                role=name,
                command=target.commands.line("policy"),
            )
            for name in state.unreadable_roles
        ]
        warnings += [
            _(
                "role {role}: its current and its new permissions together exceed the length that CAM accepts, so they "
                "change at once; requests that fail because of that in the next minutes are retried",
                role=name,
            )
            for name, role in state.roles.items()
            if role and _exceeds_policy_limit(role, target.documents[name])
        ]
    warnings += [
        _(
            "{bucket} was an input bucket, and this key has no permission to list its receipts: look in the COS "
            "console below open/ in the folder of STATE_PREFIX whether recordings of it are not finished",
            bucket=bucket,
        )
        for bucket, count in state.abandoned_receipts.items()
        if count is None
    ]
    warnings += [
        _(
            "{bucket} was an input bucket, and this key has no permission to read its speech queue: check in the Cloud "
            "Infinite console that the notification of the queue is off",
            bucket=bucket,
        )
        for bucket in state.unreadable_former_buckets
    ]
    for key, spec in target.manifest.functions.items():
        function = state.get_usable_function(key)
        # Other tags are not ours.
        if function and not spec.tags.items() <= function.tags.items():
            warnings.append(
                _(
                    "{function} has other tags than serverless.yml; SCF accepts tags only when a function is created: "
                    "change them in its console",
                    function=spec.name,
                )
            )
        warnings += [
            _(
                "{function} also has a {type} trigger {name}, which is not changed",
                function=spec.name,
                type=trigger.type,
                name=trigger.name,
            )
            for trigger in state.triggers.get(key, ())
            if trigger.type not in _MANAGED_TYPES
        ]
    return warnings


def describe_old_recordings(state: CurrentState, count: RecordingCount) -> str:
    """What SINCE leaves alone in a bucket."""
    since = state.manifest.functions[CALLBACK].variables.get(SINCE_NAME, "")
    return _(
        "{recordings} uploaded before SINCE ({since}) will stay untouched and cost nothing",
        recordings=count,
        since=since,
    )


def advise_old_recordings(commands: Commands) -> str:
    """How to have them transcribed."""
    return _(
        "To have them transcribed too, which is billed, set {setting} in {file} and run `{command}`",
        setting=f"{SINCE_NAME}={EVERYTHING}",
        file=commands.env_file,
        command=commands.deploy,
    )


def find_changed_queues(target: DeployTarget, state: CurrentState) -> list[QueueChange]:
    """The input buckets whose queue has to notify another address; none if each job carries the address."""
    if target.job_callback:
        return []
    changes = (_find_changed_queue(bucket, target, state) for bucket in target.settings.input_buckets)
    return [change for change in changes if change]


def diff_triggers(
    spec: FunctionSpec, target: DeployTarget, state: CurrentState, types: frozenset[str]
) -> TriggerDiff:
    """Compare the triggers of a function, of these types, with the manifest."""
    remaining = [trigger for trigger in state.triggers.get(spec.key, ()) if trigger.type in types]
    diff = TriggerDiff([], [], [], [])
    different: list[TriggerSpec] = []
    for trigger in target.manifest.triggers_for(spec.key):
        if trigger.type not in types:
            continue
        same = next((each for each in remaining if each.matches(trigger)), None)
        if not same:
            different.append(trigger)
            continue
        remaining.remove(same)
        if trigger.is_open and not same.is_open:
            diff.enable.append(same)
    for trigger in different:
        previous = next((each for each in remaining if _is_previous(each, trigger)), None)
        if previous:
            remaining.remove(previous)
            diff.replace.append((previous, trigger))
        else:
            diff.create.append(trigger)
    diff.delete.extend(remaining)
    return diff


def _is_previous(current: TriggerInfo, trigger: TriggerSpec) -> bool:
    """Whether a trigger is the previous state of a spec. Each version of a function has one address."""
    if current.type == "http":
        return trigger.type == "http" and current.qualifier == trigger.qualifier
    # SCF names a COS trigger by its bucket's host: only the event tells those of one bucket apart.
    return (current.type, current.name, current.event) == (trigger.type, trigger.name, trigger.event)


def _plan_function(spec: FunctionSpec, target: DeployTarget, state: CurrentState) -> Iterator[Step]:
    current = state.functions.get(spec.key)
    if not current or current.creation_failed:
        yield create_function(spec, target.package, failed=current)
        return
    steps = (
        update_code(spec, current, target.package),
        update_configuration(spec, current, target.package.label),
    )
    yield from (step for step in steps if step.changes)


def _plan_retries(spec: FunctionSpec, state: CurrentState) -> Iterator[Step]:
    current = state.retry_configs.get(spec.key)
    if current != MAX_RETRY_CONFIG:
        yield update_retry_config(spec, current)


def _plan_triggers(
    spec: FunctionSpec, target: DeployTarget, state: CurrentState, types: frozenset[str]
) -> Iterator[Step]:
    """Deletions first: a new rule may overlap an old one."""
    diff = diff_triggers(spec, target, state, types)
    yield from (delete_trigger(spec, current) for current in diff.delete)
    yield from (enable_trigger(spec, current) for current in diff.enable)
    yield from (replace_trigger(spec, current, trigger) for current, trigger in diff.replace)
    yield from (create_trigger(spec, trigger) for trigger in diff.create)


def _callback_url(target: DeployTarget, state: CurrentState) -> tuple[str, str]:
    """The qualifier of the callback's address, and the address; one of another version is deleted by the plan."""
    http = [trigger for trigger in target.manifest.triggers_for(CALLBACK) if trigger.type == "http"]
    qualifier = http[0].qualifier if http else ""
    return qualifier, find_public_url(state.triggers.get(CALLBACK, ()), qualifier) if qualifier else ""


def _find_changed_queue(bucket: str, target: DeployTarget, state: CurrentState) -> QueueChange | None:
    _, url = _callback_url(target, state)
    queue = state.queues.get(bucket)
    # The function still accepts the other tokens from the queue's previous address.
    token = target.settings.callback_tokens[0]
    return (
        None
        if queue and url and is_notification_configured(queue, url, token)
        else QueueChange(bucket, queue)
    )


def _plan_queue(bucket: str, target: DeployTarget, state: CurrentState, *, resume: bool) -> Iterator[Step]:
    change = None if target.job_callback else _find_changed_queue(bucket, target, state)
    if change:
        qualifier, url = _callback_url(target, state)
        yield configure_notification(
            bucket,
            target.settings.queue_id,
            target.manifest.functions[CALLBACK],
            qualifier=qualifier,
            token=target.settings.callback_tokens[0],
            callback_url=url,
            current=change.current,
            resume=resume,
        )
        return
    queue = state.queues.get(bucket)
    if resume and queue and is_paused(queue):
        yield resume_queue(bucket, queue)


def _plan_callback_urls(target: DeployTarget) -> Iterator[Step]:
    """Only if the address was not known when the functions were planned."""
    functions = target.manifest.functions
    http = [trigger for trigger in target.manifest.triggers_for(CALLBACK) if trigger.type == "http"]
    for key in SUBMITTING_FUNCTIONS:
        if CALLBACK_URL_NAME not in functions[key].variables:
            yield set_callback_url(
                functions[key],
                target.package.label,
                functions[CALLBACK],
                qualifier=http[0].qualifier if http else "",
                token=target.settings.callback_tokens[0],
            )


def _plan_former_queues(state: CurrentState) -> Iterator[Step]:
    for bucket, queue in state.former_queues.items():
        if queue and notifies_us(queue, state.callback_url, _our_tokens(state)):
            yield disable_notification(bucket, queue)


def _our_tokens(state: CurrentState) -> frozenset[str]:
    return state.callback_tokens.union(state.settings.callback_tokens)


def _plan_roles(target: DeployTarget, state: CurrentState) -> list[tuple[list[Step], list[Step]]]:
    return [
        _plan_role(name, target.documents[name], role, target.commands) for name, role in state.roles.items()
    ]


def _plan_role(
    name: str, document: Mapping[str, Any], current: RoleInfo | None, commands: Commands
) -> tuple[list[Step], list[Step]]:
    """The steps before the functions change, and those after: a role first gains permissions, and loses some last.

    So a function that still runs with its previous settings keeps what it needs. If CAM does not accept a policy that
    is long enough for both, there is one step, before.
    """
    if not current or not extra_permissions(current, document) or _exceeds_policy_limit(current, document):
        step = ensure_role(name, document, current, commands)
        return ([step] if step.changes else []), []
    combined = _combine(current, document)
    extension = ensure_role(name, combined, current, commands)
    after_extension = _with_own_document(current, combined)
    return ([extension] if extension.changes else []), [
        ensure_role(name, document, after_extension, commands)
    ]


def _exceeds_policy_limit(current: RoleInfo, document: Mapping[str, Any]) -> bool:
    """Whether CAM would reject a policy with the current and the new permissions."""
    if not extra_permissions(current, document):
        return False
    return len(serialize_document(_combine(current, document))) > MAX_DOCUMENT_LENGTH


def _combine(current: RoleInfo, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document, and what the role's own policy allows beyond it."""
    extra = _build_statements(extra_permissions(current, document))
    return {**document, "statement": [*document["statement"], *extra]}


def _build_statements(permissions: list[Permission]) -> Iterator[dict[str, Any]]:
    """One statement for all actions with the same resources."""
    resources: dict[str, list[str]] = {}
    for permission in permissions:
        resources.setdefault(permission.action, []).append(permission.resource)
    actions: dict[tuple[str, ...], list[str]] = {}
    for action, listed in resources.items():
        actions.setdefault(tuple(listed), []).append(action)
    for shared, allowed in actions.items():
        yield {"effect": "allow", "action": allowed, "resource": list(shared)}


def _with_own_document(current: RoleInfo, document: Mapping[str, Any]) -> RoleInfo:
    """The role once its own policy has this document."""
    pairs = zip(current.policies, current.documents, strict=True)
    documents = tuple(document if name == current.name else attached for name, attached in pairs)
    return replace(current, documents=documents, trusts_scf=True)
