"""`scribe forget`: delete everything that Scribe has of recordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console

from cli.config import CliContext


@dataclass(frozen=True, slots=True)
class ForgetOptions:
    """The arguments. A key that ends with a slash is a prefix."""

    keys: tuple[str, ...]
    bucket: str = ""
    with_recording: bool = False
    as_json: bool = False


def forget(
    console: Console, context: CliContext, options: ForgetOptions, confirm: Callable[[str], bool] | None
) -> bool:
    """List what would be deleted, ask, delete. True if nothing is left. `confirm` asks; None does not ask."""
    raise NotImplementedError
