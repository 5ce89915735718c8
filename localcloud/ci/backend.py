"""What CI does, apart from HTTP: services and queues, checking submissions and settings, running jobs, notifying."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote, urlsplit

from localcloud.ci.exceptions import CiError, invalid_argument
from localcloud.ci.models import (
    CI_OFF,
    CI_ON,
    DEFAULT_MAX_CONCURRENT,
    DEFAULT_MAX_SIZE,
    OPEN_STATES,
    TAG,
    HotWordStore,
    HotWordTable,
    Job,
    JobSpec,
    JobStore,
    NotifyConfig,
    Output,
    Queue,
    QueueStore,
    RecognitionParams,
    Template,
    TemplateStore,
)
from localcloud.ci.notifier import Notifier
from localcloud.ci.worker import QueueWorker
from localcloud.cos.backend import CosBackend
from localcloud.cos.models import Bucket
from localcloud.faults.service_faults import Faults
from localcloud.http.hosts import ServiceName, parse_host
from localcloud.speech.models import Progress, Recogniser
from localcloud.store import Store
from localcloud.xml import Node

_USER_DATA = re.compile(r"[\x20-\x7e]{0,1024}")  # D-SUBMIT: printable ASCII, at most 1024
_TEMPLATE_NAME = re.compile(r"[\w*-]{1,64}")  # D-TPL: Chinese, letters, digits, _ - *
_QUEUE_NAME = re.compile(r"[\w*-]{1,128}")  # D-QPUT: letters, digits, Chinese, _ - *
_MAX_URL_LENGTH = 100  # D-QPUT-OLD; the current page names no limit
# Of the speech product behind CI (CreateAsrVocab, CreateRecTask); CI's own are not documented.
_MAX_HOT_WORDS, _MAX_HOT_WORD_LENGTH = 128, 30
_HOT_WORD_WEIGHTS = frozenset({*(str(weight) for weight in range(1, 12)), "100"})
TABLE_ELEMENT = "HotVocabularyTableId"
_NOTIFY_EVENTS = frozenset({"taskfinish", "workflowfinish", "transcodingfinish"})

_ENGINE_NAME = re.compile(r"(8k|16k)_[A-Za-z][A-Za-z_-]*")
_TWO_CHANNEL_ENGINES = ("8k_zh", "8k_en")
_FLASH_FORMATS = ("wav", "pcm", "ogg-opus", "speex", "silk", "mp3", "m4a", "aac")
# Name: allowed values, default. D-TPL; defaults as the current submit sample echoes them.
_ALLOWED_VALUES: dict[str, tuple[frozenset[str], str]] = {
    "ChannelNum": (frozenset("12"), "1"),
    "ConvertNumMode": (frozenset("013"), "0"),
    "FilterDirty": (frozenset("012"), "0"),
    "FilterModal": (frozenset("012"), "0"),
    "FilterPunc": (frozenset("012"), "0"),
    "ResTextFormat": (frozenset("0123"), "0"),
    "SpeakerDiarization": (frozenset("01"), "0"),
    "SpeakerNumber": (frozenset(str(number) for number in range(11)), "0"),
    "OutputFileType": (frozenset({"txt", "srt"}), "txt"),
    "FlashAsr": (frozenset({"true", "false"}), ""),
    "Format": (frozenset(_FLASH_FORMATS), ""),
    "FirstChannelOnly": (frozenset("01"), ""),
    "WordInfo": (frozenset("012"), ""),
    "SentenceMaxLength": (frozenset({"0", *(str(number) for number in range(6, 41))}), ""),
}


@dataclass(frozen=True, slots=True)
class CiOptions:
    """Options of the command line; times in seconds.

    `job_delay_s` is how long a job takes at least, `settle_s` how long a new queue stays invisible. `is_bound`: whether
    buckets are bound to CI until someone unbinds them.
    """

    job_delay_s: float = 0.0
    max_size: int = DEFAULT_MAX_SIZE
    max_concurrent: int = DEFAULT_MAX_CONCURRENT
    settle_s: float = 0.0
    is_bound: bool = True


class CiRole(Protocol):
    """The role that CI reads recordings and writes results with; see CAM."""

    def exists(self) -> bool:
        """Whether the account has the role, and it trusts CI."""

    def can_read(self, region: str, bucket: str, key: str) -> bool:
        """Whether the policies of the role allow to read an object."""


class CiBackend:
    """The speech service of one account."""

    def __init__(
        self,
        store: Store,
        cos: CosBackend,
        recogniser: Recogniser,
        notifier: Notifier,
        options: CiOptions,
        faults: Faults,
        role: CiRole,
    ) -> None:
        """Connect the parts."""
        self.cos = cos
        self.faults = faults.jobs
        self.answers = faults.job_answers
        self.switches = faults.switches
        self.queues = QueueStore(
            store,
            options.max_size,
            options.max_concurrent,
            options.settle_s,
            CI_ON if options.is_bound else CI_OFF,
        )
        self.jobs = JobStore(store)
        self.templates = TemplateStore(store)
        self.hot_words = HotWordStore(store)
        self.submissions = SubmissionValidator(cos, self.queues, self.jobs, self.templates, role)
        self.notifier = notifier
        self._recogniser = recogniser
        self._worker = QueueWorker(
            store=store,
            cos=cos,
            jobs=self.jobs,
            queues=self.queues,
            recogniser=recogniser,
            on_finished=self._on_finished,
            delay_s=options.job_delay_s,
            faults=faults.jobs,
        )

    def _on_finished(self, job: Job) -> None:
        self.notifier.enqueue(job, self.queues.require(job.spec.queue_id))

    @property
    def progress(self) -> Mapping[str, Progress]:
        """How far the running jobs are, by job id."""
        return self._worker.progress

    async def start(self) -> None:
        """Start the recogniser, then the open jobs and the notifications that are due."""
        await self._recogniser.start()
        await self.notifier.start()
        await self._worker.start()

    async def close(self) -> None:
        """Stop everything; open jobs and notifications are continued at the next start."""
        await self._worker.close()
        await self.notifier.close()
        await self._recogniser.close()

    def submit(self, spec: JobSpec) -> Job:
        """Put a job into its queue, and start it if the queue has room."""
        queue = self.queues.require(spec.queue_id)
        job = self.jobs.add(spec, "Pause" if queue.state == "Paused" else "Submitted")
        self._worker.schedule(spec.queue_id)
        return job

    def is_notified(self, job_id: str) -> bool:
        """Whether a job has ended and its notification has been tried once, or it has none."""
        return self.jobs.require(job_id).state not in OPEN_STATES and not self.notifier.is_pending(job_id)

    def update_queue(self, queue_id: str, settings: QueueSettings) -> None:
        """Replace a queue's settings; a queue that becomes Active starts its waiting jobs."""
        self.queues.update(queue_id, settings.name, settings.state, settings.notify)
        self.jobs.set_paused(queue_id, paused=settings.state == "Paused")
        self._worker.schedule(queue_id)

    def put_template(self, bucket: str, body: Node, template_id: str = "") -> Template:
        """Create a template, or replace the one with this id.

        Raises InvalidArgument, TemplateNotFound, TemplateNameDuplicate.
        """
        previous = self.templates.get(bucket, template_id) if template_id else None
        if template_id and previous is None:
            raise CiError(400, "TemplateNotFound", f"The bucket has no template {template_id}.")
        name, params = body.value("Name"), body.find("SpeechRecognition")
        if body.value("Tag") != TAG or params is None or not _TEMPLATE_NAME.fullmatch(name):
            raise invalid_argument(
                f"A template has the Tag {TAG}, a Name of at most 64 characters, and SpeechRecognition."
            )
        table_id = params.value(TABLE_ELEMENT)
        if table_id and all(table.table_id != table_id for table in self.hot_words.all(bucket)):
            # How the real service answers this is unconfirmed.
            raise invalid_argument(f"The bucket has no hot-word table {table_id}.")
        templates = self.templates.all(bucket)
        if any(other.name == name and other.template_id != template_id for other in templates):
            raise CiError(400, "TemplateNameDuplicate", f"The bucket has a template named {name} already.")
        now = time.time()
        template = Template(
            template_id or f"t{secrets.token_hex(16)}",
            bucket,
            name,
            parse_recognition_params(params),
            previous.created_s if previous else now,
            now,
        )
        self.templates.save(template)
        return template

    def put_hot_words(self, bucket: str, body: Node, *, replace: bool) -> HotWordTable:
        """Create a hot-word table, or replace the one that the body names. Raises InvalidArgument, ResourceNotFound."""
        table_id = body.value("TableId") if replace else secrets.token_hex(16)
        now = time.time()
        created_s = self.hot_words.require(bucket, table_id).created_s if replace else now
        table = HotWordTable(
            table_id,
            body.value("TableName"),
            body.value("TableDescription"),
            tuple(
                (item.value("Vocabulary"), item.value("Weight"))
                for item in body.find_all("VocabularyWeights")
            ),
            body.value("VocabularyWeightStr"),
            created_s,
            now,
        )
        _check_hot_words(table)
        self.hot_words.save(bucket, table)
        return table

    def is_idle(self) -> bool:
        """Whether no job will run and no notification is due. Jobs of a paused queue do not count."""
        running = [state for state in OPEN_STATES if state != "Pause"]
        return self.jobs.count(running) == 0 and self.notifier.count() == 0


