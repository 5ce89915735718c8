"""`scribe cost`: minutes and money of a month."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from cli.config import CliContext


@dataclass(frozen=True, slots=True)
class CostOptions:
    """The arguments. `month` such as `2026-11`."""

    month: str
    as_csv: bool = False
    as_json: bool = False


def cost(console: Console, context: CliContext, options: CostOptions) -> bool:
    """Print minutes and cost for each folder. True."""
    raise NotImplementedError
