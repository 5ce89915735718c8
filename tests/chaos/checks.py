"""Check the results of a run from outside: compare what was observed with what is expected of the uploads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cli.local.emulator import CALLBACK_TOKEN, INPUT_BUCKET, OUTPUT_BUCKET
from shared.recordings.keys import ERROR_EXTENSION
from tests.chaos.cloud import Row
from tests.chaos.expected import FORMATS, Speech, build_output_key, build_receipt_id, find_difference
from tests.chaos.observations import Observations
from tests.chaos.workload import Recording, compute_etag

LOST, PAID_TWICE, WRONG = "lost", "paid_twice", "wrong"
FORGED, LEFT_OPEN, SECRET = "forged", "left_open", "secrets_logged"
KINDS = (LOST, PAID_TWICE, WRONG, FORGED, LEFT_OPEN, SECRET)
_FORGED_WORD = b"forged"  # in no recording
_SECRETS = (CALLBACK_TOKEN, "q-sign-algorithm", "q-signature", "security-token")


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that is wrong. `key` is that of the recording, or empty."""

    kind: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of all checks.

    `errors_expected`: error objects of good recordings whose job failed by a fault. `of_unseen_content`: recordings
    with the results of content that was replaced while a job was running, and that no function ever saw.
    """

    violations: tuple[Violation, ...]
    errors_expected: int
    of_unseen_content: int

    def count(self, kind: str) -> int:
        """Count the violations of a kind."""
        return sum(violation.kind == kind for violation in self.violations)


def check_results(
    recordings: Sequence[Recording],
    expected: Mapping[bytes, Speech | None],
    observations: Observations,
    secrets: Sequence[str] = (),
) -> Verdict:
    """Run all checks. `expected` has the speech of each content; `secrets` must not be in any log."""
    jobs = _PaidJobs(observations.jobs)
    violations: list[Violation] = []
    errors_expected = of_unseen_content = 0
    for recording in recordings:
        files = _get_result_files(observations, recording.key)
        speech = expected[recording.current]
        kind, reason = _check_recording(recording, files, speech, jobs)
        if kind == WRONG and _is_of_unseen_content(recording, files, expected, observations):
            of_unseen_content += 1
        elif kind:
            violations.append(Violation(kind, recording.key, reason))
        elif ERROR_EXTENSION in files and speech is not None:
            errors_expected += 1
        violations += jobs.find_second_payments(recording)
    receipt_ids = {
        build_receipt_id(recording.key, body) for recording in recordings for body in recording.bodies
    }
    violations += jobs.find_unknown_content(receipt_ids)
    violations += _find_forged(recordings, observations)
    violations += _find_open_receipts(observations)
    violations += _find_logged_secrets(observations, (*_SECRETS, *secrets))
    return Verdict(tuple(violations), errors_expected, of_unseen_content)


def _get_result_files(observations: Observations, key: str) -> dict[str, bytes]:
    """Return the result objects of a recording, by extension."""
    keys = {extension: build_output_key(key, extension) for extension in (*FORMATS, ERROR_EXTENSION)}
    outputs = observations.outputs
    return {extension: outputs[output_key] for extension, output_key in keys.items() if output_key in outputs}


def _check_recording(
    recording: Recording, files: Mapping[str, bytes], speech: Speech | None, jobs: _PaidJobs
) -> tuple[str, str]:
    """Return the kind of violation and the reason, or two empty strings if the results are right."""
    if recording.is_folder:
        return (FORGED, f"a folder marker has {sorted(files)}") if files else ("", "")
    etag = compute_etag(recording.current)
    if ERROR_EXTENSION in files:
        return _check_error(recording, _parse_json(files[ERROR_EXTENSION]), speech, jobs)
    if speech is None:
        return WRONG if files else LOST, f"must fail, but has {sorted(files) or 'nothing'}"
    missing = [extension for extension in FORMATS if extension not in files]
    if missing:
        return LOST, f"neither an error object nor all transcripts: {missing} missing"
    difference = find_difference(files, speech, etag)
    return (WRONG, difference) if difference else ("", "")


def _is_of_unseen_content(
    recording: Recording,
    files: Mapping[str, bytes],
    expected: Mapping[bytes, Speech | None],
    observations: Observations,
) -> bool:
    """Whether the job read other content that has no receipt, because its event came too late or never.

    docs/reliability.md describes this case: afterwards the product cannot know that this content existed.
    """
    receipt_ids = {*observations.receipts("open"), *observations.receipts("done")}
    first = recording.bodies.index(recording.current)
    replacements = set(recording.bodies[first + 1 :]) - {recording.current}
    for body in replacements:
        speech = expected[body]
        if speech is None or ERROR_EXTENSION in files:
            is_its_result = speech is None and ERROR_EXTENSION in files
        else:
            is_its_result = not find_difference(files, speech, compute_etag(recording.current))
        if is_its_result and build_receipt_id(recording.key, body) not in receipt_ids:
            return True
    return False


def _check_error(
    recording: Recording, document: Mapping[str, Any], speech: Speech | None, jobs: _PaidJobs
) -> tuple[str, str]:
    expected_etag = compute_etag(recording.current)
    source = document.get("recording")
    etag = source.get("etag") if isinstance(source, Mapping) else None
    if etag != expected_etag:
        return WRONG, f"the error object is of content {etag}, expected {expected_etag}"
    if speech is None:
        return "", ""
    receipt_id = build_receipt_id(recording.key, recording.current)
    if not jobs.has_injected_failure(receipt_id):
        return WRONG, f"an error object, but no job failed: {document.get('what')} {document.get('code')}"
    # Only the last job counts: an earlier one may have read other content, and its result is not used then.
    if jobs.get_last_state(receipt_id) == "Success":
        return WRONG, "an error object, but the last job of this content succeeded"
    return "", ""


class _PaidJobs:
    """The paid jobs by receipt id, which they have as UserData. `rows` are in the order of submission."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._states: dict[str, Counter[str]] = {}
        self._last_states: dict[str, str] = {}
        self._injected_failures = {row["user_data"] for row in rows if row["fault"] == "job_failed"}
        for row in rows:
            if row["paid"]:
                self._states.setdefault(row["user_data"], Counter())[row["state"]] += 1
                self._last_states[row["user_data"]] = row["state"]

    def get_last_state(self, receipt_id: str) -> str:
        """Return the state of the job that was submitted last, or "" if there is none."""
        return self._last_states.get(receipt_id, "")

    def has_injected_failure(self, receipt_id: str) -> bool:
        """Whether a job failed by a fault, though its recording is good."""
        return receipt_id in self._injected_failures

    def find_second_payments(self, recording: Recording) -> Iterator[Violation]:
        """Yield contents with more than one job, not counting jobs for uploads that need a new one.

        A new upload of the same content needs one after its job failed, and after other content was under the key:
        the first job may have read that.
        """
        for body in dict.fromkeys(recording.bodies):
            states = self._states.get(build_receipt_id(recording.key, body), Counter())
            repeated_uploads = recording.bodies.count(body) - 1
            returns = sum(
                current == body and previous != body
                for previous, current in pairwise((None, *recording.bodies))
            )
            if sum(states.values()) > max(returns, 1) + min(states["Failed"], repeated_uploads):
                reason = f"{dict(states)} jobs for content {compute_etag(body)}, uploaded {repeated_uploads + 1} times"
                yield Violation(PAID_TWICE, recording.key, reason)

    def find_unknown_content(self, receipt_ids: set[str]) -> Iterator[Violation]:
        """Yield jobs for content that was never uploaded."""
        for receipt_id in self._states:
            if receipt_id.startswith(INPUT_BUCKET + "/") and receipt_id not in receipt_ids:
                yield Violation(PAID_TWICE, "", f"a job for content that was never uploaded: {receipt_id}")


