"""`scribe deploy` and `scribe remove`: the stages in order, and what is printed."""

from __future__ import annotations

import functools
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from cli.cloud.hints import error_hints
from cli.config import CliContext, Commands
from cli.deploy.clients import Clients
from cli.deploy.executor import execute_plan
from cli.deploy.hot_words import NO_HOT_WORDS, HotWordsTarget
from cli.deploy.lock import Holder, LockPlace, StateLock, describe_process, lock_folder
from cli.deploy.planner import create_plan, create_removal_plan, list_costs, list_losses, list_plan_warnings
from cli.deploy.preflight import check_conflicts, check_preconditions
from cli.deploy.state import CurrentState
from cli.deploy.steps import Action, Change, PackageRef, Step, save_callback_token, save_first_since
from cli.deploy.target import (
    Configuration,
    LocalConfiguration,
    build_target,
    complete_callback_url,
    complete_configuration,
    find_hot_words_to_remove,
    load_hot_words_target,
    load_local_configuration,
    read_deployed_choices,
)
from cli.doctor.checks import ADDRESS, HOT_WORDS, NAMES, OLD_RECORDINGS, RECEIPT_CHECKS
from cli.doctor.command import print_findings
from cli.doctor.models import Finding, Status
from cli.doctor.runner import rerun_check, run_checks
from cli.errors import OperatorError
from cli.language import N_, _
from cli.manifest.models import Manifest
from cli.output import escape_line
from cli.package import build, compute_label, show_label
from cli.rules.compiler import compile_rules
from cli.rules.loader import load_context_rules
from cli.rules.models import RulesFile
from shared.settings import Settings

NEW_ADDRESS_TIMEOUT_S = 60.0  # until a new address is known everywhere

_COLORS = {Action.CREATE: "green", Action.CHANGE: "yellow", Action.DELETE: "red"}
_COUNTS = {
    Action.CREATE: N_("{number} to create"),
    Action.CHANGE: N_("{number} to change"),
    Action.DELETE: N_("{number} to delete"),
}


class ConfirmationMissing(OperatorError):
    """The operator has to agree to something, and there is no terminal to ask on. Nothing was changed."""


class Consequence(NamedTuple):
    """Something that the operator has to agree to: the reason of a refusal, and the question, both in English."""

    reason: str
    question: str


_PAY = Consequence(N_("recordings would be billed"), N_("Deploy this, and pay for these recordings?"))
_LEAVE = Consequence(
    N_("recordings would not be finished"), N_("Deploy this, and leave these recordings as they are?")
)


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """The options of the command line. `with_roles` is off if the roles are managed elsewhere.

    With `take_over` the notification of a queue may be overwritten even if it goes to another deployment. With `yes`
    nothing is asked: what the plan says will be billed. `callback` is queue, job, or "" as in .env.
    """

    dry_run: bool = False
    make_buckets: bool = False
    with_roles: bool = True
    take_over: bool = False
    yes: bool = False
    copy_receipts: bool = False
    resume_queue: bool = False
    callback: str = ""

    def as_command_line(self, commands: Commands) -> str:
        """The command that resumes this deployment."""
        flags = {
            "--make-buckets": self.make_buckets,
            "--no-roles": not self.with_roles,
            "--take-over": self.take_over,
            "--yes": self.yes,
            "--copy-receipts": self.copy_receipts,
            "--resume-queue": self.resume_queue,
        }
        arguments = [flag for flag, is_set in flags.items() if is_set]
        arguments += ["--callback", self.callback] if self.callback else []
        return commands.line("deploy", *arguments)


def deploy(
    console: Console,
    context: CliContext,
    options: DeployOptions,
    confirm: Callable[[str], bool] | None = None,
) -> bool:
    """Create or update everything in serverless.yml, then verify it. True if no check failed.

    `confirm` asks the operator; without a terminal it is None, and what has to be asked is refused. With `dry_run`
    nothing is changed, in the cloud or on this machine. Raises OperatorError (DeploymentLocked if another deployment is
    running), ScribeError.
    """
    if options.dry_run:
        local = _load_local(context, options)
        rules = load_context_rules(context, local.settings)
        return _deploy(console, local, rules, options, None, None)
    holder = describe_process(time.time())
    with lock_folder(context.env_file, holder, context.commands):
        local = _load_local(context, options)
        rules = load_context_rules(context, local.settings)
        # Before anything is read: a plan from before another deployment's changes would be wrong, and so would a token.
        lock = _create_lock(local, holder)
        with lock.held():
            return _deploy(console, local, rules, options, confirm, lock)


