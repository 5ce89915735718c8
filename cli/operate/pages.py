"""`scribe open` and `scribe link`: the page of a recording, in the browser and for others.

The page that Scribe wrote (docs/transcript.md) looks for the recording beside it. Here it gets a presigned address of
the recording in place of that, and its content security policy allows media from that bucket, and nothing else more.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from rich.console import Console

from cli.config import CliContext
from cli.errors import OperatorError
from cli.language import _
from cli.operate.presign import build_origin, presign_url
from cli.operate.times import format_duration, format_time
from cli.operate.workspace import Workspace, open_workspace
from cli.output import CleanText, escape_line, print_json
from shared.errors import CloudError, NotFound
from shared.recordings.content import head_content
from shared.recordings.context import Context
from shared.recordings.keys import done_prefix
from shared.recordings.outputs import formats_for, read_own_transcript
from shared.recordings.receipt import TRANSCRIBED, InvalidReceipt, Receipt, sortable_key
from shared.recordings.receipt_store import STATE_METADATA
from shared.settings import Settings

PAGES_FOLDER = Path("scribe-pages")
OPEN_LIFETIME_S = 12 * 3600
MAX_LINK_LIFETIME_S = 365 * 86_400
PAGE_TYPE = "text/html; charset=utf-8"
LINKS_FOLDER = "links/"

_POLICY = re.compile(
    rb"""(<meta http-equiv="Content-Security-Policy" content="[^"]*media-src 'self' blob:)"""
)
_AUDIO = re.compile(rb"""(<audio data-testid="audio" src=")[^"]*(")""")
_LINK_EXPIRY = re.compile(r"/([0-9]{1,12})\.html$")
_UNSAFE = re.compile(r"[^\w.() -]|[\r\n\t]")
_MAX_NAME_BYTES = 150


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


class Page(NamedTuple):
    """A page with the address of its recording, which is valid until `expires_s` (Unix seconds).

    `problem` says why there is no sound; "" if there is.
    """

    receipt: Receipt
    body: bytes
    expires_s: int
    problem: str = ""


def open_page(console: Console, context: CliContext, options: OpenOptions) -> bool:
    """Save the page below PAGES_FOLDER and open it. True. Raises OperatorError if there is no page."""
    print_page(console, open_workspace(context), options, PAGES_FOLDER, webbrowser.open)
    return True


def print_page(
    console: Console,
    workspace: Workspace,
    options: OpenOptions,
    folder: Path,
    start_browser: Callable[[str], bool],
) -> None:
    """Save the page of a recording below this folder, open it, and print where it is."""
    bucket = workspace.choose_bucket(options.bucket)
    page = load_page(workspace, bucket, options.key, OPEN_LIFETIME_S)
    path = save_page(folder, page)
    is_open = options.starts_browser and start_browser(path.absolute().as_uri())
    until = "" if page.problem else format_time(page.expires_s)
    if options.as_json:
        document = {
            "bucket": bucket,
            "key": options.key,
            "file": str(path),
            "opened": is_open,
            "sound_until": until,
            "problem": page.problem,
        }
        print_json(console, document)
        return
    console.print(escape_line(str(path)), markup=False, soft_wrap=True)
    lines = [page.problem or _("The sound works until {time}, for everyone who has this file.", time=until)]
    if options.starts_browser and not is_open:
        lines.append(_("No browser could be started: open the file yourself."))
    _print_lines(console, workspace, lines)


def link(console: Console, context: CliContext, options: LinkOptions) -> bool:
    """Store the page beside the receipts and print a presigned address of it. True. Raises OperatorError."""
    print_link(console, open_workspace(context), options)
    return True


