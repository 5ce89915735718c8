"""What can be observed from outside during a run: objects, jobs, invocations, requests."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cli.local.emulator import INPUT_BUCKET
from shared.recordings.keys import ERROR_EXTENSION
from tests.chaos.cloud import Cloud, Row
from tests.chaos.deployment import Deployment, Place
from tests.chaos.expected import FORMATS, build_output_key
from tests.chaos.neighbour import Hostility

# Requests are numbered when they arrive and stored when they end. This overlap also gets those that ended late.
_OVERLAP = 1000
_REFUSED_STATUSES = frozenset({401, 402, 403, 451})


@dataclass(slots=True)
class Recorder:
    """Collects uploads, invocations and requests: the local cloud keeps only the latest, and none after a restart."""

    steps: list[tuple[float, str, str]] = field(default_factory=list)  # Unix seconds, key, what was done
    _invocations: dict[tuple[int, int], Row] = field(default_factory=dict)  # by local cloud and number
    _requests: dict[tuple[int, int], Row] = field(default_factory=dict)
    _restarts: int = 0

    def start_new_cloud(self) -> None:
        """Prepare for a restarted local cloud, whose numbers start at one again."""
        self._restarts += 1

    def record_step(self, key: str, text: str) -> None:
        """Record what was done to a key, with the current time."""
        self.steps.append((time.time(), key, text))

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
    input_etags: Mapping[str, str]
    buckets: Sequence[str]
    jobs: Sequence[Row]
    recorder: Recorder
    deployment: Deployment = field(default_factory=Deployment)
    hostility: Hostility = field(default_factory=Hostility)

    @property
    def transcripts(self) -> dict[str, bytes]:
        """Return the objects below the output prefixes, by key."""
        prefixes = tuple(place.output_prefix for place in self.deployment.places)
        return {key: body for key, body in self.outputs.items() if key.startswith(prefixes)}

    def receipts(self, state: str) -> dict[str, bytes]:
        """Return the receipts that are `open`, `done` or `waiting` at the end, by id, without what was planted."""
        state_prefix = self.deployment.places[0].state_prefix
        prefix = f"{state_prefix}{state}/"
        return {
            key.removeprefix(prefix): body
            for key, body in self.outputs.items()
            if key.startswith(prefix) and not self.hostility.is_planted(key.removeprefix(state_prefix))
        }

    def results(self, key: str, place: Place) -> dict[str, bytes]:
        """Return the result objects of a recording in one place, by extension."""
        keys = {
            extension: build_output_key(key, extension, place) for extension in (*FORMATS, ERROR_EXTENSION)
        }
        return {
            extension: self.outputs[output_key]
            for extension, output_key in keys.items()
            if output_key in self.outputs
        }


def is_refused_submit(request: Row) -> bool:
    """Check whether a request is a function's submit that CI refused because of the account."""
    is_submit = bool(request["function"]) and request["method"] == "POST" and ".ci." in request["host"]
    return is_submit and request["status"] in _REFUSED_STATUSES


def observe(cloud: Cloud, recorder: Recorder, deployment: Deployment, hostility: Hostility) -> Observations:
    """Collect everything at the end of a run."""
    recorder.collect(cloud)
    own_prefixes = tuple(prefix for place in deployment.places for prefix in place)
    outputs: dict[str, bytes] = {}
    for prefix in own_prefixes:
        outputs |= cloud.read_objects(deployment.output_bucket, prefix)
    objects = cloud.pipeline.clients.cos.iter_objects(INPUT_BUCKET)
    return Observations(
        outputs=outputs,
        input_etags={item.key: item.etag for item in objects if not item.key.startswith(own_prefixes)},
        deployment=deployment,
        buckets=sorted(folder.name for folder in (cloud.pipeline.data / "buckets").iterdir()),
        jobs=cloud.jobs(),
        recorder=recorder,
        hostility=hostility,
    )
