"""Steps on buckets and their speech service: where recordings lie, and where Cloud Infinite calls when one is done."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cli.cloud.triggers import FoundTrigger
from cli.deploy.hands import Hands
from cli.deploy.steps import Change, LeftAsItIs, Mark, differences
from cli.doctor.places import DENIED
from cli.doctor.telling import complaint, token_of
from cli.errors import OperatorError
from cli.manifest.models import FunctionSpec
from shared.errors import AlreadyExists, NotFound, RequestRejected
from shared.tencent.speech_models import NotifyConfig, Queue

LONGEST_URL = 100  # UpdateSpeechQueue, older page: the longest notification address
LONGEST_WAIT_S = 30.0  # for a queue or an address that was made just now


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
            if not error.possibly_own_write:
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
        hands.speech.enable_bucket(self.bucket)


@dataclass(frozen=True, slots=True)
class TellCallback:
    """The queue of a bucket: active, and telling the callback function of every finished job.

    `qualifier` is the version or alias that has the URL. `found` is None where the queue comes with this deployment,
    `address` "" where the URL does; both are then waited for.
    """

    bucket: str
    queue_id: str
    callback: FunctionSpec
    qualifier: str
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
        queue = self._queue(hands)
        hands.speech.update_queue(self.bucket, queue._replace(state="Active", notification=told))

    def _address(self, hands: Hands) -> str:
        for _ in hands.waiting.looks(LONGEST_WAIT_S):
            triggers = hands.functions.triggers(self.callback.name, self.callback.namespace)
            if found := address_among(triggers, self.qualifier):
                return found
        raise OperatorError(f"SCF gave {self.callback.name} no public address; run the command again")

    def _queue(self, hands: Hands) -> Queue:
        for _ in hands.waiting.looks(LONGEST_WAIT_S):
            if found := queue_of(hands, self.bucket, self.queue_id):
                return found
        raise NotFound(resource=self.bucket, code="QueueNotFound", message="the bucket has no speech queue")


@dataclass(frozen=True, slots=True)
class SilenceQueue:
    """A queue that tells a function that goes, or that is not to hear of its bucket any more."""

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
        silent = self.found.notification._replace(state="Off")
        try:
            hands.speech.update_queue(self.bucket, self.found._replace(notification=silent))
        except RequestRejected as error:
            if error.status not in DENIED:
                raise
            raise LeftAsItIs(
                f"this key may not change the speech queue of {self.bucket}, which goes on telling the callback "
                "function: switch its notification off in the Cloud Infinite console"
            ) from None


def notification(url: str) -> NotifyConfig:
    """How a queue tells of finished jobs (UpdateSpeechQueue)."""
    return NotifyConfig(state="On", url=url, type="Url", event="TaskFinish", format="XML")


def is_told(queue: Queue, address: str, token: str) -> bool:
    """Whether the queue is active and calls this address with this token, as `scribe doctor` sees it."""
    return queue.state == "Active" and not complaint(queue.notification, address, (token,))


def tells(queue: Queue, address: str, tokens: Collection[str]) -> bool:
    """Whether a queue calls a function of ours: at its address, or, when it has none any more, with a token of ours."""
    told = queue.notification
    if told.state.lower() != "on":
        return False
    return is_at(told, address) if address else token_of(told) in tokens


def is_at(told: NotifyConfig, address: str) -> bool:
    """Whether a notification goes to this address, whatever the token behind it."""
    return bool(address) and told.url.rpartition("/")[0].rstrip("/").lower() == address.lower()


def address_among(triggers: Iterable[FoundTrigger], qualifier: str) -> str:
    """The public URL of one version or alias of a function; "" where it has none."""
    urls = (one.url for one in triggers if (one.type, one.qualifier) == ("http", qualifier) and one.url)
    return next(urls, "").rstrip("/")


def queue_of(hands: Hands, bucket: str, queue_id: str) -> Queue | None:
    """The queue that takes a bucket's jobs: the one of QUEUE_ID, else the first."""
    queues = hands.speech.list_queues(bucket, queue_ids=(queue_id,) if queue_id else ()).queues
    return queues[0] if queues else None


def _shown(state: str, told: NotifyConfig) -> dict[str, str]:
    address, _, token = told.url.rpartition("/") if _has_path(told.url) else (told.url, "", "")
    return {
        "state": state,
        "notification": told.state,
        "goes to": "Url" if told.type.lower() in {"", "url"} else told.type,
        "address": address,
        "CALLBACK_TOKEN": token,
        "event": told.event,
        "format": told.format or "XML",
    }


def _has_path(url: str) -> bool:
    return bool(urlsplit(url).path.strip("/")) or not urlsplit(url).scheme
