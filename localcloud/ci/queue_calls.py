"""The calls on services and queues: /asrbucket, /ai_bucket, /asrqueue."""

from __future__ import annotations

from starlette.responses import Response

from localcloud.ci.answers import bucket_node, page_head, queue_node
from localcloud.ci.errors import CiProblem, invalid
from localcloud.ci.queue_settings import settings_of
from localcloud.ci.requests import names, page, request_body
from localcloud.ci.service import Ci
from localcloud.cos.buckets import Bucket
from localcloud.http.request import Request
from localcloud.http.response import xml_response
from localcloud.xml import node


async def open_bucket(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """POST /asrbucket. A body is let through unread: seeds send one whose name is not the bucket's."""
    await asked.body(64 * 1024)
    enabled = ci.queues.enable("asr", bucket.name, bucket.region)
    return xml_response(
        node("Response", node("RequestId", asked.request_id), bucket_node("AsrBucket", enabled))
    )


async def close_bucket(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """DELETE /asrbucket. The real answer's form is unconfirmed; this one tells the bucket's name."""
    ci.queues.disable("asr", bucket.name)
    return xml_response(
        node("Response", node("RequestId", asked.request_id), node("BucketName", bucket.name))
    )


async def list_buckets(ci: Ci, asked: Request) -> Response:
    """GET /asrbucket and GET /ai_bucket on the service's host."""
    service, list_name = ("asr", "AsrBucketList") if asked.path == "/asrbucket" else ("ai", "AiBucketList")
    regions = names(asked, "regions") or [asked.target.region]
    exact, prefix = names(asked, "bucketNames"), asked.parameters.get("bucketName", "")
    page_number, page_size = page(asked)
    found = [
        enabled
        for enabled in ci.queues.enabled(service)
        if (enabled.region in regions or "All" in regions)
        and (not exact or enabled.bucket in exact)
        and enabled.bucket.startswith(prefix)
    ]
    shown = found[(page_number - 1) * page_size :][:page_size]
    return xml_response(
        node(
            "Response",
            *page_head(asked.request_id, len(found), page_number, page_size),
            *(bucket_node(list_name, enabled) for enabled in shown),
        )
    )


async def list_queues(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """GET /asrqueue, and GET /queue as its alias."""
    wanted, state = names(asked, "queueIds"), asked.parameters.get("state", "") or "All"
    if state not in ("All", "Active", "Paused"):
        raise invalid("state is Active, Paused or All.")
    page_number, page_size = page(asked)
    own = ci.queues.shown(bucket.name)
    found = [
        queue for queue in own if (not wanted or queue.queue_id in wanted) and state in ("All", queue.state)
    ]
    unknown = sorted(set(wanted) - {queue.queue_id for queue in own})
    return xml_response(
        node(
            "Response",
            *page_head(asked.request_id, len(found), page_number, page_size),
            *(queue_node("QueueList", queue) for queue in found[(page_number - 1) * page_size :][:page_size]),
            node("NonExistPIDs", *(node("QueueID", queue_id) for queue_id in unknown)) if unknown else None,
        )
    )


async def update_queue(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """PUT /asrqueue/<id>."""
    queue_id = asked.path.split("/", 2)[2]
    if not any(queue.queue_id == queue_id for queue in ci.queues.shown(bucket.name)):
        raise CiProblem(400, "QueueNotFound", f"The bucket has no queue {queue_id}.")
    ci.set_queue(queue_id, settings_of(await request_body(asked)))
    return xml_response(
        node(
            "Response",
            node("RequestId", asked.request_id),
            queue_node("Queue", ci.queues.named(queue_id)),
        )
    )
