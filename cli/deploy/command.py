"""`scribe deploy` and `scribe remove`: the stages in order, and what is printed."""

from __future__ import annotations

import functools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from cli.cloud.hints import error_hints
from cli.config import CliContext, Commands
from cli.deploy.clients import Clients
from cli.deploy.executor import execute_plan
from cli.deploy.planner import create_plan, create_removal_plan, list_plan_warnings
from cli.deploy.preflight import check_conflicts, check_preconditions
from cli.deploy.state import CurrentState
from cli.deploy.steps import Action, Change, PackageRef, Step, save_callback_token, save_first_since
from cli.deploy.target import Configuration, build_target, load_configuration
from cli.doctor.command import print_findings
from cli.doctor.models import Finding, Status
from cli.doctor.runner import ADDRESS, OLD_RECORDINGS, rerun_check, run_checks
from cli.manifest.models import Manifest
from cli.package import build
from shared.settings import Settings

NEW_ADDRESS_TIMEOUT_S = 60.0  # until a new address is known everywhere

_COLORS = {Action.CREATE: "green", Action.CHANGE: "yellow", Action.DELETE: "red"}
_VERBS = {Action.CREATE: "create", Action.CHANGE: "change", Action.DELETE: "delete"}


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """The options of the command line. `with_roles` is off if the roles are managed elsewhere.

    With `take_over` the notification of a queue may be overwritten even if it goes to another deployment.
    """

    dry_run: bool = False
    make_buckets: bool = False
    with_roles: bool = True
    take_over: bool = False

    def as_command_line(self, commands: Commands) -> str:
        """The command that resumes this deployment."""
        arguments = ["--make-buckets"] if self.make_buckets else []
        arguments += [] if self.with_roles else ["--no-roles"]
        arguments += ["--take-over"] if self.take_over else []
        return commands.line("deploy", *arguments)


def deploy(console: Console, context: CliContext, options: DeployOptions) -> bool:
    """Create or update everything in serverless.yml, then verify it. True if no check failed.

    With `dry_run` nothing is changed, in the cloud or on this machine. Raises OperatorError, ScribeError.
    """
    commands = context.commands
    with error_hints(commands):
        configuration = load_configuration(context)
        package = _build_package(console)
        state = _read_state(console, configuration)
        target = build_target(configuration, package, state.identity.owner_uin, commands)
        check_preconditions(target, state, create_buckets=options.make_buckets, with_roles=options.with_roles)
        steps = create_plan(target, state, with_roles=options.with_roles)
        check_conflicts(target, state, take_over=options.take_over)
    if configuration.new_token:
        steps = (save_callback_token(context.env_file, configuration.new_token), *steps)
    if configuration.new_since:
        steps = (save_first_since(context.env_file, configuration.new_since), *steps)
    for warning in list_plan_warnings(target, state, with_roles=options.with_roles):
        console.print(Text(f"! {warning}", style="yellow"), soft_wrap=True)
    if steps:
        print_plan(console, steps)
    else:
        console.print("No changes. The deployment matches serverless.yml.")
    if options.dry_run:
        console.print("Dry run: nothing was changed.")
        return True
    if steps:
        console.print()
        execute_plan(console, steps, configuration.clients, options.as_command_line(commands), commands)
    return _print_verification(console, configuration, package.label, commands)


def remove(console: Console, context: CliContext, confirm: Callable[[], bool]) -> bool:
    """Print what will be deleted, ask with `confirm`, and delete it. True if nothing of the deployment is left.

    Raises OperatorError, ScribeError.
    """
    commands = context.commands
    with error_hints(commands):
        configuration = load_configuration(context)
        state = _read_state(console, configuration)
    steps = create_removal_plan(configuration, state)
    if not steps:
        console.print("Nothing to remove: nothing of this deployment exists.")
        return True
    print_plan(console, steps)
    _print_kept_resources(console, state)
    if not confirm():
        console.print("Nothing was removed.")
        return False
    execute_plan(console, steps, configuration.clients, commands.line("remove"), commands)
    return True


