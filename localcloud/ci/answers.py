"""The documents CI answers with, as XML and, for notifications, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable

from localcloud.ci.models import TAG, EnabledBucket, Job, Notify, Queue, timestamp
from localcloud.ci.results import result_node
from localcloud.xml import Node, document, node

# Nodes that may stand more than once, and are arrays in JSON even when they do not.
_REPEATED = frozenset({"JobsDetail", "ResultDetail", "Words", "FlashResult", "sentence_list", "word_list"})


def page_head(request_id: str, total: int, page_number: int, page_size: int) -> tuple[Node, ...]:
    """What every paged list begins with."""
    return (
        node("RequestId", request_id),
        node("TotalCount", total),
        node("PageNumber", page_number),
        node("PageSize", page_size),
    )


def bucket_node(name: str, enabled: EnabledBucket) -> Node:
    """An AsrBucket, AsrBucketList or AiBucketList element."""
    return node(
        name,
        node("Name", enabled.bucket),
        node("CreateTime", timestamp(enabled.created_s)),
        node("Region", enabled.region),
        node("AliasBucketId"),
        node("BucketId", enabled.bucket),
    )


def queue_node(name: str, queue: Queue) -> Node:
    """A Queue or QueueList element."""
    return node(
        name,
        node("QueueId", queue.queue_id),
        node("Name", queue.name),
        node("State", queue.state),
        _notify_node(queue.notify),
        node("MaxSize", queue.max_size),
        node("MaxConcurrent", queue.max_concurrent),
        node("CreateTime", timestamp(queue.created_s)),
        node("UpdateTime", timestamp(queue.updated_s)),
        node("BucketId", queue.bucket),
        node("Category", "Speeching"),
    )


def _notify_node(notify: Notify) -> Node:
    return node(
        "NotifyConfig",
        node("Url", notify.url),
        node("Event", notify.event),
        node("Type", notify.type),
        node("State", notify.state),
        # A queue that was never told of a format does not show one (seeds).
        node("ResultFormat", notify.result_format) if notify.url else None,
    )


def job_node(job: Job, *, in_notification: bool = False) -> Node:
    """A JobsDetail element. A notification's Operation leaves the SpeechRecognition parameters out (D-CB)."""
    order = job.order
    return node(
        "JobsDetail",
        node("Code", job.code),
        node("CreationTime", timestamp(job.created_s)),
        node("EndTime", timestamp(job.ended_s)),
        node(
            "Input",
            node("BucketId", order.input_bucket),
            node("Object", order.input_object),
            node("Region", order.region),
            node("Url", order.input_url) if order.input_url else None,
        ),
        node("JobId", job.job_id),
        node("Message", job.message),
        node(
            "Operation",
            node("JobLevel", order.level),
            node(
                "Output",
                node("Bucket", order.output.bucket),
                node("Object", order.output.object),
                node("Region", order.output.region),
            ),
            None
            if in_notification
            else node(
                "SpeechRecognition", *(node(name, value) for name, value in sorted(order.speech.parameters))
            ),
            result_node(job),
            node("TemplateId", order.template_id) if order.template_id else None,
            node("TemplateName", order.template_name) if order.template_id else None,
            node("UserData", order.user_data) if order.user_data else None,
        ),
        node("QueueId", order.queue_id),
        node("StartTime", timestamp(job.started_s)),
        node("State", job.state),
        node("Tag", TAG),
    )


def notification(job: Job, form: str) -> bytes:
    """The body that tells of a job's end, `XML` or `JSON`."""
    root = node("Response", node("EventName", "TaskFinish"), job_node(job, in_notification=True))
    if form == "JSON":
        return json.dumps(_object(root.children), ensure_ascii=False).encode()
    return document(root)


def details_json(details: Iterable[Node]) -> bytes:
    """The `.detail` object: an array of the sentences. Its real form is unconfirmed."""
    return json.dumps([_object(detail.children) for detail in details], ensure_ascii=False).encode()


def _object(children: tuple[Node, ...]) -> dict[str, object]:
    """Children as a JSON object: texts stay texts, as in the published samples; JobLevel is a number there."""
    made: dict[str, object] = {}
    for child in children:
        value: object = _object(child.children) if child.children else child.text
        if child.name in _REPEATED:
            array = made.setdefault(child.name, [])
            assert isinstance(array, list)
            if child.children:
                array.append(value)
        else:
            made[child.name] = int(child.text) if child.name == "JobLevel" else value
    return made
