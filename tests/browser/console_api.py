"""The page of the console with an API that a test makes up: many recordings, hostile names, errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route

from cli.config import PROJECT_FOLDER

ORIGIN = "http://console.test"
FOLDER = PROJECT_FOLDER / "cli" / "console" / "page"
BUCKET = "recordings-1250000000"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
STATES = ("open", "waiting", "failed", "done")


def build_row(key: str, state: str = "done", **members: Any) -> dict[str, Any]:
    """Return a recording as the console sends it."""
    return {
        "bucket": BUCKET,
        "key": key,
        "name": key.rpartition("/")[2],
        "state": state,
        "phase": "submitted" if state == "open" else state,
        "receipt_id": "ab12",
        "size": 1_000_000,
        "uploaded": "2026-11-26T02:00:00Z",
        "since": "2026-11-26T02:00:30Z",
        "minutes": 12.5 if state == "done" else None,
        "engine": "16k_zh",
        "job_id": "" if state == "waiting" else "s1",
        "attempt": 1,
        "note": "",
        "code": "",
        "next_step": "",
        "next_at": "",
        **members,
    }


class FakeConsole:
    """Answers a page's requests. `requests` has their paths.

    `answers` is for whole paths, as (status, document): at status 0 the connection fails, and below 0 nothing is sent.
    """

    def __init__(self, rows: list[dict[str, Any]], **session: Any) -> None:
        self.rows = rows
        self.revision = 1
        self.problem = ""
        self.requests: list[str] = []
        self.answers: dict[str, tuple[int, Any]] = {}
        self.sounds: dict[str, bytes] = {}
        self.session: dict[str, Any] = {
            "write": True,
            "language": "en",
            "buckets": [BUCKET],
            "is_local": True,
            "extensions": ["wav", "mp3"],
            "max_bytes": 536_870_912,
            "version": "1.0",
            "read_only_hint": "scribe console --write",
            "monthly_minutes": None,
            **session,
        }
        self.events = ": open\n\n"

    def attach(self, page: Page) -> None:
        """Answer all requests of this page."""
        page.route(f"{ORIGIN}/**", self._handle)

    def _handle(self, route: Route) -> None:
        parts = urlsplit(route.request.url)
        self.requests.append(parts.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path in self.answers:
            status, document = self.answers[parts.path]
            if status < 0:
                return
            if status == 0:
                route.abort("connectionrefused")
            else:
                route.fulfill(status=status, json=document)
        elif parts.path in self.sounds:
            _send_sound(route, self.sounds[parts.path])
        elif parts.path == "/api/session":
            route.fulfill(json=self.session)
        elif parts.path == "/api/recordings":
            route.fulfill(json=self._list(query))
        elif parts.path == "/api/events":
            route.fulfill(content_type="text/event-stream", body=self.events)
        elif parts.path == "/api/language":
            self.session["language"] = json.loads(route.request.post_data or "{}")["language"]
            route.fulfill(status=204)
        elif parts.path.startswith("/api/"):
            route.fulfill(status=404, json={"error": "not_found", "message": "It is not there."})
        else:
            path = FOLDER / (parts.path[1:] or "index.html")
            route.fulfill(path=path, headers={"Content-Security-Policy": POLICY, **_type_header(path.suffix)})

    def _list(self, query: Mapping[str, str]) -> dict[str, Any]:
        state, offset, limit = query.get("state", ""), int(query["offset"]), int(query["limit"])
        rows = [row for row in self.rows if not state or row["state"] == state]
        return {
            "revision": self.revision,
            "total": len(rows),
            "counts": self.count(),
            "rows": rows[offset : offset + limit],
            "has_more_done": False,
            "problem": self.problem,
        }

    def count(self) -> dict[str, int]:
        """Return how many recordings are in each state."""
        return {state: sum(row["state"] == state for row in self.rows) for state in STATES}


def _send_sound(route: Route, sound: bytes) -> None:
    """Send a range: without ranges a browser does not go to another position."""
    start = int(route.request.headers.get("range", "bytes=0-")[6:].partition("-")[0])
    headers = {
        "Content-Type": "audio/wav",
        "Accept-Ranges": "bytes",
        "Content-Range": f"bytes {start}-{len(sound) - 1}/{len(sound)}",
    }
    route.fulfill(status=206, body=sound[start:], headers=headers)


def _type_header(suffix: str) -> dict[str, str]:
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
    return {"Content-Type": f"{types[suffix]}; charset=utf-8"}