def print_link(console: Console, workspace: Workspace, options: LinkOptions) -> None:
    """Store the page of a recording, and print an address of it that works without a key."""
    if options.lifetime_s > MAX_LINK_LIFETIME_S:
        raise OperatorError(
            _("--for takes at most {days}d: make a new link after that", days=MAX_LINK_LIFETIME_S // 86_400)
        )
    bucket = workspace.choose_bucket(options.bucket)
    page = load_page(workspace, bucket, options.key, options.lifetime_s)
    try:
        stored_key, url = store_link(workspace.ctx, page)
    except CloudError as error:
        raise workspace.advise(error) from None
    is_temporary = bool(workspace.ctx.output_cos.client.credentials.token)
    if options.as_json:
        document = {
            "bucket": bucket,
            "key": options.key,
            "url": url,
            "expires": format_time(page.expires_s),
            "temporary_key": is_temporary,
            "stored_bucket": workspace.settings.output_bucket_for(bucket),
            "stored_key": stored_key,
            "problem": page.problem,
        }
        print_json(console, document)
        return
    console.file.write(CleanText(f"{url}\n"))  # in one line, and with the id of the key
    lines = [
        _(
            "It works until {time} ({duration}): anyone who has it can read the words and hear the recording.",
            time=format_time(page.expires_s),
            duration=format_duration(options.lifetime_s),
        ),
        _("The browser downloads a file: open that."),
        *([page.problem] if page.problem else []),
    ]
    if is_temporary:
        lines.append(
            _(
                "It is signed with a temporary key, and ends with that key, in some hours, whatever --for says."
            )
        )
    lines.append(
        _(
            "`{command}` takes the page away, with all of the transcripts; docs/security.md says what else.",
            command=workspace.commands.line("forget", options.key),
        )
    )
    _print_lines(console, workspace, lines)


def load_page(workspace: Workspace, bucket: str, key: str, lifetime_s: int) -> Page:
    """Load the page of a recording, with its sound. Raises OperatorError, which says what to do without one."""
    ctx = workspace.ctx
    expires_s = int(ctx.now()) + lifetime_s
    try:
        receipt = find_transcribed(ctx, bucket, key)
        if receipt is None:
            name, line = f"{bucket}/{escape_line(key)}", workspace.commands.line("why", key)
            raise OperatorError(_("{name} has no transcript: `{command}` says why", name=name, command=line))
        body = read_own_transcript(ctx, receipt, "html")
        if body is None:
            raise OperatorError(_explain_missing_page(workspace, receipt))
        problem = _find_sound_problem(ctx, receipt)
    except CloudError as error:
        raise workspace.advise(error) from None
    if problem:
        return Page(receipt, body, expires_s, problem)
    client = ctx.input_cos.client
    url = presign_url(client, bucket, receipt.region, key, expires_s=expires_s)
    try:
        body = add_sound(body, build_origin(client, bucket, receipt.region), url)
    except ValueError:
        problem = _(
            "The page is of another version and gets no sound: delete it, and `{command}` writes it again.",
            command=workspace.commands.line("retry", key),
        )
    return Page(receipt, body, expires_s, problem)


def find_transcribed(ctx: Context, bucket: str, key: str) -> Receipt | None:
    """Return the newest receipt of a transcribed recording, whatever its content. One request, one for each content.

    Raises CloudError.
    """
    store = ctx.receipts(bucket)
    prefix = done_prefix(ctx.settings)
    receipts = []
    items = ctx.output_cos.iter_objects(
        ctx.settings.output_bucket_for(bucket), prefix=f"{prefix}{bucket}/{sortable_key(key)}!"
    )
    for item in items:
        try:
            receipt = store.get_done(item.key.removeprefix(prefix))
        except InvalidReceipt:
            continue
        if receipt and receipt.key == key and receipt.state is TRANSCRIBED:
            receipts.append(receipt)
    return max(receipts, key=lambda receipt: receipt.finished_s, default=None)


def _explain_missing_page(workspace: Workspace, receipt: Receipt) -> str:
    name, commands = f"{receipt.bucket}/{escape_line(receipt.key)}", workspace.commands
    again = commands.line("retry", receipt.key)
    formats = formats_for(workspace.ctx, receipt)
    if "html" in formats:
        return _(
            "the page of {name} is not there any more: `{command}` writes it again; nothing is paid",
            name=name,
            command=again,
        )
    place = _("its option `formats`") if "formats" in receipt.sources else "FORMATS"
    return _(
        "{name} has no page, because html is not in {place} ({formats}): add it and `{deploy}`; then `{command}` "
        "writes the page; nothing is paid",
        name=name,
        place=place,
        formats=",".join(formats),
        deploy=commands.deploy,
        command=again,
    )


def _find_sound_problem(ctx: Context, receipt: Receipt) -> str:
    """Return why the recording cannot be heard, or "". One request."""
    try:
        head = head_content(ctx.for_region(receipt.region), receipt.bucket, receipt.key)
    except NotFound:
        return _("The recording is not in the bucket any more: the page has no sound.")
    if head.etag != receipt.etag:
        return _("The recording was replaced since: the page has no sound, because the words are not of it.")
    if head.is_archived:
        return _(
            "The recording is in an archive: restore it and try again. Until then the page has no sound."
        )
    return ""


def add_sound(body: bytes, origin: str, url: str) -> bytes:
    """Return a page whose recording is at this address, of this origin. Raises ValueError for any other page.

    No text of a page can look like its own elements: it has no `<`.
    """
    allowed, policies = _POLICY.subn(lambda match: match[1] + b" " + origin.encode(), body)
    heard, players = _AUDIO.subn(lambda match: match[1] + escape(url).encode() + match[2], allowed)
    if (policies, players) != (1, 1):
        raise ValueError("not a page of this version")  # not translated: caught by `load_page`
    return heard


def page_path(folder: Path, bucket: str, key: str) -> Path:
    """Return where the page of a recording is saved: a name that people recognise, and that no key can lead out."""
    name = _UNSAFE.sub("_", key.rpartition("/")[2]).lstrip(".- ")
    name = name.encode("utf-8", "replace")[:_MAX_NAME_BYTES].decode("utf-8", "ignore")
    digest = hashlib.sha256(f"{bucket}\n{key}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return folder / f"{name}.{digest}.html"


def save_page(folder: Path, page: Page) -> Path:
    """Save a page so that only its owner can read it: it has the words, and an address of the sound.

    Raises OperatorError.
    """
    path = page_path(folder, page.receipt.bucket, page.receipt.key)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".page.")  # with mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(page.body)
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise OperatorError(
            _(
                "the page could not be saved as {path}: {error}. Run the command in a folder that you may write to",
                path=escape_line(str(path)),
                error=error.strerror,
            )
        ) from None
    return path


def links_prefix(settings: Settings) -> str:
    """Return the prefix of the pages that were stored for links."""
    return settings.state_prefix + LINKS_FOLDER


def store_link(ctx: Context, page: Page) -> tuple[str, CleanText]:
    """Store a page for its link and return its key and its address; delete the pages of links that have expired.

    Raises CloudError.
    """
    bucket = ctx.settings.output_bucket_for(page.receipt.bucket)
    prefix = links_prefix(ctx.settings)
    for item in ctx.output_cos.iter_objects(bucket, prefix=prefix):
        expiry = _LINK_EXPIRY.search(item.key)
        if expiry and int(expiry[1]) < ctx.now():
            ctx.output_cos.delete(bucket, item.key)
    key = f"{prefix}{page.receipt.id}/{page.expires_s}.html"
    ctx.output_cos.put(bucket, key, page.body, content_type=PAGE_TYPE, metadata=STATE_METADATA)
    name = quote(page.receipt.key.rpartition("/")[2] + ".html", safe="", errors="replace")
    url = presign_url(
        ctx.output_cos.client,
        bucket,
        ctx.output_cos.region,
        key,
        expires_s=page.expires_s,
        parameters=(("response-content-disposition", f"attachment; filename*=UTF-8''{name}"),),
    )
    return key, url


def _print_lines(console: Console, workspace: Workspace, lines: list[str]) -> None:
    endpoint = workspace.ctx.output_cos.client.endpoint
    if endpoint:
        lines.append(
            _("Addresses lead to the local cloud only through the HTTP proxy {endpoint}.", endpoint=endpoint)
        )
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
