"""What CI stores: enabled buckets, queues, jobs, speech templates and hot-word tables; and the stores that keep them.

The states of a job:

    Submitted <-> Pause          its queue is Active or Paused
    Submitted  -> Running        the queue worker starts it
    Running    -> Success, Failed
    Running    -> Submitted      the stand-in was restarted while it ran; Pause if its queue is Paused then
    Submitted, Pause -> Cancel   PUT /jobs/<id>?cancel
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone

from localcloud.ci.exceptions import CiError
from localcloud.speech.models import Recognition
from localcloud.store import Store

TAG = "SpeechRecognition"
_BEIJING = timezone(timedelta(hours=8))
_NO_TIME = "-"

# The figures in every published sample (seeds: GET /asrqueue).
DEFAULT_MAX_SIZE = 10_000
DEFAULT_MAX_CONCURRENT = 10

OPEN_STATES = ("Submitted", "Pause", "Running")
JOB_STATES = ("Submitted", "Running", "Success", "Failed", "Pause", "Cancel")


def format_timestamp(time_s: float | None) -> str:
    """Format Unix seconds as `2020-08-20T17:43:01+0800`; None, a time not reached yet, as one hyphen (seeds)."""
    return (
        _NO_TIME
        if time_s is None
        else datetime.fromtimestamp(time_s, _BEIJING).strftime("%Y-%m-%dT%H:%M:%S%z")
    )


def parse_timestamp(text: str) -> float:
    """Parse a timestamp to Unix seconds. Raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp()


# CIStatus of a bucket: cos-go-sdk-v5 ci.go, CIServiceResult, and the public COS agent skill, which names all three.
CI_ON, CI_OFF, CI_UNBINDING = "on", "off", "unbinding"
CI_STATUSES = (CI_ON, CI_OFF, CI_UNBINDING)


@dataclass(frozen=True, slots=True)
class EnabledBucket:
    """A bucket for which a service is enabled; time in Unix seconds."""

    bucket: str
    region: str
    created_s: float


@dataclass(frozen=True, slots=True)
class NotifyConfig:
    """A queue's NotifyConfig, as the request sent it."""

    state: str = "Off"
    url: str = ""
    event: str = ""
    type: str = ""
    result_format: str = "XML"

    @property
    def is_enabled(self) -> bool:
        """Whether the end of a job is posted to the URL."""
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
    notify: NotifyConfig
    created_s: float
    updated_s: float
    max_size: int
    max_concurrent: int


@dataclass(frozen=True, slots=True)
class Output:
    """The object that a job writes its text to, as the request names it."""

    region: str
    bucket: str
    object: str

    @property
    def key(self) -> str:
        """The object key: a request may write it with one leading slash."""
        return self.object.removeprefix("/")


