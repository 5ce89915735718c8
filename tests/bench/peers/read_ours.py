"""Reads a long result with the package and writes every format: seconds, and MiB on top of what it held before."""

import json
import sys
import time
from pathlib import Path

from memory import peak_mib

from shared.tencent import xml
from shared.tencent.speech import parse_jobs
from shared.transcript import FORMATS, RecordingRef, build_transcript, read_sentence, render_each

before_mib = peak_mib()
body = Path(sys.argv[1]).read_bytes()
began_s = time.process_time()
document = xml.parse(body, readers={"ResultDetail": read_sentence})
result = parse_jobs(document["Response"]).jobs[0].result
del document, body
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
written = {form.extension: len(content) for form, content in render_each(transcript, FORMATS)}
rendered_s = time.process_time()
told = {
    "parse_s": parsed_s - began_s,
    "render_s": rendered_s - parsed_s,
    "mib": peak_mib() - before_mib,
    "words": sum(len(sentence.words) for sentence in transcript.sentences),
    "written": written,
}
sys.stdout.write(json.dumps(told))
