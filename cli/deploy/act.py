"""Carries out steps in order. Stops at the first failure and says what is done, what is not, and how to go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

from cli.deploy.advice import with_advice
from cli.deploy.hands import Hands
from cli.deploy.steps import LeftAsItIs, Mark, Step
from cli.errors import OperatorError
from shared.errors import ScribeError

_DONE: dict[Mark, str] = {"+": "created", "~": "changed", "-": "deleted"}


class Halted(OperatorError):
    """A step failed; what was before it is done. The message says why and how to go on."""


def act(
    console: Console, steps: Sequence[Step], hands: Hands, command: str, told: Callable[[str], str] = str
) -> None:
    """Does it all; `command` is what goes on after a halt, and `told` words what names a command.

    Raises Halted; KeyboardInterrupt passes through.
    """
    command = told(command)
    for number, step in enumerate(steps):
        try:
            step.carry_out(hands)
        except LeftAsItIs as left:
            console.print(Text(told(f"! {left}"), style="yellow"), soft_wrap=True)
            continue
        except (OperatorError, ScribeError, OSError) as error:
            _show_rest(console, steps, number, command)
            raise Halted(told(f"{step.title}: {with_advice(error)}")) from None
        except KeyboardInterrupt:
            _show_rest(console, steps, number, command)
            raise
        console.print(Text(f"{_DONE[step.mark]} {step.title}"), soft_wrap=True)


def _show_rest(console: Console, steps: Sequence[Step], number: int, command: str) -> None:
    """The step at `number` may be done in part: each can be done twice."""
    console.print(f"\nStopped: {number} of {len(steps)} steps are done. Not done:")
    for step in steps[number:]:
        console.print(Text(f"  {step.mark} {step.title}"), soft_wrap=True)
    console.print(f"What is done stays as it is. To go on: {command}", soft_wrap=True)
