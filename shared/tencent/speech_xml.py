"""The XML of the CI speech API: request bodies from values, and values from responses.

Elements that may be absent, single or repeated become tuples; the order of children never matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.tencent import xml
from shared.tencent.speech_models import (
    TAG,
    BucketPage,
    Job,
    JobLookup,
    JobPage,
    JobRequest,
    JobResult,
    NotifyConfig,
    Queue,
    QueuePage,
    SpeechBucket,
)
from shared.tencent.xml import as_int, as_list, as_mapping, as_text

_TEXT_ELEMENTS = ("Result", "ResultDetail", "FlashResult")


def build_submit_body(job: JobRequest) -> bytes:
    """Build the body of POST /asr_jobs. Raises xml.XmlError if the key contains a control character."""
    operation: dict[str, Any] = {
        "SpeechRecognition": dict(job.speech) or _build_default_speech(job),
        "Output": {"Region": job.output_region, "Bucket": job.output_bucket, "Object": job.output_key},
        "UserData": job.user_data,
    }
    if job.template_id:
        del operation["SpeechRecognition"]
        operation["TemplateId"] = job.template_id
    if job.job_level:
        operation["JobLevel"] = str(job.job_level)
    request: dict[str, Any] = {
        "Tag": TAG,
        "Input": {"Object": job.input_key},
        "Operation": operation,
    }
    optional = {"QueueId": job.queue_id, "CallBack": job.callback_url, "CallBackFormat": job.callback_format}
    request |= {name: value for name, value in optional.items() if value}
    return xml.serialize({"Request": request})


def _build_default_speech(job: JobRequest) -> dict[str, str]:
    """Build the members without options. Sources disagree on the service's defaults, so each value is sent."""
    return {
        "EngineModelType": job.engine,
        "ChannelNum": str(job.channels),
        "ResTextFormat": "2",
        "ConvertNumMode": "1",
    }


def build_queue_body(queue: Queue) -> bytes:
    """Build the body of PUT /asrqueue/<id>. It replaces the queue's settings, so it holds all of them."""
    config = queue.notification
    notify = {"Url": config.url, "State": config.state, "Type": config.type, "Event": config.event}
    if config.format:
        notify["ResultFormat"] = config.format
    return xml.serialize({
        "Request": {
            "QueueId": queue.queue_id,
            "Name": queue.name,
            "State": queue.state,
            "NotifyConfig": notify,
        }
    })  # fmt: skip


def parse_jobs(response: Mapping[str, Any]) -> JobLookup:
    """Parse the response of GET /asr_jobs/<ids>. Unknown ids are no error; they come as one text or as several."""
    unknown = [
        part.strip() for item in as_list(response.get("NonExistJobIds")) for part in as_text(item).split(",")
    ]
    return JobLookup(_parse_job_list(response), tuple(filter(None, unknown)))


def parse_job_page(response: Mapping[str, Any]) -> JobPage:
    """Parse the response of GET /asr_jobs. Whether the last page omits NextToken or sends 0 is not documented."""
    token = as_text(response.get("NextToken"))
    return JobPage(_parse_job_list(response), "" if token == "0" else token)  # noqa: S105 - not a secret


def _parse_job_list(response: Mapping[str, Any]) -> tuple[Job, ...]:
    return tuple(
        parse_job(as_mapping(detail)) for detail in as_list(response.get("JobsDetail")) if as_mapping(detail)
    )


def parse_job(detail: Mapping[str, Any]) -> Job:
    """Parse one JobsDetail element."""
    operation = as_mapping(detail.get("Operation"))
    speech = as_mapping(operation.get("SpeechRecognition"))
    output = as_mapping(operation.get("Output"))
    result = as_mapping(operation.get("SpeechRecognitionResult"))
    return Job(
        job_id=as_text(detail.get("JobId")),
        state=as_text(detail.get("State")),
        code=as_text(detail.get("Code")),
        message=as_text(detail.get("Message")),
        tag=as_text(detail.get("Tag")),
        queue_id=as_text(detail.get("QueueId")),
        created=_parse_time(detail.get("CreationTime")),
        started=_parse_time(detail.get("StartTime")),
        ended=_parse_time(detail.get("EndTime")),
        input_key=as_text(as_mapping(detail.get("Input")).get("Object")),
        user_data=as_text(operation.get("UserData")),
        engine=as_text(speech.get("EngineModelType")),
        channels=as_int(speech.get("ChannelNum")) or 1,
        output_bucket=as_text(output.get("Bucket")),
        output_key=as_text(output.get("Object")),
        result=_parse_result(result) if result else None,
    )


