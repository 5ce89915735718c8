"""What the CI speech API takes and gives, as values. Raw answers stop at `speech_xml.py`.

Times are the API's own texts, e.g. `2020-08-20T17:43:01+0800`; one that is not reached yet is "".
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

SUCCESS, FAILED, CANCELLED = "Success", "Failed", "Cancel"
FINAL_STATES = frozenset({SUCCESS, FAILED, CANCELLED})  # Submitted, Running and Pause go on


class SpeechJob(NamedTuple):
    """What is asked for. Defaults of the service are in conflict between sources, so none is relied on.

    `text_format`: 0 sentences, 1 words, 2 words and punctuation, 3 split for subtitles. `number_mode`: 0 Chinese
    numerals, 1 Arabic where apt, 3 mathematics too. `user_data`: printable ASCII, at most 1,024 characters.
    `callback_url` overrides the queue's; "no" mutes it.
    """

    input_key: str
    output_bucket: str
    output_region: str
    output_key: str
    engine: str
    channels: int = 1
    text_format: int = 2
    number_mode: int = 1
    user_data: str = ""
    queue_id: str = ""
    speakers: int | None = None  # None: no separation; 0: as many as the engine finds
    callback_url: str = ""
    callback_format: str = ""


class Recognised(NamedTuple):
    """A finished job's result. `details` holds what the caller's reader made of each ResultDetail."""

    audio_seconds: str
    lines: str
    details: tuple[Any, ...]
    flash: tuple[Mapping[str, Any], ...]
    object_name: str = ""
    detail_object_name: str = ""


class Job(NamedTuple):
    """A job as CI tells it. Decide on `state`: `code` is `Success` already on a job that was only submitted."""

    job_id: str
    state: str
    code: str = ""
    message: str = ""
    tag: str = ""
    queue_id: str = ""
    created: str = ""
    started: str = ""
    ended: str = ""
    input_key: str = ""
    user_data: str = ""
    engine: str = ""
    channels: int = 1
    output_bucket: str = ""
    output_key: str = ""
    result: Recognised | None = None


class FoundJobs(NamedTuple):
    """The jobs of one query by id, and the ids that CI does not know."""

    jobs: tuple[Job, ...]
    unknown: tuple[str, ...]


class JobFilter(NamedTuple):
    """Which jobs to list. `states` may be empty for all; times as CI writes them."""

    queue_id: str = ""
    states: tuple[str, ...] = ()
    newest_first: bool = True
    created_from: str = ""
    created_to: str = ""


class JobPage(NamedTuple):
    """Part of a list of jobs; `next_token` is "" on the last page."""

    jobs: tuple[Job, ...]
    next_token: str


class EnabledBucket(NamedTuple):
    """A bucket on which a service is switched on."""

    bucket: str
    region: str
    created: str


class EnabledPage(NamedTuple):
    """Part of a list of buckets; `total` counts all that match."""

    total: int
    number: int
    size: int
    buckets: tuple[EnabledBucket, ...]


class Notification(NamedTuple):
    """Where a queue tells of finished jobs. `state` On or Off; `format` XML or JSON ("" is XML)."""

    state: str = "Off"
    url: str = ""
    type: str = ""
    event: str = ""
    format: str = ""


class Queue(NamedTuple):
    """A bucket's ASR queue."""

    queue_id: str
    name: str
    state: str
    notification: Notification = Notification()
    max_size: int = 0
    max_concurrent: int = 0
    bucket: str = ""
    category: str = ""
    created: str = ""
    updated: str = ""


class QueuePage(NamedTuple):
    """Part of a list of queues, and the asked ids that do not exist."""

    total: int
    queues: tuple[Queue, ...]
    unknown: tuple[str, ...]
