"""What `scribe demo --notify` prints: the notices that its receiver verified."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.local.receiver import NoticeReceiver, ReceivedNotice
from cli.output import escape_line, escape_markup

SHOWN_ID_LENGTH = 12


def print_notices(
    console: Console, receiver: NoticeReceiver, notices: Sequence[ReceivedNotice], keys: Sequence[str]
) -> bool:
    """Print the notices as a table. Return whether each recording has one, and every signature was right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Notice", "Type"):
        table.add_column(heading, no_wrap=True)
    table.add_column("Recording", overflow="fold")
    table.add_column("Words", justify="right", no_wrap=True)
    for notice in notices:
        words = "-" if notice.words is None else f"{notice.words:,}"
        row = (f"{notice.id[:SHOWN_ID_LENGTH]}...", notice.type, notice.key, words)
        table.add_row(*(Text(escape_line(cell)) for cell in row))
    console.print(f"\n[bold]Notices that came to {escape_markup(receiver.url)}[/]", soft_wrap=True)
    console.print(table)
    missing = sorted(set(keys) - {notice.key for notice in notices})
    for key in missing:
        console.print(f"[red]✗ {escape_markup(key)}: no notice came[/]", soft_wrap=True)
    if receiver.refused:
        console.print(f"[red]✗ {receiver.refused} requests without a valid signature were refused.[/]")
    if missing or receiver.refused:
        return False
    again = (
        f" {receiver.repeated} came again with the same id, and were dropped." if receiver.repeated else ""
    )
    console.print(f"Every signature is valid; each recording has its notice.{again}", soft_wrap=True)
    return True