def _parse_result(result: Mapping[str, Any]) -> JobResult:
    return JobResult(
        audio_seconds=as_text(result.get("AudioTime")),
        # One text in the documents, a list of texts in the Go SDK: both are accepted.
        lines="\n".join(map(as_text, as_list(result.get("Result")))),
        details=tuple(as_list(result.get("ResultDetail"))),
        flash=tuple(map(as_mapping, as_list(result.get("FlashResult")))),
        object_name=as_text(result.get("ObjectName")),
        detail_object_name=as_text(result.get("DetailObjectName")),
        has_text=any(name in result for name in _TEXT_ELEMENTS),
    )


def _parse_time(value: Any) -> str:
    """Return the time's text; CI writes `-` for a time that is not reached yet."""
    return as_text(value) if as_text(value) != "-" else ""


def parse_bucket(response: Mapping[str, Any]) -> SpeechBucket:
    """Parse the response of POST /asrbucket."""
    return _parse_bucket_item(as_mapping(response.get("AsrBucket")))


def parse_bucket_page(response: Mapping[str, Any], list_name: str) -> BucketPage:
    """Parse the response of GET /asrbucket (AsrBucketList) or GET /ai_bucket (AiBucketList)."""
    items = map(as_mapping, as_list(response.get(list_name)))
    return BucketPage(
        total=as_int(response.get("TotalCount")),
        number=as_int(response.get("PageNumber")),
        size=as_int(response.get("PageSize")),
        buckets=tuple(_parse_bucket_item(item) for item in items if item),
    )


def _parse_bucket_item(item: Mapping[str, Any]) -> SpeechBucket:
    return SpeechBucket(
        bucket=as_text(item.get("BucketId")) or as_text(item.get("Name")),
        region=as_text(item.get("Region")),
        created=_parse_time(item.get("CreateTime")),
    )


def parse_queue_page(response: Mapping[str, Any]) -> QueuePage:
    """Parse the response of GET /asrqueue. Sources disagree whether unknown ids come nested or plain."""
    unknown: list[str] = []
    for item in as_list(response.get("NonExistPIDs")):
        nested = as_mapping(item).get("QueueID", as_mapping(item).get("QueueId"))
        unknown += [as_text(queue_id) for queue_id in (as_list(nested) or [item]) if as_text(queue_id)]
    items = map(as_mapping, as_list(response.get("QueueList")))
    return QueuePage(
        total=as_int(response.get("TotalCount")),
        queues=tuple(parse_queue(item) for item in items if item),
        unknown=tuple(unknown),
    )


def parse_queue(item: Mapping[str, Any]) -> Queue:
    """Parse one QueueList element, or the Queue of PUT /asrqueue. The id is spelt QueueId or QueueID."""
    config = as_mapping(item.get("NotifyConfig"))
    return Queue(
        queue_id=as_text(item.get("QueueId")) or as_text(item.get("QueueID")),
        name=as_text(item.get("Name")),
        state=as_text(item.get("State")),
        notification=NotifyConfig(
            state=as_text(config.get("State")) or "Off",
            url=as_text(config.get("Url")),
            type=as_text(config.get("Type")),
            event=as_text(config.get("Event")),
            format=as_text(config.get("ResultFormat")),
        ),
        max_size=as_int(item.get("MaxSize")),
        max_concurrent=as_int(item.get("MaxConcurrent")),
        bucket=as_text(item.get("BucketId")),
        category=as_text(item.get("Category")),
        created=_parse_time(item.get("CreateTime")),
        updated=_parse_time(item.get("UpdateTime")),
    )
