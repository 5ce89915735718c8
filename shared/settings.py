"""What the operator chose: the environment, read into one frozen value, every mistake reported at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from shared.errors import SettingsError

FORMATS = ("json", "txt", "srt", "vtt")
JOBS_PATHS = ("asr_jobs", "jobs")
MIN_TOKEN_LENGTH = 16
MAX_PREFIX_BYTES = 100

_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{0,48}-[0-9]{5,12}")
_REGION = re.compile(r"[a-z]{2,3}-[a-z0-9-]{2,24}")
_ENGINE = re.compile(r"[0-9A-Za-z_-]{2,40}")
_TOKEN = re.compile(r"[0-9A-Za-z._~-]+")
_QUEUE = re.compile(r"[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Settings:
    """The functions' settings. Below each field stands what `docs/settings.md` says of it.

    Prefixes end as the operator wrote them.
    """

    input_buckets: tuple[str, ...]
    """Everyone. The buckets whose recordings are transcribed, by their full names, with commas between them.

    Events of other buckets are refused.
    Example: INPUT_BUCKETS=recordings-1250000000,calls-1250000000
    Wrong: INPUT_BUCKETS=recordings
    """
    callback_tokens: tuple[str, ...] = field(repr=False)
    """Everyone. The secret at the end of the address that Cloud Infinite notifies: `<function URL>/<token>`.

    `scribe deploy` makes one if there is none. At least 16 characters; more than one, with commas, while it is
    being changed: then each of them opens the door, and the speech queue gets the first.
    Example: CALLBACK_TOKEN=an-example-to-replace
    Wrong: CALLBACK_TOKEN=too-short
    """
    region: str
    """Everyone. The region of the input buckets, which is also where the functions run.

    COS triggers reach no function in another region. `TENCENTCLOUD_REGION`, which SCF sets, is taken where it is empty.
    Example: REGION=ap-guangzhou
    Wrong: REGION=Guangzhou
    """
    input_prefix: str = ""
    """Some. Only recordings whose key begins with it are transcribed.

    Empty: every recording in the input buckets
    Example: INPUT_PREFIX=incoming/
    Wrong: INPUT_PREFIX=/incoming/
    Wrong: INPUT_PREFIX=transcripts/incoming/
    """
    output_bucket: str = ""
    """Everyone. The bucket for transcripts and receipts, by its full name. Keep it unversioned.

    Where several input buckets share it, the transcripts of every bucket but the first lie below that bucket's name.
    The receipts in it are the memory of what is paid: before a change, also from empty to a bucket or back, copy all
    below STATE_PREFIX along while nothing is being transcribed; else every recording is transcribed and billed again.
    Empty: each recording's own bucket
    Example: OUTPUT_BUCKET=transcripts-1250000000
    Wrong: OUTPUT_BUCKET=transcripts
    """
    output_region: str = ""
    """Some. The region of the output bucket.

    Empty: the region of the functions
    Example: OUTPUT_BUCKET=transcripts-1250000000 OUTPUT_REGION=ap-shanghai
    Wrong: OUTPUT_REGION=ap-shanghai
    """
    output_prefix: str = "transcripts/"
    """Some. What the keys of the transcripts begin with: `calls/a.mp3` becomes `transcripts/calls/a.mp3.txt`.

    Example: OUTPUT_PREFIX=text/
    Wrong: OUTPUT_PREFIX=.scribe/text/
    """
    state_prefix: str = ".scribe/"
    """Some. What the keys of receipts and raw results begin with, in the output bucket.

    They are the memory of what is paid: before a change, copy them along while nothing is being transcribed; else every
    recording is transcribed and billed again.
    Example: STATE_PREFIX=.state/
    Wrong: STATE_PREFIX=/state/
    """
    formats: tuple[str, ...] = FORMATS
    """Some. Which files are written for each recording, with commas between them.

    Example: FORMATS=txt,srt
    Wrong: FORMATS=txt,docx
    """
    engine: str = "16k_zh"
    """Everyone. What listens, by language and sound: `EngineModelType` in Tencent's documents.

    A recording's own `x-cos-meta-engine` wins over it. One that Cloud Infinite does not know ends in an error object.
    Example: ENGINE=16k_en
    Wrong: ENGINE="16k zh"
    """
    queue_id: str = ""
    """Some. The speech queue to submit to.

    Empty: the input bucket's own speech queue
    Example: QUEUE_ID=p0b1c2d3e4f5061728394a5b6c7d8e9f0
    Wrong: QUEUE_ID="queue speech 1"
    """
    sweep_after_s: int = 300
    """Some. Seconds. The sweep and the audit leave alone whatever is younger.

    0 is for tests: everything open is due, even what is being worked on.
    Example: SWEEP_AFTER=900
    Wrong: SWEEP_AFTER=5m
    """
    give_up_after_s: int = 86_400
    """Some. Seconds. A recording without a result by then gets an error object; a result that comes later still counts.

    Example: GIVE_UP_AFTER=172800
    Wrong: GIVE_UP_AFTER="2 days"
    """
    max_in_flight: int = 0
    """Some. How many unfinished jobs the sweep lets the queue hold when it submits what had to wait.

    Empty: by the queue's own limits
    Example: MAX_IN_FLIGHT=50
    Wrong: MAX_IN_FLIGHT=many
    """
    jobs_path: str = "asr_jobs"
    """Some. Which form of Cloud Infinite's job API is asked: `asr_jobs`, or the newer `jobs`.

    Example: JOBS_PATH=jobs
    Wrong: JOBS_PATH=tasks
    """
    cloud_endpoint: str = ""
    """Tests. A loopback address that takes every request instead of the cloud. It is never deployed.

    Empty: the cloud itself
    Example: CLOUD_ENDPOINT=http://127.0.0.1:9000
    Wrong: CLOUD_ENDPOINT=http://198.51.100.7:9000
    """

    @property
    def lease_s(self) -> float:
        """How long an attempt may take before another may take over: longer than any upload function runs.

        With SWEEP_AFTER 0, which is for tests, short: they kill attempts and will not wait minutes for the next.
        """
        return 120.0 if self.sweep_after_s else 2.0

    def output_bucket_for(self, bucket: str) -> str:
        """Where the transcripts and the receipts of this bucket's recordings lie."""
        return self.output_bucket or bucket


