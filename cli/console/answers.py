"""The JSON that the console sends, and its errors. Secrets are hidden in both."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from cli.output import format_json

JSON_TYPE = "application/json"


class ApiError(Exception):
    """A request that is refused: the status, a code for the page, and a text for people with what to do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def build_json_response(document: Any, status: int = 200) -> Response:
    """Build the response for a document whose texts may quote the cloud."""
    return Response(format_json(document, indent=None).encode(), status, media_type=JSON_TYPE)


def build_text_response(document: Any) -> Response:
    """Build the response for words of recordings, which are long, and have no secret of this machine."""
    return Response(json.dumps(document).encode(), media_type=JSON_TYPE)


def build_error_response(status: int, code: str, message: str) -> Response:
    """Build the response for a refused request."""
    return build_json_response({"error": code, "message": message}, status)