def _check_hot_words(table: HotWordTable) -> None:
    """Check the limits of the speech product behind CI; the codes of CI are unconfirmed. Raises InvalidArgument."""
    words = table.list_words()
    if not table.name or not words:
        raise invalid_argument(
            "A hot-word table has a TableName and VocabularyWeights or VocabularyWeightStr."
        )
    if len(words) > _MAX_HOT_WORDS:
        raise invalid_argument(f"A hot-word table has at most {_MAX_HOT_WORDS} words.")
    for word, weight in words:
        if not 1 <= len(word) <= _MAX_HOT_WORD_LENGTH:
            raise invalid_argument(f"A hot word has 1 to {_MAX_HOT_WORD_LENGTH} characters.")
        if weight not in _HOT_WORD_WEIGHTS:
            raise invalid_argument("The weight of a hot word is 1 to 11, or 100.")


@dataclass(frozen=True, slots=True)
class SubmissionValidator:
    """Checks a submitted job against the stored objects, queues, jobs and templates, as the service does."""

    cos: CosBackend
    queues: QueueStore
    jobs: JobStore
    templates: TemplateStore
    role: CiRole

    def parse(self, bucket: Bucket, body: Node) -> JobSpec:
        """Parse a submit body. Raises CiError."""
        if body.value("Tag") != TAG:
            raise invalid_argument(f"This stand-in knows jobs with the Tag {TAG} only.")
        if not self.role.exists():
            raise CiError(400, "CIRoleNotExist", "The account has no CI_QCSRole that trusts ci.qcloud.com.")
        queue = self._find_queue(bucket, body.value("QueueId"))
        operation = body.find("Operation")
        if operation is None:
            raise invalid_argument("Operation is required.")
        template_id, template_name, params = self._find_params(bucket, operation)
        output = Output(*(operation.value(f"Output/{name}") for name in ("Region", "Bucket", "Object")))
        if not (output.region and output.bucket and output.key):
            raise invalid_argument("Output needs Region, Bucket and Object.")
        input_bucket, input_object, input_key, input_url = self._find_input(bucket, body)
        if not self.role.can_read(bucket.region, input_bucket, input_key):
            # 460/42867: no right on the input, or the role was not granted its policies.
            raise CiError(400, "ResourceAccessDenied", "CI_QCSRole has no policy to read the recording.")
        user_data = operation.value("UserData")
        if not _USER_DATA.fullmatch(user_data):
            raise invalid_argument("UserData holds at most 1024 printable ASCII characters.")
        level = operation.value("JobLevel", "0")
        if level not in ("0", "1", "2"):
            raise invalid_argument("JobLevel is 0, 1 or 2.")
        callback, callback_format = _parse_callback(body)
        return JobSpec(
            bucket=bucket.name,
            region=bucket.region,
            queue_id=queue.queue_id,
            input_bucket=input_bucket,
            input_object=input_object,
            input_key=input_key,
            input_url=input_url,
            speech=params,
            output=output,
            template_id=template_id,
            template_name=template_name,
            user_data=user_data,
            level=int(level),
            callback=callback,
            callback_format=callback_format,
        )

    def _find_queue(self, bucket: Bucket, queue_id: str) -> Queue:
        queues = self.queues.list_for_bucket(bucket.name)
        if not queues:
            # The media service's code is MediaBucketUnBinded; the speech service's own is unconfirmed.
            raise CiError(400, "AsrBucketUnBinded", "Speech recognition is not enabled for this bucket.")
        queue = queues[0]
        if queue_id and queue_id != queue.queue_id:
            raise CiError(400, "QueueNotFound", f"The bucket has no queue {queue_id}.")
        if self.jobs.count(OPEN_STATES, queue.queue_id) >= queue.max_size:
            # The real code is unconfirmed; a client should handle any 4xx here.
            raise CiError(400, "QueueFull", f"The queue holds {queue.max_size} open jobs already.")
        return queue

    def _find_params(self, bucket: Bucket, operation: Node) -> tuple[str, str, RecognitionParams]:
        """Return template id, template name and parameters; a template wins over the job's own ones (D-SUBMIT)."""
        template_id = operation.value("TemplateId")
        if template_id:
            template = self.templates.get(bucket.name, template_id)
            if template is None:
                raise CiError(400, "TemplateNotFound", f"The bucket has no template {template_id}.")
            return template_id, template.name, template.speech
        params = operation.find("SpeechRecognition")
        if params is None:
            raise invalid_argument("SpeechRecognition with EngineModelType, or TemplateId, is required.")
        return "", "", parse_recognition_params(params)

    def _find_input(self, bucket: Bucket, body: Node) -> tuple[str, str, str, str]:
        """Return bucket, name, key and URL of the recording; Object wins over Url (D-SUBMIT)."""
        input_object = body.find("Input/Object")
        if input_object is not None and input_object.text:
            source, name, url = bucket, input_object.text, ""
        elif body.value("Input/Url"):
            url = body.value("Input/Url")
            source, name = self._parse_object_url(url)
        else:
            raise invalid_argument("Input needs Object or Url.")
        # A request may write a key with a leading slash (D-SUBMIT samples), and a key may begin with one.
        for key in (name, name.removeprefix("/")):
            if self.cos.objects.get_current(source.name, key) is not None:
                return source.name, name, key, url
        # CI error codes 460/42867: 400, not 404.
        raise CiError(400, "ResourceNotFound", f"The object {name} does not exist.")

    def _parse_object_url(self, url: str) -> tuple[Bucket, str]:
        """Return bucket and key of a URL. It must be in this cloud: the stand-in fetches nothing from other hosts."""
        parts = urlsplit(url)
        place = parse_host(parts.netloc)
        bucket = self.cos.buckets.get(place.bucket) if place.service is ServiceName.COS_BUCKET else None
        if bucket is None:
            raise CiError(400, "ResourceDownloadFailed", "The stand-in reads URLs of its own buckets only.")
        return bucket, unquote(parts.path.removeprefix("/"))


