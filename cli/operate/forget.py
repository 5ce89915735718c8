"""`scribe forget`: delete everything that Scribe has of recordings.

    find ──▶ list it ──▶ ask ──▶ for each recording: mark or delete it, then what was written, receipts last
     ▲                                              │
     └───────── until nothing is found, at most MAX_ROUNDS ◀─┘

A recording that stays is marked first, so that no audit transcribes it again. Receipts go last: killed anywhere, a
second run finds what is left by them. A recording with a job in flight is refused, because the job would write
afterwards; one whose submit is deferred is claimed first, as an attempt does, so that no sweep submits it.
"""

from __future__ import annotations

import difflib
import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from cli.config import CliContext
from cli.errors import OperatorError
from cli.language import _, join_words, ngettext, translate
from cli.operate.cost import FORGOTTEN_KEY
from cli.operate.pages import PAGES_FOLDER, page_path
from cli.operate.recording_objects import ObjectFinder, RecordingObjects, get_recording
from cli.operate.stored import Kind, Selector, StoredObject
from cli.operate.text import end_sentence, join_clauses, join_sentences
from cli.operate.workspace import Workspace, open_workspace, run_in_parallel
from cli.output import escape_line, print_json
from shared.errors import CloudError, RequestRejected
from shared.options.sidecar import sidecar_key
from shared.recordings.context import Context
from shared.recordings.filters import check_skipped
from shared.recordings.index import FinishedEntry, finished_key, forgotten_key
from shared.recordings.proof import compute_nonce
from shared.recordings.receipt import InvalidReceipt, Receipt, sortable_key
from shared.recordings.receipt_store import STATE_METADATA

MAX_ROUNDS = 3
_MAX_SUGGESTIONS = 3

FORGOTTEN, BUSY, ERROR, NOTHING = "forgotten", "in_flight", "error", "nothing"


@dataclass(frozen=True, slots=True)
class ForgetOptions:
    """The arguments. A key that ends with a slash is a prefix."""

    keys: tuple[str, ...]
    bucket: str = ""
    with_recording: bool = False
    as_json: bool = False


