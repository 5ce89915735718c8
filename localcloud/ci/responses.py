"""The calls of CI: /, /asrbucket, /ai_bucket, /asrqueue, /asr_jobs, /jobs, /template and /asrhotvocabtable."""

from __future__ import annotations

import re
from dataclasses import replace

from starlette.responses import Response

from localcloud.ci.backend import CiBackend, parse_queue_settings
from localcloud.ci.exceptions import CiError, invalid_argument
from localcloud.ci.models import CI_ON, CI_UNBINDING, JOB_STATES, TAG, parse_timestamp
from localcloud.ci.serializers import (
    bucket_node,
    hot_word_table_node,
    job_node,
    paging_nodes,
    queue_node,
    template_node,
)
from localcloud.cos.models import Bucket
from localcloud.http.request import Request
from localcloud.http.response import xml_response
from localcloud.xml import Node, XmlError, node, parse

_INTEGER = re.compile(r"[0-9]{1,12}")
_MAX_BODY_BYTES = 512 * 1024
_MAX_UNREAD_BODY_BYTES = 64 * 1024
_MAX_JOB_IDS = 100


async def parse_request_body(request: Request) -> Node:
    """Read and parse a <Request> body. Raises MissingContent, InvalidContent."""
    body = await request.body(_MAX_BODY_BYTES)
    if body is None:
        raise CiError(400, "InvalidContent", f"A body has at most {_MAX_BODY_BYTES} bytes.")
    if not body.strip():
        raise CiError(400, "MissingContent", "The request needs a body.")
    try:
        root = parse(body.strip())
    except XmlError as error:
        raise CiError(400, "InvalidContent", f"The body is malformed: {error}") from error
    if root.name != "Request":
        raise CiError(400, "InvalidContent", "The body's root is Request.")
    return root


def parse_int(request: Request, name: str, default: int, highest: int = 10**6) -> int:
    """Parse a query parameter from 1 to `highest`. An empty one counts as absent: the Python SDK sends those."""
    text = request.parameters.get(name, "")
    if not text:
        return default
    if not _INTEGER.fullmatch(text) or not 1 <= int(text) <= highest:
        raise invalid_argument(f"{name} is a number from 1 to {highest}.")
    return int(text)


def parse_paging(request: Request) -> tuple[int, int]:
    """Parse pageNumber and pageSize (seeds: 1 and 10 by default, at most 100 a page)."""
    return parse_int(request, "pageNumber", 1), parse_int(request, "pageSize", 10, 100)


def parse_list(request: Request, name: str) -> list[str]:
    """Parse a comma list."""
    return [part.strip() for part in request.parameters.get(name, "").split(",") if part.strip()]


def _parse_time(request: Request, name: str, default: float) -> float:
    text = request.parameters.get(name, "")
    try:
        return parse_timestamp(text) if text else default
    except ValueError as error:
        raise invalid_argument(
            f"{name} is written 2020-08-20T17:43:01+0800, with the plus as %2B."
        ) from error


def _path_id(request: Request) -> str:
    """Return what follows the first segment of the path."""
    return request.path.split("/", 2)[2]


async def get_ci_status(ci: CiBackend, _request: Request, bucket: Bucket) -> Response:
    """GET /: whether the bucket is bound to CI. The document is one element (cos-go-sdk-v5 ci.go, GetCIService)."""
    return xml_response(node("CIStatus", ci.queues.get_status(bucket.name)))


