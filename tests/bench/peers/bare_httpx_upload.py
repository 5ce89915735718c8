"""The requests of Scribe's upload, made with a plain httpx client and nothing around it."""

import logging
import os

import httpx
from same_requests import take_in

# SCF sets the root logger to DEBUG; httpx would then write every URL and every header.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)
_client = httpx.Client(base_url=os.environ["CLOUD_ENDPOINT"], trust_env=False)


def main_handler(event: dict, context: dict) -> dict:
    """Answers the ids of the jobs that it submitted."""
    return take_in(event, _send)


def _send(method: str, target: str, headers: dict, body: bytes) -> tuple:
    answer = _client.request(method, target, headers=headers, content=body)
    return answer.headers, answer.content
