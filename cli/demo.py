"""`scribe demo`: the whole pipeline on this machine. It uploads, and from there on only watches."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from cli.local import INPUT_BUCKET, OUTPUT_BUCKET, Pipeline, deployed_pipeline, put
from cli.report import line_of, make_folder, save, show_words, table_of
from cli.samples import Upload, own_uploads, sample_uploads
from cli.verdict import complaints
from cli.watch import Result, results_of

PATIENCE_SECONDS = 100.0
PATIENCE_PER_MEGABYTE = (
    60.0  # a megabyte of mp3 is a minute or two of speech; the engine needs a fifth of that
)


def run_demo(console: Console, files: Sequence[Path], folder: Path) -> bool:
    """Transcribes the samples, or the user's own files, and shows what came out. True when all is as it should be.

    Raises StandinError, CloudError, OSError.
    """
    uploads = own_uploads(files) if files else sample_uploads()
    make_folder(folder)  # before the work, whose results would otherwise be lost
    with tempfile.TemporaryDirectory(prefix="scribe-") as temporary, ExitStack() as stack:
        started = time.monotonic()
        with console.status("Starting a cloud on this machine, and deploying to it as to the real one"):
            pipeline = stack.enter_context(deployed_pipeline(Path(temporary) / "cloud"))
        seconds = time.monotonic() - started
        console.print(
            f"A cloud runs at {pipeline.standin.endpoint}; scribe deploy has put the pipeline there ({seconds:.1f} s)."
        )
        results = _transcribe(console, pipeline, uploads)
    save(results, folder)
    console.print(table_of(results, folder))
    show_words(console, results)
    wrong = [result for result in results if complaints(result)]
    if wrong:
        console.print(f"\n[red]{len(wrong)} of {len(results)} recordings are not as they should be.[/]")
    elif not files:
        console.print("\nEvery expected word and file is there.")
    return not wrong


def _transcribe(console: Console, pipeline: Pipeline, uploads: Sequence[Upload]) -> list[Result]:
    cos = pipeline.operator.cos
    uploaded: dict[Upload, float] = {}
    for upload in uploads:
        put(pipeline, upload)
        uploaded[upload] = time.monotonic()
        console.print(f"↑ {escape(upload.key)} uploaded to {INPUT_BUCKET}")
    results = []
    megabytes = sum(upload.path.stat().st_size for upload in uploads) / 1e6
    patience = PATIENCE_SECONDS + PATIENCE_PER_MEGABYTE * megabytes
    with console.status("The functions are at work"):
        for result in results_of(cos, OUTPUT_BUCKET, uploaded, patience_s=patience):
            console.print(line_of(result))
            results.append(result)
    order = list(uploaded)
    return sorted(results, key=lambda result: order.index(result.upload))
