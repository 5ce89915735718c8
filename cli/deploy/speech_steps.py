"""The steps for speech recognition: the binding of buckets, their queues, and what the queues notify."""

from __future__ import annotations

from urllib.parse import urlsplit

from cli.cloud.ci_bucket import BOUND
from cli.config import TOKEN_NAME
from cli.deploy.clients import Clients
from cli.deploy.notifications import ACTIVE, build_notify_config
from cli.deploy.state import DENIED, get_queue
from cli.deploy.steps import (
    NEW_QUEUE_TIMEOUT_S,
    Action,
    Change,
    Step,
    StepSkipped,
    diff_fields,
    wait_for_url,
)
from cli.errors import OperatorError
from cli.language import _
from cli.manifest.models import FunctionSpec
from shared.errors import NotFound, RequestRejected
from shared.tencent.speech_models import NotifyConfig, Queue

MAX_URL_LENGTH = 100  # UpdateSpeechQueue, older page: the longest notification address
BIND_BUCKET_PAGE = "https://console.cloud.tencent.com/ci/bucket"


def bind_bucket(bucket: str, status: str) -> Step:
    """Bind a bucket to Cloud Infinite, which contains the speech service."""

    def apply(clients: Clients) -> None:
        try:
            status = clients.ci_buckets.bind(bucket, clients.poller)
        except RequestRejected as error:
            if error.status not in DENIED:
                raise
            raise OperatorError(
                _(
                    "this key may not bind {bucket} to Cloud Infinite (ci:CreateCIBucket): bind it at {page}, or add "
                    "the permission; then run this again",
                    bucket=bucket,
                    page=BIND_BUCKET_PAGE,
                )
            ) from None
        if status != BOUND:
            raise OperatorError(
                _(
                    "{bucket} is still not bound to Cloud Infinite (its status is {status}): wait a minute, then run "
                    "this again",
                    bucket=bucket,
                    status=status or _("not known"),
                )
            )

    before = status if status == "unbinding" else _("not bound")
    description = _("binding of {bucket} to Cloud Infinite", bucket=bucket)
    return Step(Action.CREATE, description, (Change(_("state"), before, _("bound")),), apply)


def enable_speech(bucket: str) -> Step:
    """Switch on speech recognition for a bucket; its queue is created with it."""

    def apply(clients: Clients) -> None:
        clients.speech.enable_bucket(bucket)

    description = _("speech recognition for {bucket}", bucket=bucket)
    return Step(Action.CREATE, description, (Change(_("state"), _("off"), _("on")),), apply)


def configure_notification(
    bucket: str,
    queue_id: str,
    callback: FunctionSpec,
    *,
    qualifier: str,
    token: str,
    callback_url: str,
    current: Queue | None,
    resume: bool = False,
) -> Step:
    """Let the queue of a bucket notify the callback function. With `resume`, start it if it is paused.

    `qualifier` is the version or alias that has the URL. `current` is None if the queue is created by this deployment,
    `callback_url` "" if the address is; both are then polled.
    """

    def apply(clients: Clients) -> None:
        config = build_notify_config(f"{wait_for_url(clients, callback, qualifier)}/{token}")
        excess = len(config.url) - MAX_URL_LENGTH
        if excess > 0:
            raise OperatorError(
                _(
                    "the notification address has {length} characters, and a queue accepts {limit}: set a "
                    "CALLBACK_TOKEN that is {excess} characters shorter",
                    length=len(config.url),
                    limit=MAX_URL_LENGTH,
                    excess=excess,
                )
            )
        queue = _wait_for_queue(clients, bucket, queue_id)
        state = ACTIVE if resume else queue.state
        clients.speech.update_queue(bucket, queue._replace(state=state, notification=config))

    address = callback_url or _("address of {function}", function=callback.name)
    config = build_notify_config(f"{address}/{token}")
    before = _describe_queue(current.state, current.notification) if current else {}
    state = current.state if current and not resume else ACTIVE
    changes = diff_fields(before, _describe_queue(state, config))
    return Step(Action.CHANGE, _name_queue(bucket), changes, apply)


def resume_queue(bucket: str, current: Queue) -> Step:
    """Start a paused queue; its notification stays."""

    def apply(clients: Clients) -> None:
        clients.speech.update_queue(bucket, current._replace(state=ACTIVE))

    changes = (Change(_("state"), current.state, ACTIVE),)
    return Step(Action.CHANGE, _name_queue(bucket), changes, apply)


def disable_notification(bucket: str, current: Queue) -> Step:
    """Switch off the notification of a queue that calls a deleted function, or that of a former input bucket."""

    def apply(clients: Clients) -> None:
        config = current.notification._replace(state="Off")
        try:
            clients.speech.update_queue(bucket, current._replace(notification=config))
        except RequestRejected as error:
            if error.status not in DENIED:
                raise
            raise StepSkipped(
                _(
                    "the speech queue of {bucket} still notifies the callback function, because this key may not "
                    "change it: switch its notification off in the Cloud Infinite console",
                    bucket=bucket,
                )
            ) from None

    return Step(Action.CHANGE, _name_queue(bucket), (Change(_("notification"), "On", "Off"),), apply)


def _name_queue(bucket: str) -> str:
    return _("speech queue of {bucket}", bucket=bucket)


def _wait_for_queue(clients: Clients, bucket: str, queue_id: str) -> Queue:
    queue = clients.poller.poll(lambda: get_queue(clients, bucket, queue_id), bool, NEW_QUEUE_TIMEOUT_S)
    if not queue:
        message = _("the bucket has no speech queue")
        raise NotFound(resource=bucket, code="QueueNotFound", message=message)
    return queue


def _describe_queue(state: str, config: NotifyConfig) -> dict[str, str]:
    address, token = config.url.rpartition("/")[::2] if _has_path(config.url) else (config.url, "")
    return {
        _("state"): state,
        _("notification"): config.state,
        _("goes to"): "Url" if config.type.lower() in {"", "url"} else config.type,
        _("address"): address,
        TOKEN_NAME: token,
        _("event"): config.event,
        _("format"): config.format or "XML",
    }


def _has_path(url: str) -> bool:
    return bool(urlsplit(url).path.strip("/")) or not urlsplit(url).scheme
