"""What must be true when the storm is over, judged from outside."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cli.local.emulator import CALLBACK_TOKEN, INPUT_BUCKET, OUTPUT_BUCKET, REGION
from shared.recordings import models as product
from shared.recordings.keys import ERROR_EXTENSION, transcript_key
from shared.settings import Settings
from tests.chaos.cloud import Row
from tests.chaos.evidence import Evidence
from tests.chaos.expected import FORMATS, Said, difference
from tests.chaos.uploads import Recording, etag_of

LOST, PAID_TWICE, WRONG = "lost", "paid_twice", "wrong"
FORGED, LEFT_OPEN, SECRET = "forged", "left_open", "secrets_logged"
KINDS = (LOST, PAID_TWICE, WRONG, FORGED, LEFT_OPEN, SECRET)
_SETTINGS = Settings((INPUT_BUCKET,), (CALLBACK_TOKEN,), REGION, output_bucket=OUTPUT_BUCKET)
_FORGED_WORD = b"forged"  # no recording says it
_NEVER_LOGGED = (CALLBACK_TOKEN, "q-sign-algorithm", "q-signature", "security-token")


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be. `key` is the recording's, as far as one is concerned."""

    kind: str
    key: str
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    `errors_expected`: error objects of good recordings whose job a fault made fail. `of_unseen_content`: recordings
    whose results are of content that came and went while a job was at work, and that no function ever saw.
    """

    violations: tuple[Violation, ...]
    errors_expected: int
    of_unseen_content: int

    def count(self, kind: str) -> int:
        """How many violations of a kind."""
        return sum(violation.kind == kind for violation in self.violations)


def judge(
    recordings: Sequence[Recording],
    said: Mapping[bytes, Said | None],
    evidence: Evidence,
    secrets: Sequence[str] = (),
) -> Verdict:
    """Compares what is there with what was uploaded."""
    jobs = _Jobs(evidence.jobs)
    found: list[Violation] = []
    errors = unseen = 0
    for recording in recordings:
        files = _files(evidence, recording.key)
        kind, why = _outcome(recording, files, said[recording.current], jobs)
        if kind == WRONG and _is_of_unseen_content(recording, files, said, evidence):
            unseen += 1
        elif kind:
            found.append(Violation(kind, recording.key, why))
        elif ERROR_EXTENSION in files and said[recording.current] is not None:
            errors += 1
        found += jobs.paid_twice(recording)
    found += jobs.for_nothing({identity(one.key, body) for one in recordings for body in one.bodies})
    found += _forged(recordings, evidence)
    found += _left_open(evidence)
    found += _secrets(evidence, (*_NEVER_LOGGED, *secrets))
    return Verdict(tuple(found), errors, unseen)


def identity(key: str, body: bytes) -> str:
    """The id under which the product knows this content of this name; a job carries it as UserData."""
    return product.Recording(INPUT_BUCKET, key, etag_of(body), len(body)).id


def output_key(key: str, ending: str) -> str:
    """Where a result of a recording lies."""
    return transcript_key(_SETTINGS, INPUT_BUCKET, key, ending)


def _files(evidence: Evidence, key: str) -> dict[str, bytes]:
    names = {ending: output_key(key, ending) for ending in (*FORMATS, ERROR_EXTENSION)}
    return {ending: evidence.outputs[name] for ending, name in names.items() if name in evidence.outputs}


def _outcome(
    recording: Recording, files: Mapping[str, bytes], said: Said | None, jobs: _Jobs
) -> tuple[str, str]:
    """Which kind of violation this recording's results are, and why; empty when they are as they must be."""
    if recording.is_folder:
        return (FORGED, f"a folder mark has {sorted(files)}") if files else ("", "")
    etag = etag_of(recording.current)
    if ERROR_EXTENSION in files:
        return _judge_error(recording, _json(files[ERROR_EXTENSION]), said, jobs)
    if said is None:
        return WRONG if files else LOST, f"must fail, but has {sorted(files) or 'nothing'}"
    missing = [name for name in FORMATS if name not in files]
    if missing:
        return LOST, f"neither an error object nor all transcripts: {missing} missing"
    why = difference(files, said, etag)
    return (WRONG, why) if why else ("", "")


def _is_of_unseen_content(
    recording: Recording, files: Mapping[str, bytes], said: Mapping[bytes, Said | None], evidence: Evidence
) -> bool:
    """Whether the job heard what another content says, of which there is no receipt: its event came too late or never.

    docs/reliability.md tells of it: nothing that can be asked afterwards knows that this content was there.
    """
    seen = {*evidence.receipts("open"), *evidence.receipts("done")}
    replaced = set(recording.bodies[recording.bodies.index(recording.current) + 1 :]) - {recording.current}
    for body in replaced:
        heard = said[body]
        if heard is None or ERROR_EXTENSION in files:
            is_its_result = heard is None and ERROR_EXTENSION in files
        else:
            is_its_result = not difference(files, heard, etag_of(recording.current))
        if is_its_result and identity(recording.key, body) not in seen:
            return True
    return False


