"""The operator's hands on a cloud, through our own clients: buckets made, speech on, the queue told where to call."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from cli.standin import Standin
from shared.errors import AlreadyExists, NotFound
from shared.tencent.cos import Cos
from shared.tencent.credentials import Credentials
from shared.tencent.speech import Speech
from shared.tencent.speech_values import Notification
from shared.tencent.wire import Wire

LONGEST_URL = 100  # UpdateSpeechQueue, older page: the longest notification address


@dataclass(frozen=True, slots=True)
class Operator:
    """COS and CI with the operator's own key."""

    cos: Cos
    speech: Speech

    @classmethod
    def of(cls, standin: Standin) -> Operator:
        """At a stand-in cloud."""
        wire = Wire(Credentials(standin.secret_id, standin.secret_key), endpoint=standin.endpoint)
        return cls(Cos(wire, standin.region), Speech(wire, standin.region))

    def make_bucket(self, bucket: str) -> None:
        """Makes a bucket, or finds it made."""
        with suppress(AlreadyExists):
            self.cos.create_bucket(bucket)

    def switch_on_speech(self, bucket: str, notify_url: str) -> None:
        """Enables speech recognition on a bucket and points its queue at the callback function.

        Raises CloudError; NotFound when the bucket has no queue.
        """
        if len(notify_url) > LONGEST_URL:
            raise ValueError(
                f"the notification address has {len(notify_url)} characters, the queue takes {LONGEST_URL}"
            )
        self.speech.enable(bucket)
        queues = self.speech.queues(bucket).queues
        if not queues:
            raise NotFound(about=bucket, code="QueueNotFound", message="the bucket has no speech queue")
        told = Notification(state="On", url=notify_url, type="Url", event="TaskFinish", format="XML")
        self.speech.update_queue(bucket, replace(queues[0], state="Active", notification=told))
