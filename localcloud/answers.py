"""Answers that both services give: XML documents, and files without loading them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import BinaryIO

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from localcloud.xml import Node, serialize

# Exactly this: the Python SDK parses some answers only when nothing follows the type.
XML_TYPE = "application/xml"
_CHUNK = 256 * 1024


def xml_answer(root: Node, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An XML document as the answer."""
    return Response(serialize(root), status, headers, XML_TYPE)


class FileAnswer(Response):
    """Part of an open file, sent piece by piece; the file is closed at the end whatever happens."""

    def __init__(
        self, file: BinaryIO, start: int, length: int, status: int, headers: Mapping[str, str]
    ) -> None:
        super().__init__(None, status, {**headers, "content-length": str(length)})
        self._file = file
        self._start = start
        self._left = length

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        with self._file as file:
            file.seek(self._start)
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            while chunk := file.read(min(_CHUNK, self._left)):
                self._left -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": self._left > 0})
                if not self._left:
                    return
                # Lets others have their turn, and the server notice that the client is gone.
                await asyncio.sleep(0)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def close(self) -> None:
        """Close the file of an answer that is not sent."""
        self._file.close()


def drop(response: Response) -> None:
    """Let go of an answer that will not be sent."""
    if isinstance(response, FileAnswer):
        response.close()
