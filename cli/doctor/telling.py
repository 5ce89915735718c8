"""Does a queue tell the callback function? One answer for `scribe doctor`, which tells it, and `scribe deploy`.

What the service may write in its own way (capitals, an event beside ours, a default left out) is no difference.
"""

from __future__ import annotations

from collections.abc import Collection

from shared.tencent.speech_models import NotifyConfig

# TransCodingFinish is its name on the pages of 2020.
_EVENTS = frozenset({"taskfinish", "transcodingfinish"})


def complaint(told: NotifyConfig, address: str, tokens: Collection[str]) -> str:
    """What is wrong, without any token; "" when the queue calls `address` with one of `tokens` at its end."""
    if told.state.lower() != "on":
        return "the queue's notification is off"
    if told.type.lower() not in {"", "url"}:
        return f"the queue's notification goes to {told.type}, not to an address"
    if not address:
        return f"the queue tells {shown(told.url)}, but the callback function has no address"
    if told.url.rpartition("/")[0].rstrip("/").lower() != address.lower():
        return f"the queue tells {shown(told.url)}, not the callback function at {shown(address + '/.')}"
    if token_of(told) not in tokens:
        return "the token at the end of the queue's notification address is not one of CALLBACK_TOKEN"
    if not _EVENTS & {event.strip().lower() for event in told.event.split(",")}:
        return f"the queue tells of {told.event or 'nothing'}, not of TaskFinish"
    if told.format.lower() not in {"", "xml", "json"}:
        return f"the queue tells in the format {told.format}, which the callback function cannot read"
    return ""


def token_of(told: NotifyConfig) -> str:
    """The end of its address."""
    return told.url.rpartition("/")[2]


def shown(url: str) -> str:
    """An address without what stands behind its host, where the token is."""
    scheme, separator, rest = url.partition("://")
    host = (rest if separator else scheme).partition("/")[0].rpartition("@")[2].partition("?")[0]
    return f"{scheme}://{host}/..." if separator else f"{host}/..."
