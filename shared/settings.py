"""The functions' settings: read from the environment into one frozen value, with every mistake reported at once."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.errors import SettingsError
from shared.messages import message, with_chinese
from shared.options.check import SETTINGS_SOURCE, check_options
from shared.options.choose import settings_choices
from shared.options.combine import combine
from shared.options.model import DEFAULTS, FORMATS, InvalidOption, is_valid_engine
from shared.options.parse import Choice, parse_values
from shared.tencent.hosts import is_region

if TYPE_CHECKING:  # most deployments have no targets: a cold start does not load what reads them
    from shared.notices.models import Target

DEFAULT_FORMATS = DEFAULTS.formats
# Audio: what the speech product behind CI takes (1093/35799) and CI's fast recognition (460/46232). Video: the
# containers of media processing (266/49254), without the segments and play lists of HLS (ts, m3u8): one film has
# hundreds.
DEFAULT_EXTENSIONS = (
    *("aac", "amr", "flac", "m4a", "mp3", "oga", "ogg", "opus", "pcm", "silk", "speex", "spx", "wav", "wma"),
    *("3gp", "asf", "avi", "f4v", "flv", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mxf", "webm", "wmv"),
)
ALL_EXTENSIONS = "*"
EVERYTHING = "all"  # the value of SINCE for: every recording, however old
UNSET = "undefined"  # what Tencent's CLI writes for a variable that is not set
NOTICES_PREFIX = "NOTIFY_"  # of every variable about notices
JOBS_PATHS = ("asr_jobs", "jobs")
OUTPUT_NAMES = ("full", "short")
MIN_TOKEN_LENGTH = 16
MAX_PREFIX_BYTES = 100
MAX_SWEEP_AFTER_S = 86_400
MAX_FUTURE_S = 86_400.0  # of SINCE; clocks differ by less
# What input methods and documents write instead of ASCII: the full-width forms, and punctuation.
FULL_WIDTH = frozenset(map(chr, range(0xFF01, 0xFF5F))) | frozenset("，、；：。“”‘’„「」『』《》〈〉【】　—")
ASCII_QUOTES = ('"', "'", "`")
ALL_QUOTES = (*ASCII_QUOTES, *"“”‘’„「」『』＂＇«»")

_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{0,48}-[0-9]{5,12}")
_TOKEN = re.compile(r"[0-9A-Za-z._~-]+")
_EXTENSION = re.compile(r"[0-9A-Za-z_-]{1,16}")
_QUEUE = re.compile(r"[0-9A-Za-z_-]{1,64}")
_OPTION_SETTINGS = ("engine", "formats")  # options with a setting of their own


@dataclass(frozen=True, slots=True)
class Settings:
    """The functions' settings. The docstring below each field is its entry in `docs/settings.md`.

    Prefixes are used exactly as the operator wrote them.
    """

    input_buckets: tuple[str, ...]
    """Everyone. The buckets with the recordings: full names (`name-appid`), separated by commas.

    Scribe transcribes the recordings in these buckets. Events of other buckets are refused. A bucket that is named
    twice counts once. If you replace the only bucket by another one and keep OUTPUT_BUCKET, change OUTPUT_PREFIX too: a
    recording of the same name would overwrite the transcripts of the former bucket.
    Example: INPUT_BUCKETS=recordings-1250000000,calls-1250000000
    Wrong: INPUT_BUCKETS=recordings
    Wrong: INPUT_BUCKETS=recordings-1250000000，calls-1250000000
    """
    callback_tokens: tuple[str, ...] = field(repr=False)
    """Everyone. The secret at the end of the address that Cloud Infinite notifies: `<function URL>/<token>`.

    If it is empty, `scribe deploy` creates one. A token has at least 16 characters: letters, digits and `-._~`. To
    change it, list several tokens, separated by commas: all of them are accepted, and the speech queue uses the first.
    Example: CALLBACK_TOKEN=an-example-to-replace
    Wrong: CALLBACK_TOKEN=too-short
    """
    region: str
    """Everyone. The region of the input buckets and of the functions.

    COS triggers reach functions of the same region only. If it is empty, a function uses `TENCENTCLOUD_REGION`, which
    SCF sets.
    Example: REGION=ap-guangzhou
    Wrong: REGION=Guangzhou
    """
    input_prefix: str = ""
    """Some. Only recordings with a key that begins with it are transcribed.

    It does not start with a slash, has at most 100 bytes, and no quotes around it. It may not be inside OUTPUT_PREFIX
    or STATE_PREFIX of the same bucket.
    Empty: every object in the input buckets
    Example: INPUT_PREFIX=incoming/
    Wrong: INPUT_PREFIX=/incoming/
    Wrong: INPUT_PREFIX=transcripts/incoming/
    """
    input_extensions: tuple[str, ...] = DEFAULT_EXTENSIONS
    """Some. Which objects are recordings, by the extension of their name: without dots, upper or lower case.

    `*` takes everything. An object without an extension is a recording if its Content-Type is `audio/...` or
    `video/...`. Anything else costs nothing: no job, no error object, one log line.
    Empty: the audio and video formats that Cloud Infinite reads
    Example: INPUT_EXTENSIONS=mp3,wav
    Wrong: INPUT_EXTENSIONS=.mp3
    """
    since_s: float = 0.0
    """Everyone. The audit ignores recordings that were uploaded before this time (ISO 8601, with the time zone).

    `scribe deploy` sets it to the time of the first deployment, so that recordings that are already in the bucket cost
    nothing. `all` transcribes them too; `scribe deploy` says how many there are and asks. A recording that is uploaded
    now is always transcribed. A time in the future is refused: the audit would not find a recording that was missed.
    Empty: every recording; `scribe deploy` fills it in
    Example: SINCE=2026-11-01T00:00:00+08:00
    Wrong: SINCE=yesterday
    Wrong: SINCE=2026-11-01
    Wrong: SINCE=2926-11-01T00:00:00+08:00
    """
    output_bucket: str = ""
    """Everyone. The bucket for transcripts and receipts, by its full name. Best without versioning.

    If several input buckets share it, the transcripts of each are in a folder with the name of the input bucket, e.g.
    `transcripts/calls-1250000000/a.mp3.txt`: names never meet, whatever the order of the list. The receipts in it
    record what is paid. When you change this setting, also from empty to a bucket or back, `scribe deploy` offers to
    copy the receipts along (`--copy-receipts`), best while nothing is being transcribed; without them every recording
    is transcribed and billed again, so it asks first.
    Empty: the bucket of the recording
    Example: OUTPUT_BUCKET=transcripts-1250000000
    Wrong: OUTPUT_BUCKET=transcripts
    """
    output_region: str = ""
    """Some. The region of the output bucket, if it differs from REGION.

    If the output bucket is also an input bucket, another region is refused.
    Empty: the region of the functions
    Example: OUTPUT_BUCKET=transcripts-1250000000 OUTPUT_REGION=ap-shanghai
    Wrong: OUTPUT_REGION=ap-shanghai
    """
    output_prefix: str = "transcripts/"
    """Some. The folder of the transcripts: `calls/a.mp3` becomes `transcripts/calls/a.mp3.txt`. It ends with a slash.

    It may not be inside STATE_PREFIX, nor STATE_PREFIX inside it: the name of a recording must not select a receipt.
    Example: OUTPUT_PREFIX=text/
    Wrong: OUTPUT_PREFIX=text
    Wrong: OUTPUT_PREFIX=.scribe/text/
    """
    state_prefix: str = ".scribe/"
    """Some. The folder of the receipts and raw results, in the output bucket. It ends with a slash.

    The receipts record what is paid. When you change this setting, `scribe deploy` offers to copy them along, as for
    OUTPUT_BUCKET.
    Example: STATE_PREFIX=.state/
    Wrong: STATE_PREFIX=.state
    Wrong: STATE_PREFIX=/state/
    Wrong: STATE_PREFIX=transcripts/state/
    """
    formats: tuple[str, ...] = DEFAULT_FORMATS
    """Some. The files that are written for each recording, separated by commas; [their content](transcript.md).

    Example: FORMATS=txt,srt
    Wrong: FORMATS=txt,pdf
    """
    output_names: str = "full"
    """Some. `full`: `calls/a.mp3` becomes `transcripts/calls/a.mp3.srt`. `short`: `transcripts/calls/a.srt`.

    With `short`, the first recording of a name without its extension gets it and keeps it; any other, such as
    `calls/a.m4a`, gets a name of its own, so that no recording overwrites the files of another:
    [the rules](transcript.md#names). A change is for what is uploaded from then on.
    Example: OUTPUT_NAMES=short
    Wrong: OUTPUT_NAMES=brief
    """
    engine: str = "16k_zh"
    """Everyone. The speech engine, which has a language and a sample rate: `EngineModelType` in Tencent's documents.

    `16k_zh` is Mandarin, `16k_en` English, `8k_zh` Mandarin telephone calls; [a table](options.md#engines) has all that
    Tencent's documents name. The options of a recording override it, such as the metadata `x-cos-meta-scribe-engine`.
    Only the form of the name is checked here; an engine that Cloud Infinite does not know leads to an error object.
    Example: ENGINE=16k_en
    Wrong: ENGINE="16k zh"
    """
    options: Mapping[str, Choice] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    """Some. [Options](options.md) of every recording, as `name=value` with `;` between them.

    Rules, the metadata of a recording and its sidecar override them. The engine has the setting ENGINE, and the formats
    FORMATS. Options that do not go together, or not with ENGINE, are refused.
    Empty: the defaults of the options
    Example: OPTIONS="speakers=auto; fillers=none"
    Wrong: OPTIONS="speaker=auto"
    Wrong: OPTIONS="channels=2"
    Wrong: OPTIONS="engine=16k_en"
    """
    queue_id: str = ""
    """Some. The id of the speech queue that jobs are submitted to.

    Empty: the speech queue of the input bucket
    Example: QUEUE_ID=p0b1c2d3e4f5061728394a5b6c7d8e9f0
    Wrong: QUEUE_ID="queue speech 1"
    """
    sweep_after_s: int = 300
    """Some. Seconds. The sweep and the audit skip receipts and recordings that are younger.

    A smaller value repairs a lost event or notification sooner. 0 is for tests: all open work is due, also work in
    progress. It is at most a day.
    Example: SWEEP_AFTER=900
    Wrong: SWEEP_AFTER=5m
    Wrong: SWEEP_AFTER=90000
    """
    give_up_after_s: int = 86_400
    """Some. Seconds. A recording that has no result after this time gets an error object; a later result replaces it.

    0 means never: it stays open until there is a result. Any other value is longer than SWEEP_AFTER, because a
    recording must not fail when it is looked at for the first time.
    Example: GIVE_UP_AFTER=172800
    Example: GIVE_UP_AFTER=0
    Wrong: GIVE_UP_AFTER="2 days"
    Wrong: GIVE_UP_AFTER=300
    """
    max_in_flight: int = 0
    """Some. The maximum number of unfinished jobs in the queue when the sweep submits deferred recordings.

    0 is the same as empty.
    Empty: the limits of the queue
    Example: MAX_IN_FLIGHT=50
    Wrong: MAX_IN_FLIGHT=many
    """
    monthly_minutes: int = 0
    """Some. The budget: the minutes of speech that are recognised in a month, which begins at 0:00 in UTC+8.

    At 80 % the default targets of [notices](notices.md) get a warning. What has no room any more waits, with an error
    object that says so, and is submitted in a later month, or within six hours after the number was raised. The length
    of a recording is estimated until its result is there, so the budget is passed by what the estimates were too short
    of: [what it costs](cost.md#a-budget). Buckets with one OUTPUT_BUCKET and STATE_PREFIX have one budget.
    Empty: no budget
    Example: MONTHLY_MINUTES=6000
    Wrong: MONTHLY_MINUTES=0
    Wrong: MONTHLY_MINUTES="100 hours"
    """
    jobs_path: str = "asr_jobs"
    """Some. The path of Cloud Infinite's job API: `asr_jobs`, or the newer `jobs`.

    Example: JOBS_PATH=jobs
    Wrong: JOBS_PATH=tasks
    """
    callback_url: str = field(default="", repr=False)
    """Some. The address that Cloud Infinite notifies about each job, with the token: `<function URL>/<token>`.

    Set by `scribe deploy --callback job`. Each job carries it; the queue's own notification is then not used, and can
    belong to another program.
    Empty: the queue's notification
    Example: CALLBACK_URL=https://1250000000-abc.ap-guangzhou.tencentscf.com/an-example-to-replace
    Wrong: CALLBACK_URL=http://example.com/an-example-to-replace
    """
    cloud_endpoint: str = ""
    """Tests. A loopback address that receives every request instead of Tencent Cloud. It is never deployed.

    Empty: Tencent Cloud
    Example: CLOUD_ENDPOINT=http://127.0.0.1:9000
    Wrong: CLOUD_ENDPOINT=http://198.51.100.7:9000
    """
    targets: tuple[Target, ...] = ()
    # Where notices are sent: NOTIFY_*. shared/notices/targets.py has their texts, because it reads them.

    def has_recording_extension(self, key: str) -> bool | None:
        """Whether the key's extension is that of a recording; None if it has none, so that its Content-Type decides."""
        if ALL_EXTENSIONS in self.input_extensions:
            return True
        name = key.rpartition("/")[2]
        stem, dot, extension = name.rpartition(".")
        if not dot or not _EXTENSION.fullmatch(extension):
            return None  # `Call at 14.30 with Li` has none either
        return bool(stem) and extension.lower() in {each.lower() for each in self.input_extensions}

    @property
    def gives_up(self) -> bool:
        """Whether a recording without a result fails at some time: GIVE_UP_AFTER is not 0."""
        return self.give_up_after_s != 0

    @property
    def lease_s(self) -> float:
        """Return the lease of an attempt in seconds: longer than any upload function runs.

        With SWEEP_AFTER 0 (for tests) it is short: tests kill attempts and cannot wait minutes for the next one.
        """
        return 120.0 if self.sweep_after_s else 2.0

    def output_bucket_for(self, bucket: str) -> str:
        """Return the bucket for the transcripts and receipts of this input bucket's recordings."""
        return self.output_bucket or bucket


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Load the settings from an environment. Raises SettingsError with one message that names every mistake."""
    reader = _EnvironmentReader(environ)
    settings = Settings(
        input_buckets=reader.read_list("INPUT_BUCKETS", _check_bucket, required=True),
        callback_tokens=reader.read_list("CALLBACK_TOKEN", _check_token, required=True),
        region=reader.read_text(
            "REGION", _check_region, default=environ.get("TENCENTCLOUD_REGION", ""), required=True
        ),
        input_prefix=reader.read_text("INPUT_PREFIX", _check_prefix),
        input_extensions=reader.read_list(
            "INPUT_EXTENSIONS", _check_extension, default=",".join(DEFAULT_EXTENSIONS)
        ),
        since_s=reader.read_time("SINCE"),
        output_bucket=reader.read_text("OUTPUT_BUCKET", _check_bucket),
        output_region=reader.read_text("OUTPUT_REGION", _check_region),
        output_prefix=reader.read_text("OUTPUT_PREFIX", _check_folder, default="transcripts/"),
        state_prefix=reader.read_text("STATE_PREFIX", _check_folder, default=".scribe/"),
        formats=reader.read_list("FORMATS", _check_format, default=",".join(DEFAULT_FORMATS)),
        output_names=reader.read_text("OUTPUT_NAMES", _check_output_names, default="full"),
        engine=reader.read_text("ENGINE", _check_engine, default="16k_zh"),
        options=reader.read_options("OPTIONS"),
        queue_id=reader.read_text("QUEUE_ID", _check_queue),
        sweep_after_s=reader.read_int("SWEEP_AFTER", _check_sweep_after, default=300),
        give_up_after_s=reader.read_int("GIVE_UP_AFTER", _check_int, default=86_400),
        max_in_flight=reader.read_int("MAX_IN_FLIGHT", _check_int, default=0),
        monthly_minutes=reader.read_int("MONTHLY_MINUTES", _check_positive_int, default=0),
        jobs_path=reader.read_text("JOBS_PATH", _check_jobs_path, default="asr_jobs"),
        callback_url=reader.read_text("CALLBACK_URL", _check_callback_url),
        cloud_endpoint=reader.read_text("CLOUD_ENDPOINT", _check_loopback),
        targets=reader.read_targets(NOTICES_PREFIX),
    )
    reader.mistakes += _find_conflicts(settings)
    if reader.mistakes:
        raise SettingsError(reader.mistakes)
    return settings


def load_callback_tokens(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Load the valid tokens of CALLBACK_TOKEN and ignore the others. Raises nothing, whatever else is wrong.

    For the check of a public request, which comes before all settings are read and checked.
    """
    return tuple(token for token in _split_list(environ.get("CALLBACK_TOKEN", "")) if not _check_token(token))


def _split_list(value: str) -> list[str]:
    """Split a list at its commas, without blanks, empty parts and repetitions."""
    return list(dict.fromkeys(filter(None, (part.strip() for part in value.split(",")))))


class _EnvironmentReader:
    """Reads and checks variables and collects every mistake."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.mistakes: list[str] = []

    def read_text(
        self, name: str, check: Callable[[str], str], *, default: str = "", required: bool = False
    ) -> str:
        value = self.environ.get(name, "").strip() or default.strip()
        if not value:
            if required:
                self.mistakes.append(message("{name} is missing", name=name))
            return ""
        return self._check(name, value, check)

    def read_list(
        self, name: str, check: Callable[[str], str], *, default: str = "", required: bool = False
    ) -> tuple[str, ...]:
        raw = self.environ.get(name, "").strip() or default
        values = _split_list(raw)
        if not values and (required or raw):
            self.mistakes.append(
                message("{name} names nothing", name=name) if raw else message("{name} is missing", name=name)
            )
        return tuple(self._check(name, value, check) for value in values)

    def read_int(self, name: str, check: Callable[[str], str], *, default: int) -> int:
        value = self.read_text(name, check)
        return int(value) if value and not check(value) else default

    def read_time(self, name: str) -> float:
        """Return Unix seconds; 0 for everything, an empty value or a wrong one."""
        since = _parse_time(self.read_text(name, _check_since))
        return since.timestamp() if since else 0.0

    def read_options(self, name: str) -> Mapping[str, Choice]:
        """Read `name=value` pairs with `;` between them."""
        choices: dict[str, Choice] = {}
        text = self.read_text(name, _accept)
        for pair in filter(None, map(str.strip, text.split(";") if text != UNSET else ())):
            option, equals, value = (part.strip() for part in pair.partition("="))
            mistake = (
                _check_option_name(option, choices)
                if equals
                else message("has {pair}, which is not name=value", pair=repr(pair))
            )
            if not mistake:
                try:
                    choices |= parse_values(SETTINGS_SOURCE, {option: value}, is_operator=True)
                except InvalidOption as error:
                    reason = with_chinese(error.message, error.message_zh)
                    mistake = message("is wrong: {reason}", reason=reason)
            if mistake:
                self.mistakes.append(_join_mistake(name, mistake, pair))
        return MappingProxyType(choices)

    def read_targets(self, prefix: str) -> tuple[Target, ...]:
        """Read where notices are sent, from the variables that begin with `prefix`."""
        if not any(name.startswith(prefix) and value.strip() for name, value in self.environ.items()):
            return ()
        from shared.notices.targets import read_targets  # noqa: PLC0415 - see TYPE_CHECKING above

        targets, mistakes = read_targets(self.environ)
        self.mistakes += mistakes
        return targets

    def _check(self, name: str, value: str, check: Callable[[str], str]) -> str:
        """Check a value. Tencent's CLI writes `undefined` for an unset variable of serverless.yml."""
        mistake = check(value) if value != UNSET else message("was not set when the function was deployed")
        if mistake:
            self.mistakes.append(_join_mistake(name, mistake, value))
        return value


def _join_mistake(name: str, mistake: str, value: str) -> str:
    hint = _find_typing_hint(value)
    if hint:
        return message("{name} {mistake} ({hint})", name=name, mistake=mistake, hint=hint)
    return message("{name} {mistake}", name=name, mistake=mistake)


def _find_typing_hint(value: str) -> str:
    """Explain what an input method or a copied document puts into a value; "" if there is nothing of that kind."""
    full_width = next((character for character in value if character in FULL_WIDTH), "")
    if full_width:
        return message(
            "it has the full-width character {character}: type the ASCII one", character=full_width
        )
    if len(value) > 1 and (value[0] in ASCII_QUOTES or value[-1] in ASCII_QUOTES):
        return message("write it without quotes")
    return ""


def _check_bucket(value: str) -> str:
    if _BUCKET.fullmatch(value):
        return ""
    return message(
        "holds {value}, which is not a bucket's full name such as recordings-1250000000", value=repr(value)
    )


def _check_region(value: str) -> str:
    return (
        ""
        if is_region(value)
        else message("is {value}, not a region such as ap-guangzhou", value=repr(value))
    )


def _check_engine(value: str) -> str:
    if is_valid_engine(value):
        return ""
    return message("is {value}, not an engine such as 16k_zh or 16k_en", value=repr(value))


def _accept(_: str) -> str:
    return ""


def _check_option_name(name: str, choices: Mapping[str, Choice]) -> str:
    if name in _OPTION_SETTINGS:
        return message("has {name}: set {setting} instead", name=name, setting=name.upper())
    return message("has {name} twice", name=name) if name in choices else ""


def _check_queue(value: str) -> str:
    return "" if _QUEUE.fullmatch(value) else message("is {value}, not a queue's id", value=repr(value))


def _check_prefix(value: str) -> str:
    if not value.isprintable():
        return message("is {value}: it has a character that cannot be printed", value=repr(value))
    if value[:1] in ALL_QUOTES or value[-1:] in ALL_QUOTES:
        return message("is {value}: the quotes would be a part of the prefix", value=repr(value))
    if not {".", ".."}.isdisjoint(value.split("/")):
        return message("is {value}: a URL cannot have . or .. as the name of a folder", value=repr(value))
    if len(value.encode("utf-8", "replace")) > MAX_PREFIX_BYTES:
        return message(
            "has more than {limit} bytes: with a recording's name it would not fit into a key",
            limit=MAX_PREFIX_BYTES,
        )
    if value.startswith("/"):
        return message("is {value}: a prefix does not start with a slash", value=repr(value))
    return ""


def _check_folder(value: str) -> str:
    """Check a prefix that stands for a folder: `out` would also cover `outbound/`."""
    if not value.endswith("/"):
        return message(
            "is {value}: it names a folder, so it ends with a slash: {folder}",
            value=repr(value),
            folder=value + "/",
        )
    return _check_prefix(value)


def _check_extension(value: str) -> str:
    if value == ALL_EXTENSIONS or _EXTENSION.fullmatch(value):
        return ""
    return message("names {value}, which is not an extension such as mp3, without the dot", value=repr(value))


def _check_since(value: str) -> str:
    since = _parse_time(value)
    if since is not None and since.timestamp() > time.time() + MAX_FUTURE_S:
        return message(
            "is {value}, in the future: the audit would not find a recording that was missed",
            value=repr(value),
        )
    if value == EVERYTHING or since is not None:
        return ""
    return message(
        "is {value}, not {everything} and not a time with its time zone such as 2026-11-01T00:00:00+08:00",
        value=repr(value),
        everything=EVERYTHING,
    )


def _parse_time(value: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else None


def _check_callback_url(value: str) -> str:
    """Check an address with the token. The message never contains the value."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    is_encrypted = bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)))
    # A fragment is never sent, and `urlsplit` drops line breaks, which a sender may not.
    is_whole = value.isascii() and value.isprintable() and not {"?", "#", " "} & set(value)
    if is_encrypted and is_whole and parts.username is None:
        return ""
    return message("is not an address such as https://<function URL>/<token>")


def _check_format(value: str) -> str:
    if value in FORMATS:
        return ""
    return message("names {value}; the formats are {formats}", value=repr(value), formats=", ".join(FORMATS))


def _check_output_names(value: str) -> str:
    return "" if value in OUTPUT_NAMES else message("is {value}; it is full or short", value=repr(value))


def _check_jobs_path(value: str) -> str:
    return "" if value in JOBS_PATHS else message("is {value}; it is asr_jobs or jobs", value=repr(value))


def _check_int(value: str) -> str:
    if re.fullmatch(r"[0-9]{1,9}", value):
        return ""
    return message("is {value}, not a whole number", value=repr(value[:20]))


def _check_positive_int(value: str) -> str:
    return _check_int(value) or ("" if int(value) else message("is 0: leave it empty for none"))


def _check_sweep_after(value: str) -> str:
    if not _check_int(value) and int(value) > MAX_SWEEP_AFTER_S:
        return message(
            "is {value}, more than {limit}: the sweep would repair nothing for longer than a day",
            value=value,
            limit=MAX_SWEEP_AFTER_S,
        )
    return _check_int(value)


def _check_token(value: str) -> str:
    """Check a token. The message is logged, so it never contains the value."""
    if len(value) < MIN_TOKEN_LENGTH:
        return message(
            "holds a token of {length} characters; {limit} is the minimum",
            length=len(value),
            limit=MIN_TOKEN_LENGTH,
        )
    if not _TOKEN.fullmatch(value):
        return message("holds a token with characters that a URL would change; use letters, digits, - . _ ~")
    return ""


def _check_loopback(value: str) -> str:
    """Check for a loopback address, so that no credential can leave the machine.

    The message never contains the value.
    """
    mistake = message("is not a loopback address such as http://127.0.0.1:9000")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return mistake
    if parts.scheme != "http" or parts.path.strip("/") or parts.username is not None:
        return mistake
    if not value.isascii() or not value.isprintable() or {"?", "#", " "} & set(value):
        return mistake
    return "" if _is_loopback(host) else mistake


def _is_loopback(host: str) -> bool:
    import ipaddress  # noqa: PLC0415 - in the cloud there is no endpoint, and a cold start need not load it

    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _find_conflicts(settings: Settings) -> list[str]:
    """Find conflicts between settings: outputs that would count as recordings, or prefixes that exclude everything."""
    mistakes: list[str] = []
    shared_bucket = not settings.output_bucket or settings.output_bucket in settings.input_buckets
    for name, prefix in (
        ("OUTPUT_PREFIX", settings.output_prefix),
        ("STATE_PREFIX", settings.state_prefix),
    ):
        if shared_bucket and prefix and settings.input_prefix.startswith(prefix):
            mistakes.append(
                message(
                    "INPUT_PREFIX {input_prefix} is inside {name} {prefix} of the same bucket: every recording would "
                    "count as an output and be skipped",
                    input_prefix=repr(settings.input_prefix),
                    name=name,
                    prefix=repr(prefix),
                )
            )
    if settings.callback_url and settings.callback_url.rpartition("/")[2] not in settings.callback_tokens:
        mistakes.append(
            message(
                "CALLBACK_URL does not end with a token of CALLBACK_TOKEN: notifications would be refused"
            )
        )
    has_other_region = settings.output_region != settings.region and not _check_region(settings.output_region)
    if shared_bucket and has_other_region:
        mistakes.append(
            message(
                "OUTPUT_REGION is {output_region}, but the output bucket is an input bucket, in {region}",
                output_region=settings.output_region,
                region=settings.region,
            )
        )
    prefixes = {"output_prefix": repr(settings.output_prefix), "state_prefix": repr(settings.state_prefix)}
    if settings.output_prefix.startswith(settings.state_prefix):
        mistakes.append(
            message("OUTPUT_PREFIX {output_prefix} is inside STATE_PREFIX {state_prefix}", **prefixes)
        )
    elif settings.state_prefix.startswith(settings.output_prefix):
        mistakes.append(
            message(
                "STATE_PREFIX {state_prefix} is inside OUTPUT_PREFIX {output_prefix}: a recording's name could select "
                "a receipt",
                **prefixes,
            )
        )
    if is_valid_engine(settings.engine):
        mistakes += [
            message(
                "OPTIONS cannot be used: {reason}", reason=with_chinese(refusal.reason, refusal.reason_zh)
            )
            for refusal in check_options(combine(settings_choices(settings))).refusals
        ]
    if 0 < settings.give_up_after_s <= settings.sweep_after_s:
        mistakes.append(
            message(
                "GIVE_UP_AFTER {give_up_after} is not longer than SWEEP_AFTER {sweep_after}: a recording would fail "
                "when it is looked at for the first time; 0 means never",
                give_up_after=settings.give_up_after_s,
                sweep_after=settings.sweep_after_s,
            )
        )
    return mistakes
