"""`scribe retry`: try failed recordings again, without paying twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console

from cli.config import CliContext


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """The arguments. With `failed`, `keys` are prefixes, and none of them means all."""

    keys: tuple[str, ...] = ()
    bucket: str = ""
    failed: bool = False
    as_json: bool = False


def retry(
    console: Console, context: CliContext, options: RetryOptions, confirm: Callable[[str], bool] | None
) -> bool:
    """Try again. True if each of them goes on. `confirm` asks; None does not ask."""
    raise NotImplementedError
