"""`scribe open` and `scribe link`: the page of a recording, in the browser and for others."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from cli.config import CliContext


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """The arguments of `scribe open`."""

    key: str
    bucket: str = ""
    starts_browser: bool = True
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """The arguments of `scribe link`."""

    key: str
    bucket: str = ""
    lifetime_s: int = 604_800
    as_json: bool = False


def open_page(console: Console, context: CliContext, options: OpenOptions) -> bool:
    """Open the page. True if it is there."""
    raise NotImplementedError


def link(console: Console, context: CliContext, options: LinkOptions) -> bool:
    """Print the address of the page. True if it is there."""
    raise NotImplementedError
