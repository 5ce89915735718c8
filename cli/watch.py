"""Looks at the output bucket until every upload has its transcript or its error object; the functions do the work."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.samples import Upload
from shared.tencent.cos import CosClient

OUTPUT_PREFIX = "transcripts/"  # OUTPUT_PREFIX of the functions, by default
FORMATS = ("json", "txt", "srt", "vtt")
ENDINGS = (*FORMATS, "error.json")
LOOK_EVERY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Result:
    """What came out for one upload. `files` maps an ending (`json`, `error.json`, ...) to its key and bytes."""

    upload: Upload
    seconds: float
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether it ended with an error object."""
        return "error.json" in self.files

    @property
    def complete(self) -> bool:
        """Whether it ended at all."""
        return self.failed or all(name in self.files for name in FORMATS)

    def document(self) -> Mapping[str, Any]:
        """The transcript as JSON, or the error object; empty when there is neither."""
        name = "error.json" if self.failed else "json"
        if name not in self.files:
            return {}
        found = json.loads(self.files[name][1])
        return found if isinstance(found, dict) else {}


def results_of(
    cos: CosClient,
    bucket: str,
    uploaded: Mapping[Upload, float],
    *,
    patience_s: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Result]:
    """Each result as it becomes complete; at the end of patience, the incomplete ones as they are.

    `uploaded` says when (`now`) each was uploaded; patience begins with the call.
    """
    waiting = dict(uploaded)
    ends = now() + patience_s
    while waiting:
        last_look = now() >= ends
        present = {item.key for item in cos.iter_objects(bucket, prefix=OUTPUT_PREFIX)}
        for upload, since in list(waiting.items()):
            if last_look or _is_complete(upload, present):
                del waiting[upload]
                files = _files(cos, bucket, upload, present)
                yield Result(upload, now() - since, files)
        if waiting:
            sleep(LOOK_EVERY_SECONDS)


def _is_complete(upload: Upload, present: set[str]) -> bool:
    base = f"{OUTPUT_PREFIX}{upload.key}."
    return base + "error.json" in present or all(base + name in present for name in FORMATS)


def _files(cos: CosClient, bucket: str, upload: Upload, present: set[str]) -> dict[str, tuple[str, bytes]]:
    keys = {name: f"{OUTPUT_PREFIX}{upload.key}.{name}" for name in ENDINGS}
    return {name: (key, cos.get(bucket, key).body) for name, key in keys.items() if key in present}
