"""The robot of a WeCom group. The key in its address is its secret; nothing is signed.

Source: developer.work.weixin.qq.com/document/path/91770: Markdown of at most 4096 bytes, 20 messages a minute. A
refusal has the status 200, and its code in the body.
"""

from __future__ import annotations

import json
from types import MappingProxyType

from shared.messages import message
from shared.notices.messages import Message
from shared.notices.models import NoticeRequest, NoticeResponse, Outcome, Target
from shared.notices.outcomes import RobotAnswers, read_robot_outcome
from shared.notices.text import cut

HOST, PATH = "qyapi.weixin.qq.com", "/cgi-bin/webhook/send"
MAX_CONTENT_BYTES = 4096
LINE_BREAK = "\n"

_ANSWERS = RobotAnswers(
    robot="WeCom",
    code_names=("errcode",),
    text_names=("errmsg",),
    rate_limit_codes=frozenset({45009, 45033}),
    rate_limit_pause_s=60.0,
    hints=MappingProxyType(
        {
            93000: message("the robot does not exist any more: add one to the group and set its address"),
            40058: message("the message is too long or malformed"),
        }
    ),
)


def build_request(target: Target, message: Message, _: float) -> NoticeRequest:
    """Build the request of one attempt."""
    content = LINE_BREAK.join((f"**{message.title}**", *message.lines))
    document = {"msgtype": "markdown", "markdown": {"content": cut(content, MAX_CONTENT_BYTES)}}
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return NoticeRequest(target.url, {"Content-Type": "application/json"}, body)


def read_outcome(target: Target, response: NoticeResponse, now_s: float) -> Outcome:
    """Return the outcome that the response says."""
    return read_robot_outcome(_ANSWERS, target, response, now_s)
