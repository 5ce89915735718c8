"""`scribe invoke`: one function, once, on one event, against a running stand-in; then what it did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape

from cli.standin import Standin, StandinError

LIMIT_SECONDS = 900.0  # the longest that a function may run


def invoke(console: Console, data: Path, function: str, event_file: Path) -> bool:
    """Shows the function's requests, log and result. True when it ended well.

    `data` is the folder of a running stand-in. Raises StandinError, OSError, ValueError (the event is not JSON).
    """
    event = json.loads(event_file.read_text("utf-8"))
    standin = _running(data)
    try:
        with httpx.Client(
            base_url=f"{standin.endpoint}/-/", timeout=LIMIT_SECONDS, trust_env=False
        ) as client:
            answer = client.post(f"functions/{_full_name(client, function)}/invoke", json=event)
    except httpx.HTTPError as error:
        raise StandinError(
            f"no stand-in answers at {standin.endpoint} ({error}); start one: scribe local"
        ) from None
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise StandinError(f"there is no function {function!r}; it is upload, callback or sweep")
    answer.raise_for_status()
    done: dict[str, Any] = answer.json()
    _show(console, done)
    return bool(done.get("outcome") == "ok")


def _full_name(client: httpx.Client, function: str) -> str:
    """`upload` is deployed as scribe-local-scribe-upload; `scribe invoke` takes either."""
    names: list[str] = list(client.get("deployed").json())
    return next((name for name in names if name.endswith(f"-{function}")), function)


def _running(data: Path) -> Standin:
    try:
        return Standin.from_ready_line((data / "ready.json").read_text("utf-8"))
    except FileNotFoundError:
        raise StandinError(f"no stand-in runs in {data}; start one: scribe local --data {data}") from None


def _show(console: Console, done: dict[str, Any]) -> None:
    colour = "green" if done.get("outcome") == "ok" else "red"
    started = "cold" if done.get("cold") else "warm"
    console.print(
        f"[bold]{escape(str(done.get('function')))}[/]: [{colour}]{escape(str(done.get('outcome')))}[/]"
        f" in {float(done.get('duration_ms') or 0):.0f} ms ({started} start)"
    )
    for title, lines in (("It asked", done.get("requests") or []), ("It logged", done.get("log") or [])):
        console.print(f"\n[bold]{title}[/]" + ("" if lines else " nothing"))
        for line in lines:
            console.print("  " + escape(str(line)), soft_wrap=True)
    if done.get("error"):
        console.print(f"\n[bold]It raised[/]\n  {escape(str(done['error']))}", soft_wrap=True)
    console.print("\n[bold]It gave[/]")
    console.print_json(json.dumps(done.get("result"), ensure_ascii=False))
