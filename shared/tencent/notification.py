"""What a queue's notification names: jobs to look at. Nothing else in it is believed.

XML or JSON, decided by the first character, because the content type of the JSON form is not documented; with and
without EventName; one job or several.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.errors import EventError
from shared.tencent import xml

MOST_BYTES = 6 * 1024 * 1024  # SCF document 583/11637: the largest event of a function URL
MOST_JOBS = 20

_JOB_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


class NamedJob(NamedTuple):
    """A job that a notification names, and the bucket it says, which only serves to ask the likeliest bucket first."""

    job_id: str
    bucket_hint: str


def named_jobs(body: bytes) -> tuple[NamedJob, ...]:
    """The jobs that a notification names. Raises EventError, with the status to answer."""
    if len(body) > MOST_BYTES:
        raise EventError(f"the notification has {len(body)} bytes, more than {MOST_BYTES}", status=413)
    response = _response(body)
    details = [xml.mapping(detail) for detail in xml.listed(response.get("JobsDetail"))]
    if not details:
        raise EventError("the notification names no job")
    if len(details) > MOST_JOBS:
        raise EventError(f"the notification names {len(details)} jobs, more than {MOST_JOBS}")
    return tuple(dict.fromkeys(map(_named, details)))


def _response(body: bytes) -> Mapping[str, Any]:
    start = body.lstrip()[:1]
    if not start:
        raise EventError("the notification is empty")
    if start in b"{[":
        try:
            return xml.mapping(json.loads(body))
        except (ValueError, RecursionError):
            raise EventError("the notification is not JSON") from None
    try:
        # Only the ids are needed: the words of a long transcript are dropped while they are read.
        return xml.response(body, "Response", readers={"SpeechRecognitionResult": _drop})
    except xml.NotXml as error:
        raise EventError(f"the notification is not XML: {error}") from None


def _drop(_: Any) -> None:
    return None


def _named(detail: Mapping[str, Any]) -> NamedJob:
    job_id = xml.text(detail.get("JobId"))
    if not _JOB_ID.fullmatch(job_id):
        raise EventError("the notification names a job without a usable id")
    bucket = xml.text(xml.mapping(detail.get("Input")).get("BucketId"))
    # The 2020 shape has no BucketId; our own UserData begins with the bucket.
    user_data = xml.text(xml.mapping(detail.get("Operation")).get("UserData"))
    return NamedJob(job_id, bucket or user_data.partition("/")[0])
