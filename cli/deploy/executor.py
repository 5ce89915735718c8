"""Execute the steps of a plan in order. Stop at the first failure, and print what is done and how to resume."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from cli.cloud.hints import add_hint
from cli.config import Commands
from cli.deploy.clients import Clients
from cli.deploy.steps import Action, Step, StepOmitted, StepSkipped
from cli.errors import OperatorError
from cli.language import N_, _
from cli.output import escape_line
from shared.errors import ScribeError

_DONE = {
    Action.CREATE: N_("created {what}"),
    Action.CHANGE: N_("changed {what}"),
    Action.DELETE: N_("deleted {what}"),
}


class ExecutionFailed(OperatorError):
    """A step failed; the steps before it are done. The message gives the reason and a hint."""


def execute_plan(
    console: Console, steps: Sequence[Step], clients: Clients, resume: str, commands: Commands
) -> None:
    """Execute all steps. `resume` is the command line that continues after a failure.

    Raises ExecutionFailed; KeyboardInterrupt passes through.
    """
    for number, step in enumerate(steps):
        try:
            step.apply(clients)
        except StepOmitted:
            continue
        except StepSkipped as skipped:
            console.print(Text(escape_line(f"! {skipped}"), style="yellow"), soft_wrap=True)
            continue
        except (OperatorError, ScribeError, OSError) as error:
            _print_remaining(console, steps, number, resume)
            raise ExecutionFailed(
                _("{what}: {reason}", what=escape_line(step.description), reason=add_hint(error, commands))
            ) from None
        except KeyboardInterrupt:
            _print_remaining(console, steps, number, resume)
            raise
        console.print(Text(escape_line(_(_DONE[step.action], what=step.description))), soft_wrap=True)


def _print_remaining(console: Console, steps: Sequence[Step], number: int, resume: str) -> None:
    """The step at `number` may be done in part: each can be applied again."""
    console.print()
    console.print(_("Stopped after {number} of {total} steps. Remaining:", number=number, total=len(steps)))
    for step in steps[number:]:
        console.print(Text(escape_line(f"  {step.action.value} {step.description}")), soft_wrap=True)
    text = _("Completed steps are kept. Resume with: {command}", command=resume)
    console.print(Text(text), soft_wrap=True)
