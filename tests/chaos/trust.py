"""Checks that nothing was believed that a stranger said: forged words, jobs, receipts, hosts and notifications."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET, REGION
from shared.recordings.keys import ERROR_EXTENSION
from tests.chaos.cloud import Row
from tests.chaos.expected import FORMATS, build_output_key
from tests.chaos.neighbour import BUCKET as NEIGHBOUR_BUCKET
from tests.chaos.observations import Observations
from tests.chaos.planter import GHOST_FOLDER
from tests.chaos.workload import Recording

FORGED = "forged"
FUNCTIONS = frozenset({"upload", "callback", "sweep"})
_FORGED_WORD = b"forged"  # in no recording
_JOB_ID = re.compile(rb"s[0-9a-f]{32}")
_CLOUD_HOST = re.compile(
    rf"([a-z0-9-]+-[0-9]+\.)?(cos|ci)\.{re.escape(REGION)}\.(myqcloud\.com|tencentcos\.cn)"
)
_FUNCTION_HOST = re.compile(rf"[a-z0-9-]+\.{re.escape(REGION)}\.tencentscf\.com")


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that is wrong. `key` is that of the recording, or empty."""

    kind: str
    key: str
    reason: str


def is_own(job: Row) -> bool:
    """Whether a job was submitted with the key of a function."""
    return bool(job["paid"]) and job["submitter"] in FUNCTIONS


def find_forged(recordings: Sequence[Recording], observations: Observations) -> Iterator[Violation]:
    """Run all checks of this module."""
    allowed = {
        build_output_key(recording.key, extension, place): recording.key
        for place in observations.deployment.places
        for recording in recordings
        for extension in (*FORMATS, ERROR_EXTENSION)
    }
    yield from _find_unknown_outputs(allowed, observations)
    yield from _find_foreign_jobs(allowed, observations)
    yield from _find_foreign_objects(recordings, observations)
    yield from find_other_hosts(observations.recorder.requests)
    for reason in observations.hostility.open_doors:
        yield Violation(FORGED, "", f"a notification without the token: {reason}")


def _find_unknown_outputs(allowed: dict[str, str], observations: Observations) -> Iterator[Violation]:
    for key, body in observations.transcripts.items():
        # What was planted may fail, as a recording that was deleted does.
        is_of_ghost = GHOST_FOLDER in key and key.endswith(f".{ERROR_EXTENSION}")
        if key not in allowed and not is_of_ghost:
            yield Violation(FORGED, "", f"an output for a recording that was never uploaded: {key}")
        if _FORGED_WORD in body.lower():
            yield Violation(FORGED, allowed.get(key, ""), f"forged words in {key}")


def _find_foreign_jobs(allowed: dict[str, str], observations: Observations) -> Iterator[Violation]:
    """Yield outputs and receipts with the id of a job that is not Scribe's, and transcripts of another's job."""
    foreign = {job["job_id"] for job in observations.jobs if not is_own(job)}
    objects = {job["job_id"]: job["object"] for job in observations.jobs if is_own(job)}
    places = observations.deployment.places
    for key, body in observations.outputs.items():
        names = [
            key.removeprefix(place.state_prefix) for place in places if key.startswith(place.state_prefix)
        ]
        if names and (names[0] in observations.hostility.planted or names[0].startswith("raw/")):
            continue
        for job_id in sorted({match.decode() for match in _JOB_ID.findall(body)} & foreign):
            recording_key = allowed.get(key) or str(_parse_members(body).get("key", ""))
            yield Violation(FORGED, recording_key, f"{key} notes the job {job_id}, which is not Scribe's")
    for key, recording_key in allowed.items():
        if not key.endswith(".json") or key not in observations.outputs:
            continue
        job_id = _parse_members(observations.outputs[key]).get("job_id", "")
        if job_id and job_id not in foreign and objects.get(job_id) != recording_key:
            yield Violation(FORGED, recording_key, f"{key} is of the job {job_id} of {objects.get(job_id)!r}")


def _find_foreign_objects(recordings: Sequence[Recording], observations: Observations) -> Iterator[Violation]:
    for key in set(observations.input_etags) - {recording.key for recording in recordings}:
        yield Violation(FORGED, "", f"an object in the input bucket that was never uploaded: {key}")
    for bucket in set(observations.buckets) - {INPUT_BUCKET, OUTPUT_BUCKET, NEIGHBOUR_BUCKET}:
        yield Violation(FORGED, "", f"an unexpected bucket: {bucket}")


def find_other_hosts(requests: Sequence[Row]) -> Iterator[Violation]:
    """Yield requests for a host that is neither COS nor CI in this region, nor a function."""
    hosts = {str(request["host"]) for request in requests}
    for host in sorted(hosts):
        if not _CLOUD_HOST.fullmatch(host) and not _FUNCTION_HOST.fullmatch(host):
            yield Violation(FORGED, "", f"a request for the host {host}")


def _parse_members(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