def _load_local(context: CliContext, options: DeployOptions) -> LocalConfiguration:
    """Load .env and serverless.yml. Raises OperatorError."""
    with error_hints(context.commands):
        return load_local_configuration(context, options.callback)


def _create_lock(local: LocalConfiguration, holder: Holder) -> StateLock:
    state = CurrentState(local.clients, local.manifest, local.settings)
    place = LockPlace.for_deployment(local.manifest, local.settings, state.state_buckets)
    return StateLock(local.clients.cos(place.bucket.region), place, holder, local.context.commands)


def _deploy(
    console: Console,
    local: LocalConfiguration,
    rules: RulesFile | None,
    options: DeployOptions,
    confirm: Callable[[str], bool] | None,
    lock: StateLock | None,
) -> bool:
    """Deploy with the lock; a dry run has none."""
    context, commands = local.context, local.context.commands
    ask = None if options.yes else confirm
    with error_hints(commands):
        configuration = complete_configuration(local)
        manifest, settings = configuration.manifest, configuration.settings
        hot_words = load_hot_words_target(context.folder, rules, manifest, settings)
        package = _build_package(console, rules)
        state = _read_state(console, configuration, hot_words, CurrentState.load_for_deployment)
        target = build_target(configuration, package, state.identity.owner_uin, commands)
        check_preconditions(target, state, create_buckets=options.make_buckets, with_roles=options.with_roles)
        check_conflicts(target, state, take_over=options.take_over)
        if lock:
            lock.require()
        if state.missing_receipts and ask and not options.copy_receipts:
            options = replace(options, copy_receipts=ask(_ask_to_copy(state)))
        steps = create_plan(
            target,
            state,
            with_roles=options.with_roles,
            resume_queues=options.resume_queue,
            copy_receipts=options.copy_receipts,
        )
    # The token is saved after the lock is held: if its bucket is missing, that is after the bucket is created.
    count = len(state.missing_buckets)
    steps = (*steps[:count], *_plan_env_file(configuration, context.env_file), *steps[count:])
    if lock and not lock.is_held:
        steps = tuple(lock.acquire_after(step) if lock.creates_bucket(step) else step for step in steps)
    costs = list_costs(target, state, copy_receipts=options.copy_receipts)
    warnings = list_plan_warnings(
        target, state, with_roles=options.with_roles, resume_queues=options.resume_queue
    )
    losses = list_losses(target, state)
    _print_warnings(console, [*costs, *losses, *warnings])
    if steps:
        print_plan(console, steps)
    else:
        console.print(_("No changes. The deployment matches serverless.yml."))
    if options.dry_run:
        console.print(_("Dry run: nothing was changed."))
        return True
    if (costs or losses) and not options.yes:
        if not _agree(console, options, ask, commands, _PAY if costs else _LEAVE):
            return False
        options = replace(options, yes=True)  # for the command that resumes
    if steps:
        console.print()
        execute_plan(console, steps, configuration.clients, options.as_command_line(commands), commands)
    return _print_verification(console, configuration, rules, hot_words, package.label, commands)


def _plan_env_file(configuration: Configuration, env_file: Path) -> Iterator[Step]:
    if configuration.new_token:
        yield save_callback_token(env_file, configuration.new_token)
    if configuration.new_since:
        yield save_first_since(env_file, configuration.new_since)


def _print_warnings(console: Console, warnings: Sequence[str]) -> None:
    for warning in warnings:
        console.print(Text(escape_line(f"! {warning}"), style="yellow"), soft_wrap=True)


