"""What CI knows: services switched on for buckets, queues, jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from localcloud.speech.recognition import Recognition

TAG = "SpeechRecognition"
_BEIJING = timezone(timedelta(hours=8))
NOT_YET = "-"


def timestamp(time_s: float | None) -> str:
    """`2020-08-20T17:43:01+0800`; one hyphen for a time not reached (seeds)."""
    return (
        NOT_YET
        if time_s is None
        else datetime.fromtimestamp(time_s, _BEIJING).strftime("%Y-%m-%dT%H:%M:%S%z")
    )


def time_of(text: str) -> float:
    """The Unix seconds of a timestamp. Raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp()


@dataclass(frozen=True, slots=True)
class EnabledBucket:
    """A bucket for which a service is switched on; time in Unix seconds."""

    bucket: str
    region: str
    created_s: float


@dataclass(frozen=True, slots=True)
class Notify:
    """A queue's NotifyConfig, as it was sent."""

    state: str = "Off"
    url: str = ""
    event: str = ""
    type: str = ""
    result_format: str = "XML"

    @property
    def wants_jobs(self) -> bool:
        """Whether the end of a job is told to the URL."""
        events = {event.strip().lower() for event in self.event.split(",")}
        # TransCodingFinish is what ASR queues were set to in 2020 (seeds: PUT /asrqueue).
        return self.state == "On" and bool(self.url) and bool(events & {"taskfinish", "transcodingfinish"})


@dataclass(frozen=True, slots=True)
class Queue:
    """A bucket's queue; `state` is Active or Paused; times in Unix seconds."""

    queue_id: str
    bucket: str
    region: str
    name: str
    state: str
    notify: Notify
    created_s: float
    updated_s: float
    max_size: int
    max_concurrent: int


@dataclass(frozen=True, slots=True)
class Output:
    """Where a job's text goes, as it was asked for."""

    region: str
    bucket: str
    object: str

    @property
    def key(self) -> str:
        """The object key: a request may write it with one leading slash."""
        return self.object.removeprefix("/")


@dataclass(frozen=True, slots=True)
class Speech:
    """The SpeechRecognition parameters with the defaults filled in, by their names on the wire."""

    parameters: tuple[tuple[str, str], ...]

    def value(self, name: str, default: str = "") -> str:
        """One parameter."""
        return dict(self.parameters).get(name, default)

    @property
    def engine(self) -> str:
        """EngineModelType."""
        return self.value("EngineModelType")

    @property
    def channels(self) -> int:
        """ChannelNum."""
        return int(self.value("ChannelNum", "1"))

    @property
    def text_format(self) -> int:
        """ResTextFormat: 0 to 3."""
        return int(self.value("ResTextFormat", "0"))

    @property
    def is_flash(self) -> bool:
        """FlashAsr."""
        return self.value("FlashAsr") == "true"

    @property
    def is_diarised(self) -> bool:
        """SpeakerDiarization."""
        return self.value("SpeakerDiarization", "0") == "1"


@dataclass(frozen=True, slots=True)
class Order:
    """What a submitted job asks for.

    `input_object` is the recording as the request names it, `input_key` the key that was found for it; `input_url` is
    empty unless the input was named by URL.
    """

    bucket: str
    region: str
    queue_id: str
    input_bucket: str
    input_object: str
    input_key: str
    input_url: str
    speech: Speech
    output: Output
    template_id: str
    template_name: str
    user_data: str
    level: int
    callback: str
    callback_format: str


@dataclass(frozen=True, slots=True)
class Job:
    """One job; `code` is Success from the start and means something only when it Failed. Times in Unix seconds."""

    number: int
    job_id: str
    state: str
    code: str
    message: str
    created_s: float
    started_s: float | None
    ended_s: float | None
    order: Order
    recognition: Recognition | None
