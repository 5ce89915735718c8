"""What `scribe demo --notify` prints: the notices that its receiver verified."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.language import _
from cli.local.receiver import NoticeReceiver, ReceivedNotice
from cli.output import escape_line, escape_markup

SHOWN_ID_LENGTH = 12


def print_notices(
    console: Console, receiver: NoticeReceiver, notices: Sequence[ReceivedNotice], keys: Sequence[str]
) -> bool:
    """Print the notices as a table. Return whether each recording has one, and every signature was right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (_("Notice"), _("Type")):
        table.add_column(heading, no_wrap=True)
    table.add_column(_("Recording"), overflow="fold")
    table.add_column(_("Words"), justify="right", no_wrap=True)
    for notice in notices:
        words = "-" if notice.words is None else f"{notice.words:,}"
        row = (f"{notice.id[:SHOWN_ID_LENGTH]}...", notice.type, notice.key, words)
        table.add_row(*(Text(escape_line(cell)) for cell in row))
    title = _("Notices that came to {url}", url=escape_markup(receiver.url))
    console.print(f"\n[bold]{title}[/]", soft_wrap=True)
    console.print(table)
    missing = sorted(set(keys) - {notice.key for notice in notices})
    for key in missing:
        text = _("{key}: no notice came", key=escape_markup(key))
        console.print(f"[red]✗ {text}[/]", soft_wrap=True)
    if receiver.refused:
        text = _("{number} requests without a valid signature were refused.", number=receiver.refused)
        console.print(f"[red]✗ {text}[/]")
    if missing or receiver.refused:
        return False
    text = _("Every signature is valid; each recording has its notice.")
    if receiver.repeated:
        again = _("{number} came again with the same id, and were dropped.", number=receiver.repeated)
        text = _("{sentence} {next_sentence}", sentence=text, next_sentence=again)
    console.print(text, soft_wrap=True)
    return True
