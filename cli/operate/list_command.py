"""`scribe list`: recordings with their states."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from cli.config import CliContext


@dataclass(frozen=True, slots=True)
class ListOptions:
    """The arguments. `state` is "" for all; `since_s` Unix seconds, 0 for all; `bucket` "" for all."""

    prefix: str = ""
    state: str = ""
    since_s: float = 0.0
    limit: int = 100
    bucket: str = ""
    watch: bool = False
    as_json: bool = False


def list_recordings(console: Console, context: CliContext, options: ListOptions) -> bool:
    """Print the recordings. True unless nothing could be read."""
    raise NotImplementedError


def parse_since(text: str, now_s: float) -> float:
    """Parse `--since`; "" is 0. Raises ValueError."""
    from cli.operate.times import parse_time_s  # noqa: PLC0415

    return parse_time_s(text, now_s) if text else 0.0