def _agree(
    console: Console,
    options: DeployOptions,
    ask: Callable[[str], bool] | None,
    commands: Commands,
    consequence: Consequence,
) -> bool:
    """Ask whether the operator accepts what was printed. Raises ConfirmationMissing without a terminal."""
    if not ask:
        agreed = replace(options, yes=True).as_command_line(commands)
        raise ConfirmationMissing(
            _(
                "nothing was changed: {reason}, as listed above, and there is no terminal to confirm that. To agree, "
                "run `{command}`",
                reason=_(consequence.reason),
                command=agreed,
            )
        )
    if ask(_(consequence.question)):
        return True
    console.print(_("Nothing was changed."))
    return False


def _ask_to_copy(state: CurrentState) -> str:
    places = _(" and ").join(
        _("{current} to {new}", current=move.current, new=move.new) for move in state.missing_receipts
    )
    return _("Copy the receipts from {places}, so that nothing is billed again?", places=places)


def remove(console: Console, context: CliContext, confirm: Callable[[], bool]) -> bool:
    """Print what will be deleted, ask with `confirm`, and delete it. True if nothing of the deployment is left.

    Raises OperatorError (DeploymentLocked if a deployment is running), ScribeError.
    """
    holder = describe_process(time.time())
    with lock_folder(context.env_file, holder, context.commands):
        local = _load_local(context, DeployOptions())
        with _create_lock(local, holder).held():
            return _remove(console, local, confirm)


def _remove(console: Console, local: LocalConfiguration, confirm: Callable[[], bool]) -> bool:
    """Remove the deployment with the lock."""
    commands = local.context.commands
    with error_hints(commands):
        configuration = complete_configuration(local)
        manifest, settings = configuration.manifest, configuration.settings
        hot_words = find_hot_words_to_remove(local.context, manifest, settings)
        state = _read_state(console, configuration, hot_words, CurrentState.load_for_removal)
    steps = create_removal_plan(configuration, state)
    if not steps:
        console.print(_("Nothing to remove: nothing of this deployment exists."))
        return True
    print_plan(console, steps)
    _print_kept_resources(console, state)
    if not confirm():
        console.print(_("Nothing was removed."))
        return False
    execute_plan(console, steps, configuration.clients, commands.line("remove"), commands)
    return True


def print_plan(console: Console, steps: Sequence[Step]) -> None:
    """Print every step with its changes, then the number of steps of each kind."""
    for step in steps:
        text = Text(escape_line(f"{step.action.value} {step.description}"), style=_COLORS[step.action])
        console.print(text, soft_wrap=True)
        for change in step.changes:
            console.print(Text(escape_line(f"    {_format_change(change, step.action)}")), soft_wrap=True)
    count = Counter(step.action for step in steps)
    numbers = [_(text, number=count[action]) for action, text in _COUNTS.items() if count[action]]
    console.print(_("{numbers}.", numbers=_(", ").join(numbers)))


def verify_deployment(
    clients: Clients,
    manifest: Manifest,
    settings: Settings,
    label: str,
    commands: Commands,
    *,
    job_callback: bool = False,
    rules: RulesFile | None = None,
    hot_words_target: HotWordsTarget = NO_HOT_WORDS,
) -> Iterator[Finding]:
    """Run all checks of doctor. If the address does not respond, check it again for up to a minute."""

    def read_state() -> CurrentState:
        return CurrentState(
            clients, manifest, settings, job_callback=job_callback, hot_words_target=hot_words_target
        )

    for finding in run_checks(read_state(), label, commands, rules):
        findings = [finding]
        if finding.name == ADDRESS and finding.status is Status.WRONG:
            findings = clients.poller.poll(
                lambda: rerun_check(ADDRESS, read_state(), commands),
                lambda repeated: all(each.status is not Status.WRONG for each in repeated),
                NEW_ADDRESS_TIMEOUT_S,
            )
        for each in findings:
            is_about_before = each.name in RECEIPT_CHECKS and each.status is Status.WRONG
            if each.fix == commands.resume_queue or is_about_before:
                # It was so before: a deployment leaves a paused queue paused, and finishes no recording.
                yield replace(each, status=Status.NOTE)
                continue
            # The deployment that just ended did not fix it.
            is_circular = each.status is Status.WRONG and each.fix == commands.deploy
            fix = _("wait a minute, then run `{command}`", command=commands.doctor)
            yield replace(each, fix=fix) if is_circular else each


