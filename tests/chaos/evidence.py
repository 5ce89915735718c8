"""What an observer can know of a run: objects, jobs, invocations, requests. Nothing of the product's inside."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET
from tests.chaos.cloud import Cloud, Row

# Requests are numbered as they come and kept as they are answered: looking back so far misses none that was overtaken.
_LOOK_BACK = 1000


@dataclass(slots=True)
class Recorder:
    """Collects what the stand-in forgets: it keeps a bounded number of rows, and none over a restart."""

    puts: list[tuple[float, str, str]] = field(default_factory=list)  # Unix seconds, key, ETag
    _invocations: dict[tuple[int, int], Row] = field(default_factory=dict)  # by stand-in and number
    _requests: dict[tuple[int, int], Row] = field(default_factory=dict)
    _clouds: int = 0

    def new_cloud(self) -> None:
        """From now on another stand-in is looked at, which counts from one again."""
        self._clouds += 1

    def put(self, key: str, etag: str) -> None:
        """Notes an upload."""
        self.puts.append((time.time(), key, etag))

    def collect(self, cloud: Cloud) -> None:
        """Adds what is new. Call it before the stand-in has forgotten, and before it stops."""
        for rows, ask in ((self._invocations, cloud.invocations), (self._requests, cloud.requests)):
            last = max((number for of, number in rows if of == self._clouds), default=0)
            for row in ask(max(0, last - _LOOK_BACK)):
                rows[self._clouds, row["number"]] = row

    @property
    def invocations(self) -> list[Row]:
        """What ran, in the order in which it ended."""
        return list(self._invocations.values())

    @property
    def requests(self) -> list[Row]:
        """What was asked of COS and CI."""
        return list(self._requests.values())


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything, at the end of a run."""

    outputs: Mapping[str, bytes]
    input_keys: Sequence[str]
    buckets: Sequence[str]
    jobs: Sequence[Row]
    record: Recorder

    @property
    def transcripts(self) -> dict[str, bytes]:
        """What lies where recordings' results belong, by key."""
        return {key: body for key, body in self.outputs.items() if key.startswith("transcripts/")}

    def receipts(self, state: str) -> dict[str, bytes]:
        """The receipts that are `open` or `done`, by id."""
        prefix = f".scribe/{state}/"
        return {
            key.removeprefix(prefix): body for key, body in self.outputs.items() if key.startswith(prefix)
        }


def gather(cloud: Cloud, record: Recorder) -> Evidence:
    """Looks at everything there is."""
    record.collect(cloud)
    return Evidence(
        outputs=cloud.objects(OUTPUT_BUCKET),
        input_keys=cloud.keys(INPUT_BUCKET),
        buckets=sorted(place.name for place in (cloud.pipeline.data / "buckets").iterdir()),
        jobs=cloud.jobs(),
        record=record,
    )
