"""`scribe deploy`: from what the operator chose to a running deployment, and a look at it in the end."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from cli.cloud.identity import identity
from cli.config import CliContext
from cli.deploy.act import act
from cli.deploy.advice import telling_what_to_do
from cli.deploy.found import look
from cli.deploy.function_steps import Code
from cli.deploy.intent import Intent, intent_of
from cli.deploy.outcome import outcome
from cli.deploy.plan import Aim, notes, plan
from cli.deploy.refusals import refuse, refuse_taken
from cli.deploy.show import show_plan
from cli.deploy.steps import Step
from cli.doctor.command import reworded
from cli.doctor.command import show as show_finding
from cli.doctor.finding import State
from cli.doctor.hands import Hands as DoctorHands
from cli.package import build


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. `with_roles` is off where others see to the roles.

    With `take_over` the queue of an input bucket may be taken from whom it notifies now.
    """

    dry_run: bool = False
    make_buckets: bool = False
    with_roles: bool = True
    take_over: bool = False

    @property
    def command(self) -> str:
        """The command again, to go on after a halt."""
        words = ["scribe deploy"]
        words += ["--make-buckets"] if self.make_buckets else []
        words += [] if self.with_roles else ["--no-roles"]
        words += ["--take-over"] if self.take_over else []
        return " ".join(words)


def deploy(console: Console, around: CliContext, options: Options) -> bool:
    """Makes the cloud as serverless.yml says, and tells what it does. True when all is well in the end.

    With `dry_run` nothing is changed, in the cloud or on this machine. Raises OperatorError, ScribeError.
    """
    with telling_what_to_do(around.told):
        intent = intent_of(around)
        code = _code(console)
        with console.status("Looking at what is there"):
            who = identity(intent.hands.control)
            found = look(intent.hands, intent.wanted, intent.settings, with_roles=options.with_roles)
        aim = Aim(intent.wanted, intent.settings, code, intent.documents(who.owner_uin))
        refuse(aim, found, who, make_buckets=options.make_buckets)
        token = (intent.token_step,) if intent.token_step else ()
        steps: tuple[Step, ...] = (*token, *plan(aim, found))
        refuse_taken(intent.hands, aim, found, steps, take_over=options.take_over)
    for note in notes(aim, found):
        console.print(Text(around.told(f"! {note}"), style="yellow"), soft_wrap=True)
    if steps:
        show_plan(console, steps)
    else:
        console.print("Nothing to change: what runs is what is described.")
    if options.dry_run:
        console.print("This was a dry run: nothing was changed.")
        return True
    if steps:
        console.print()
        act(console, steps, intent.hands, options.command, around.told)
    return _is_well(console, around, intent, code.label)


def _code(console: Console) -> Code:
    """The package as its label; its zip is made when it is needed, in a folder of its own that is not left behind."""
    with console.status("Building the package"), tempfile.TemporaryDirectory(prefix="scribe-") as folder:
        label = build(Path(folder) / "package", pythons=()).label
    console.print(label)
    return Code(label, functools.cache(lambda: _zipped(console)))


def _zipped(console: Console) -> bytes:
    with tempfile.TemporaryDirectory(prefix="scribe-") as folder:
        package = build(Path(folder) / "package")
        if not package.has_bytecode:
            console.print(
                "! uploaded without bytecode, so each cold start takes about twice as long: no CPython 3.10 was found "
                "on this machine",
                style="yellow",
                soft_wrap=True,
            )
        return package.zip_path.read_bytes()


def _is_well(console: Console, around: CliContext, intent: Intent, label: str) -> bool:
    """What `scribe doctor` says of it, but for what is well."""
    hands = DoctorHands.of(
        intent.credentials, intent.wanted.region, intent.settings.cloud_endpoint.rstrip("/")
    )
    count, is_well = 0, True
    for finding in outcome(hands, intent.wanted, label, intent.hands.waiting):
        if finding.state is State.OK:
            count += 1
        else:
            show_finding(console, reworded(finding, around))
        is_well = is_well and finding.state is not State.WRONG
    told = (
        "It can take recordings"
        if is_well
        else around.told("Something is wrong; `scribe doctor` looks again")
    )
    console.print(f"{told}: {count} checks are well.")
    return is_well
