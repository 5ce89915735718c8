"""One invocation of a function: its settings, credentials, time limit and log, made into a desk to work at."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from shared.errors import SettingsError
from shared.logs import Log
from shared.recordings.desk import Desk
from shared.settings import Settings, settings_from
from shared.tencent.cos import Cos
from shared.tencent.credentials import credentials_of
from shared.tencent.speech import Speech
from shared.tencent.wire import Wire

DEFAULT_LIMIT_MS = 60_000
MARGIN_SECONDS = 1.5  # to answer and log before the platform ends the process


def log_of(function: str, context: Any) -> Log:
    """The invocation's log: every line carries the function and the request id."""
    request_id = context.get("request_id") if isinstance(context, Mapping) else None
    return Log({"function": function, "request": str(request_id or "")})


def desk_for(context: Any, log: Log) -> Desk:
    """A desk for this invocation. Credentials and settings are read anew, connections are the process's own.

    Raises SettingsError, after logging it, with one message that names every mistake.
    """
    known: Mapping[str, Any] = context if isinstance(context, Mapping) else {}
    try:
        settings = settings_from(os.environ)
        credentials = credentials_of(known, os.environ)
    except SettingsError as error:
        log.error("the function cannot work", error=str(error))
        raise
    wire = Wire(credentials, settings.cloud_endpoint.rstrip("/"), _countdown(known))
    return desk_on(wire, settings, log)


def desk_on(wire: Wire, settings: Settings, log: Log) -> Desk:
    """A desk whose requests go over this wire."""
    return Desk(
        settings=settings,
        input_cos=Cos(wire, settings.region),
        output_cos=Cos(wire, settings.output_region or settings.region),
        speech=Speech(wire, settings.region, settings.jobs_path),
        log=log,
    )


def _countdown(context: Mapping[str, Any]) -> Any:
    """SCF tells the limit but not what is left of it, so the clock starts here."""
    limit_ms = context.get("time_limit_in_ms")
    if not isinstance(limit_ms, (int, float)) or limit_ms <= 0:
        limit_ms = DEFAULT_LIMIT_MS
    ends = time.monotonic() + limit_ms / 1000 - MARGIN_SECONDS
    return lambda: ends - time.monotonic()