def load_settings(environ: Mapping[str, str]) -> Settings:
    """The settings in an environment. Raises SettingsError with one message that names every mistake."""
    read = _Reading(environ)
    settings = Settings(
        input_buckets=read.several("INPUT_BUCKETS", _bucket, required=True),
        callback_tokens=read.several("CALLBACK_TOKEN", _token, required=True),
        region=read.one("REGION", _region, default=environ.get("TENCENTCLOUD_REGION", ""), required=True),
        input_prefix=read.one("INPUT_PREFIX", _prefix),
        output_bucket=read.one("OUTPUT_BUCKET", _bucket),
        output_region=read.one("OUTPUT_REGION", _region),
        output_prefix=read.one("OUTPUT_PREFIX", _prefix, default="transcripts/"),
        state_prefix=read.one("STATE_PREFIX", _prefix, default=".scribe/"),
        formats=read.several("FORMATS", _format, default=",".join(FORMATS)),
        engine=read.one("ENGINE", _engine, default="16k_zh"),
        queue_id=read.one("QUEUE_ID", _queue),
        sweep_after_s=read.whole("SWEEP_AFTER", default=300),
        give_up_after_s=read.whole("GIVE_UP_AFTER", default=86_400),
        max_in_flight=read.whole("MAX_IN_FLIGHT", default=0),
        jobs_path=read.one("JOBS_PATH", _jobs_path, default="asr_jobs"),
        cloud_endpoint=read.one("CLOUD_ENDPOINT", _loopback),
    )
    read.mistakes += _contradictions(settings)
    if read.mistakes:
        raise SettingsError(read.mistakes)
    return settings


class _Reading:
    """Reads one name after the other and collects what is wrong with each."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.mistakes: list[str] = []

    def one(
        self, name: str, check: Callable[[str], str], *, default: str = "", required: bool = False
    ) -> str:
        value = self.environ.get(name, "").strip() or default.strip()
        if not value:
            if required:
                self.mistakes.append(f"{name} is missing")
            return ""
        return self._checked(name, value, check)

    def several(
        self, name: str, check: Callable[[str], str], *, default: str = "", required: bool = False
    ) -> tuple[str, ...]:
        given = self.environ.get(name, "").strip() or default
        values = list(dict.fromkeys(filter(None, (part.strip() for part in given.split(",")))))
        if not values and (required or given):
            self.mistakes.append(f"{name} names nothing" if given else f"{name} is missing")
        return tuple(self._checked(name, value, check) for value in values)

    def whole(self, name: str, *, default: int) -> int:
        value = self.one(name, _whole, default=str(default))
        return int(value) if not _whole(value) else default

    def _checked(self, name: str, value: str, check: Callable[[str], str]) -> str:
        """`undefined` is what Tencent's CLI writes for an unset variable of serverless.yml."""
        wrong = check(value) if value != "undefined" else "was not set when the function was deployed"
        if wrong:
            self.mistakes.append(f"{name} {wrong}")
        return value


