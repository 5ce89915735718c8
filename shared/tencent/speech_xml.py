"""CI's XML, written and read: the only place that knows its element names.

What may be absent, single or repeated always comes out as a tuple; the order of children never matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.tencent import xml
from shared.tencent.speech_values import (
    EnabledBucket,
    EnabledPage,
    FoundJobs,
    Job,
    JobPage,
    Notification,
    Queue,
    QueuePage,
    Recognised,
    SpeechJob,
)
from shared.tencent.xml import listed, mapping, number, text

TAG = "SpeechRecognition"


def submit_body(job: SpeechJob) -> bytes:
    """The body of POST /asr_jobs. Raises xml.NotXml when the key holds a control character."""
    speech: dict[str, str] = {
        "EngineModelType": job.engine,
        "ChannelNum": str(job.channels),
        "ResTextFormat": str(job.text_format),
        "ConvertNumMode": str(job.number_mode),
    }
    if job.speakers is not None:
        speech |= {"SpeakerDiarization": "1", "SpeakerNumber": str(job.speakers)}
    request: dict[str, Any] = {
        "Tag": TAG,
        "Input": {"Object": job.input_key},
        "Operation": {
            "SpeechRecognition": speech,
            "Output": {"Region": job.output_region, "Bucket": job.output_bucket, "Object": job.output_key},
            "UserData": job.user_data,
        },
    }
    optional = {"QueueId": job.queue_id, "CallBack": job.callback_url, "CallBackFormat": job.callback_format}
    request |= {name: value for name, value in optional.items() if value}
    return xml.write({"Request": request})


def queue_body(queue: Queue) -> bytes:
    """The body of PUT /asrqueue/<id>: a full replacement, so it names all that should stay."""
    told = queue.notification
    notify = {"Url": told.url, "State": told.state, "Type": told.type, "Event": told.event}
    if told.format:
        notify["ResultFormat"] = told.format
    return xml.write({
        "Request": {
            "QueueId": queue.queue_id,
            "Name": queue.name,
            "State": queue.state,
            "NotifyConfig": notify,
        }
    })  # fmt: skip


def found_jobs(response: Mapping[str, Any]) -> FoundJobs:
    """The answer of GET /asr_jobs/<ids>. Unknown ids are no error; they may come as one text or several."""
    unknown = [
        part.strip() for item in listed(response.get("NonExistJobIds")) for part in text(item).split(",")
    ]
    return FoundJobs(_jobs(response), tuple(filter(None, unknown)))


def job_page(response: Mapping[str, Any]) -> JobPage:
    """The answer of GET /asr_jobs. Whether the last page omits NextToken or sends 0 is not documented."""
    token = text(response.get("NextToken"))
    return JobPage(_jobs(response), "" if token == "0" else token)  # noqa: S105 - not a secret


def _jobs(response: Mapping[str, Any]) -> tuple[Job, ...]:
    return tuple(job_of(mapping(detail)) for detail in listed(response.get("JobsDetail")) if mapping(detail))


def job_of(detail: Mapping[str, Any]) -> Job:
    """One JobsDetail element."""
    operation = mapping(detail.get("Operation"))
    speech = mapping(operation.get("SpeechRecognition"))
    output = mapping(operation.get("Output"))
    result = mapping(operation.get("SpeechRecognitionResult"))
    return Job(
        job_id=text(detail.get("JobId")),
        state=text(detail.get("State")),
        code=text(detail.get("Code")),
        message=text(detail.get("Message")),
        tag=text(detail.get("Tag")),
        queue_id=text(detail.get("QueueId")),
        created=_time(detail.get("CreationTime")),
        started=_time(detail.get("StartTime")),
        ended=_time(detail.get("EndTime")),
        input_key=text(mapping(detail.get("Input")).get("Object")),
        user_data=text(operation.get("UserData")),
        engine=text(speech.get("EngineModelType")),
        channels=number(speech.get("ChannelNum")) or 1,
        output_bucket=text(output.get("Bucket")),
        output_key=text(output.get("Object")),
        result=_result(result) if result else None,
    )


def _result(result: Mapping[str, Any]) -> Recognised:
    return Recognised(
        audio_seconds=text(result.get("AudioTime")),
        # One text in the documents, a list of texts in the Go SDK: both read.
        lines="\n".join(map(text, listed(result.get("Result")))),
        details=tuple(listed(result.get("ResultDetail"))),
        flash=tuple(map(mapping, listed(result.get("FlashResult")))),
        object_name=text(result.get("ObjectName")),
        detail_object_name=text(result.get("DetailObjectName")),
    )


def _time(value: Any) -> str:
    """A time not reached yet is the one character `-`."""
    return text(value) if text(value) != "-" else ""


def enabled_bucket(response: Mapping[str, Any]) -> EnabledBucket:
    """The answer of POST /asrbucket."""
    return _bucket(mapping(response.get("AsrBucket")))


def enabled_page(response: Mapping[str, Any], list_name: str) -> EnabledPage:
    """The answer of GET /asrbucket (AsrBucketList) or GET /ai_bucket (AiBucketList)."""
    buckets = tuple(_bucket(mapping(item)) for item in listed(response.get(list_name)) if mapping(item))
    return EnabledPage(
        total=number(response.get("TotalCount")),
        number=number(response.get("PageNumber")),
        size=number(response.get("PageSize")),
        buckets=buckets,
    )


def _bucket(item: Mapping[str, Any]) -> EnabledBucket:
    return EnabledBucket(
        bucket=text(item.get("BucketId")) or text(item.get("Name")),
        region=text(item.get("Region")),
        created=_time(item.get("CreateTime")),
    )


def queue_page(response: Mapping[str, Any]) -> QueuePage:
    """The answer of GET /asrqueue. Unknown ids come nested or plain, sources disagree."""
    unknown: list[str] = []
    for item in listed(response.get("NonExistPIDs")):
        nested = mapping(item).get("QueueID", mapping(item).get("QueueId"))
        unknown += [text(one) for one in (listed(nested) or [item]) if text(one)]
    queues = tuple(queue_of(mapping(item)) for item in listed(response.get("QueueList")) if mapping(item))
    return QueuePage(number(response.get("TotalCount")), queues, tuple(unknown))


def queue_of(item: Mapping[str, Any]) -> Queue:
    """One QueueList element, or the Queue of PUT /asrqueue. The id is spelt QueueId or QueueID."""
    told = mapping(item.get("NotifyConfig"))
    return Queue(
        queue_id=text(item.get("QueueId")) or text(item.get("QueueID")),
        name=text(item.get("Name")),
        state=text(item.get("State")),
        notification=Notification(
            state=text(told.get("State")) or "Off",
            url=text(told.get("Url")),
            type=text(told.get("Type")),
            event=text(told.get("Event")),
            format=text(told.get("ResultFormat")),
        ),
        max_size=number(item.get("MaxSize")),
        max_concurrent=number(item.get("MaxConcurrent")),
        bucket=text(item.get("BucketId")),
        category=text(item.get("Category")),
        created=_time(item.get("CreateTime")),
        updated=_time(item.get("UpdateTime")),
    )
