"""Steps on buckets and their speech service: where recordings lie, and where Cloud Infinite calls when one is done."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from cli.deploy.hands import Hands
from cli.deploy.steps import Change, Mark, differences
from cli.description.wanted import WantedFunction
from cli.errors import OperatorError
from shared.errors import AlreadyExists, NotFound
from shared.tencent.speech_values import Notification, Queue

LONGEST_URL = 100  # UpdateSpeechQueue, older page: the longest notification address


@dataclass(frozen=True, slots=True)
class MakeBucket:
    """A bucket that is not there. Private, as COS makes every bucket of which nothing else is said."""

    bucket: str
    region: str
    mark: Mark = field(default="+", init=False)

    @property
    def title(self) -> str:
        """The bucket."""
        return f"bucket {self.bucket}"

    @property
    def changes(self) -> tuple[Change, ...]:
        """Where, and who may read it."""
        return differences({}, {"region": self.region, "access": "private"})

    def carry_out(self, hands: Hands) -> None:
        """PUT Bucket. A bucket's name belongs to one region only."""
        try:
            hands.cos(self.region).create_bucket(self.bucket)
        except AlreadyExists as error:
            if not error.maybe_own:
                raise OperatorError(
                    f"bucket {self.bucket} exists, but not in {self.region}: name another one, or that region"
                ) from None


@dataclass(frozen=True, slots=True)
class EnableSpeech:
    """Speech recognition for a bucket; its queue comes with it."""

    bucket: str
    mark: Mark = field(default="+", init=False)

    @property
    def title(self) -> str:
        """The service."""
        return f"speech recognition for {self.bucket}"

    @property
    def changes(self) -> tuple[Change, ...]:
        """Off until now."""
        return (Change("state", "off", "on"),)

    def carry_out(self, hands: Hands) -> None:
        """POST /asrbucket."""
        hands.speech.enable(self.bucket)


@dataclass(frozen=True, slots=True)
class TellCallback:
    """The queue of a bucket: active, and telling the callback function of every finished job.

    `found` is None where the queue comes with this deployment, `address` "" where the function's URL does.
    """

    bucket: str
    queue_id: str
    callback: WantedFunction
    token: str = field(repr=False)
    address: str
    found: Queue | None = field(repr=False)  # its address ends with the token
    mark: Mark = field(default="~", init=False)

    @property
    def title(self) -> str:
        """The queue."""
        return f"speech queue of {self.bucket}"

    @property
    def changes(self) -> tuple[Change, ...]:
        """The queue's state and whom it tells."""
        wanted = notification(f"{self.address or f'address of {self.callback.name}'}/{self.token}")
        return differences(
            _shown(self.found.state, self.found.notification) if self.found else {}, _shown("Active", wanted)
        )

    def carry_out(self, hands: Hands) -> None:
        """PUT /asrqueue/<id>, with the function's URL as it is now."""
        told = notification(f"{self._address(hands)}/{self.token}")
        if len(told.url) > LONGEST_URL:
            raise OperatorError(
                f"the notification address has {len(told.url)} characters, and a queue takes {LONGEST_URL}: "
                f"choose a CALLBACK_TOKEN that is {len(told.url) - LONGEST_URL} characters shorter"
            )
        queue = queue_of(hands, self.bucket, self.queue_id)
        if not queue:
            raise NotFound(about=self.bucket, code="QueueNotFound", message="the bucket has no speech queue")
        hands.speech.update_queue(self.bucket, replace(queue, state="Active", notification=told))

    def _address(self, hands: Hands) -> str:
        triggers = hands.functions.triggers(self.callback.name, self.callback.namespace)
        found = next((one.url for one in triggers if one.type == "http" and one.url), "")
        if not found:
            raise OperatorError(f"SCF gave {self.callback.name} no public address; run the command again")
        return found.rstrip("/")


@dataclass(frozen=True, slots=True)
class SilenceQueue:
    """A queue that tells a function that goes."""

    bucket: str
    found: Queue = field(repr=False)
    mark: Mark = field(default="~", init=False)

    @property
    def title(self) -> str:
        """The queue."""
        return f"speech queue of {self.bucket}"

    @property
    def changes(self) -> tuple[Change, ...]:
        """It tells nobody any more."""
        return (Change("notification", "On", "Off"),)

    def carry_out(self, hands: Hands) -> None:
        """PUT /asrqueue/<id>."""
        silent = replace(self.found.notification, state="Off")
        hands.speech.update_queue(self.bucket, replace(self.found, notification=silent))


def notification(url: str) -> Notification:
    """How a queue tells of finished jobs (UpdateSpeechQueue)."""
    return Notification(state="On", url=url, type="Url", event="TaskFinish", format="XML")


def is_told(queue: Queue, wanted: Notification) -> bool:
    """Whether the queue is active and tells as wanted. A format that is left out is XML."""
    return not differences(_shown(queue.state, queue.notification), _shown("Active", wanted))


def queue_of(hands: Hands, bucket: str, queue_id: str) -> Queue | None:
    """The queue that takes a bucket's jobs: the one of QUEUE_ID, else the first."""
    queues = hands.speech.queues(bucket, queue_ids=(queue_id,) if queue_id else ()).queues
    return queues[0] if queues else None


def _shown(state: str, told: Notification) -> dict[str, str]:
    address, _, token = told.url.rpartition("/") if _has_path(told.url) else (told.url, "", "")
    return {
        "state": state,
        "notification": told.state,
        "address": address,
        "CALLBACK_TOKEN": token,
        "event": told.event,
        "format": told.format or "XML",
    }


def _has_path(url: str) -> bool:
    return bool(urlsplit(url).path.strip("/")) or not urlsplit(url).scheme