def _build_package(console: Console, rules: RulesFile | None) -> PackageRef:
    """Compute the label of the package, which is built only if it is uploaded."""
    compiled = compile_rules(rules)
    with console.status(_("Building the package")):
        label = compute_label(compiled)
    console.print(show_label(label))
    if rules:
        console.print(rules.summary)
    return PackageRef(label, functools.cache(lambda: _build_zip(console, compiled)))


def _build_zip(console: Console, rules: bytes) -> bytes:
    with tempfile.TemporaryDirectory(prefix="scribe-") as folder:
        package = build(Path(folder) / "package", rules=rules)
        if not package.has_bytecode:
            console.print(
                _(
                    "! no CPython 3.10 was found on this machine, so the package has no bytecode: each cold start "
                    "takes about twice as long"
                ),
                style="yellow",
                soft_wrap=True,
            )
        return package.zip_path.read_bytes()


def _read_state(
    console: Console,
    configuration: Configuration,
    hot_words: HotWordsTarget,
    load: Callable[[CurrentState], None],
) -> CurrentState:
    state = CurrentState(
        configuration.clients,
        configuration.manifest,
        configuration.settings,
        require_stable=True,
        job_callback=configuration.job_callback,
        hot_words_target=hot_words,
    )
    with console.status(_("Reading the current state")):
        load(state)
    return state


def _print_verification(
    console: Console,
    configuration: Configuration,
    rules: RulesFile | None,
    hot_words: HotWordsTarget,
    label: str,
    commands: Commands,
) -> bool:
    """Print the findings that are not OK, and a summary. True if no check failed."""
    manifest = configuration.manifest
    if configuration.job_callback:  # the address may be new
        url = read_deployed_choices(configuration.clients, manifest).callback_url
        manifest = complete_callback_url(manifest, url, configuration.settings.callback_tokens[0])
    findings = verify_deployment(
        configuration.clients,
        manifest,
        configuration.settings,
        label,
        commands,
        job_callback=configuration.job_callback,
        rules=rules,
        hot_words_target=hot_words,
    )
    # The plan and its steps said already what is old, where older transcripts are, and that hot words are refused.
    known = {OLD_RECORDINGS, NAMES, HOT_WORDS}
    news = (each for each in findings if each.name not in known or each.status is not Status.NOTE)
    count = print_findings(console, news, hide_ok=True)
    if count[Status.WRONG]:
        console.print(
            _(
                "Verification failed: {failed} checks failed, {passed} passed. Check again with: {command}",
                failed=count[Status.WRONG],
                passed=count[Status.OK],
                command=commands.doctor,
            ),
            soft_wrap=True,
            markup=False,
        )
        return False
    console.print(_("Deployment verified: {passed} checks passed.", passed=count[Status.OK]))
    return True


def _print_kept_resources(console: Console, state: CurrentState) -> None:
    buckets = _(" and ").join(bucket.name for bucket in state.all_buckets)
    console.print()
    console.print(
        _(
            "Kept: the buckets ({buckets}) with recordings, transcripts and receipts; speech recognition, which costs "
            "nothing without jobs",
            buckets=buckets,
        ),
        soft_wrap=True,
    )
    lines = [
        _("speech queue of {bucket}, a former input bucket: no permission to read it", bucket=bucket)
        for bucket in state.unreadable_former_buckets
    ]
    lines += [
        _("role {role}: not created by scribe", role=name)
        for name, role in state.roles.items()
        if role and not role.is_ours
    ]
    lines += [_("role {role}: no permission to read it", role=name) for name in state.unreadable_roles]
    for line in lines:
        console.print(Text(escape_line(f"  {line}")), soft_wrap=True)


def _format_change(change: Change, action: Action) -> str:
    if not change.before or action is Action.DELETE:
        return _("{field}: {value}", field=change.field, value=change.after or change.before)
    return _(
        "{field}: {before} -> {after}",
        field=change.field,
        before=change.before,
        after=change.after or _("none"),
    )
