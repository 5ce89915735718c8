"""Check the results of a run from outside: compare what was observed with what is expected of the uploads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cli.local.emulator import CALLBACK_TOKEN
from shared.recordings.failures import ARCHIVED
from shared.recordings.keys import ERROR_EXTENSION
from tests.chaos.cloud import Row
from tests.chaos.expected import (
    FORMATS,
    Speech,
    build_receipt_id,
    build_receipt_prefix,
    find_difference,
)
from tests.chaos.observations import Observations
from tests.chaos.trust import FORGED, Violation, find_forged, is_own
from tests.chaos.workload import NEVER_TRANSCRIBED, UNREADABLE, Kind, Recording, Restore, compute_etag

LOST, PAID_TWICE, SURPRISE, WRONG = "lost", "paid_twice", "paid_by_surprise", "wrong"
ERROR_BESIDE, LEFT_OPEN, SECRET = "error_beside_transcripts", "left_open", "secrets_logged"
KINDS = (LOST, PAID_TWICE, SURPRISE, WRONG, ERROR_BESIDE, FORGED, LEFT_OPEN, SECRET)
NO_MONEY_CODE = "FailedOperation.UserHasNoAmount"
_SECRETS = (CALLBACK_TOKEN, "q-sign-algorithm", "q-signature", "security-token")


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
        kind, reason = _check_recording(recording, files, speech, observations, jobs)
        if kind == WRONG and _is_of_unseen_content(recording, files, expected, observations):
            of_unseen_content += 1
        elif kind:
            violations.append(Violation(kind, recording.key, reason))
        elif ERROR_EXTENSION in files and speech is not None and recording.kind is Kind.RECORDING:
            errors_expected += 1
        violations += jobs.find_second_payments(recording)
        violations += _find_error_beside_transcripts(recording, observations)
    violations += jobs.find_surprises(recordings)
    violations += find_forged(recordings, observations)
    violations += _find_open_receipts(recordings, observations)
    violations += _find_logged_secrets(observations, (*_SECRETS, *secrets))
    return Verdict(tuple(violations), errors_expected, of_unseen_content)


def _get_result_files(observations: Observations, key: str) -> dict[str, bytes]:
    """Return the result objects of a recording, by extension: those of the last place that has any."""
    results = (observations.results(key, place) for place in observations.deployment.places)
    return next(filter(None, results), {})


def _check_recording(
    recording: Recording,
    files: Mapping[str, bytes],
    speech: Speech | None,
    observations: Observations,
    jobs: _PaidJobs,
) -> tuple[str, str]:
    """Return the kind of violation and the reason, or two empty strings if the results are right."""
    if recording.is_folder:
        return (FORGED, f"a folder marker has {sorted(files)}") if files else ("", "")
    if recording.kind in NEVER_TRANSCRIBED:
        traces = [*sorted(files), *_list_receipts(observations, recording.key)]
        return (
            (WRONG, f"{recording.kind.value} leave no trace, but there is {traces}") if traces else ("", "")
        )
    if recording.kind in UNREADABLE or (
        recording.kind is Kind.ARCHIVED and recording.restore is Restore.NEVER
    ):
        return _check_unread(recording, files, observations)
    etag = compute_etag(recording.current)
    if recording.kind is Kind.DENIED_LATER and sorted(files) == [ERROR_EXTENSION]:
        error_etag = _parse_json(files[ERROR_EXTENSION])["recording"]["etag"]
        return ("", "") if error_etag == etag else (WRONG, f"the error object is of content {error_etag}")
    if ERROR_EXTENSION in files:
        return _check_error(recording, _parse_json(files[ERROR_EXTENSION]), speech, jobs)
    if speech is None:
        return WRONG if files else LOST, f"must fail, but has {sorted(files) or 'nothing'}"
    missing = [extension for extension in FORMATS if extension not in files]
    if missing:
        return LOST, f"neither an error object nor all transcripts: {missing} missing"
    difference = find_difference(files, speech, etag)
    return (WRONG, difference) if difference else ("", "")


def _list_receipts(observations: Observations, key: str) -> list[str]:
    """List the receipts of a key, in every state."""
    prefix = build_receipt_prefix(key)
    return [
        f"{state}/{receipt_id}"
        for state in ("open", "done", "waiting")
        for receipt_id in observations.receipts(state)
        if receipt_id.startswith(prefix)
    ]


def _check_unread(
    recording: Recording, files: Mapping[str, bytes], observations: Observations
) -> tuple[str, str]:
    """Check a recording that cannot be read at the end: it has an error object and one receipt, and nothing else."""
    if sorted(files) != [ERROR_EXTENSION]:
        return (
            WRONG if files else LOST,
            f"must have an error object only, but has {sorted(files) or 'nothing'}",
        )
    document = _parse_json(files[ERROR_EXTENSION])
    etag, expected_etag = document["recording"]["etag"], observations.input_etags.get(recording.key)
    if etag != expected_etag:
        return WRONG, f"the error object is of content {etag}, expected {expected_etag}"
    is_archived = recording.kind is Kind.ARCHIVED
    if (document["message"] == ARCHIVED.message) != is_archived:
        return WRONG, f"the error object says: {document['message']}"
    receipts = _list_receipts(observations, recording.key)
    expected_state = "waiting/" if is_archived else "done/"
    if len(receipts) != 1 or not receipts[0].startswith(expected_state):
        return LOST, f"must have one receipt below {expected_state}, but has {receipts}"
    return "", ""


def _find_error_beside_transcripts(recording: Recording, observations: Observations) -> Iterator[Violation]:
    """Yield error objects beside transcripts of the same content."""
    for place in observations.deployment.places:
        files = observations.results(recording.key, place)
        if ERROR_EXTENSION not in files or "json" not in files:
            continue
        error, transcript = _parse_json(files[ERROR_EXTENSION]), _parse_json(files["json"])
        if error["recording"]["etag"] == transcript["recording"]["etag"]:
            reason = f"beside its transcripts there is an error object: {error['message']} {error['code']}"
            yield Violation(ERROR_BESIDE, recording.key, reason)


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
        return WRONG, f"an error object, but no job failed: {document.get('message')} {document.get('code')}"
    # Only the last job counts: an earlier one may have read other content, and its result is not used then.
    if jobs.get_last_state(receipt_id) == "Success":
        return WRONG, "an error object, but the last job of this content succeeded"
    return "", ""


class _PaidJobs:
    """Scribe's own jobs by receipt id, with which their UserData begins. `rows` are in the order of submission."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = [row for row in rows if is_own(row)]
        self._states: dict[str, Counter[str]] = {}
        self._last_states: dict[str, str] = {}
        self._injected_failures = {_get_receipt_id(row) for row in self._rows if row["fault"] == "job_failed"}
        for row in self._rows:
            state = NO_MONEY_CODE if row.get("code") == NO_MONEY_CODE else row["state"]
            self._states.setdefault(_get_receipt_id(row), Counter())[state] += 1
            self._last_states[_get_receipt_id(row)] = state

    def get_last_state(self, receipt_id: str) -> str:
        """Return the state of the job that was submitted last, or "" if there is none."""
        return self._last_states.get(receipt_id, "")

    def has_injected_failure(self, receipt_id: str) -> bool:
        """Whether a job failed by a fault, though its recording is good."""
        return receipt_id in self._injected_failures

    def find_second_payments(self, recording: Recording) -> Iterator[Violation]:
        """Yield contents with more than one job, not counting jobs for uploads that need a new one.

        A new upload of the same content needs one after its job failed, and after other content was under the key:
        the first job may have read that. A touched recording counts as uploaded again. A job that failed because the
        account had no money left is done again.
        """
        for body in dict.fromkeys(recording.bodies):
            states = self._states.get(build_receipt_id(recording.key, body), Counter())
            repeats = recording.bodies.count(body) - 1 + recording.touches
            returns = sum(
                current == body and previous != body
                for previous, current in pairwise((None, *recording.bodies))
            )
            allowed = max(returns, 1) + min(states["Failed"], repeats) + states[NO_MONEY_CODE]
            if sum(states.values()) > allowed:
                reason = (
                    f"{dict(states)} jobs for content {compute_etag(body)}, uploaded {repeats + 1} times:"
                    f" {self._list_evidence(recording)}"
                )
                yield Violation(PAID_TWICE, recording.key, reason)

    def find_surprises(self, recordings: Sequence[Recording]) -> Iterator[Violation]:
        """Yield jobs that no one asked for: for what is no recording, or is old, an output, or cannot be read."""
        by_key = {recording.key: recording for recording in recordings}
        receipt_ids = {
            build_receipt_id(recording.key, body) for recording in recordings for body in recording.bodies
        }
        for row in self._rows:
            evidence = (
                f"job {row['job_id']} {row['state']} {row['code']} at {row['created']}: {row['user_data']}"
            )
            recording = by_key.get(row["object"])
            if recording is None:
                yield Violation(SURPRISE, row["object"], f"for an object that was never uploaded: {evidence}")
            elif recording.kind in NEVER_TRANSCRIBED | UNREADABLE or recording.is_folder:
                yield Violation(SURPRISE, recording.key, f"for {recording.kind.value}: {evidence}")
            elif recording.kind is Kind.ARCHIVED and (
                recording.restore is Restore.NEVER or row["code"] == "FailedOperation.ErrorDownFile"
            ):
                yield Violation(SURPRISE, recording.key, f"for an archived recording: {evidence}")
            elif _get_receipt_id(row) not in receipt_ids:
                yield Violation(SURPRISE, recording.key, f"for content that was never uploaded: {evidence}")

    def _list_evidence(self, recording: Recording) -> list[str]:
        return [
            f"{row['job_id']} {row['state']} {row.get('fault')} at {row.get('created')}"
            for row in self._rows
            if row.get("object") == recording.key
        ]


def _get_receipt_id(row: Row) -> str:
    """Return the start of a job's UserData: a secret follows that no check needs."""
    return str(row["user_data"]).partition("#")[0]


def _find_open_receipts(recordings: Sequence[Recording], observations: Observations) -> Iterator[Violation]:
    for receipt_id, body in observations.receipts("open").items():
        yield Violation(LEFT_OPEN, str(_parse_json(body).get("key", "")), f"the receipt {receipt_id} is open")
    readable = {
        build_receipt_id(recording.key, recording.current): recording.key
        for recording in recordings
        if recording.restore is not Restore.NEVER
    }
    for receipt_id in observations.receipts("waiting").keys() & readable.keys():
        yield Violation(
            LEFT_OPEN, readable[receipt_id], f"restored, but its receipt still waits: {receipt_id}"
        )


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
