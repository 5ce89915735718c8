"""Odd answers of CI about jobs: without a result, without a page, without a code, or none because of one of the jobs.

Whether a job gets such answers is decided once for the job, so that every query that names it gets them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from starlette.responses import Response

from localcloud.ci.exceptions import CiError
from localcloud.ci.models import Job, JobSpec
from localcloud.ci.serializers import job_node
from localcloud.faults.decisions import FaultDecisions
from localcloud.faults.request_faults import ConnectionAborted, is_from_function
from localcloud.http.request import Request
from localcloud.http.response import DrippingResponse
from localcloud.xml import Node

_BAD_MEMBER_STATUSES = (500, 502, 400, 0)  # 0: the connection is closed
# What a proxy, a gateway or an overloaded front end answers; none of them is CI's own error, and none has a code.
_STATUSES_WITHOUT_CODE = (307, 404, 405, 409, 421, 425)
_MAX_TOKENS = 100_000


class JobAnswers:
    """Faults of the answers to a function's submits and queries of jobs."""

    def __init__(self, injector: FaultDecisions) -> None:
        self._injector = injector
        self._chosen: dict[tuple[str, str], bool] = {}  # by kind and job id
        self._looks: Counter[str] = Counter()
        self._tokens: set[int] = set()  # of empty pages

    def reset(self) -> None:
        """Forget the decisions, for a new plan."""
        self._chosen.clear()
        self._looks.clear()
        self._tokens.clear()

    def _is_chosen(self, kind: str, job: Job) -> bool:
        plan = self._injector.plan
        if kind not in plan.rates or (plan.jobs and job.spec.input_key not in plan.jobs):
            return False
        if (kind, job.job_id) not in self._chosen:
            event_id = self._injector.event_id(f"{kind} {_label(job.spec)}")
            self._chosen[kind, job.job_id] = self._injector.should_inject(kind, event_id)
        return self._chosen[kind, job.job_id]

    def _find_chosen(self, request: Request, kind: str, jobs: Iterable[Job]) -> Job | None:
        if not is_from_function(request):
            return None
        return next((job for job in jobs if self._is_chosen(kind, job)), None)

    def build_job_node(self, request: Request, job: Job, *, is_look: bool) -> Node:
        """Build the element of a job: normally with its result, as soon as there is one.

        A chosen job is shown without its result, or with the names and the duration only, until a function has looked
        at it `plan.looks` times.
        """
        if job.recognition is None or self._find_chosen(request, "success_without_result", [job]) is None:
            return job_node(job)
        if self._looks[job.job_id] >= self._injector.plan.looks:
            return job_node(job)
        self._looks[job.job_id] += is_look
        request.fault = "success_without_result"
        if self._injector.choose("success_without_result", _label(job.spec), 2):
            return job_node(job, has_text=False)
        return job_node(replace(job, recognition=None))

    def find_failed_answer(self, request: Request, jobs: Sequence[Job]) -> Response | None:
        """Find the answer to a query that fails because of one of its jobs.

        Raises CiError, or ConnectionAborted for no answer.
        """
        job = self._find_chosen(request, "bad_member", jobs)
        if job is None:
            return None
        request.fault = "bad_member"
        number = self._injector.choose("bad_member", _label(job.spec), len(_BAD_MEMBER_STATUSES))
        status = _BAD_MEMBER_STATUSES[number]
        if not status:
            raise ConnectionAborted("bad_member")
        if status == 502:  # noqa: PLR2004 - the status of proxies
            return _build_html_page(status)
        code = "InternalError" if status == 500 else "InvalidArgument"  # noqa: PLR2004 - as above
        raise CiError(status, code, "The job cannot be shown.")

    def maybe_drip(self, request: Request, jobs: Sequence[Job], response: Response) -> Response:
        """Let the answer to a query come slowly because of one of its jobs."""
        if self._find_chosen(request, "drip_member", jobs) is None:
            return response
        request.fault = "drip_member"
        return DrippingResponse(response)

    def find_token_of_empty_page(
        self, request: Request, jobs: Sequence[Job], token: int, *, newest_first: bool
    ) -> int | None:
        """Return the token of an empty page in the place of a page of these jobs, or None: the jobs are shown.

        With that token the next call gets them.
        """
        kind = "empty_page_with_token"
        if not is_from_function(request) or kind not in self._injector.plan.rates or token in self._tokens:
            return None
        new_token = jobs[0].number + (1 if newest_first else -1) if jobs else 0
        event_id = self._injector.event_id(f"list {request.host_name}")
        if new_token < 1 or not self._injector.should_inject(kind, event_id):
            return None
        request.fault = kind
        if len(self._tokens) >= _MAX_TOKENS:
            self._tokens.clear()
        self._tokens.add(new_token)
        return new_token

    def find_submit_answer_without_code(self, request: Request, spec: JobSpec) -> Response | None:
        """Find the answer to a submit that makes no job and has no code."""
        kind = "submit_without_code"
        if not is_from_function(request):
            return None
        event_id = self._injector.event_id(f"{kind} {_label(spec)}")
        if not self._injector.should_inject(kind, event_id):
            return None
        request.fault = kind
        number = self._injector.choose(kind, event_id, len(_STATUSES_WITHOUT_CODE))
        status = _STATUSES_WITHOUT_CODE[number]
        if status == 404:  # noqa: PLR2004 - the page of a proxy
            return _build_html_page(status)
        headers = {"location": f"https://{request.host_name}/"} if status == 307 else None  # noqa: PLR2004
        return Response(None, status, headers)


def _label(spec: JobSpec) -> str:
    return f"{spec.input_bucket}/{spec.input_key}"


def _build_html_page(status: int) -> Response:
    text = f"<html><head><title>{status}</title></head><body><h1>{status}</h1><hr>nginx</body></html>"
    return Response(text, status, media_type="text/html")
