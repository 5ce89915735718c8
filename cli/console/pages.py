"""The files of the page, cli/console/page."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.responses import Response

from cli.console.answers import ApiError
from cli.language import _

FOLDER = Path(__file__).parent / "page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# What is shown where the page's files were left out of an installation.
NO_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>scribe console</title></head><body>
<p>The files of the page are not installed: install Scribe again.</p>
<p lang="zh">未安装控制台页面文件：请重新安装 Scribe。</p>
</body></html>
"""  # not translated
_INDEX = "index.html"
_NAME = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z]+)")


def load_file(name: str) -> Response:
    """Load one of the page's files. Raises ApiError for any other name."""
    match = _NAME.fullmatch(name)
    path = FOLDER / name if match else None
    if name == _INDEX and not (FOLDER / name).is_file():
        return Response(NO_PAGE, headers={"content-type": TYPES[".html"]})
    if match is None or match[1] not in TYPES or path is None or not path.is_file():
        raise ApiError(404, "unknown_address", _("There is no such address."))
    return Response(path.read_bytes(), headers={"content-type": TYPES[match[1]]})
