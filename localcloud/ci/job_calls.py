"""The calls on jobs: submit, look, list, cancel; under /asr_jobs and under /jobs."""

from __future__ import annotations

from starlette.responses import Response

from localcloud.ci.answers import job_node
from localcloud.ci.errors import CiProblem, invalid
from localcloud.ci.jobs import STATES
from localcloud.ci.models import TAG, time_of
from localcloud.ci.requests import names, number, request_body
from localcloud.ci.service import Ci
from localcloud.cos.buckets import Bucket
from localcloud.http.request import Request
from localcloud.http.response import xml_response
from localcloud.xml import node

_MOST_IDS = 100


async def submit(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """POST /asr_jobs, POST /jobs."""
    order = ci.desk.order(bucket, await request_body(asked))
    ci.faults.maybe_reject_full(asked, order)
    job = ci.submit(order)
    await ci.faults.maybe_delay_response(asked, job, ci.is_told)
    return xml_response(node("Response", job_node(job)))


async def look(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """GET /asr_jobs/<id>[,<id>...]: unknown ids are no error but a list of their own."""
    wanted = [part for part in asked.path.split("/", 2)[2].split(",") if part]
    if not 1 <= len(wanted) <= _MOST_IDS:
        raise invalid(f"One call names 1 to {_MOST_IDS} jobs.")
    jobs = [(job_id, ci.jobs.get(bucket.name, job_id)) for job_id in wanted]
    return xml_response(
        node(
            "Response",
            *(job_node(job) for _, job in jobs if job),
            *(node("NonExistJobIds", job_id) for job_id, job in jobs if not job),
        )
    )


def _time(asked: Request, name: str, default: float) -> float:
    text = asked.parameters.get(name, "")
    try:
        return time_of(text) if text else default
    except ValueError as error:
        raise invalid(f"{name} is written 2020-08-20T17:43:01+0800, with the plus as %2B.") from error


async def list_jobs(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """GET /asr_jobs, newest first unless told otherwise. NextToken is left out on the last page."""
    if asked.parameters.get("tag", TAG) not in ("", TAG):
        raise invalid(f"This stand-in knows jobs with the tag {TAG} only.")
    states = names(asked, "states")
    if any(state not in (*STATES, "All") for state in states):
        raise invalid(f"states is a list of All, {', '.join(STATES)}.")
    token, order = number(asked, "nextToken", 0, 10**11), asked.parameters.get("orderByTime") or "Desc"
    if order not in ("Desc", "Asc"):
        raise invalid("orderByTime is Desc or Asc.")
    size = number(asked, "size", 10, 100)
    found = ci.jobs.page(
        bucket.name,
        queue_id=asked.parameters.get("queueId", ""),
        states=STATES if not states or "All" in states else states,
        created=(_time(asked, "startCreationTime", 0), _time(asked, "endCreationTime", 1e12)),
        input_object=asked.parameters.get("inputObject", "").lstrip("/"),
        behind=token or None,
        newest_first=order == "Desc",
        most=size + 1,
    )
    shown = found[:size]
    return xml_response(
        node(
            "Response",
            *(job_node(job) for job in shown),
            node("NextToken", shown[-1].number) if len(found) > size else None,
        )
    )


async def cancel(ci: Ci, asked: Request, bucket: Bucket) -> Response:
    """PUT /jobs/<id>?cancel: only a job that does not run yet can be cancelled."""
    if "cancel" not in asked.parameters:
        raise invalid("PUT on a job is for ?cancel only.")
    job = ci.jobs.get(bucket.name, asked.path.split("/", 2)[2])
    if job is None:
        raise CiProblem(400, "ResourceNotFound", "The bucket has no such job.")  # this code is unconfirmed
    if not ci.jobs.cancel(job):
        raise invalid(f"A job in state {job.state} cannot be cancelled.")
    return Response(headers={"content-length": "0"})
