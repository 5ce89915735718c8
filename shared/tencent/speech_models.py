"""What the CI speech API takes and returns, as values. Only `flash` and the input of a detail parser are raw mappings.

Times are the API's own text, e.g. `2020-08-20T17:43:01+0800`; a time that is not reached yet is "".
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

TAG = "SpeechRecognition"  # of every job of this API
SUCCESS, FAILED, CANCELLED = "Success", "Failed", "Cancel"
FINAL_STATES = frozenset({SUCCESS, FAILED, CANCELLED})  # Submitted, Running and Pause continue


class JobRequest(NamedTuple):
    """A job to create.

    `speech`: the members of SpeechRecognition by their names; empty: `engine` and `channels`, with words, punctuation
    and Arabic numerals. With `template_id` the template says all that, and `speech` is not sent. `job_level`: 0 to 2,
    higher first. `user_data`: printable ASCII, at most 1,024 characters. `callback_url` overrides that of the queue;
    "no" disables the notification.
    """

    input_key: str
    output_bucket: str
    output_region: str
    output_key: str
    engine: str
    channels: int = 1
    user_data: str = ""
    queue_id: str = ""
    callback_url: str = ""
    callback_format: str = ""
    speech: Mapping[str, str] = MappingProxyType({})
    template_id: str = ""
    job_level: int = 0


class JobResult(NamedTuple):
    """The result of a finished job. `details` holds what the caller's parser made of each ResultDetail.

    `has_text` is False if the response has no element for the text at all: an empty one means that nothing was said.
    """

    audio_seconds: str
    lines: str
    details: tuple[Any, ...]
    flash: tuple[Mapping[str, Any], ...]
    object_name: str = ""
    detail_object_name: str = ""
    has_text: bool = True


class Job(NamedTuple):
    """A job as CI returns it. Decide on `state`: `code` is `Success` even for a job that was only submitted."""

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
    result: JobResult | None = None


class JobLookup(NamedTuple):
    """The jobs of one query by id, and the ids that CI does not know."""

    jobs: tuple[Job, ...]
    unknown: tuple[str, ...]


class JobFilter(NamedTuple):
    """Selects the jobs to list. Empty `states` selects all; times as CI writes them."""

    queue_id: str = ""
    states: tuple[str, ...] = ()
    newest_first: bool = True
    created_from: str = ""
    created_to: str = ""


class JobPage(NamedTuple):
    """One page of a job list. `next_token` is "" on the last page; other pages may be empty too."""

    jobs: tuple[Job, ...]
    next_token: str


class SpeechBucket(NamedTuple):
    """A bucket with the service enabled."""

    bucket: str
    region: str
    created: str


class BucketPage(NamedTuple):
    """One page of a bucket list. `total` counts all matching buckets."""

    total: int
    number: int
    size: int
    buckets: tuple[SpeechBucket, ...]


class NotifyConfig(NamedTuple):
    """Where a queue sends notifications of finished jobs. `state` On or Off; `format` XML or JSON ("" is XML)."""

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
    notification: NotifyConfig = NotifyConfig()
    max_size: int = 0
    max_concurrent: int = 0
    bucket: str = ""
    category: str = ""
    created: str = ""
    updated: str = ""


class QueuePage(NamedTuple):
    """One page of a queue list, and the requested ids that do not exist."""

    total: int
    queues: tuple[Queue, ...]
    unknown: tuple[str, ...]
