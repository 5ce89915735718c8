"""PUT /asrqueue/<id>: what the body may hold. It replaces the settings altogether."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localcloud.ci.errors import invalid
from localcloud.ci.models import Notify
from localcloud.xml import Node

_LONGEST_URL = 100  # D-QPUT-OLD; the current page names no limit
_NAME = re.compile(r"[\w*-]{1,128}")  # D-QPUT: letters, digits, Chinese, _ - *
_EVENTS = frozenset({"taskfinish", "workflowfinish", "transcodingfinish"})


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """The new name, state and notification of a queue."""

    name: str
    state: str
    notify: Notify


def settings_of(body: Node) -> QueueSettings:
    """The checked settings. A QueueId or QueueID in the body is let through unread. Raises InvalidArgument."""
    name, state, config = body.value("Name"), body.value("State"), body.find("NotifyConfig")
    if not _NAME.fullmatch(name):
        raise invalid("Name is required: at most 128 letters, digits, Chinese characters and _ - *.")
    if state not in ("Active", "Paused"):
        raise invalid("State is required: Active or Paused.")
    if config is None:
        raise invalid("NotifyConfig is required.")
    notify = Notify(
        config.value("State", "Off"),
        config.value("Url"),
        config.value("Event"),
        config.value("Type"),
        config.value("ResultFormat", "XML"),
    )
    _check(notify)
    return QueueSettings(name, state, notify)


def _check(notify: Notify) -> None:
    if notify.state not in ("On", "Off"):
        raise invalid("NotifyConfig.State is On or Off.")
    if notify.result_format not in ("XML", "JSON"):
        raise invalid("NotifyConfig.ResultFormat is XML or JSON.")
    if len(notify.url) > _LONGEST_URL:
        raise invalid(f"NotifyConfig.Url has at most {_LONGEST_URL} characters.")
    if notify.state == "Off":
        return
    if notify.type not in ("Url", "TDMQ"):
        raise invalid("NotifyConfig.Type is Url or TDMQ.")
    if notify.type == "TDMQ":
        raise invalid("The stand-in delivers to URLs only: NotifyConfig.Type is Url.")
    if not notify.url.startswith(("http://", "https://")):
        raise invalid("NotifyConfig.Url is an http or https address.")
    events = {event.strip().lower() for event in notify.event.split(",")}
    if not notify.event or not events <= _EVENTS:
        raise invalid("NotifyConfig.Event is TaskFinish, WorkflowFinish or both with a comma.")
