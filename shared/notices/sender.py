"""Sends one notice, or one digest of several, to a target: one attempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import httpx

from shared.notices import dingtalk, feishu, webhook, wecom
from shared.notices.connection import TOTAL_TIMEOUT_S, get_notice_client, post
from shared.notices.messages import Escape, Message, build_digest, build_message
from shared.notices.models import (
    Notice,
    NoticeRequest,
    NoticeResponse,
    Outcome,
    OutcomeKind,
    Target,
    TargetKind,
)
from shared.notices.text import escape_markdown, escape_plain

_TITLE_BYTES = 200


class _Robot(NamedTuple):
    build_request: Callable[[Target, Message, float], NoticeRequest]
    read_outcome: Callable[[Target, NoticeResponse, float], Outcome]
    escape: Escape
    max_content_bytes: int


_ROBOTS: Mapping[TargetKind, _Robot] = MappingProxyType(
    {
        TargetKind.WECOM: _Robot(
            wecom.build_request, wecom.read_outcome, escape_markdown, wecom.MAX_CONTENT_BYTES
        ),
        # A card with plain text: nothing in it is markup.
        TargetKind.FEISHU: _Robot(
            feishu.build_request, feishu.read_outcome, escape_plain, feishu.MAX_CONTENT_BYTES
        ),
        TargetKind.DINGTALK: _Robot(
            dingtalk.build_request, dingtalk.read_outcome, escape_markdown, dingtalk.MAX_CONTENT_BYTES
        ),
    }
)


def create_sender(*, allows_loopback: bool) -> Callable[[Target, Sequence[Notice], float, float], Outcome]:
    """Create a function that makes one attempt with the client of this process; see `send_notices`.

    Loopback is allowed with CLOUD_ENDPOINT only. The function takes the time limit in seconds last.
    """

    def send(target: Target, notices: Sequence[Notice], now_s: float, timeout_s: float) -> Outcome:
        client = get_notice_client(allows_loopback=allows_loopback)
        return send_notices(client, target, notices, now_s, timeout_s=timeout_s)

    return send


def send_notices(
    client: httpx.Client,
    target: Target,
    notices: Sequence[Notice],
    now_s: float,
    *,
    timeout_s: float = TOTAL_TIMEOUT_S,
) -> Outcome:
    """Send one notice, or several as one digest, which only a robot takes. Raises nothing that a target can cause.

    `now_s` is Unix seconds, for the signature; `timeout_s` is for the whole attempt.
    """
    try:
        request = build_request(target, notices, now_s)
    except Exception as error:  # noqa: BLE001 - a notice that has no message must hold up no other
        return Outcome(OutcomeKind.FAILED, f"the message cannot be built: {type(error).__name__}")
    try:
        response = post(client, request, timeout_s=timeout_s, reads_body=target.kind.is_robot)
    except httpx.TransportError as error:
        return Outcome(
            OutcomeKind.FAILED, str(error)
        )  # shared/tencent/transport.py: no text quotes a request
    return read_outcome(target, response, now_s)


def build_request(target: Target, notices: Sequence[Notice], now_s: float) -> NoticeRequest:
    """Build the request of one attempt. Raises ValueError for a digest to a webhook."""
    robot = _ROBOTS.get(target.kind)
    if robot is None:
        (notice,) = notices
        return webhook.build_request(target, notice, now_s)
    if len(notices) == 1:
        message = build_message(notices[0], target.language, robot.escape)
    else:
        max_bytes = robot.max_content_bytes - _TITLE_BYTES
        message = build_digest(notices, target.language, robot.escape, max_bytes)
    return robot.build_request(target, message, now_s)


def read_outcome(target: Target, response: NoticeResponse, now_s: float) -> Outcome:
    """Return the outcome that a response says."""
    robot = _ROBOTS.get(target.kind)
    read = robot.read_outcome if robot else webhook.read_outcome
    return read(target, response, now_s)