def _judge_error(
    recording: Recording, document: Mapping[str, Any], said: Said | None, jobs: _Jobs
) -> tuple[str, str]:
    etag = etag_of(recording.current)
    told = document.get("recording")
    of = told.get("etag") if isinstance(told, Mapping) else None
    if of != etag:
        return WRONG, f"the error object is of the content {of}, not of {etag}"
    if said is None:
        return "", ""
    content = identity(recording.key, recording.current)
    if not jobs.failed_by_fault(content):
        return WRONG, f"an error object, but no job failed: {document.get('what')} {document.get('code')}"
    # Not any job: what succeeded before other content came may have heard that, and is not used for this.
    if jobs.last_state(content) == "Success":
        return WRONG, "an error object, but the last job of this content succeeded"
    return "", ""


class _Jobs:
    """The paid jobs, by the id that they carry. `rows` in the order in which they were submitted."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._states: dict[str, Counter[str]] = {}
        self._last: dict[str, str] = {}
        self._struck = {row["user_data"] for row in rows if row["fault"] == "job_failed"}
        for row in rows:
            if row["paid"]:
                self._states.setdefault(row["user_data"], Counter())[row["state"]] += 1
                self._last[row["user_data"]] = row["state"]

    def states(self, user_data: str) -> Counter[str]:
        """How many jobs of an id are in each state."""
        return self._states.get(user_data, Counter())

    def last_state(self, user_data: str) -> str:
        """The state of the job of an id that was submitted last; empty if none was."""
        return self._last.get(user_data, "")

    def failed_by_fault(self, user_data: str) -> bool:
        """Whether a job of this id failed though its recording is good."""
        return user_data in self._struck

    def paid_twice(self, recording: Recording) -> Iterator[Violation]:
        """More jobs for a content than one, and one for each time that it was put again and that was new work.

        New work it is after its job failed, and after other content lay in its place: CI may have heard that instead.
        """
        for body in dict.fromkeys(recording.bodies):
            states = self.states(identity(recording.key, body))
            put_again = recording.bodies.count(body) - 1
            came_back = sum(
                now == body and before != body for before, now in pairwise((None, *recording.bodies))
            )
            if sum(states.values()) > max(came_back, 1) + min(states["Failed"], put_again):
                why = f"{dict(states)} jobs for the content {etag_of(body)}, put {put_again + 1} times"
                yield Violation(PAID_TWICE, recording.key, why)

    def for_nothing(self, known: set[str]) -> Iterator[Violation]:
        """Jobs in the name of our receipts for what was never uploaded."""
        for user_data in self._states:
            if user_data.startswith(INPUT_BUCKET + "/") and user_data not in known:
                yield Violation(PAID_TWICE, "", f"a job for what was never uploaded: {user_data}")


def _forged(recordings: Sequence[Recording], evidence: Evidence) -> Iterator[Violation]:
    allowed = {
        output_key(one.key, ending): one.key for one in recordings for ending in (*FORMATS, ERROR_EXTENSION)
    }
    for key, body in evidence.transcripts.items():
        if key not in allowed:
            yield Violation(FORGED, "", f"an output for what was never uploaded: {key}")
        if _FORGED_WORD in body.lower():
            yield Violation(FORGED, allowed.get(key, ""), f"forged words in {key}")
    for key in set(evidence.input_keys) - {one.key for one in recordings}:
        yield Violation(FORGED, "", f"an object that nobody uploaded in the input bucket: {key}")
    for bucket in set(evidence.buckets) - {INPUT_BUCKET, OUTPUT_BUCKET}:
        yield Violation(FORGED, "", f"a bucket that nobody made: {bucket}")


def _left_open(evidence: Evidence) -> Iterator[Violation]:
    for receipt_id, body in evidence.receipts("open").items():
        yield Violation(LEFT_OPEN, str(_json(body).get("key", "")), f"the receipt {receipt_id} is open")


def _secrets(evidence: Evidence, secrets: Sequence[str]) -> Iterator[Violation]:
    for call in evidence.record.invocations:
        logged = "\n".join((*call["log"], call["error"]))
        for place, secret in enumerate(secrets):
            if secret in logged:
                yield Violation(
                    SECRET, "", f"invocation {call['number']} of {call['function']} logs secret {place}"
                )


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}
