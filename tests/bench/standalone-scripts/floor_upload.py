"""The least that can make the requests of Scribe's upload: http.client and a signature."""

import http.client
import os
from typing import Any

from upload_requests import Headers, Response, submit_jobs

_HOST = os.environ["CLOUD_ENDPOINT"].removeprefix("http://")
_connection = http.client.HTTPConnection(_HOST)


def main_handler(event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Return the ids of the submitted jobs."""
    return submit_jobs(event, _send)


def _send(method: str, target: str, headers: Headers, body: bytes) -> Response:
    _connection.request(method, target, body or None, headers)
    response = _connection.getresponse()
    return response.headers, response.read()
