"""Five hours of two speakers, 90,000 words: parsing and every format need 48 MiB at most, on top of the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

SCRIPT = """
import resource
from pathlib import Path
from shared.tencent import xml
from shared.tencent.speech_xml import parse_jobs
from shared.transcript import FORMATS, RecordingRef, build_transcript, parse_sentence

def read_peak_kib():
    # Linux: ru_maxrss of a new process begins with what its parent uses.
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))

def answer():
    yield "<Response><JobsDetail><JobId>s1</JobId><State>Success</State><Operation><SpeechRecognitionResult>"
    yield "<AudioTime>18000.0</AudioTime><Result></Result>"
    for n in range(9000):
        words = "".join(
            f"<Words><OffsetEndMs>{i * 180 + 150}</OffsetEndMs><OffsetStartMs>{i * 180}</OffsetStartMs>"
            f"<Word>word{n % 997}x{i}</Word></Words>" for i in range(10))
        text = " ".join(f"word{n % 997}x{i}" for i in range(10))
        yield (f"<ResultDetail><EndMs>{n * 2000 + 1900}</EndMs><FinalSentence>{text}</FinalSentence>"
               f"<SliceSentence>{text}</SliceSentence><SpeakerId>{n // 5 % 2}</SpeakerId><SpeechSpeed>2.0</SpeechSpeed>"
               f"<StartMs>{n * 2000}</StartMs>{words}<WordsNum>10</WordsNum></ResultDetail>")
    yield "</SpeechRecognitionResult></Operation></JobsDetail></Response>"

xml.parse(b"<a/>"); [form.render(build_transcript(recording=RecordingRef("b", "r", "k", "e", 1), engine="e", job_id="j",
    channels=1, audio_time="1", details=(), lines="", flash=())) for form in FORMATS.values()]
before = read_peak_kib()
size = 0
def pieces():
    global size
    for part in answer():
        size += len(part)
        yield part.encode()
document = xml.parse_stream(pieces(), {"ResultDetail": parse_sentence})
assert size > 10_000_000
job = parse_jobs(document["Response"]).jobs[0]
del document
transcript = build_transcript(recording=RecordingRef("b", "r", "k", "e", 1), engine="e", job_id="j", channels=1,
    audio_time=job.result.audio_seconds, details=job.result.details, lines=job.result.lines, flash=job.result.flash)
assert sum(len(sentence.words) for sentence in transcript.sentences) == 90_000
for form in FORMATS.values():
    assert len(form.render(transcript)) > 200_000
print((read_peak_kib() - before) / 1024)
"""


def test_five_hours_of_speech_need_at_most_48_mib() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 48
