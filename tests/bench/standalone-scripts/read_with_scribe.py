"""Parse a long result with the package and write the default formats; print seconds, and MiB that this added.

A file replaces the network, below the client that the functions use.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from peak_memory import peak_mib

from shared.settings import DEFAULT_FORMATS
from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient
from shared.tencent.speech import SpeechClient
from shared.transcript import RecordingRef, build_transcript, parse_sentence, render_formats

_READ_BYTES = 65536  # as httpcore reads from a socket


class _File(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        with Path(sys.argv[1]).open("rb") as file:
            while chunk := file.read(_READ_BYTES):
                yield chunk


client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=_File())))
speech = SpeechClient(TencentClient(Credentials("id", "key"), http_client=lambda: client), "ap-guangzhou")
mib_before = peak_mib()
start_s = time.process_time()
jobs = speech.get_jobs("recordings-1250000000", ["s1"], detail_parser=parse_sentence)
result = jobs.jobs[0].result
assert result
transcript = build_transcript(
    recording=RecordingRef("recordings-1250000000", "ap-guangzhou", "long.mp3", "etag", 1),
    engine="16k_en",
    job_id="s1",
    channels=1,
    audio_time=result.audio_seconds,
    details=result.details,
    lines=result.lines,
    flash=result.flash,
)
parsed_s = time.process_time()
written = {form.extension: len(content) for form, content in render_formats(transcript, DEFAULT_FORMATS)}
rendered_s = time.process_time()
report = {
    "parse_s": parsed_s - start_s,
    "render_s": rendered_s - parsed_s,
    "mib": peak_mib() - mib_before,
    "words": sum(len(sentence.words) for sentence in transcript.sentences),
    "written": written,
}
sys.stdout.write(json.dumps(report))