def _find_forged(recordings: Sequence[Recording], observations: Observations) -> Iterator[Violation]:
    allowed = {
        build_output_key(recording.key, extension): recording.key
        for recording in recordings
        for extension in (*FORMATS, ERROR_EXTENSION)
    }
    for key, body in observations.transcripts.items():
        if key not in allowed:
            yield Violation(FORGED, "", f"an output for a recording that was never uploaded: {key}")
        if _FORGED_WORD in body.lower():
            yield Violation(FORGED, allowed.get(key, ""), f"forged words in {key}")
    for key in set(observations.input_keys) - {recording.key for recording in recordings}:
        yield Violation(FORGED, "", f"an object in the input bucket that was never uploaded: {key}")
    for bucket in set(observations.buckets) - {INPUT_BUCKET, OUTPUT_BUCKET}:
        yield Violation(FORGED, "", f"an unexpected bucket: {bucket}")


def _find_open_receipts(observations: Observations) -> Iterator[Violation]:
    for receipt_id, body in observations.receipts("open").items():
        yield Violation(LEFT_OPEN, str(_parse_json(body).get("key", "")), f"the receipt {receipt_id} is open")


def _find_logged_secrets(observations: Observations, secrets: Sequence[str]) -> Iterator[Violation]:
    for call in observations.recorder.invocations:
        logged = "\n".join((*call["log"], call["error"]))
        for number, secret in enumerate(secrets):
            if secret in logged:
                reason = f"invocation {call['number']} of {call['function']} logs secret {number}"
                yield Violation(SECRET, "", reason)


def _parse_json(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, Mapping) else {}
