"""A submitted job: what the request says, checked the way the service checks it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from localcloud.ci.errors import CiProblem, invalid
from localcloud.ci.jobs import OPEN, Jobs
from localcloud.ci.models import TAG, Order, Output, Queue, Speech
from localcloud.ci.queues import Queues
from localcloud.ci.speech_settings import speech_of
from localcloud.ci.templates import Templates
from localcloud.cos.buckets import Bucket
from localcloud.cos.service import Cos
from localcloud.http.hosts import ServiceName, parse_host
from localcloud.xml import Node

_USER_DATA = re.compile(r"[\x20-\x7e]{0,1024}")  # D-SUBMIT: printable ASCII, at most 1024


@dataclass(frozen=True, slots=True)
class Desk:
    """What a submission is checked against."""

    cos: Cos
    queues: Queues
    jobs: Jobs
    templates: Templates
    has_role: Callable[[], bool]

    def order(self, bucket: Bucket, request: Node) -> Order:
        """The order that a submit body makes. Raises CiProblem."""
        if request.value("Tag") != TAG:
            raise invalid(f"This stand-in knows jobs with the Tag {TAG} only.")
        if not self.has_role():
            raise CiProblem(400, "CIRoleNotExist", "The account has no CI_QCSRole that trusts ci.qcloud.com.")
        queue = self._queue(bucket, request.value("QueueId"))
        operation = request.find("Operation")
        if operation is None:
            raise invalid("Operation is required.")
        template_id, template_name, speech = self._speech(bucket, operation)
        output = Output(*(operation.value(f"Output/{name}") for name in ("Region", "Bucket", "Object")))
        if not (output.region and output.bucket and output.key):
            raise invalid("Output needs Region, Bucket and Object.")
        input_bucket, input_object, input_key, input_url = self._input(bucket, request)
        user_data = operation.value("UserData")
        if not _USER_DATA.fullmatch(user_data):
            raise invalid("UserData holds at most 1024 printable ASCII characters.")
        level = operation.value("JobLevel", "0")
        if level not in ("0", "1", "2"):
            raise invalid("JobLevel is 0, 1 or 2.")
        callback, callback_format = _callback(request)
        return Order(
            bucket=bucket.name,
            region=bucket.region,
            queue_id=queue.queue_id,
            input_bucket=input_bucket,
            input_object=input_object,
            input_key=input_key,
            input_url=input_url,
            speech=speech,
            output=output,
            template_id=template_id,
            template_name=template_name,
            user_data=user_data,
            level=int(level),
            callback=callback,
            callback_format=callback_format,
        )

    def _queue(self, bucket: Bucket, queue_id: str) -> Queue:
        if not self.queues.enabled("asr", bucket=bucket.name):
            # The media service's code is MediaBucketUnBinded; this twin's name is unconfirmed.
            raise CiProblem(400, "AsrBucketUnBinded", "Speech recognition is not enabled for this bucket.")
        queue = self.queues.of_bucket(bucket.name)[0]
        if queue_id and queue_id != queue.queue_id:
            raise CiProblem(400, "QueueNotFound", f"The bucket has no queue {queue_id}.")
        if self.jobs.count(OPEN, queue.queue_id) >= queue.max_size:
            # What a full queue is called is unconfirmed; a client should take any 4xx for a refusal.
            raise CiProblem(400, "QueueFull", f"The queue holds {queue.max_size} open jobs already.")
        return queue

    def _speech(self, bucket: Bucket, operation: Node) -> tuple[str, str, Speech]:
        """A template wins over the job's own parameters (D-SUBMIT)."""
        template_id = operation.value("TemplateId")
        if template_id:
            template = self.templates.get(bucket.name, template_id)
            if template is None:
                raise CiProblem(400, "TemplateNotFound", f"The bucket has no template {template_id}.")
            return template_id, template.name, template.speech
        given = operation.find("SpeechRecognition")
        if given is None:
            raise invalid("SpeechRecognition with EngineModelType, or TemplateId, is required.")
        return "", "", speech_of(given)

    def _input(self, bucket: Bucket, request: Node) -> tuple[str, str, str, str]:
        """Bucket, name, key and URL of the recording; Object wins over Url (D-SUBMIT)."""
        given = request.find("Input/Object")
        if given is not None and given.text:
            found, name, url = bucket, given.text, ""
        elif request.value("Input/Url"):
            url = request.value("Input/Url")
            found, name = self._of_url(url)
        else:
            raise invalid("Input needs Object or Url.")
        # A request may write a key with a leading slash (D-SUBMIT samples), and a key may begin with one.
        for key in (name, name.removeprefix("/")):
            if self.cos.objects.current(found.name, key) is not None:
                return found.name, name, key, url
        # CI error codes 460/42867: 400, not 404.
        raise CiProblem(400, "ResourceNotFound", f"The object {name} does not exist.")

    def _of_url(self, url: str) -> tuple[Bucket, str]:
        """Nothing may leave this machine, so a URL has to be that of an object in this cloud."""
        parts = urlsplit(url)
        place = parse_host(parts.netloc)
        found = self.cos.buckets.get(place.bucket) if place.service is ServiceName.COS_BUCKET else None
        if found is None:
            raise CiProblem(400, "ResourceDownloadFailed", "The stand-in reads URLs of its own buckets only.")
        return found, unquote(parts.path.removeprefix("/"))


def _callback(request: Node) -> tuple[str, str]:
    callback, form = request.value("CallBack"), request.value("CallBackFormat")
    if callback and callback != "no" and not callback.startswith(("http://", "https://")):
        raise invalid("CallBack is an http or https URL, or the word no.")
    if form not in ("", "XML", "JSON"):
        raise invalid("CallBackFormat is XML or JSON.")
    if request.value("CallBackType", "Url") != "Url":
        raise invalid("The stand-in delivers to URLs only: CallBackType is Url.")
    return callback, form
