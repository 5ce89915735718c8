"""The requests of Scribe's upload, made with a plain httpx client and nothing around it."""

import logging
import os
from typing import Any

import httpx
from upload_requests import Headers, Response, submit_jobs

# SCF sets the root logger to DEBUG; httpx would then write every URL and every header.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)
_client = httpx.Client(base_url=os.environ["CLOUD_ENDPOINT"], trust_env=False)


def main_handler(event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Return the ids of the submitted jobs."""
    return submit_jobs(event, _send)


def _send(method: str, target: str, headers: Headers, body: bytes) -> Response:
    response = _client.request(method, target, headers=headers, content=body)
    return response.headers, response.content
