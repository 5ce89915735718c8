"""`scribe why KEY`: the whole story of a recording."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from cli.config import CliContext


@dataclass(frozen=True, slots=True)
class WhyOptions:
    """The arguments. `bucket` "" is the only one."""

    key: str
    bucket: str = ""
    as_json: bool = False


def why(console: Console, context: CliContext, options: WhyOptions) -> bool:
    """Print the story. True unless the recording is unknown."""
    raise NotImplementedError
