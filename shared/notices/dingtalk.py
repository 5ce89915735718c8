"""The custom robot of a DingTalk group.

Source: open.dingtalk.com/document/robots/custom-robot-access: the signature is in the query, with the time in
milliseconds; 20 messages a minute, then ten minutes of silence; a body of at most 20,000 bytes (code 460101). A refusal
has the status 200, and its code in the body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from types import MappingProxyType
from urllib.parse import quote

from shared.messages import message
from shared.notices.messages import Message
from shared.notices.models import NoticeRequest, NoticeResponse, Outcome, Target
from shared.notices.outcomes import RobotAnswers, read_robot_outcome
from shared.notices.text import cut

HOST, PATH = "oapi.dingtalk.com", "/robot/send"
MAX_BODY_BYTES = 20_000
MAX_CONTENT_BYTES = 9000  # JSON doubles a quote, and the body has other members
LINE_BREAK = "  \n"  # two spaces: in its Markdown a line break alone is a space

_ANSWERS = RobotAnswers(
    robot="DingTalk",
    code_names=("errcode",),
    text_names=("errmsg",),
    rate_limit_codes=frozenset({130101, 410100, 90018, 90030}),
    rate_limit_pause_s=600.0,
    hints=MappingProxyType(
        {
            300001: message("the robot does not exist any more: add one to the group and set its address"),
            310000: message(
                "check the robot's security page: secret of the signature, keyword Scribe, no list of addresses"
            ),
            400101: message("the robot does not exist any more: add one to the group and set its address"),
            400102: message("the robot is switched off"),
            460101: message("the message is too long"),
        }
    ),
)


def sign(secret: str, timestamp: str) -> str:
    """Return the signature as it is written in the query; `timestamp` in milliseconds."""
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    return quote(base64.b64encode(digest).decode(), safe="")


def build_request(target: Target, message: Message, now_s: float) -> NoticeRequest:
    """Build the request of one attempt. No one is mentioned, whatever the text says."""
    content = LINE_BREAK.join((f"**{message.title}**", *message.lines))
    document = {
        "msgtype": "markdown",
        "markdown": {"title": message.title, "text": cut(content, MAX_CONTENT_BYTES)},
        "at": {"isAtAll": False},
    }
    url = target.url
    if target.secrets:
        timestamp = str(int(now_s * 1000))
        separator = "&" if "?" in url else "?"
        url += f"{separator}timestamp={timestamp}&sign={sign(target.secrets[0], timestamp)}"
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return NoticeRequest(url, {"Content-Type": "application/json"}, body)


def read_outcome(target: Target, response: NoticeResponse, now_s: float) -> Outcome:
    """Return the outcome that the response says."""
    return read_robot_outcome(_ANSWERS, target, response, now_s)