def _parse_callback(body: Node) -> tuple[str, str]:
    callback, callback_format = body.value("CallBack"), body.value("CallBackFormat")
    if callback and callback != "no" and not callback.startswith(("http://", "https://")):
        raise invalid_argument("CallBack is an http or https URL, or the word no.")
    if callback_format not in ("", "XML", "JSON"):
        raise invalid_argument("CallBackFormat is XML or JSON.")
    if body.value("CallBackType", "Url") != "Url":
        raise invalid_argument("The stand-in delivers to URLs only: CallBackType is Url.")
    return callback, callback_format


def parse_recognition_params(element: Node) -> RecognitionParams:
    """Parse and check a SpeechRecognition element, and fill in the defaults. Raises InvalidArgument."""
    values = {child.name: child.text.strip() for child in element.children if child.text.strip()}
    engine = values.get("EngineModelType", "")
    if not engine:
        raise invalid_argument("EngineModelType is required.")
    if not _ENGINE_NAME.fullmatch(engine):
        raise invalid_argument(f"EngineModelType {engine} is unknown.")
    for name, (allowed, default) in _ALLOWED_VALUES.items():
        if name in values and values[name] not in allowed:
            raise invalid_argument(f"{name} is one of {', '.join(sorted(allowed))}.")
        if default:
            values.setdefault(name, default)
    params = RecognitionParams(tuple(values.items()))
    _check_combinations(params)
    return params