def print_plan(console: Console, steps: Sequence[Step]) -> None:
    """Print every step with its changes, then the number of steps of each kind."""
    for step in steps:
        text = Text(f"{step.action.value} {step.description}", style=_COLORS[step.action])
        console.print(text, soft_wrap=True)
        for change in step.changes:
            console.print(Text(f"    {_format_change(change, step.action)}"), soft_wrap=True)
    count = Counter(step.action for step in steps)
    console.print(
        ", ".join(f"{count[action]} to {verb}" for action, verb in _VERBS.items() if count[action]) + "."
    )


def verify_deployment(
    clients: Clients,
    manifest: Manifest,
    settings: Settings,
    label: str,
    commands: Commands,
    *,
    job_callback: bool = False,
) -> Iterator[Finding]:
    """Run all checks of doctor. If the address does not respond, check it again for up to a minute."""

    def read_state() -> CurrentState:
        return CurrentState(clients, manifest, settings, job_callback=job_callback)

    for finding in run_checks(read_state(), label, commands):
        findings = [finding]
        if finding.name == ADDRESS and finding.status is Status.WRONG:
            findings = clients.poller.poll(
                lambda: rerun_check(ADDRESS, read_state(), commands),
                lambda repeated: all(each.status is not Status.WRONG for each in repeated),
                NEW_ADDRESS_TIMEOUT_S,
            )
        for each in findings:
            # The deployment that just ended did not fix it.
            is_circular = each.status is Status.WRONG and each.fix == commands.deploy
            yield replace(each, fix=f"wait a minute, then run `{commands.doctor}`") if is_circular else each


def _build_package(console: Console) -> PackageRef:
    """Build the package for its label. The zip is built again, with bytecode, only if it is uploaded."""
    with console.status("Building the package"), tempfile.TemporaryDirectory(prefix="scribe-") as folder:
        label = build(Path(folder) / "package", pythons=()).label
    console.print(label)
    return PackageRef(label, functools.cache(lambda: _build_zip(console)))


def _build_zip(console: Console) -> bytes:
    with tempfile.TemporaryDirectory(prefix="scribe-") as folder:
        package = build(Path(folder) / "package")
        if not package.has_bytecode:
            console.print(
                "! no CPython 3.10 was found on this machine, so the package has no bytecode: each cold start takes "
                "about twice as long",
                style="yellow",
                soft_wrap=True,
            )
        return package.zip_path.read_bytes()


def _read_state(console: Console, configuration: Configuration) -> CurrentState:
    state = CurrentState(
        configuration.clients,
        configuration.manifest,
        configuration.settings,
        require_stable=True,
        job_callback=configuration.job_callback,
    )
    with console.status("Reading the current state"):
        _ = state.identity
        state.load_for_deployment()
    return state


def _print_verification(
    console: Console, configuration: Configuration, label: str, commands: Commands
) -> bool:
    """Print the findings that are not OK, and a summary. True if no check failed."""
    findings = verify_deployment(
        configuration.clients, configuration.manifest, configuration.settings, label, commands
    )
    # The plan said already what is old.
    news = (each for each in findings if each.name != OLD_RECORDINGS or each.status is not Status.NOTE)
    count = print_findings(console, news, hide_ok=True)
    if count[Status.WRONG]:
        console.print(
            f"Verification failed: {count[Status.WRONG]} checks failed, {count[Status.OK]} passed. Check again with: "
            f"{commands.doctor}",
            soft_wrap=True,
            markup=False,
        )
        return False
    console.print(f"Deployment verified: {count[Status.OK]} checks passed.")
    return True


def _print_kept_resources(console: Console, state: CurrentState) -> None:
    buckets = " and ".join(bucket.name for bucket in state.all_buckets)
    console.print(
        f"\nKept: the buckets ({buckets}) with recordings, transcripts and receipts; speech recognition, which costs "
        "nothing without jobs",
        soft_wrap=True,
    )
    lines = [
        f"speech queue of {bucket}, a former input bucket: no permission to read it"
        for bucket in state.unreadable_former_buckets
    ]
    lines += [
        f"role {name}: not created by scribe"
        for name, role in state.roles.items()
        if role and not role.is_ours
    ]
    lines += [f"role {name}: no permission to read it" for name in state.unreadable_roles]
    for line in lines:
        console.print(Text(f"  {line}"), soft_wrap=True)


def _format_change(change: Change, action: Action) -> str:
    if not change.before or action is Action.DELETE:
        return f"{change.field}: {change.after or change.before}"
    return f"{change.field}: {change.before} -> {change.after or 'none'}"
