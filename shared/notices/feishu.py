"""The custom robot of a group in Feishu, or in Lark, its international form.

Source: open.feishu.cn/document/client-docs/bot-v3/add-custom-bot: at most 20 KB a request, 100 messages a minute and 5
a second. A card with plain text is sent: nothing in it is markup, so names need no escaping.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from types import MappingProxyType
from typing import Any

from shared.messages import message
from shared.notices.messages import Message
from shared.notices.models import NoticeRequest, NoticeResponse, Outcome, Target
from shared.notices.outcomes import RobotAnswers, read_robot_outcome
from shared.notices.text import cut

FEISHU_HOST, LARK_HOST = "open.feishu.cn", "open.larksuite.com"
PATH = "/open-apis/bot/v2/hook/"
MAX_BODY_BYTES = 20 * 1024
MAX_CONTENT_BYTES = 9000  # JSON doubles a quote and a backslash, and a card has other members
LINE_BREAK = "\n"

_ANSWERS = RobotAnswers(
    robot="Feishu",
    code_names=("code", "StatusCode"),
    text_names=("msg", "StatusMessage"),
    rate_limit_codes=frozenset({11232}),
    rate_limit_pause_s=60.0,
    # 9499 is also the code of a request that cannot be read; its text says which.
    rate_limit_texts=("too many request", "frequency limit"),
    hints=MappingProxyType(
        {
            19001: message("the robot does not exist any more: add one to the group and set its address"),
            19007: message("the robot is switched off"),
            19021: message("the signature does not match: compare the secret with the robot's page"),
            19022: message(
                "the robot accepts only some addresses: switch that off; the function's address changes"
            ),
            19024: message("the robot asks for keywords: add the keyword Scribe on its page"),
        }
    ),
)


def sign(secret: str, timestamp: str) -> str:
    """Return the signature: HMAC-SHA256 of nothing, with time and secret as its key."""
    digest = hmac.new(f"{timestamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def build_request(target: Target, message: Message, now_s: float) -> NoticeRequest:
    """Build the request of one attempt."""
    content = cut(LINE_BREAK.join(message.lines), MAX_CONTENT_BYTES)
    document: dict[str, Any] = {
        "msg_type": "interactive",
        "card": {
            "config": {"wide_screen_mode": True},
            "header": {
                "title": {"tag": "plain_text", "content": message.title},
                "template": "red" if message.is_failure else "green",
            },
            "elements": [{"tag": "div", "text": {"tag": "plain_text", "content": content}}],
        },
    }
    if target.secrets:
        timestamp = str(int(now_s))
        document = {"timestamp": timestamp, "sign": sign(target.secrets[0], timestamp), **document}
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return NoticeRequest(target.url, {"Content-Type": "application/json"}, body)


def read_outcome(target: Target, response: NoticeResponse, now_s: float) -> Outcome:
    """Return the outcome that the response says."""
    return read_robot_outcome(_ANSWERS, target, response, now_s)
