"""Reading what CI is asked: bodies, pages, lists in parameters."""

from __future__ import annotations

import re

from localcloud.ci.errors import CiProblem, invalid
from localcloud.http.request import Request
from localcloud.xml import MalformedXml, Node, read

_NUMBER = re.compile(r"[0-9]{1,12}")
_MOST_BODY = 512 * 1024  # bytes


async def request_body(asked: Request) -> Node:
    """The <Request> body. Raises MissingContent, InvalidContent."""
    body = await asked.body(_MOST_BODY)
    if body is None:
        raise CiProblem(400, "InvalidContent", f"A body has at most {_MOST_BODY} bytes.")
    if not body.strip():
        raise CiProblem(400, "MissingContent", "The request needs a body.")
    try:
        root = read(body.strip())
    except MalformedXml as error:
        raise CiProblem(400, "InvalidContent", f"The body is malformed: {error}") from error
    if root.name != "Request":
        raise CiProblem(400, "InvalidContent", "The body's root is Request.")
    return root


def number(asked: Request, name: str, default: int, highest: int = 10**6) -> int:
    """A whole number from 1 up. An empty parameter counts as absent: the Python SDK sends those."""
    text = asked.parameters.get(name, "")
    if not text:
        return default
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= highest:
        raise invalid(f"{name} is a number from 1 to {highest}.")
    return int(text)


def page(asked: Request) -> tuple[int, int]:
    """PageNumber and pageSize (seeds: 1 and 10 by default, at most 100 a page)."""
    return number(asked, "pageNumber", 1), number(asked, "pageSize", 10, 100)


def names(asked: Request, name: str) -> list[str]:
    """A comma list."""
    return [part.strip() for part in asked.parameters.get(name, "").split(",") if part.strip()]
