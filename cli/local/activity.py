"""What happens in a running local cloud: uploads, results and errors, in their order.

/-/requests     PUT of a recording ─────────────────────────────▶ Uploaded
                PUT of every transcript file by a function ─────▶ Transcribed
                PUT of the receipt, with formats of its own ────▶ Transcribed
                PUT of an error object by a function ───────────▶ Failed
/-/invocations  the upload function did not submit a recording ─▶ NotSubmitted
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from cli.local.emulator import (
    DONE_PREFIX,
    ERROR_SUFFIX,
    INPUT_BUCKET,
    OUTPUT_BUCKET,
    OUTPUT_FORMATS,
    OUTPUT_PREFIX,
)
from cli.local.results import count_words, output_key
from shared.recordings.keys import TRANSCRIPT_EXTENSIONS

_UPLOAD_ACTIONS = ("cos:PutObject", "cos:PostObject", "cos:CompleteMultipartUpload")
_SUCCESS = range(200, 300)
_MAX_GAPS = 5_000  # entries after a number that never came: its client went away


class Uploaded(NamedTuple):
    """A recording, or any other file, was uploaded."""

    key: str


class NotSubmitted(NamedTuple):
    """An uploaded file that costs nothing: `status` is `skipped` or `already_done`."""

    key: str
    status: str
    reason: str


class Transcribed(NamedTuple):
    """A recording has its transcripts. `seconds` since its upload; None if that was before this start.

    The number of words and the duration are None if it has no transcript in JSON.
    """

    key: str
    seconds: float | None
    words: int | None
    duration_ms: int | None


class Failed(NamedTuple):
    """A recording has an error object, `error`; `seconds` as above."""

    key: str
    seconds: float | None
    error: Mapping[str, Any]


Activity = Uploaded | NotSubmitted | Transcribed | Failed


class UnseenEntries:
    """Finds the new entries of a log. Entries are numbered at their start and appear at their end, in another order."""

    def __init__(self) -> None:
        self.since = 0  # every entry up to this number was seen
        self._seen: set[int] = set()

    def filter(self, entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the entries that were not seen before, in their order."""
        unseen = [entry for entry in entries if entry["number"] not in self._seen]
        self._seen.update(entry["number"] for entry in unseen)
        if len(self._seen) > _MAX_GAPS:
            self.since = min(self._seen) - 1
        while self.since + 1 in self._seen:
            self.since += 1
            self._seen.remove(self.since)
        return unseen


class ActivityLog:
    """Turns the entries of the two logs into activities. `load` returns a JSON object of the output bucket, or None."""

    def __init__(self, load: Callable[[str], Mapping[str, Any] | None]) -> None:
        self._load = load
        self._uploaded_s: dict[str, float] = {}
        self._files: dict[str, set[str]] = {}  # of a recording that has some of its transcripts
        self._reported_jobs: dict[
            str, object
        ] = {}  # a notification that comes twice writes the same result again
        self.open_keys: set[str] = set()  # uploaded, without a result so far

    def process(
        self, requests: Iterable[Mapping[str, Any]], invocations: Iterable[Mapping[str, Any]]
    ) -> list[Activity]:
        """Process new entries. The invocations must be read first: what they are about is then in the requests."""
        activities: list[Activity] = []
        for entry in requests:
            if entry["status"] in _SUCCESS and entry["action"] in _UPLOAD_ACTIONS:
                activities += self._process_write(entry)
        for invocation in invocations:
            activities += self._process_invocation(invocation)
        return activities

    def _process_write(self, entry: Mapping[str, Any]) -> list[Activity]:
        bucket, _, key = str(entry["resource"]).rpartition(":")[2].partition("/")
        if bucket == INPUT_BUCKET:
            self._uploaded_s[key] = entry["time_s"]
            self._files.pop(key, None)
            self.open_keys.add(key)
            return [Uploaded(key)]
        if bucket == OUTPUT_BUCKET and entry["function"] and key.startswith(OUTPUT_PREFIX):
            return self._process_output(*self._split(key), entry["time_s"])
        if bucket == OUTPUT_BUCKET and entry["function"] and key.startswith(DONE_PREFIX):
            return self._process_receipt(self._load(key) or {}, entry["time_s"])
        return []

    def _split(self, output: str) -> tuple[str, str]:
        """Split `transcripts/a.mp3.txt` into recording and suffix. A recording may itself be named `a.error`."""
        name = output.removeprefix(OUTPUT_PREFIX)
        pairs = [
            (name.removesuffix(f".{suffix}"), suffix)
            for suffix in (ERROR_SUFFIX, *sorted(TRANSCRIPT_EXTENSIONS, key=len, reverse=True))
            if name.endswith(f".{suffix}")
        ]
        known = [pair for pair in pairs if pair[0] in self._uploaded_s]
        return (*known, *pairs, (name, ""))[0]

    def _process_output(self, key: str, suffix: str, time_s: float) -> list[Activity]:
        seconds = self._count_seconds(key, time_s)
        if suffix == ERROR_SUFFIX:
            error = self._finish(key, suffix)
            return [Failed(key, seconds, error)] if error else []
        files = self._files.setdefault(key, set())
        files.add(suffix)
        if not files.issuperset(OUTPUT_FORMATS):
            return []
        document = self._finish(key, "json")
        if not document:
            return []
        return [Transcribed(key, seconds, count_words(document), document.get("duration_ms") or 0)]

    def _process_receipt(self, receipt: Mapping[str, Any], time_s: float) -> list[Activity]:
        """Report a recording with formats of its own: not every file will come."""
        if receipt.get("outcome") != "transcribed" or "formats" not in receipt.get("sources", {}):
            return []
        key = receipt["key"]
        seconds = self._count_seconds(key, time_s)
        if "json" not in receipt.get("options", {}).get("formats", OUTPUT_FORMATS):
            is_new = self._note_job(key, ("json", receipt["job_id"], None))
            return [Transcribed(key, seconds, None, None)] if is_new else []
        document = self._finish(key, "json")
        if not document:
            return []
        return [Transcribed(key, seconds, count_words(document), document.get("duration_ms") or 0)]

    def _count_seconds(self, key: str, time_s: float) -> float | None:
        uploaded_s = self._uploaded_s.get(key)
        return None if uploaded_s is None else max(0.0, time_s - uploaded_s)

    def _finish(self, key: str, suffix: str) -> Mapping[str, Any] | None:
        """Load the result of a recording; None if it was reported before, or replaced since."""
        document = self._load(output_key(key, suffix))
        job = document and (suffix, document.get("job_id"), document.get("code"))
        return document if self._note_job(key, job) and document else None

    def _note_job(self, key: str, job: object) -> bool:
        """Note that the work on a recording has ended; False if that job was reported before, or there is none."""
        self._files.pop(key, None)
        self.open_keys.discard(key)
        if not job or self._reported_jobs.get(key) == job:
            return False
        self._reported_jobs[key] = job
        return True

    def _process_invocation(self, invocation: Mapping[str, Any]) -> list[Activity]:
        result = invocation["result"]
        recordings = result.get("recordings") if isinstance(result, Mapping) else None
        activities: list[Activity] = []
        for recording in recordings if isinstance(recordings, list) else []:
            status, key = recording.get("status"), recording.get("key")
            if status in {"skipped", "already_done"} and key in self.open_keys:
                self.open_keys.discard(key)
                activities.append(NotSubmitted(key, status, recording.get("reason", "")))
        return activities