def _bucket(value: str) -> str:
    if _BUCKET.fullmatch(value):
        return ""
    return f"holds {value!r}, which is not a bucket's full name such as recordings-1250000000"


def _region(value: str) -> str:
    return "" if _REGION.fullmatch(value) else f"is {value!r}, not a region such as ap-guangzhou"


def _engine(value: str) -> str:
    return "" if is_valid_engine(value) else f"is {value!r}, not an engine such as 16k_zh or 16k_en"


def is_valid_engine(value: str) -> bool:
    """Whether it can be an EngineModelType; which ones exist is for CI to say."""
    return bool(_ENGINE.fullmatch(value))


def _queue(value: str) -> str:
    return "" if _QUEUE.fullmatch(value) else f"is {value!r}, not a queue's id"


def _prefix(value: str) -> str:
    if len(value.encode("utf-8", "replace")) > MAX_PREFIX_BYTES:
        return f"has more than {MAX_PREFIX_BYTES} bytes: with a recording's name it would not fit into a key"
    return f"is {value!r}: a prefix does not start with a slash" if value.startswith("/") else ""


def _format(value: str) -> str:
    return "" if value in FORMATS else f"names {value!r}; the formats are {', '.join(FORMATS)}"


def _jobs_path(value: str) -> str:
    return "" if value in JOBS_PATHS else f"is {value!r}; it is asr_jobs or jobs"


def _whole(value: str) -> str:
    return "" if re.fullmatch(r"[0-9]{1,9}", value) else f"is {value[:20]!r}, not a whole number"


def _token(value: str) -> str:
    """Never quotes the value: the message is logged."""
    if len(value) < MIN_TOKEN_LENGTH:
        return f"holds a token of {len(value)} characters; {MIN_TOKEN_LENGTH} is the least"
    if not _TOKEN.fullmatch(value):
        return "holds a token with characters that a URL would change; use letters, digits, - . _ ~"
    return ""


def _loopback(value: str) -> str:
    """Only this machine, so that no credential can leave it by this setting. The value may hold one: never quoted."""
    import ipaddress  # noqa: PLC0415 - in the cloud there is no endpoint to look at, and no start to spend on it

    wrong = "is not a loopback address such as http://127.0.0.1:9000"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return wrong
    if parts.scheme != "http" or parts.path.strip("/") or parts.query or parts.username is not None:
        return wrong
    if host == "localhost":
        return ""
    try:
        return "" if ipaddress.ip_address(host).is_loopback else wrong
    except ValueError:
        return wrong


def _contradictions(settings: Settings) -> list[str]:
    """What each setting alone cannot show: outputs that would be taken for recordings, or nothing left to do."""
    mistakes = []
    shared_bucket = not settings.output_bucket or settings.output_bucket in settings.input_buckets
    for name, prefix in (("OUTPUT_PREFIX", settings.output_prefix), ("STATE_PREFIX", settings.state_prefix)):
        if shared_bucket and prefix and settings.input_prefix.startswith(prefix):
            mistakes.append(
                f"INPUT_PREFIX {settings.input_prefix!r} lies inside {name} {prefix!r} of the same bucket: "
                "every recording would be taken for an output and left alone"
            )
    elsewhere = settings.output_region != settings.region and not _region(settings.output_region)
    if shared_bucket and elsewhere:
        mistakes.append(
            f"OUTPUT_REGION is {settings.output_region}, but the output bucket is an input bucket, in {settings.region}"
        )
    if settings.output_prefix.startswith(settings.state_prefix):
        mistakes.append(
            f"OUTPUT_PREFIX {settings.output_prefix!r} lies inside STATE_PREFIX {settings.state_prefix!r}"
        )
    return mistakes
