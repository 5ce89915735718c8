"""A recording of a fault run with one content, its jobs and its transcripts, for tests of the checks."""

from __future__ import annotations

import json

from tests.chaos.cloud import Row
from tests.chaos.expected import Speech, build_output_key, build_receipt_id
from tests.chaos.workload import compute_etag

KEY, FIRST, OTHER = "calls/1.mp3", b"speech first", b"speech other"
SPEECH = Speech(((0, 900, "hello"),))


def build_job(body: bytes, state: str) -> Row:
    fault = "job_failed" if state == "Failed" else ""
    return {
        "user_data": build_receipt_id(KEY, body),
        "object": KEY,
        "job_id": "s1",
        "state": state,
        "code": "",
        "created": "2026-11-26T10:00:00+0800",
        "fault": fault,
        "paid": True,
        "submitter": "upload",
    }


def build_transcripts(speech: Speech, body: bytes) -> dict[str, bytes]:
    """Build the transcripts of the recording for this content, with this speech."""
    sentences = [{"start_ms": start, "end_ms": end, "text": text} for start, end, text in speech.sentences]
    texts = {
        "json": json.dumps({"recording": {"etag": compute_etag(body)}, "sentences": sentences}),
        "txt": " ".join(speech.words),
        "srt": "1\n00:00:00,000 --> 00:00:00,900\n" + " ".join(speech.words),
        "vtt": "WEBVTT\n\n00:00.000 --> 00:00.900\n" + " ".join(speech.words),
        "html": f"<title>1</title><main><p><span>{' '.join(speech.words)}</span></p></main>",
    }
    return {build_output_key(KEY, extension): text.encode() for extension, text in texts.items()}
