"""A plan as a person reads it: one line for each step, and below it what will be different."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from cli.deploy.steps import Change, Mark, Step

_COLOURS: dict[Mark, str] = {"+": "green", "~": "yellow", "-": "red"}
_WORDS: dict[Mark, str] = {"+": "create", "~": "change", "-": "delete"}


def show_plan(console: Console, steps: Sequence[Step]) -> None:
    """Prints every step, then how many there are of each kind."""
    for step in steps:
        console.print(Text(f"{step.mark} {step.title}", style=_COLOURS[step.mark]), soft_wrap=True)
        for change in step.changes:
            console.print(Text(f"    {_line(change, step.mark)}"), soft_wrap=True)
    count = Counter(step.mark for step in steps)
    told = [f"{count[mark]} to {word}" for mark, word in _WORDS.items() if count[mark]]
    console.print(", ".join(told) + ".")


def _line(change: Change, mark: Mark) -> str:
    if not change.before or mark == "-":
        return f"{change.field}: {change.after or change.before}"
    return f"{change.field}: {change.before} -> {change.after or 'none'}"
