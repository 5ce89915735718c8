"""The notification of a speech queue: what deploy configures, and what doctor expects.

Differences in how the service writes a value (capitals, another event beside ours, a default left out) do not count.
"""

from __future__ import annotations

from collections.abc import Collection

from cli.language import _
from shared.tencent.speech_models import NotifyConfig, Queue

ACTIVE = "Active"  # the state of a queue that runs its jobs

# TransCodingFinish is the name of the event on the pages of 2020.
_EVENTS = frozenset({"taskfinish", "transcodingfinish"})


def build_notify_config(url: str) -> NotifyConfig:
    """The notification of finished jobs to an address (UpdateSpeechQueue)."""
    return NotifyConfig(state="On", url=url, type="Url", event="TaskFinish", format="XML")


def notification_problem(config: NotifyConfig, callback_url: str, tokens: Collection[str]) -> str:
    """What is wrong, without any token; "" if the queue calls `callback_url` with one of the tokens at its end."""
    if config.state.lower() != "on":
        return _("the notification of the queue is off")
    if config.type.lower() not in {"", "url"}:
        return _("the notification of the queue has the type {type}, not Url", type=config.type)
    if not callback_url:
        return _(
            "the queue notifies {address}, but the callback function has no address",
            address=redact_url(config.url),
        )
    if not targets_url(config, callback_url):
        return _(
            "the queue notifies {address}, not the callback function at {own_address}",
            address=redact_url(config.url),
            own_address=redact_url(f"{callback_url}/."),
        )
    if parse_token(config) not in tokens:
        return _("the token at the end of the queue's notification address is not in CALLBACK_TOKEN")
    if not _EVENTS & {event.strip().lower() for event in config.event.split(",")}:
        return _(
            "the queue notifies about {event}, not about TaskFinish", event=config.event or _("no event")
        )
    if config.format.lower() not in {"", "xml", "json"}:
        return _(
            "the queue sends the format {format}, which the callback function cannot parse",
            format=config.format,
        )
    return ""


def is_notification_configured(queue: Queue, callback_url: str, token: str) -> bool:
    """Whether the queue calls this address with this token."""
    return not notification_problem(queue.notification, callback_url, (token,))


def is_paused(queue: Queue) -> bool:
    """Whether jobs wait in the queue until someone starts it again."""
    return queue.state != ACTIVE


def notifies_us(queue: Queue, callback_url: str, tokens: Collection[str]) -> bool:
    """Whether a queue calls our function: at its address, or, if it has none any more, with one of our tokens."""
    config = queue.notification
    if config.state.lower() != "on":
        return False
    return targets_url(config, callback_url) if callback_url else parse_token(config) in tokens


def targets_url(config: NotifyConfig, callback_url: str) -> bool:
    """Whether a notification goes to this address, whatever token is behind it."""
    return bool(callback_url) and config.url.rpartition("/")[0].rstrip("/").lower() == callback_url.lower()


def parse_token(config: NotifyConfig) -> str:
    """The last part of the address."""
    return config.url.rpartition("/")[2]


def redact_url(url: str) -> str:
    """An address without what is behind its host, where the token is."""
    scheme, separator, rest = url.partition("://")
    host = (rest if separator else scheme).partition("/")[0].rpartition("@")[2].partition("?")[0]
    return f"{scheme}://{host}/..." if separator else f"{host}/..."
