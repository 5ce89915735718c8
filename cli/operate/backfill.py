"""`scribe backfill`: transcribe recordings that were in the bucket before."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from cli.config import CliContext


@dataclass(frozen=True, slots=True)
class BackfillOptions:
    """The arguments. Times in Unix seconds, 0 for none; `yes` submits."""

    prefix: str = ""
    bucket: str = ""
    since_s: float = 0.0
    until_s: float = 0.0
    missed: bool = False
    yes: bool = False
    as_json: bool = False


def backfill(console: Console, context: CliContext, options: BackfillOptions) -> bool:
    """Count and, with `yes`, submit. True if each of them was submitted or counted."""
    raise NotImplementedError


def parse_bound(text: str, now_s: float) -> float:
    """Parse `--since` or `--until`; "" is 0. Raises ValueError."""
    from cli.operate.times import parse_time_s  # noqa: PLC0415

    return parse_time_s(text, now_s) if text else 0.0
