"""What the key needs that runs the commands of every day: `scribe list`, `why`, `retry`, `backfill` and others.

They run the functions' own code, so they need what the sweep needs, and some more to show and to delete. Such a key
reads every recording and every transcript, and spends money: it is for a person, not for a program that only uploads.
"""

from __future__ import annotations

from collections.abc import Iterator

from cli.policy.diff import Permission
from cli.policy.permissions import Grant, ResourceKind, ResourceScope

OPERATOR = "operator"
_ON = ResourceKind


def _grant(action: str, on: ResourceKind, reason: str, jobs_path: str = "") -> Grant:
    return Grant(OPERATOR, action, on, reason, jobs_path)


OPERATOR_TABLE = (
    _grant("cos:GetBucket", _ON.INPUT_LISTING, "backfill: which recordings there are"),
    _grant("cos:HeadObject", _ON.RECORDING, "size, ETag and options of a recording"),
    _grant("cos:GetObject", _ON.RECORDING, "options in a sidecar; open and link: the recording, to be heard"),
    _grant(
        "cos:DeleteObject",
        _ON.RECORDING,
        "forget --recording only: remove it if no one may delete recordings",
    ),
    _grant("cos:GetBucket", _ON.OUTPUT_LISTING, "lists receipts, the index and transcripts"),
    _grant("cos:GetBucketVersioning", _ON.STATE_BUCKET, "how to claim a recording in that bucket"),
    _grant("cos:GetBucketVersioning", _ON.INPUT_LISTING, "forget --recording: whether old versions stay"),
    _grant("cos:HeadObject", _ON.STATE, "forget: whether an object is there"),
    _grant("cos:GetObject", _ON.STATE, "receipts, claims, notices, and the raw text of a forgotten job"),
    _grant("cos:PutObject", _ON.STATE, "receipts, claims, the index; link: the page"),
    _grant("cos:DeleteObject", _ON.STATE, "closed receipts and claims; forget: everything of a recording"),
    _grant("cos:HeadObject", _ON.TRANSCRIPT, "whether the transcripts are there"),
    _grant("cos:GetObject", _ON.TRANSCRIPT, "error objects; open and link: the page"),
    _grant("cos:PutObject", _ON.TRANSCRIPT, "retry: transcripts that were paid for; error objects"),
    _grant("cos:DeleteObject", _ON.TRANSCRIPT, "an error object that is no longer true; forget"),
    _grant("ci:DescribeAsrJob", _ON.SPEECH, "the state and result of a job"),
    _grant("ci:DescribeAsrJobs", _ON.SPEECH, "whether a dead attempt submitted a job; length of the queue"),
    _grant("ci:DescribeAsrQueues", _ON.SPEECH, "capacity of the queue"),
    _grant("ci:DescribeMediaJob", _ON.SPEECH, "the same as DescribeAsrJob on the newest page"),
    _grant("ci:DescribeMediaJobs", _ON.SPEECH, "the list, on the newest page"),
    _grant("ci:CreateAsrJobs", _ON.SPEECH, "retry and backfill: submits a job, which costs money"),
    _grant("ci:CreateMediaJobs", _ON.SPEECH, "the same", "jobs"),
    _grant("cam:PassRole", _ON.CI_ROLE, "the job runs with that role (CI document 1045/73385)"),
)


def operator_grants(scope: ResourceScope) -> tuple[Grant, ...]:
    """What the operator's key may do in this scope."""
    return tuple(grant for grant in OPERATOR_TABLE if grant.jobs_path in {"", scope.jobs_path})


def operator_permissions(scope: ResourceScope) -> Iterator[Permission]:
    """The same as actions on resources."""
    for grant in operator_grants(scope):
        for resource in grant.resources(scope):
            yield Permission(grant.action, resource)
