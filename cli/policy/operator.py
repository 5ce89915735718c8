"""What the key needs that runs the commands of every day: `scribe list`, `why`, `retry`, `backfill` and others.

They run the functions' own code, so they need what the sweep needs, and some more to show and to delete. Such a key
reads every recording and every transcript, and spends money: it is for a person, not for a program that only uploads.
"""

from __future__ import annotations

from collections.abc import Iterator

from cli.language import N_
from cli.policy.diff import Permission
from cli.policy.permissions import Grant, ResourceKind, ResourceScope

OPERATOR = "operator"
_ON = ResourceKind


def _grant(action: str, on: ResourceKind, reason: str, jobs_path: str = "") -> Grant:
    return Grant(OPERATOR, action, on, reason, jobs_path)


OPERATOR_TABLE = (
    _grant("cos:GetBucket", _ON.INPUT_LISTING, N_("backfill: which recordings there are")),
    _grant("cos:HeadObject", _ON.RECORDING, N_("size, ETag and options of a recording")),
    _grant(
        "cos:GetObject", _ON.RECORDING, N_("options in a sidecar; open and link: the recording, to be heard")
    ),
    _grant(
        "cos:PutObject",
        _ON.RECORDING,
        N_("console --write only: uploads; remove it if people upload in another way"),
    ),
    _grant(
        "cos:DeleteObject",
        _ON.RECORDING,
        N_("forget --recording only: remove it if no one may delete recordings"),
    ),
    _grant("cos:GetBucket", _ON.OUTPUT_LISTING, N_("lists receipts, the index and transcripts")),
    _grant("cos:GetBucketVersioning", _ON.STATE_BUCKET, N_("how to claim a recording in that bucket")),
    _grant("cos:GetBucketVersioning", _ON.INPUT_LISTING, N_("forget --recording: whether old versions stay")),
    _grant("cos:HeadObject", _ON.STATE, N_("forget: whether an object is there")),
    _grant("cos:GetObject", _ON.STATE, N_("receipts, claims, notices, and the raw text of a forgotten job")),
    _grant("cos:PutObject", _ON.STATE, N_("receipts, claims, the index; link: the page")),
    _grant(
        "cos:DeleteObject", _ON.STATE, N_("closed receipts and claims; forget: everything of a recording")
    ),
    _grant("cos:HeadObject", _ON.TRANSCRIPT, N_("whether the transcripts are there")),
    _grant("cos:GetObject", _ON.TRANSCRIPT, N_("error objects; open and link: the page")),
    _grant("cos:PutObject", _ON.TRANSCRIPT, N_("retry: transcripts that were paid for; error objects")),
    _grant("cos:DeleteObject", _ON.TRANSCRIPT, N_("an error object that is no longer true; forget")),
    _grant("ci:DescribeAsrJob", _ON.SPEECH, N_("the state and result of a job")),
    _grant(
        "ci:DescribeAsrJobs", _ON.SPEECH, N_("whether a dead attempt submitted a job; length of the queue")
    ),
    _grant("ci:DescribeAsrQueues", _ON.SPEECH, N_("capacity of the queue")),
    _grant("ci:DescribeMediaJob", _ON.SPEECH, N_("the same as DescribeAsrJob on the newest page")),
    _grant("ci:DescribeMediaJobs", _ON.SPEECH, N_("the list, on the newest page")),
    _grant("ci:CreateAsrJobs", _ON.SPEECH, N_("retry and backfill: submits a job, which costs money")),
    _grant("ci:CreateMediaJobs", _ON.SPEECH, N_("the same"), "jobs"),
    _grant("cam:PassRole", _ON.CI_ROLE, N_("the job runs with that role (CI document 1045/73385)")),
)


def operator_grants(scope: ResourceScope) -> tuple[Grant, ...]:
    """What the operator's key may do in this scope."""
    return tuple(grant for grant in OPERATOR_TABLE if grant.jobs_path in {"", scope.jobs_path})


def operator_permissions(scope: ResourceScope) -> Iterator[Permission]:
    """The same as actions on resources."""
    for grant in operator_grants(scope):
        for resource in grant.resources(scope):
            yield Permission(grant.action, resource)
