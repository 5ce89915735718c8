"""`scribe invoke`: run one function once on one event in a running local cloud."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape

from cli.errors import OperatorError
from cli.language import _
from cli.local.emulator import Emulator, EmulatorError
from cli.output import escape_markup, print_json

FUNCTION_TIMEOUT_S = 900.0  # the longest timeout of a function


def invoke(console: Console, data: Path, function: str, event_file: Path) -> bool:
    """Run a function and print its requests, log and result. Return whether it succeeded.

    `data` is the folder of a running local cloud. Raises EmulatorError, OperatorError (the file is not JSON), OSError.
    """
    event = _load_event(event_file)
    emulator = _load_emulator(data)
    try:
        with httpx.Client(
            base_url=f"{emulator.endpoint}/-/",
            headers=emulator.admin_headers,
            timeout=FUNCTION_TIMEOUT_S,
            trust_env=False,
        ) as client:
            response = client.post(f"functions/{_find_function(client, function)}/invoke", json=event)
    except httpx.HTTPError as error:
        raise EmulatorError(
            _(
                "the local cloud at {endpoint} does not respond ({reason}). Is `scribe local --data {data}` running?",
                endpoint=emulator.endpoint,
                reason=error,
                data=data,
            )
        ) from None
    if response.status_code == httpx.codes.FORBIDDEN:
        raise EmulatorError(
            _(
                "the local cloud at {endpoint} is not the one that runs in {data}",
                endpoint=emulator.endpoint,
                data=data,
            )
        )
    if response.status_code == httpx.codes.NOT_FOUND:
        raise OperatorError(
            _("there is no function {name!r}; choose upload, callback or sweep", name=function)
        )
    response.raise_for_status()
    invocation: dict[str, Any] = response.json()
    _print_invocation(console, invocation)
    return bool(invocation.get("outcome") == "ok")


def _load_event(event_file: Path) -> Any:
    try:
        return json.loads(event_file.read_text("utf-8"))
    except ValueError as error:
        raise OperatorError(
            _("{file} is not a JSON event: {reason}. See events/ for examples", file=event_file, reason=error)
        ) from None


def _load_emulator(data: Path) -> Emulator:
    try:
        return Emulator.from_ready_line((data / "ready.json").read_text("utf-8"))
    except FileNotFoundError:
        raise EmulatorError(
            _("no local cloud runs in {data}. Start one: scribe local --data {data}", data=data)
        ) from None


def _find_function(client: httpx.Client, function: str) -> str:
    """Return the full name: `upload` is deployed as scribe-local-scribe-upload; `scribe invoke` accepts both."""
    names: list[str] = list(client.get("deployed").json())
    return next((name for name in names if name.endswith(f"-{function}")), function)


def _print_invocation(console: Console, invocation: dict[str, Any]) -> None:
    outcome = str(invocation.get("outcome"))
    colour = "green" if outcome == "ok" else "red"
    values = {
        "function": f"[bold]{escape_markup(invocation.get('function'))}[/]",
        "outcome": f"[{colour}]{escape_markup(outcome)}[/]",
        "duration_ms": float(invocation.get("duration_ms") or 0),
    }
    if invocation.get("cold"):
        console.print(_("{function}: {outcome} in {duration_ms:.0f} ms (cold start)", **values))
    else:
        console.print(_("{function}: {outcome} in {duration_ms:.0f} ms (warm start)", **values))
    for title, lines in ((_("Requests"), invocation.get("requests")), (_("Log"), invocation.get("log"))):
        console.print(f"\n[bold]{title}[/]")
        for line in lines or [_("(none)")]:
            console.print(f"  {escape_markup(line)}", soft_wrap=True)
    if invocation.get("error"):
        console.print(f"\n[bold]{_('Error')}[/]\n  {escape(str(invocation['error']))}", soft_wrap=True)
    console.print(f"\n[bold]{_('Result')}[/]")
    print_json(console, invocation.get("result"))
