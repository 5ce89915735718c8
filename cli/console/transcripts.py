"""The transcript of a recording, its sound, and the page that Scribe wrote of it.

Sound and page have addresses with a ticket: a random number for one content of one recording. The page of a recording
is shown in a sandbox without cookies, because anyone who may write to the bucket may have written it.
"""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

from cli.console.answers import ApiError
from cli.console.sentences import SpokenText, parse_texts
from cli.language import _
from cli.operate.pages import add_sound, find_transcribed
from cli.operate.workspace import Workspace
from cli.output import escape_line
from shared.errors import NotFound
from shared.recordings.content import head_content
from shared.recordings.context import Context
from shared.recordings.outputs import formats_for, read_own_transcript
from shared.recordings.receipt import Receipt

TICKET_LIFETIME_S = 12 * 3600
MAX_TICKETS = 5_000
FORMATS = ("json", "srt", "vtt", "txt")  # the best first
PAGE_POLICY = (
    "sandbox allow-scripts allow-downloads allow-popups; "  # not translated
    "default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; media-src {origin} blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


class Ticket(NamedTuple):
    """What an address with a ticket is for. `etag` is of the content that was transcribed."""

    receipt: Receipt
    has_sound: bool
    media_type: str
    expires_s: float


class Tickets:
    """The tickets of this process. `now` returns Unix seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._tickets: dict[str, Ticket] = {}

    def create(self, receipt: Receipt, media_type: str, *, has_sound: bool) -> str:
        """Return a new ticket for the content of a receipt."""
        while len(self._tickets) >= MAX_TICKETS:
            del self._tickets[next(iter(self._tickets))]
        number = secrets.token_urlsafe(24)
        expires_s = self._now() + TICKET_LIFETIME_S
        self._tickets[number] = Ticket(receipt, has_sound, media_type, expires_s)
        return number

    def find(self, number: str) -> Ticket:
        """Return a ticket. Raises ApiError if it is unknown, or has expired."""
        ticket = self._tickets.get(number)
        if ticket is None or ticket.expires_s < self._now():
            text = _("This address has expired: open the transcript again.")
            raise ApiError(404, "expired", text)
        return ticket


def load_transcript(workspace: Workspace, tickets: Tickets, bucket: str, key: str) -> dict[str, Any]:
    """Load the sentences of a recording, with addresses of its sound and its page. Raises ApiError, CloudError."""
    ctx = workspace.ctx
    receipt = find_transcribed(ctx, bucket, key)
    if receipt is None:
        text = _("{key} has no transcript.", key=escape_line(key))
        raise ApiError(404, "no_transcript", text)
    texts, duration_ms = read_texts(ctx, receipt, FORMATS)
    media_type, problem = _check_sound(ctx, receipt)
    if texts is None:
        command = workspace.commands.line("retry", key)
        problem = _("Its transcripts are not there any more: `{command}` writes them again.", command=command)
    ticket = tickets.create(receipt, media_type, has_sound=bool(media_type))
    return {
        "bucket": bucket,
        "key": key,
        "sentences": [each.as_json() for each in texts or ()],
        "duration_ms": duration_ms,
        "sound": f"/api/sound/{ticket}" if media_type else "",
        "page": f"/page/{ticket}" if "html" in formats_for(ctx, receipt) else "",
        "problem": problem,
    }


def read_texts(
    ctx: Context, receipt: Receipt, formats: tuple[str, ...]
) -> tuple[list[SpokenText] | None, int | None]:
    """Read the first of these formats that is there, see `parse_texts`; None without any. Raises CloudError."""
    written = formats_for(ctx, receipt)
    for name in (name for name in formats if name in written):
        body = read_own_transcript(ctx, receipt, name)
        if body is None:
            continue
        try:
            return parse_texts(name, body)
        except ValueError:
            continue
    return None, None


def load_page(workspace: Workspace, ticket: Ticket, number: str, origin: str) -> bytes:
    """Load the page of a recording, which hears its sound at this origin. Raises ApiError, CloudError."""
    body = read_own_transcript(workspace.ctx, ticket.receipt, "html")
    if body is None:
        command = workspace.commands.line("retry", ticket.receipt.key)
        text = _("The page is not there any more: `{command}` writes it again.", command=command)
        raise ApiError(404, "no_page", text)
    if not ticket.has_sound:
        return body
    try:
        return add_sound(body, origin, f"{origin}/api/sound/{number}")
    except ValueError:
        return body


def _check_sound(ctx: Context, receipt: Receipt) -> tuple[str, str]:
    """Return the media type of the recording, and why it cannot be heard: one of them is "". One request."""
    try:
        head = head_content(ctx.for_region(receipt.region), receipt.bucket, receipt.key)
    except NotFound:
        return "", _("The recording is not in the bucket any more, so there is no sound.")
    if head.etag != receipt.etag:
        return "", _("The recording was replaced since, so there is no sound: the words are not of it.")
    if head.is_archived:
        return "", _("The recording is in an archive: restore it to hear it.")
    return choose_media_type(receipt.key, head.content_type), ""


def choose_media_type(key: str, stored: str = "") -> str:
    """Return the media type of a recording: the stored one if it is of sound or video, else by the extension."""
    guessed = mimetypes.guess_type(key.rpartition("/")[2])[0] or ""
    for name in (stored.lower(), guessed):
        if name.startswith(("audio/", "video/")) and name.isascii() and name.isprintable():
            return name
    return "application/octet-stream"