def _check_combinations(params: RecognitionParams) -> None:
    if params.channels > 1 and params.engine not in _TWO_CHANNEL_ENGINES:
        # D-TPL: only 8k_zh takes two channels. 8k_en is accepted for demos without Chinese.
        raise invalid_argument("ChannelNum 2 needs the engine 8k_zh; every 16k engine is mono only.")
    if params.is_flash and not params.value("Format"):
        raise invalid_argument("Format is required when FlashAsr is true.")
    if params.value("OutputFileType") == "srt" and (params.is_flash or params.text_format == 3):  # noqa: PLR2004 - ResTextFormat 3
        raise invalid_argument(
            "OutputFileType srt is allowed neither with FlashAsr nor with ResTextFormat 3."
        )


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """The name, state and notification that PUT /asrqueue/<id> gives a queue."""

    name: str
    state: str
    notify: NotifyConfig


def parse_queue_settings(body: Node) -> QueueSettings:
    """Parse and check a queue update. It replaces all settings; a QueueId in it is ignored. Raises InvalidArgument."""
    name, state, config = body.value("Name"), body.value("State"), body.find("NotifyConfig")
    if not _QUEUE_NAME.fullmatch(name):
        raise invalid_argument("Name is required: at most 128 letters, digits, Chinese characters and _ - *.")
    if state not in ("Active", "Paused"):
        raise invalid_argument("State is required: Active or Paused.")
    if config is None:
        raise invalid_argument("NotifyConfig is required.")
    notify = NotifyConfig(
        config.value("State", "Off"),
        config.value("Url"),
        config.value("Event"),
        config.value("Type"),
        config.value("ResultFormat", "XML"),
    )
    _check_notify_config(notify)
    return QueueSettings(name, state, notify)


def _check_notify_config(notify: NotifyConfig) -> None:
    if notify.state not in ("On", "Off"):
        raise invalid_argument("NotifyConfig.State is On or Off.")
    if notify.result_format not in ("XML", "JSON"):
        raise invalid_argument("NotifyConfig.ResultFormat is XML or JSON.")
    if len(notify.url) > _MAX_URL_LENGTH:
        raise invalid_argument(f"NotifyConfig.Url has at most {_MAX_URL_LENGTH} characters.")
    if notify.state == "Off":
        return
    if notify.type not in ("Url", "TDMQ"):
        raise invalid_argument("NotifyConfig.Type is Url or TDMQ.")
    if notify.type == "TDMQ":
        raise invalid_argument("The stand-in delivers to URLs only: NotifyConfig.Type is Url.")
    if not notify.url.startswith(("http://", "https://")):
        raise invalid_argument("NotifyConfig.Url is an http or https address.")
    events = {event.strip().lower() for event in notify.event.split(",")}
    if not notify.event or not events <= _NOTIFY_EVENTS:
        raise invalid_argument("NotifyConfig.Event is TaskFinish, WorkflowFinish or both with a comma.")
