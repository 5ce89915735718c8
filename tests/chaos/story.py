"""The story of one recording: everything that was seen of it, in the order of time. For whoever debugs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from urllib.parse import quote

from tests.chaos.cloud import Row
from tests.chaos.evidence import Evidence
from tests.chaos.uploads import Recording
from tests.chaos.verdict import identity, output_key

_LONGEST_LINE = 600
_LONGEST_NAME = 60


def story_of(recording: Recording, evidence: Evidence) -> list[str]:
    """Uploads, requests, log lines and jobs of a recording, then its receipts and outputs as they are."""
    ids = list(dict.fromkeys(identity(recording.key, body) for body in recording.bodies))
    jobs = [row for row in evidence.jobs if row["object"] == recording.key or row["user_data"] in ids]
    marks = [recording.key, *ids, *(row["job_id"] for row in jobs)]
    lines = sorted((*_puts(recording, evidence), *_calls(marks, evidence), *_requests(marks, evidence)))
    told = [f"{_clock(when)} {line}" for when, line in lines]
    told += [
        f"job {row['job_id']} {row['state']} {row['code']} {row['fault']} at {row['created']}: {row['user_data']}"
        for row in jobs
    ]
    for state in ("open", "done"):
        for receipt_id, body in evidence.receipts(state).items():
            if receipt_id in ids:
                told.append(f"receipt {state}: {' '.join(body.decode('utf-8', 'replace').split())}")
    stem = output_key(recording.key, "")
    told += [f"output {key} ({len(body)} bytes)" for key, body in evidence.outputs.items() if stem in key]
    short = {mark: f"<{mark[-40:]}>" for mark in ids if len(mark) > _LONGEST_NAME}
    short |= {mark: f"<{mark[:40]}...>" for mark in (recording.key,) if len(mark) > _LONGEST_NAME}
    return [_shortened(line, short)[:_LONGEST_LINE] for line in told]


def _shortened(line: str, short: Mapping[str, str]) -> str:
    for long, name in short.items():
        line = line.replace(long, name).replace(quote(long), name)
    return line


def _puts(recording: Recording, evidence: Evidence) -> Iterator[tuple[float, str]]:
    for when, key, etag in evidence.record.puts:
        if key == recording.key:
            yield when, f"uploaded {etag}"


def _calls(marks: list[str], evidence: Evidence) -> Iterator[tuple[float, str]]:
    """Log lines that name it, and how the invocations ended that asked for it."""
    for call in evidence.record.invocations:
        who = f"{call['function']} {call['request_id'][:8]}/{call['attempt']}"
        lines = [line for line in call["log"] if _names(line, marks)]
        for line in lines:
            yield _logged_at(line, call), f"{who} logs {line}"
        if lines or any(_asks(request, marks) for request in call["requests"]):
            ended = call["started_s"] + call["duration_ms"] / 1000
            error = str(call["error"]).partition("\n")[0]
            yield call["started_s"], f"{who} begins ({call['trigger']})"
            yield ended, f"{who} ends: {call['outcome']} {error}"


def _requests(marks: list[str], evidence: Evidence) -> Iterator[tuple[float, str]]:
    """What was asked about it, and all that was asked by uploads that took it in: a submit names it in its body."""
    uploads = {
        call["request_id"]
        for call in evidence.record.invocations
        if call["function"] == "upload" and any(_asks(request, marks) for request in call["requests"])
    }
    for row in evidence.record.requests:
        if row["request_id"] in uploads or (
            row["function"] and _asks(f"{row['path']}?{row['query']}", marks)
        ):
            who = f"{row['function']} {row['request_id'][:8]}"
            what = f"{row['method']} {row['host'].partition('.')[0]} {row['path']} {row['query']}".rstrip()
            yield row["time_s"], f"{who} asks {what} -> {row['status']} {row['code']} {row['fault']}".rstrip()


def _asks(request: str, marks: list[str]) -> bool:
    return any(mark in request or quote(mark) in request for mark in marks)


def _names(line: str, marks: list[str]) -> bool:
    try:
        values = json.loads(line).values()
    except (ValueError, AttributeError):
        return any(mark in line for mark in marks)
    return any(mark in value for value in values if isinstance(value, str) for mark in marks)


def _logged_at(line: str, call: Row) -> float:
    try:
        return datetime.fromisoformat(json.loads(line)["time"]).timestamp()
    except (ValueError, KeyError, TypeError):
        return float(call["started_s"])


def _clock(when: float) -> str:
    return datetime.fromtimestamp(when, timezone.utc).strftime("%H:%M:%S.%f")[:-3]
