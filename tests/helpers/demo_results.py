"""Results of the demo as tests need them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.local.results import UploadResult, output_key
from cli.local.samples import ExpectedTranscript, Upload


def build_transcript(
    key: str,
    *sentences: str,
    channels: Sequence[int | None] = (),
    duration_ms: int = 4_000,
    seconds: float = 2.5,
    expected: ExpectedTranscript | None = None,
    files: Mapping[str, str] | None = None,
) -> UploadResult:
    """Build a complete result with these sentences; `files` replaces the content of some formats."""
    document = {
        "duration_ms": duration_ms,
        "sentences": [
            {
                "text": text,
                "words": [{"text": word} for word in text.split()],
                "channel": channels[number] if channels else None,
            }
            for number, text in enumerate(sentences)
        ],
    }
    text = "".join(f"{sentence}\n" for sentence in sentences)
    captions = "".join(
        f"{number}\n00:00:01,000 --> 00:00:02,000\n{sentence}\n\n"
        for number, sentence in enumerate(sentences, 1)
    )
    contents = {
        "json": json.dumps(document, ensure_ascii=False),
        "txt": text,
        "srt": captions,
        "vtt": captions,
        "html": f"<!doctype html><main><p>{'</p><p>'.join(sentences)}</p></main>",
    }
    return build_result(key, {**contents, **(files or {})}, seconds, expected)


def build_failure(
    key: str,
    *,
    message: str = "The speech service could not recognise this recording.",
    next_step: str = "Listen to it.",
    code: str = "FailedOperation.ErrorRecognize",
    cloud_message: str = "not audio",
    expected: ExpectedTranscript | None = None,
) -> UploadResult:
    """Build a result that is an error object."""
    error = {"message": message, "next_step": next_step, "code": code, "cloud_message": cloud_message}
    return build_result(key, {"error.json": json.dumps(error)}, 1.0, expected)


def build_result(
    key: str, contents: Mapping[str, str], seconds: float = 1.0, expected: ExpectedTranscript | None = None
) -> UploadResult:
    """Build a result with these files, by their suffix."""
    files = {suffix: (output_key(key, suffix), text.encode()) for suffix, text in contents.items()}
    return UploadResult(Upload(Path(key), key, expected=expected), seconds, files)
