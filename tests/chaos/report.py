"""The report of a run: its counts, one sentence, what is wrong, and the history of the recordings concerned."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from tests.chaos.checks import (
    ERROR_BESIDE,
    KINDS,
    LEFT_OPEN,
    LOST,
    NO_MONEY_CODE,
    PAID_TWICE,
    SECRET,
    SURPRISE,
    WRONG,
)
from tests.chaos.cloud import Row
from tests.chaos.expected import build_output_key, build_receipt_id, build_receipt_prefix
from tests.chaos.observations import Observations, is_refused_submit
from tests.chaos.run import Run
from tests.chaos.trust import FORGED, is_own
from tests.chaos.workload import Action, Kind, Recording, Restore

_MAX_HISTORIES = 5
_RECEIPT_STATES = ("open", "done", "waiting")
_MAX_LINE_LENGTH = 600
_MAX_NAME_LENGTH = 60
_KIND_TEXTS = {
    LOST: "lost",
    PAID_TWICE: "paid twice",
    SURPRISE: "paid by surprise",
    WRONG: "wrong",
    ERROR_BESIDE: "error objects beside transcripts",
    FORGED: "forged",
    LEFT_OPEN: "left open",
    SECRET: "logs with a secret",
}


def build_summary(run: Run, uploads: int, seed: int) -> dict[str, Any]:
    """Build the counts of a run."""
    function_requests = sum(bool(row["function"]) for row in run.observations.recorder.requests)
    return {
        "uploads": uploads,
        "seed": seed,
        "jobs_paid": sum(map(is_own, run.observations.jobs)),
        **{kind: run.verdict.count(kind) for kind in KINDS},
        "errors_expected": run.verdict.errors_expected,
        "of_unseen_content": run.verdict.of_unseen_content,
        "submits_refused": _count_refused_submits(run.observations),
        "jobs_without_money": _count_jobs_without_money(run.observations),
        "requests_per_upload": round(function_requests / uploads, 1),
        "storm": list(_describe_storm(run)),
        "forged_jobs": dict(sorted(run.observations.hostility.jobs.items())),
        "forged_posts": dict(sorted(run.observations.hostility.posts.items())),
        "planted": len(run.observations.hostility.planted),
        "faults_struck": run.faults,
        "seconds": round(run.seconds, 1),
    }


def format_verdict(summary: Mapping[str, Any], allowed: Collection[str] = ()) -> str:
    """Format the counts as one sentence. `allowed` are the kinds of violations that do not fail the run."""
    counts = [
        f"{summary[kind]} {_KIND_TEXTS[kind]}" + (" (allowed in this run)" if kind in allowed else "")
        for kind in KINDS
        if summary[kind]
    ]
    result = (
        ", ".join(counts) or "nothing lost, nothing paid twice or by surprise, nothing wrong or left open"
    )
    if summary["of_unseen_content"]:
        result += (
            f"; transcripts of content that no function could see: {summary['of_unseen_content']}"
            " (docs/reliability.md)"
        )
    storm = f"; in the storm: {', '.join(summary['storm'])}" if summary.get("storm") else ""
    return f"{summary['uploads']} uploads, {sum(summary['faults_struck'].values())} faults: {result}{storm}"


def _count_refused_submits(observations: Observations) -> int:
    return sum(map(is_refused_submit, observations.recorder.requests))


def _count_jobs_without_money(observations: Observations) -> int:
    return sum(is_own(row) and row["code"] == NO_MONEY_CODE for row in observations.jobs)


def _describe_storm(run: Run) -> Iterator[str]:
    """Describe what was uploaded beside ordinary recordings, and what was done to the account and the deployment."""
    kinds = Counter(recording.kind for recording in run.recordings)
    archived = [recording for recording in run.recordings if recording.kind is Kind.ARCHIVED]
    restores = Counter(recording.restore for recording in archived)
    touches = [
        sum(step.action is Action.TOUCH for steps in stage for step in steps) for stage in run.schedule.stages
    ]
    steps = [step for stage in run.schedule.stages for steps in stage for step in steps]
    deployment = run.observations.deployment
    yield f"{kinds[Kind.OTHER]} objects that are no recordings"
    yield f"{len(archived)} archived ({restores[Restore.EARLY]} restored, {restores[Restore.LATE]} with the event lost)"
    yield f"{kinds[Kind.ENCRYPTED]} with a customer's key"
    yield f"{kinds[Kind.DENIED]} denied, {kinds[Kind.DENIED_LATER]} after a while"
    yield f"{kinds[Kind.OLD] + kinds[Kind.OLD_ARCHIVED]} from before SINCE"
    yield f"{sum(touches)} touches, {touches[1]} of them after CI forgot the jobs of the first half"
    for step in steps:
        if step.refusal:
            count = _count_refused_submits(run.observations)
            yield f"{count} submits refused (for a while all with {step.refusal.status})"
        if step.action is Action.FAIL_JOBS:
            count = _count_jobs_without_money(run.observations)
            yield f"{count} jobs without money (for a while all)"
    hostility = run.observations.hostility
    if hostility.planted:
        yield f"{sum(hostility.jobs.values())} forged jobs"
        yield f"{sum(hostility.posts.values())} forged notifications"
        yield f"{len(hostility.planted)} planted objects"
    yield f"versioning {deployment.versioning.lower() or 'never switched on'}"
    if deployment.moves:
        yield "outputs in the input bucket, both prefixes changed in the middle"


def format_violations(run: Run) -> Iterator[str]:
    """Format the violations, then the histories of the first recordings among them."""
    violations = run.verdict.violations
    for violation in violations:
        yield f"{violation.kind}: {violation.key!r}: {violation.reason}"
    recordings = {recording.key: recording for recording in run.recordings}
    keys = [key for key in dict.fromkeys(violation.key for violation in violations) if key in recordings]
    for key in keys[:_MAX_HISTORIES]:
        yield f"\nHistory of {key!r}:"
        yield from (f"  {line}" for line in format_history(recordings[key], run.observations))


def format_history(recording: Recording, observations: Observations) -> list[str]:
    """Format uploads, requests, log lines and jobs of a recording by time, then its receipts and outputs at the end."""
    prefix = build_receipt_prefix(recording.key)
    ids = [build_receipt_id(recording.key, body) for body in recording.bodies]
    for state in _RECEIPT_STATES:
        ids += [receipt_id for receipt_id in observations.receipts(state) if receipt_id.startswith(prefix)]
    ids = list(dict.fromkeys(ids))
    jobs = [
        row
        for row in observations.jobs
        if row["object"] == recording.key or row["user_data"].partition("#")[0] in ids
    ]
    names = [recording.key, *ids, *(row["job_id"] for row in jobs)]
    events = sorted(
        (
            *_steps(recording, observations),
            *_invocations(names, observations),
            *_requests(names, observations),
        )
    )
    lines = [f"{_format_time(time_s)} {text}" for time_s, text in events]
    lines += [
        f"job {row['job_id']} of {row['submitter']} {row['state']} {row['code']} {row['fault']} at {row['created']}:"
        f" {row['user_data']}"
        for row in jobs
    ]
    for state in _RECEIPT_STATES:
        for receipt_id, body in observations.receipts(state).items():
            if receipt_id in ids:
                lines.append(f"receipt {state}: {' '.join(body.decode('utf-8', 'replace').split())}")
    lines += [
        f"output {build_output_key(recording.key, extension, place)} ({len(body)} bytes)"
        for place in observations.deployment.places
        for extension, body in observations.results(recording.key, place).items()
    ]
    short_names = {name: f"<{name[-40:]}>" for name in ids if len(name) > _MAX_NAME_LENGTH}
    if len(recording.key) > _MAX_NAME_LENGTH:
        short_names[recording.key] = f"<{recording.key[:40]}...>"
    return [_shorten_names(line, short_names)[:_MAX_LINE_LENGTH] for line in lines]


def _shorten_names(line: str, short_names: Mapping[str, str]) -> str:
    for name, short_name in short_names.items():
        line = line.replace(name, short_name).replace(quote(name), short_name)
    return line


def _steps(recording: Recording, observations: Observations) -> Iterator[tuple[float, str]]:
    """Yield what was done to the recording, and to the whole account."""
    for time_s, key, text in observations.recorder.steps:
        if key in {recording.key, ""}:
            yield time_s, text


def _invocations(names: list[str], observations: Observations) -> Iterator[tuple[float, str]]:
    """Yield log lines with one of the names, and start and end of the invocations that logged or requested one."""
    for call in observations.recorder.invocations:
        invocation = f"{call['function']} {call['request_id'][:8]}/{call['attempt']}"
        lines = [line for line in call["log"] if _is_in_log_line(names, line)]
        for line in lines:
            yield _get_log_time(line, call), f"{invocation} logs {line}"
        if lines or any(_is_in_request(names, request) for request in call["requests"]):
            end_s = call["started_s"] + call["duration_ms"] / 1000
            error = str(call["error"]).partition("\n")[0]
            yield call["started_s"], f"{invocation} starts ({call['trigger']})"
            yield end_s, f"{invocation} ends: {call['outcome']} {error}"


def _requests(names: list[str], observations: Observations) -> Iterator[tuple[float, str]]:
    """Yield requests with one of the names, and all requests of its uploads: a submit has the key in its body."""
    uploads = {
        call["request_id"]
        for call in observations.recorder.invocations
        if call["function"] == "upload"
        and any(_is_in_request(names, request) for request in call["requests"])
    }
    for row in observations.recorder.requests:
        if row["request_id"] in uploads or (
            row["function"] and _is_in_request(names, f"{row['path']}?{row['query']}")
        ):
            invocation = f"{row['function']} {row['request_id'][:8]}"
            host = row["host"].partition(".")[0]
            request = f"{row['method']} {host} {row['path']} {row['query']}".rstrip()
            response = f"{row['status']} {row['code']} {row['fault']}".rstrip()
            yield row["time_s"], f"{invocation} requests {request} -> {response}"


def _is_in_request(names: list[str], request: str) -> bool:
    return any(name in request or quote(name) in request for name in names)


def _is_in_log_line(names: list[str], line: str) -> bool:
    try:
        values = json.loads(line).values()
    except (ValueError, AttributeError):
        return any(name in line for name in names)
    return any(name in value for value in values if isinstance(value, str) for name in names)


def _get_log_time(line: str, call: Row) -> float:
    try:
        return datetime.fromisoformat(json.loads(line)["time"]).timestamp()
    except (ValueError, KeyError, TypeError):
        return float(call["started_s"])


def _format_time(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, timezone.utc).strftime("%H:%M:%S.%f")[:-3]
