"""A recording of which Scribe has everything that it can have, beside neighbours with nearly the same name."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cli.operate.forget import Forget, ForgetOptions
from cli.operate.pages import load_page, store_link
from cli.output import SafeConsole
from shared.notices.models import Outcome, OutcomeKind
from shared.options.model import FORMATS
from shared.recordings.index import index_prefix
from shared.recordings.keys import audit_cursor_key, cursor_key
from shared.recordings.receipt import MAX_SORTABLE_BYTES, WAITING, Receipt, sortable_key
from tests.helpers.announced_pipeline import AnnouncedPipeline
from tests.helpers.fake_cloud import INPUT_BUCKET
from tests.helpers.operate import build_workspace

NAME = "geheimnis"
STEM = f"calls/{NAME} 王"
KEY = f"{STEM}.mp3"
WORDS, LATER_WORDS = b"zebra words of the first content", b"zebra words of the later content"
NEIGHBOURS = (f"{STEM}.m4a", f"{STEM}.mp3.mp3", "calls/geheim.mp3", f"{STEM} 2.mp3", f"other/{NAME} 王.mp3")
LONG_KEY = STEM + "x" * 300
NAMINGS = {
    "full": ("full", (), KEY),
    "short": ("short", (), KEY),
    "distinct": ("short", (KEY,), STEM),  # a recording without an extension, whose name is that of another
    "full, without an extension": ("full", (), STEM),
    "full, beside a short one": ("short", (KEY,), f"{STEM}.m4a"),
    "long": ("full", (f"{LONG_KEY}.m4a",), f"{LONG_KEY}.mp3"),
}
Objects = dict[str, bytes]


class ForgottenPipeline(AnnouncedPipeline):
    """A pipeline whose notices stay open, and the command `scribe forget` on it."""

    def __init__(self, *, pages: Path = Path("nowhere"), **settings: Any) -> None:
        super().__init__(**{"formats": FORMATS, **settings})
        self.outcome = Outcome(OutcomeKind.FAILED, "status 500")
        self.pages = pages
        self.printed = ""

    @property
    def state_bucket(self) -> str:
        return self.ctx.settings.output_bucket_for(INPUT_BUCKET)

    @property
    def stored(self) -> Objects:
        """What Scribe has stored, without what a target of notices answered last."""
        return {
            key: stored.body
            for key, stored in self.cloud.buckets[self.state_bucket].items()
            if key.startswith((".scribe/", "transcripts/")) and not key.endswith("/webhook.json")
        }

    def put(self, key: str, body: bytes = b"") -> None:
        """Write an object beside the receipts."""
        self.cloud.put_object(self.state_bucket, f".scribe/{key}", body)

    def transcribe(self, key: str, body: bytes) -> None:
        """Upload a recording, finish its job and write its transcripts."""
        self.begin()
        self.upload(key, body)
        self.cloud.change_object(INPUT_BUCKET, key, content_type="audio/mpeg")
        self.ingest(key)
        self.run_and_notify()
        self.cloud.clock.advance(60)

    def transcribe_everything(self, key: str) -> None:
        """Leave of a recording whatever can be left: two contents, raw texts, claims, notices, a link, cursors."""
        self.transcribe(key, WORDS)
        self.transcribe(key, LATER_WORDS)
        receipt = next(receipt for receipt in self._read_done() if receipt.key == key)
        self.put(f"raw/{receipt.id}.txt", WORDS)
        self.put(f"raw/{receipt.id}.txt.detail", WORDS)
        if len(key.encode()) < MAX_SORTABLE_BYTES:  # or a claim would say which key it is
            self.put(f"claim/{receipt.id}.7", receipt.to_json())
        waiting = receipt._replace(outcome=WAITING.value)
        self.put(f"waiting/{receipt.id}", waiting.to_json())
        self.put(f"index/failed/{receipt.id}")
        self.put(f"index/reserved/{receipt.id}.abc.90")
        self.cloud.put_object(self.state_bucket, cursor_key(self.ctx.settings), receipt.id.encode())
        position = f'{{"bucket": "{INPUT_BUCKET}", "key": "{key}"}}'.encode()
        self.cloud.put_object(self.state_bucket, audit_cursor_key(self.ctx.settings), position)
        store_link(self.ctx, load_page(build_workspace(self), INPUT_BUCKET, key, 3600))
        # With options that cannot be used, an error object is written beside the transcripts.
        self.begin()
        self.upload(key, LATER_WORDS, **{"scribe-channels": "7"})
        self.cloud.change_object(INPUT_BUCKET, key, content_type="audio/mpeg")
        self.ingest(key)

    def _read_done(self) -> list[Receipt]:
        done = ".scribe/done/"
        return [Receipt.from_json(body) for key, body in self.stored.items() if key.startswith(done)]

    def forget(
        self, *keys: str, confirm: Callable[[str], bool] | None = None, as_json: bool = False, **options: Any
    ) -> bool:
        """Run the command as another process; what it prints is in `printed`."""
        workspace = build_workspace(self, **self.settings)
        output = io.StringIO()
        console = SafeConsole(file=output, width=200, highlight=False)
        chosen = ForgetOptions(keys, as_json=as_json, **options)
        try:
            return Forget(workspace, chosen, self.pages).run(console, confirm)
        finally:
            self.printed = output.getvalue()

    def list_left(self, before: Objects) -> list[str]:
        """List what is there and was not before, without what has no name: marks, costs and claims on names."""
        prefixes = (
            index_prefix(self.ctx.settings, "forgotten/"),
            ".scribe/claim/" + INPUT_BUCKET + "/~name/",
        )
        return [
            key
            for key in self.stored
            if key not in before and not key.startswith(prefixes) and "/-00!" not in key
        ]


def fill(naming: str = "full", **options: Any) -> tuple[ForgottenPipeline, str, dict[str, bytes]]:
    """Return a pipeline with a recording that left everything, its key, and what there is of its neighbours."""
    output_names, first, key = NAMINGS[naming]
    pipeline = ForgottenPipeline(output_names=output_names, **options)
    for neighbour in first:
        pipeline.transcribe(neighbour, f"other words of {neighbour}".encode())
    before = pipeline.stored
    pipeline.transcribe_everything(key)
    own = set(pipeline.stored) - set(before)
    for neighbour in (each for each in NEIGHBOURS if each != key):
        pipeline.transcribe(neighbour, f"other words of {neighbour}".encode())
    neighbours = {name: body for name, body in pipeline.stored.items() if name not in own}
    pipeline.take_requests()
    return pipeline, key, neighbours


def find_traces(objects: Objects, *texts: str) -> list[str]:
    """List the objects whose key or body has one of these texts, as it is or as a receipt's id has it."""
    forms = [form.encode() for text in texts for form in (text, sortable_key(text))]
    return [
        key for key, body in objects.items() if any(form in key.encode() + b"\n" + body for form in forms)
    ]
