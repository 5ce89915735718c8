"""What can be observed from outside during a run: objects, jobs, invocations, requests."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET
from tests.chaos.cloud import Cloud, Row

# Requests are numbered when they arrive and stored when they end. This overlap also gets those that ended late.
_OVERLAP = 1000


@dataclass(slots=True)
class Recorder:
    """Collects uploads, invocations and requests: the local cloud keeps only the latest, and none after a restart."""

    uploads: list[tuple[float, str, str]] = field(default_factory=list)  # Unix seconds, key, ETag
    _invocations: dict[tuple[int, int], Row] = field(default_factory=dict)  # by local cloud and number
    _requests: dict[tuple[int, int], Row] = field(default_factory=dict)
    _restarts: int = 0

    def start_new_cloud(self) -> None:
        """Prepare for a restarted local cloud, whose numbers start at one again."""
        self._restarts += 1

    def record_upload(self, key: str, etag: str) -> None:
        """Record an upload with the current time."""
        self.uploads.append((time.time(), key, etag))

    def collect(self, cloud: Cloud) -> None:
        """Add new rows. Must run before the local cloud drops them, and before it stops."""
        for rows, fetch in ((self._invocations, cloud.invocations), (self._requests, cloud.requests)):
            last = max((number for restarts, number in rows if restarts == self._restarts), default=0)
            for row in fetch(max(0, last - _OVERLAP)):
                rows[self._restarts, row["number"]] = row

    @property
    def invocations(self) -> list[Row]:
        """Return the invocations in the order in which they ended."""
        return list(self._invocations.values())

    @property
    def requests(self) -> list[Row]:
        """Return the requests to COS and CI."""
        return list(self._requests.values())


@dataclass(frozen=True, slots=True)
class Observations:
    """Everything that was observed, at the end of a run."""

    outputs: Mapping[str, bytes]
    input_keys: Sequence[str]
    buckets: Sequence[str]
    jobs: Sequence[Row]
    recorder: Recorder

    @property
    def transcripts(self) -> dict[str, bytes]:
        """Return the objects below transcripts/, by key."""
        return {key: body for key, body in self.outputs.items() if key.startswith("transcripts/")}

    def receipts(self, state: str) -> dict[str, bytes]:
        """Return the receipts that are `open` or `done`, by id."""
        prefix = f".scribe/{state}/"
        return {
            key.removeprefix(prefix): body for key, body in self.outputs.items() if key.startswith(prefix)
        }


def observe(cloud: Cloud, recorder: Recorder) -> Observations:
    """Collect everything at the end of a run."""
    recorder.collect(cloud)
    return Observations(
        outputs=cloud.read_objects(OUTPUT_BUCKET),
        input_keys=cloud.list_keys(INPUT_BUCKET),
        buckets=sorted(folder.name for folder in (cloud.pipeline.data / "buckets").iterdir()),
        jobs=cloud.jobs(),
        recorder=recorder,
    )