async def put_ci_status(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """PUT /: bind the bucket to CI; PUT /?unbind: unbind it. No body (cos-go-sdk-v5 ci.go).

    How long a bucket is `unbinding` is unconfirmed; here it stays so until it is bound again.
    """
    await request.body(_MAX_UNREAD_BODY_BYTES)
    ci.queues.set_status(bucket.name, CI_UNBINDING if "unbind" in request.parameters else CI_ON)
    return Response()


async def enable_bucket(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """POST /asrbucket. A body is ignored: seeds send one whose name is not the bucket's."""
    await request.body(_MAX_UNREAD_BODY_BYTES)
    enabled = ci.queues.enable("asr", bucket.name, bucket.region)
    return xml_response(
        node("Response", node("RequestId", request.request_id), bucket_node("AsrBucket", enabled))
    )


async def disable_bucket(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """DELETE /asrbucket. The form of the real response is unconfirmed; this one has the bucket's name."""
    ci.queues.disable("asr", bucket.name)
    return xml_response(
        node("Response", node("RequestId", request.request_id), node("BucketName", bucket.name))
    )


async def list_buckets(ci: CiBackend, request: Request) -> Response:
    """GET /asrbucket and GET /ai_bucket on the service's host."""
    service, list_name = ("asr", "AsrBucketList") if request.path == "/asrbucket" else ("ai", "AiBucketList")
    regions = parse_list(request, "regions") or [request.target.region]
    names, prefix = parse_list(request, "bucketNames"), request.parameters.get("bucketName", "")
    page_number, page_size = parse_paging(request)
    matching = [
        enabled
        for enabled in ci.queues.list_enabled(service)
        if (enabled.region in regions or "All" in regions)
        and (not names or enabled.bucket in names)
        and enabled.bucket.startswith(prefix)
    ]
    page = matching[(page_number - 1) * page_size :][:page_size]
    return xml_response(
        node(
            "Response",
            *paging_nodes(request.request_id, len(matching), page_number, page_size),
            *(bucket_node(list_name, enabled) for enabled in page),
        )
    )


async def list_queues(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """GET /asrqueue, and GET /queue as its alias."""
    queue_ids, state = parse_list(request, "queueIds"), request.parameters.get("state", "") or "All"
    if state not in ("All", "Active", "Paused"):
        raise invalid_argument("state is Active, Paused or All.")
    page_number, page_size = parse_paging(request)
    queues = ci.queues.list_visible(bucket.name)
    matching = [
        queue
        for queue in queues
        if (not queue_ids or queue.queue_id in queue_ids) and state in ("All", queue.state)
    ]
    page = matching[(page_number - 1) * page_size :][:page_size]
    unknown_ids = sorted(set(queue_ids) - {queue.queue_id for queue in queues})
    return xml_response(
        node(
            "Response",
            *paging_nodes(request.request_id, len(matching), page_number, page_size),
            *(queue_node("QueueList", queue) for queue in page),
            node("NonExistPIDs", *(node("QueueID", queue_id) for queue_id in unknown_ids))
            if unknown_ids
            else None,
        )
    )


async def update_queue(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """PUT /asrqueue/<id>."""
    queue_id = _path_id(request)
    if not any(queue.queue_id == queue_id for queue in ci.queues.list_visible(bucket.name)):
        raise CiError(400, "QueueNotFound", f"The bucket has no queue {queue_id}.")
    ci.update_queue(queue_id, parse_queue_settings(await parse_request_body(request)))
    return xml_response(
        node(
            "Response",
            node("RequestId", request.request_id),
            queue_node("Queue", ci.queues.require(queue_id)),
        )
    )


async def submit_job(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """POST /asr_jobs, POST /jobs."""
    body = await parse_request_body(request)
    ci.faults.maybe_refuse_account(request)
    spec = ci.submissions.parse(bucket, body)
    ci.faults.maybe_reject_full(request, spec)
    answer = ci.answers.find_submit_answer_without_code(request, spec)
    if answer is not None:
        return answer
    signer = request.signer
    job = ci.submit(replace(spec, submitter=signer.function or signer.secret_id if signer else ""))
    await ci.faults.maybe_delay_response(request, job, ci.is_notified)
    return xml_response(node("Response", job_node(job)))


async def describe_jobs(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """GET /asr_jobs/<id>[,<id>...]: unknown ids are not an error, they are listed separately."""
    job_ids = [part for part in _path_id(request).split(",") if part]
    if not 1 <= len(job_ids) <= _MAX_JOB_IDS:
        raise invalid_argument(f"One call names 1 to {_MAX_JOB_IDS} jobs.")
    jobs = [(job_id, ci.jobs.get(bucket.name, job_id)) for job_id in job_ids]
    known = [job for _, job in jobs if job]
    answer = ci.answers.find_failed_answer(request, known)
    if answer is not None:
        return answer
    response = xml_response(
        node(
            "Response",
            *(ci.answers.build_job_node(request, job, is_look=True) for job in known),
            *(node("NonExistJobIds", job_id) for job_id, job in jobs if not job),
        )
    )
    return ci.answers.maybe_drip(request, known, response)


async def list_jobs(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """GET /asr_jobs, newest first by default. The last page has no NextToken."""
    if request.parameters.get("tag", TAG) not in ("", TAG):
        raise invalid_argument(f"This stand-in knows jobs with the tag {TAG} only.")
    states = parse_list(request, "states")
    if any(state not in (*JOB_STATES, "All") for state in states):
        raise invalid_argument(f"states is a list of All, {', '.join(JOB_STATES)}.")
    token = parse_int(request, "nextToken", 0, 10**11)
    order = request.parameters.get("orderByTime") or "Desc"
    if order not in ("Desc", "Asc"):
        raise invalid_argument("orderByTime is Desc or Asc.")
    size = parse_int(request, "size", 10, 100)
    jobs = ci.jobs.list_page(
        bucket.name,
        queue_id=request.parameters.get("queueId", ""),
        states=JOB_STATES if not states or "All" in states else states,
        created=(_parse_time(request, "startCreationTime", 0), _parse_time(request, "endCreationTime", 1e12)),
        input_object=request.parameters.get("inputObject", "").lstrip("/"),
        after=token or None,
        newest_first=order == "Desc",
        limit=size + 1,
    )
    empty_page_token = ci.answers.find_token_of_empty_page(request, jobs, token, newest_first=order == "Desc")
    if empty_page_token is not None:
        return xml_response(node("Response", node("NextToken", empty_page_token)))
    page = jobs[:size]
    return xml_response(
        node(
            "Response",
            *(ci.answers.build_job_node(request, job, is_look=False) for job in page),
            node("NextToken", page[-1].number) if len(jobs) > size else None,
        )
    )


async def cancel_job(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """PUT /jobs/<id>?cancel: only a job that has not started can be cancelled."""
    if "cancel" not in request.parameters:
        raise invalid_argument("PUT on a job is for ?cancel only.")
    job = ci.jobs.get(bucket.name, _path_id(request))
    if job is None:
        raise CiError(400, "ResourceNotFound", "The bucket has no such job.")  # this code is unconfirmed
    if not ci.jobs.cancel(job):
        raise invalid_argument(f"A job in state {job.state} cannot be cancelled.")
    return Response(headers={"content-length": "0"})


async def put_template(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """POST /template, PUT /template/<id>."""
    template_id = _path_id(request) if request.method == "PUT" else ""
    template = ci.put_template(bucket.name, await parse_request_body(request), template_id)
    return xml_response(
        node("Response", node("RequestId", request.request_id), template_node("Template", template))
    )


async def list_templates(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """GET /template. The stand-in has no official templates."""
    template_ids, prefix = parse_list(request, "ids"), request.parameters.get("name", "")
    page_number, page_size = parse_paging(request)
    is_official = request.parameters.get("category") == "Official"
    matching = [
        template
        for template in ([] if is_official else ci.templates.all(bucket.name))
        if (not template_ids or template.template_id in template_ids) and template.name.startswith(prefix)
    ]
    page = matching[(page_number - 1) * page_size :][:page_size]
    return xml_response(
        node(
            "Response",
            *paging_nodes(request.request_id, len(matching), page_number, page_size),
            *(template_node("TemplateList", template) for template in page),
        )
    )


async def delete_template(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """DELETE /template/<id>."""
    template_id = _path_id(request)
    if not ci.templates.delete(bucket.name, template_id):
        raise CiError(400, "TemplateNotFound", "The bucket has no such template.")
    return xml_response(
        node("Response", node("RequestId", request.request_id), node("TemplateId", template_id))
    )


def _hot_words_response(request: Request, table_id: str) -> Response:
    return xml_response(
        node(
            "Response",
            node("Code", "Success"),
            node("Message"),
            node("RequestId", request.request_id),
            node("TableId", table_id),
        )
    )


async def put_hot_words(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """POST /asrhotvocabtable, PUT /asrhotvocabtable."""
    body = await parse_request_body(request)
    table = ci.put_hot_words(bucket.name, body, replace=request.method == "PUT")
    return _hot_words_response(request, table.table_id)


async def list_hot_words(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """GET /asrhotvocabtable, with offset and limit."""
    tables = ci.hot_words.all(bucket.name)
    has_offset = request.parameters.get("offset") not in (None, "", "0")
    offset = parse_int(request, "offset", 0) if has_offset else 0
    page = tables[offset:][: parse_int(request, "limit", 10, 100)]
    return xml_response(
        node(
            "Response",
            node("RequestId", request.request_id),
            node("TotalCount", len(tables)),
            *(hot_word_table_node(table) for table in page),
        )
    )


async def get_hot_words(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """GET /asrhotvocabtable/<id>."""
    table = ci.hot_words.require(bucket.name, _path_id(request))
    return xml_response(
        node("Response", node("RequestId", request.request_id), *hot_word_table_node(table).children)
    )


async def delete_hot_words(ci: CiBackend, request: Request, bucket: Bucket) -> Response:
    """DELETE /asrhotvocabtable/<id>."""
    table_id = _path_id(request)
    ci.hot_words.delete(bucket.name, table_id)
    return _hot_words_response(request, table_id)