@dataclass(frozen=True, slots=True)
class RecognitionParams:
    """The SpeechRecognition parameters with the defaults filled in, by their names in the API."""

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
class JobSpec:
    """What a submitted job has to do.

    `input_object` is the recording as the request names it, `input_key` the object key that it resolved to; `input_url`
    is empty unless the request named the recording by URL. `submitter` is the function that signed the request, else
    the secret id of its key.
    """

    bucket: str
    region: str
    queue_id: str
    input_bucket: str
    input_object: str
    input_key: str
    input_url: str
    speech: RecognitionParams
    output: Output
    template_id: str
    template_name: str
    user_data: str
    level: int
    callback: str
    callback_format: str
    submitter: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `code` is Success from the start and has a meaning only in state Failed. Times in Unix seconds."""

    number: int
    job_id: str
    state: str
    code: str
    message: str
    created_s: float
    started_s: float | None
    ended_s: float | None
    spec: JobSpec
    recognition: Recognition | None


@dataclass(frozen=True, slots=True)
class Template:
    """A speech template: a named set of SpeechRecognition parameters. Times in Unix seconds."""

    template_id: str
    bucket: str
    name: str
    speech: RecognitionParams
    created_s: float
    updated_s: float


@dataclass(frozen=True, slots=True)
class HotWordTable:
    """A hot-word table: words with their weights, both as text. The recognisers do not use it."""

    table_id: str
    name: str
    description: str
    words: tuple[tuple[str, str], ...]
    words_text: str
    created_s: float = 0.0
    updated_s: float = 0.0

    def list_words(self) -> tuple[tuple[str, str], ...]:
        """List the words with their weights, also those of the text form `a|10,b|5`."""
        from_text = (item.rpartition("|") for item in self.words_text.split(",") if item.strip())
        return (*self.words, *((word.strip(), weight.strip()) for word, _, weight in from_text))


_QUEUES_SCHEMA = """
CREATE TABLE IF NOT EXISTS services (
    service TEXT NOT NULL, bucket TEXT NOT NULL, region TEXT NOT NULL, created_s REAL NOT NULL,
    PRIMARY KEY (service, bucket)
);
CREATE TABLE IF NOT EXISTS queues (
    queue_id TEXT PRIMARY KEY, bucket TEXT NOT NULL UNIQUE, region TEXT NOT NULL, name TEXT NOT NULL,
    state TEXT NOT NULL, notify TEXT NOT NULL, created_s REAL NOT NULL, updated_s REAL NOT NULL,
    max_size INTEGER NOT NULL, max_concurrent INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS ci_buckets (bucket TEXT PRIMARY KEY, status TEXT NOT NULL);
"""


class QueueStore:
    """Enabled services and their queues; survives restarts."""

    def __init__(
        self,
        store: Store,
        max_size: int = DEFAULT_MAX_SIZE,
        max_concurrent: int = DEFAULT_MAX_CONCURRENT,
        settle_s: float = 0.0,
        default_status: str = CI_ON,
    ) -> None:
        """Create the tables. A new queue takes jobs at once; `list_visible` returns it `settle_s` later.

        `default_status` is the CIStatus of buckets that no one has bound or unbound; a data folder keeps its first one.
        """
        self._settle_s = settle_s
        self._default_status = store.get_or_create_setting("ci_default_status", lambda: default_status)
        self._db = store.db
        self._limits = (max_size, max_concurrent)
        store.create(_QUEUES_SCHEMA)

    def get_status(self, bucket: str) -> str:
        """Get the CIStatus of a bucket."""
        row = self._db.execute("SELECT status FROM ci_buckets WHERE bucket = ?", (bucket,)).fetchone()
        return str(row[0]) if row else self._default_status

    def set_status(self, bucket: str, status: str) -> None:
        """Set the CIStatus of a bucket."""
        self._db.execute("INSERT OR REPLACE INTO ci_buckets VALUES (?, ?)", (bucket, status))

    def enable(self, service: str, bucket: str, region: str) -> EnabledBucket:
        """Enable `asr` or `ai`; doing it again changes nothing. It binds the bucket to CI (D-OPEN).

        The first `asr` creates the bucket's queue.
        """
        now = time.time()
        self.set_status(bucket, CI_ON)
        self._db.execute("INSERT OR IGNORE INTO services VALUES (?, ?, ?, ?)", (service, bucket, region, now))
        if service == "asr":
            self._db.execute(
                "INSERT OR IGNORE INTO queues VALUES (?, ?, ?, 'queue-speech-1', 'Active', ?, ?, ?, ?, ?)",
                (
                    f"p{secrets.token_hex(16)}",
                    bucket,
                    region,
                    json.dumps(asdict(NotifyConfig())),
                    now,
                    now,
                    *self._limits,
                ),
            )
        return self.list_enabled(service, bucket=bucket)[0]

    def disable(self, service: str, bucket: str) -> None:
        """Disable a service; the queue keeps its settings until the service is enabled again."""
        self._db.execute("DELETE FROM services WHERE service = ? AND bucket = ?", (service, bucket))

    def list_enabled(self, service: str, *, bucket: str = "") -> list[EnabledBucket]:
        """List the buckets that have a service, by name; with `bucket` only that one."""
        rows = self._db.execute(
            "SELECT bucket, region, created_s FROM services WHERE service = ? AND ? IN ('', bucket) ORDER BY bucket",
            (service, bucket),
        )
        return [EnabledBucket(*row) for row in rows]

    def _select(self, where: str, values: Sequence[object]) -> list[Queue]:
        columns = (
            "queue_id, bucket, region, name, state, notify, created_s, updated_s, max_size, max_concurrent"
        )
        rows = self._db.execute(f"SELECT {columns} FROM queues WHERE {where}", values)  # noqa: S608 - constants
        return [
            Queue(queue_id, bucket, region, name, state, NotifyConfig(**json.loads(notify)), *rest)
            for queue_id, bucket, region, name, state, notify, *rest in rows
        ]

    def list_for_bucket(self, bucket: str) -> list[Queue]:
        """List the queues of a bucket: one if it is bound to CI and its speech service is enabled, else none."""
        if self.get_status(bucket) != CI_ON:
            return []
        return self._select(
            "bucket = ? AND EXISTS (SELECT 1 FROM services WHERE service = 'asr' AND services.bucket = queues.bucket)",
            (bucket,),
        )

    def list_visible(self, bucket: str) -> list[Queue]:
        """List those queues of a bucket that the calls on queues show already."""
        latest_s = time.time() - self._settle_s
        return [queue for queue in self.list_for_bucket(bucket) if queue.created_s <= latest_s]

    def require(self, queue_id: str) -> Queue:
        """Get a queue that exists."""
        return self._select("queue_id = ?", (queue_id,))[0]

    def all(self) -> list[Queue]:
        """List every queue."""
        return self._select("1", ())

    def update(self, queue_id: str, name: str, state: str, notify: NotifyConfig) -> Queue:
        """Replace name, state and notification."""
        self._db.execute(
            "UPDATE queues SET name = ?, state = ?, notify = ?, updated_s = ? WHERE queue_id = ?",
            (name, state, json.dumps(asdict(notify)), time.time(), queue_id),
        )
        return self.require(queue_id)


# Column `asked` holds the JobSpec as JSON; its name stays, so that existing data folders can still be read.
_JOBS_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT UNIQUE NOT NULL,
    bucket TEXT NOT NULL, queue_id TEXT NOT NULL, level INTEGER NOT NULL,
    state TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL,
    created_s REAL NOT NULL, started_s REAL, ended_s REAL, asked TEXT NOT NULL, recognition TEXT
);
CREATE INDEX IF NOT EXISTS jobs_by_queue ON jobs (queue_id, state);
CREATE INDEX IF NOT EXISTS jobs_by_bucket ON jobs (bucket, number);
CREATE TABLE IF NOT EXISTS forgotten_jobs (number INTEGER PRIMARY KEY);
"""
_REMEMBERED = "number NOT IN (SELECT number FROM forgotten_jobs)"
_JOB_COLUMNS = "number, job_id, state, code, message, created_s, started_s, ended_s, asked, recognition"


def _load_spec(text: str) -> JobSpec:
    fields = json.loads(text)
    params = RecognitionParams(tuple((name, value) for name, value in fields.pop("speech")["parameters"]))
    return JobSpec(speech=params, output=Output(**fields.pop("output")), **fields)


class JobStore:
    """The jobs of all queues; survives restarts."""

    def __init__(self, store: Store) -> None:
        self._db = store.db
        store.create(_JOBS_SCHEMA)

    def add(self, spec: JobSpec, state: str) -> Job:
        """Insert a job. Its id is `s` and 32 hex digits (seeds)."""
        job_id = f"s{secrets.token_hex(16)}"
        self._db.execute(
            "INSERT INTO jobs (job_id, bucket, queue_id, level, state, code, message, created_s, asked)"
            " VALUES (?, ?, ?, ?, ?, 'Success', '', ?, ?)",
            (
                job_id,
                spec.bucket,
                spec.queue_id,
                spec.level,
                state,
                time.time(),
                json.dumps(asdict(spec)),
            ),
        )
        return self.require(job_id)

    def _select(self, where: str, values: Sequence[object]) -> list[Job]:
        rows = self._db.execute(f"SELECT {_JOB_COLUMNS} FROM jobs WHERE {where}", values)  # noqa: S608 - constants
        return [
            Job(
                number,
                job_id,
                state,
                code,
                message,
                created_s,
                started_s,
                ended_s,
                _load_spec(spec),
                Recognition.from_dict(json.loads(recognition)) if recognition else None,
            )
            for number, job_id, state, code, message, created_s, started_s, ended_s, spec, recognition in rows
        ]

    def _select_first(self, where: str, values: Sequence[object]) -> Job | None:
        return next(iter(self._select(where, values)), None)

    def get(self, bucket: str, job_id: str) -> Job | None:
        """Get a job of that bucket, unless CI has forgotten it."""
        return self._select_first(f"job_id = ? AND bucket = ? AND {_REMEMBERED}", (job_id, bucket))

    def find(self, job_id: str) -> Job | None:
        """Get a job of any bucket."""
        return self._select_first("job_id = ?", (job_id,))

    def find_other(self, job: Job) -> Job | None:
        """Find another job of the same bucket: the newest open one, else the newest."""
        return self._select_first(
            "bucket = ? AND number != ? ORDER BY state IN ('Submitted', 'Running') DESC, number DESC LIMIT 1",
            (job.spec.bucket, job.number),
        )

    def require(self, job_id: str) -> Job:
        """Get a job that exists."""
        return self._select("job_id = ?", (job_id,))[0]

    def all(self) -> list[Job]:
        """List every job of every bucket, oldest first."""
        return self._select("1 ORDER BY number", ())

    def list_page(
        self,
        bucket: str,
        *,
        queue_id: str,
        states: Sequence[str],
        created: tuple[float, float],
        input_object: str,
        after: int | None,
        newest_first: bool,
        limit: int,
    ) -> list[Job]:
        """List up to `limit` jobs of a bucket that follow job number `after`, filtered.

        `created` are the first and last Unix second in which a job may have been submitted.
        """
        direction, comparison = ("DESC", "<") if newest_first else ("ASC", ">")
        placeholders = ", ".join("?" * len(states))
        where = (
            f"bucket = ? AND (? = '' OR queue_id = ?) AND state IN ({placeholders})"
            " AND CAST(created_s AS INTEGER) BETWEEN ? AND ?"
            " AND (? = '' OR ltrim(json_extract(asked, '$.input_object'), '/') = ?)"
            f" AND {_REMEMBERED}"
            f" AND (? IS NULL OR number {comparison} ?) ORDER BY number {direction} LIMIT ?"
        )
        filters = (bucket, queue_id, queue_id, *states, *created, input_object, input_object)
        return self._select(where, (*filters, after, after, limit))

    def next_waiting(self, queue_id: str) -> Job | None:
        """Get the job to run next: of those with the highest JobLevel the oldest."""
        return self._select_first(
            "queue_id = ? AND state = 'Submitted' ORDER BY level DESC, number LIMIT 1", (queue_id,)
        )

    def count(self, states: Sequence[str], queue_id: str = "") -> int:
        """Count the jobs in one of these states, in one queue or in all."""
        placeholders = ", ".join("?" * len(states))
        # Two statements, so that the index on the queue is used: after a long run most jobs have ended.
        in_queue, values = ("queue_id = ? AND", (queue_id, *states)) if queue_id else ("", tuple(states))
        row = self._db.execute(
            f"SELECT COUNT(*) FROM jobs WHERE {in_queue} state IN ({placeholders})",  # noqa: S608 - placeholders
            values,
        ).fetchone()
        return int(row[0])

    def start(self, job: Job) -> None:
        """Submitted -> Running."""
        self._db.execute(
            "UPDATE jobs SET state = 'Running', started_s = ? WHERE number = ?", (time.time(), job.number)
        )

    def finish(self, job: Job, state: str, code: str, message: str, recognition: Recognition | None) -> None:
        """Running -> Success or Failed."""
        text = json.dumps(asdict(recognition), ensure_ascii=False) if recognition else None
        self._db.execute(
            "UPDATE jobs SET state = ?, code = ?, message = ?, ended_s = ?, recognition = ? WHERE number = ?",
            (state, code, message, time.time(), text, job.number),
        )

    def cancel(self, job: Job) -> bool:
        """Submitted or Pause -> Cancel; return False when the job runs already or has ended."""
        updated = self._db.execute(
            "UPDATE jobs SET state = 'Cancel', ended_s = ? WHERE number = ? AND state IN ('Submitted', 'Pause')",
            (time.time(), job.number),
        )
        return updated.rowcount == 1

    def set_paused(self, queue_id: str, *, paused: bool) -> None:
        """Submitted <-> Pause for the waiting jobs of a queue whose state changed (D-QPUT, the current page)."""
        old, new = ("Submitted", "Pause") if paused else ("Pause", "Submitted")
        self._db.execute("UPDATE jobs SET state = ? WHERE queue_id = ? AND state = ?", (new, queue_id, old))

    def forget_ended(self, input_object: str = "") -> None:
        """Forget the jobs that have ended, of one recording or of all: the service keeps them for a limited time."""
        self._db.execute(
            "INSERT OR IGNORE INTO forgotten_jobs SELECT number FROM jobs"
            " WHERE state IN ('Success', 'Failed', 'Cancel')"
            " AND (? = '' OR ltrim(json_extract(asked, '$.input_object'), '/') = ltrim(?, '/'))",
            (input_object, input_object),
        )

    def list_forgotten(self) -> set[int]:
        """List the numbers of the jobs that are forgotten."""
        return {number for (number,) in self._db.execute("SELECT number FROM forgotten_jobs")}

    def requeue_running(self) -> None:
        """Running -> Submitted for all, or Pause in a paused queue: after a restart an interrupted job starts again."""
        self._db.execute(
            "UPDATE jobs SET started_s = NULL, state = CASE WHEN queue_id IN"
            " (SELECT queue_id FROM queues WHERE state = 'Paused') THEN 'Pause' ELSE 'Submitted' END"
            " WHERE state = 'Running'"
        )


_TEMPLATES_SCHEMA = """
CREATE TABLE IF NOT EXISTS templates (
    template_id TEXT PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, speech TEXT NOT NULL,
    created_s REAL NOT NULL, updated_s REAL NOT NULL
)
"""


class TemplateStore:
    """The templates of all buckets; survives restarts."""

    def __init__(self, store: Store) -> None:
        self._db = store.db
        store.create(_TEMPLATES_SCHEMA)

    def save(self, template: Template) -> None:
        """Insert a template, or replace the one with its id."""
        self._db.execute(
            "INSERT OR REPLACE INTO templates VALUES (?, ?, ?, ?, ?, ?)",
            (
                template.template_id,
                template.bucket,
                template.name,
                json.dumps(template.speech.parameters),
                template.created_s,
                template.updated_s,
            ),
        )

    def all(self, bucket: str) -> list[Template]:
        """List a bucket's templates, oldest first."""
        rows = self._db.execute(
            "SELECT template_id, name, speech, created_s, updated_s FROM templates WHERE bucket = ? ORDER BY created_s",
            (bucket,),
        )
        return [
            Template(
                template_id,
                bucket,
                name,
                RecognitionParams(tuple(map(tuple, json.loads(speech)))),
                created_s,
                updated_s,
            )
            for template_id, name, speech, created_s, updated_s in rows
        ]

    def get(self, bucket: str, template_id: str) -> Template | None:
        """Get one template of a bucket."""
        return next((template for template in self.all(bucket) if template.template_id == template_id), None)

    def delete(self, bucket: str, template_id: str) -> bool:
        """Delete a template; return False when there is none with that id."""
        deleted = self._db.execute(
            "DELETE FROM templates WHERE bucket = ? AND template_id = ?", (bucket, template_id)
        )
        return deleted.rowcount == 1


_HOT_WORDS_SCHEMA = """
CREATE TABLE IF NOT EXISTS hot_word_tables (
    table_id TEXT PRIMARY KEY, bucket TEXT NOT NULL, contents TEXT NOT NULL
)
"""


class HotWordStore:
    """The hot-word tables of all buckets; survives restarts."""

    def __init__(self, store: Store) -> None:
        self._db = store.db
        store.create(_HOT_WORDS_SCHEMA)

    def save(self, bucket: str, table: HotWordTable) -> None:
        """Insert a table, or replace the one with its id."""
        self._db.execute(
            "INSERT OR REPLACE INTO hot_word_tables VALUES (?, ?, ?)",
            (table.table_id, bucket, json.dumps(asdict(table))),
        )

    def all(self, bucket: str) -> list[HotWordTable]:
        """List a bucket's tables."""
        rows = self._db.execute(
            "SELECT contents FROM hot_word_tables WHERE bucket = ? ORDER BY rowid", (bucket,)
        )
        return [
            HotWordTable(words=tuple((word, weight) for word, weight in fields.pop("words")), **fields)
            for fields in (json.loads(row[0]) for row in rows)
        ]

    def require(self, bucket: str, table_id: str) -> HotWordTable:
        """Get one table. Raises ResourceNotFound."""
        for table in self.all(bucket):
            if table.table_id == table_id:
                return table
        raise CiError(400, "ResourceNotFound", f"The bucket has no hot-word table {table_id}.")

    def delete(self, bucket: str, table_id: str) -> None:
        """Delete one table. Raises ResourceNotFound."""
        self.require(bucket, table_id)
        self._db.execute("DELETE FROM hot_word_tables WHERE table_id = ?", (table_id,))