class Outcome(NamedTuple):
    """What became of one recording: `status` is one of the four above, `reason` says why it is not forgotten."""

    found: RecordingObjects
    status: str
    reason: str
    objects: tuple[StoredObject, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the object for programs."""
        return {
            "bucket": self.found.bucket,
            "key": self.found.key,
            "status": self.status,
            "reason": self.reason,
            "objects": [
                {"bucket": item.bucket, "key": item.key, "kind": item.kind.value} for item in self.objects
            ],
        }


def forget(
    console: Console, context: CliContext, options: ForgetOptions, confirm: Callable[[str], bool] | None
) -> bool:
    """List what would be deleted, ask, delete. True if nothing is left. `confirm` asks; None does not ask.

    Raises OperatorError if one of the names means nothing, before anything is changed, or if nothing can be read.
    """
    if options.as_json and confirm:
        raise OperatorError(_("nothing was changed: --json asks no questions. Add --yes"))
    workspace = open_workspace(context)
    try:
        return Forget(workspace, options, PAGES_FOLDER).run(console, confirm)
    except CloudError as error:
        raise workspace.advise(error) from None


class Forget:
    """One run of the command. `pages_folder` has the pages that `scribe open` saved."""

    def __init__(self, workspace: Workspace, options: ForgetOptions, pages_folder: Path) -> None:
        self._workspace = workspace
        self._ctx = workspace.ctx
        self._options = options
        self._pages_folder = pages_folder
        self._bucket = workspace.choose_bucket(options.bucket)
        self._state_bucket = workspace.settings.output_bucket_for(self._bucket)
        self._selectors = tuple(dict.fromkeys(map(Selector.parse, options.keys)))
        self._finder = ObjectFinder(workspace, self._bucket, self._selectors)

    def run(self, console: Console, confirm: Callable[[str], bool] | None) -> bool:
        """Run the command. Raises OperatorError and CloudError."""
        unknown, found = self._find()
        if unknown:
            # A space without quotes makes two arguments of one, and one of them may be a whole folder.
            reasons = join_clauses(unknown)
            text = _("nothing was changed: {reasons}", reasons=reasons)
            if len(self._selectors) > 1:
                text = _("nothing was changed: {reasons} (a name with spaces needs quotes)", reasons=reasons)
            if self._finder.unexplained:
                text = join_sentences(end_sentence(text), self._describe_unexplained())
            raise OperatorError(text)
        if not found and not self._options.as_json:
            console.print(_("Scribe has nothing of the recordings there."))
            if self._finder.unexplained:
                console.print(self._describe_unexplained(), markup=False, soft_wrap=True)
            return True
        chosen = [item for item in found if not item.busy and self.list_objects(item)]
        outcomes = {item.key: Outcome(item, BUSY, item.busy) for item in found if item.busy}
        outcomes |= {
            item.key: Outcome(item, NOTHING, _("Scribe has nothing of it"))
            for item in found
            if not item.busy and item not in chosen
        }
        if chosen and not self._options.as_json:
            self._print_plan(console, chosen)
        if chosen and confirm and not confirm(self._build_question(chosen)):
            console.print(_("Nothing was changed."))
            return False
        try:
            self._forget_all(chosen, outcomes)
        except KeyboardInterrupt:
            done = sum(outcome.status == FORGOTTEN for outcome in outcomes.values())
            text = _(
                "Stopped: {number} of {total} are forgotten. The same command goes on.",
                number=done,
                total=len(chosen),
            )
            console.print(text)
            raise
        self._report(console, [outcomes[key] for key in sorted(outcomes)])
        return all(outcome.status in {FORGOTTEN, NOTHING} for outcome in outcomes.values())

    def _find(self) -> tuple[list[str], list[RecordingObjects]]:
        """Return a message for each argument that means nothing, and what there is."""
        found = self._finder.find(with_recording=self._options.with_recording)
        unknown = [
            self._describe_unknown(selector)
            for selector in self._selectors
            if not any(map(selector.matches, (*(item.key for item in found), *self._finder.recordings)))
        ]
        return unknown, found

    def _describe_unknown(self, selector: Selector) -> str:
        name = f"{self._bucket}/{escape_line(selector.text)}"
        skipped = check_skipped(self._ctx.settings, self._bucket, selector.text)
        if selector.is_prefix:
            return _("Scribe has nothing of any recording below {name}", name=name)
        if skipped and skipped.reason:
            return _("{name} is not a recording: {reason}", name=name, reason=translate(skipped.reason))
        folder = selector.text.rpartition("/")[0]
        page = self._ctx.input_cos.list_objects(self._bucket, prefix=folder and f"{folder}/")
        close = difflib.get_close_matches(
            selector.text, [item.key for item in page.objects], _MAX_SUGGESTIONS
        )
        if close:
            return _(
                "{name} is unknown: there is no such recording, and nothing of it. Close to it: {keys}",
                name=name,
                keys=join_words([escape_line(key) for key in close]),
            )
        return _("{name} is unknown: there is no such recording, and nothing of it", name=name)

    def _describe_unexplained(self) -> str:
        names = [f"{self._state_bucket}/{key}" for key in self._finder.unexplained]
        return escape_line(
            _(
                "Nothing shows that these outputs are of these recordings, and not of another recording or deployment, "
                "so they stay: {names}. Delete them yourself if they are yours",
                names=join_words(names),
            )
        )

    def list_objects(self, found: RecordingObjects) -> list[StoredObject]:
        """List what is deleted of a recording, in the order in which it goes."""
        objects = []
        if self._options.with_recording and found.has_sidecar:
            objects.append(StoredObject(self._bucket, sidecar_key(found.key), Kind.SIDECAR))
        if self._options.with_recording and found.recording:
            objects.append(StoredObject(self._bucket, found.key, Kind.RECORDING))
        page = page_path(self._pages_folder, self._bucket, found.key)
        if page.is_file():
            objects.append(StoredObject("", str(page), Kind.PAGE))
        objects += [
            StoredObject(self._state_bucket, finished_key(self._ctx.settings, entry), Kind.INDEX)
            for entry in found.finished
        ]
        return [*objects, *found.objects, *found.open, *found.claims, *found.closed]

    def _forget_all(self, chosen: list[RecordingObjects], outcomes: dict[str, Outcome]) -> None:
        """Delete until nothing is found any more: a notice can be stored again at this moment, for example."""
        for number in range(1, MAX_ROUNDS + 1):
            for item, outcome in run_in_parallel(self._forget_one, chosen):
                before = outcomes[item.key].objects if item.key in outcomes else ()
                outcomes[item.key] = outcome._replace(objects=(*before, *outcome.objects))
            forgotten = {key for key, outcome in outcomes.items() if outcome.status == FORGOTTEN}
            if not forgotten:
                return
            found = self._finder.find(with_recording=self._options.with_recording)
            chosen = [item for item in found if item.key in forgotten and self.list_objects(item)]
            for item in chosen:
                if item.busy or number == MAX_ROUNDS:
                    reason = item.busy or _("something was written again each time")
                    reason = _("{reason}: it was changed while it was forgotten", reason=reason)
                    outcomes[item.key] = outcomes[item.key]._replace(status=BUSY, reason=reason)
            chosen = [item for item in chosen if not item.busy]
            if not chosen:
                return

    def _forget_one(self, found: RecordingObjects) -> Outcome:
        """Delete everything of one recording. An error of the cloud ends this recording only."""
        deleted: list[StoredObject] = []
        try:
            reason = self._delete_all(found, deleted)
        except CloudError as error:
            return Outcome(found, ERROR, str(self._workspace.advise(error)), tuple(deleted))
        except InvalidReceipt as error:
            reason = _("its open receipt or a claim: {error}", error=error)
            return Outcome(found, ERROR, reason, tuple(deleted))
        return Outcome(found, BUSY if reason else FORGOTTEN, reason, tuple(deleted))

    def _delete_all(self, found: RecordingObjects, deleted: list[StoredObject]) -> str:
        """Delete everything of one recording; return why it cannot be forgotten now, or "". Raises CloudError."""
        claims = []
        for receipt in found.deferred:
            claim = _claim(self._ctx, receipt)
            if claim is None:
                return _("another attempt at it is working")
            claims.append(claim)
        settings, cos = self._ctx.settings, self._ctx.output_cos
        if found.recording and not self._options.with_recording:
            key = forgotten_key(settings, get_recording(found))
            cos.put(self._state_bucket, key, b"", metadata=STATE_METADATA)
        for entry in found.finished:
            anonymous = entry._replace(receipt_id=self._hide_name(entry))
            cos.put(self._state_bucket, finished_key(settings, anonymous), b"", metadata=STATE_METADATA)
        for item in self.list_objects(found):
            if item.kind is Kind.PAGE:
                Path(item.key).unlink(missing_ok=True)
            else:
                (self._ctx.input_cos if item.kind in _INPUTS else cos).delete(item.bucket, item.key)
            deleted.append(item)
            if found.open and item == found.open[-1]:
                # A claim is the last thing that keeps a sweep from an open receipt.
                for claim in claims:
                    self._ctx.receipts(self._bucket).delete_open(claim)
        return ""

    def _hide_name(self, entry: FinishedEntry) -> str:
        """Return an id without the recording's name, for the costs. The same again, so that nothing is counted twice.

        Only who has the account's key could find out whether it is that of a certain recording.
        """
        key = self._ctx.output_cos.client.credentials.secret_key
        digest = hmac.digest(key.encode(), f"forgotten\n{entry.receipt_id}".encode(), "sha256").hex()[:32]
        bucket = entry.receipt_id.partition("/")[0]
        return f"{bucket}/{sortable_key(FORGOTTEN_KEY)}!{digest}"

    def _print_plan(self, console: Console, chosen: Sequence[RecordingObjects]) -> None:
        show = partial(console.print, markup=False, soft_wrap=True)
        for found in chosen:
            show(escape_line(f"{found.bucket}/{found.key}"))
            for item in self.list_objects(found):
                place = f"{item.bucket}/{item.key}" if item.bucket else item.key
                line = _("{key}: {text}", key=_(item.kind.value), text=place)
                show(f"  {escape_line(line)}")

    def _build_question(self, chosen: Sequence[RecordingObjects]) -> str:
        objects = sum(len(self.list_objects(found)) for found in chosen)
        kept = _("The recordings stay, and are transcribed again only if they are uploaded again.")
        if self._options.with_recording:
            kept = _("The recordings are deleted, too.")
        question = ngettext(
            "Delete {objects:,} objects of {count} recording?",
            "Delete {objects:,} objects of {count} recordings?",
            len(chosen),
            objects=objects,
        )
        return join_sentences(kept, question)

    def _report(self, console: Console, outcomes: Sequence[Outcome]) -> None:
        is_changed = any(outcome.objects for outcome in outcomes)
        versioned, unchecked = self._list_versioned() if is_changed else ([], [])
        counts = Counter(outcome.status for outcome in outcomes)
        if self._options.as_json:
            document = {
                "recordings": [outcome.as_json() for outcome in outcomes],
                "unexplained": list(self._finder.unexplained),
                "old_versions_stay_in": versioned,
                "versioning_unknown_in": unchecked,
                **{status: counts[status] for status in (FORGOTTEN, BUSY, ERROR, NOTHING)},
            }
            print_json(console, document)
            return
        show = partial(console.print, markup=False, soft_wrap=True)
        for outcome in outcomes:
            if outcome.status != FORGOTTEN:
                name = f"{outcome.found.bucket}/{outcome.found.key}"
                show(escape_line(_("{key}: {text}", key=name, text=outcome.reason)))
        objects = sum(len(outcome.objects) for outcome in outcomes)
        show(
            _(
                "{number:,} forgotten: {objects:,} objects were deleted.",
                number=counts[FORGOTTEN],
                objects=objects,
            )
        )
        if self._finder.unexplained:
            show(self._describe_unexplained())
        if counts[BUSY]:
            show(
                _(
                    "{number:,} not forgotten, because work is in flight: try again when it is done.",
                    number=counts[BUSY],
                )
            )
        if versioned:
            show(
                _(
                    "They are NOT gone yet: {buckets} has or had versioning, and keeps what was deleted as old "
                    "versions. Delete those in the console of COS (list of objects, with the history of versions), or "
                    "with a lifecycle rule for noncurrent versions.",
                    buckets=join_words(versioned),
                )
            )
        if unchecked:
            show(
                _(
                    "The key may not ask whether old versions stay in {buckets}.",
                    buckets=join_words(unchecked),
                )
            )

    def _list_versioned(self) -> tuple[list[str], list[str]]:
        """List the buckets where old versions stay, and those whose versioning the key may not ask for."""
        buckets = {self._state_bucket: self._ctx.output_cos}
        if self._options.with_recording:
            buckets.setdefault(self._bucket, self._ctx.input_cos)
        versioned, unknown = [], []
        for bucket, cos in buckets.items():
            try:
                versioned += [bucket] if cos.has_versioning(bucket) else []
            except RequestRejected:
                unknown.append(bucket)
        return versioned, unknown


_INPUTS = frozenset({Kind.RECORDING, Kind.SIDECAR})


def _claim(ctx: Context, receipt: Receipt) -> Receipt | None:
    """Claim a deferred recording, so that no sweep submits it; None if another attempt works on it."""
    store = ctx.receipts(receipt.bucket)
    nonce = compute_nonce(ctx.create_secret())
    claim = store.claim_next_attempt(receipt, nonce, ctx.now(), ctx.settings.lease_s)
    if claim and not store.is_unchanged(receipt):
        store.release_claim(claim)
        return None
    return claim
