"""One invocation of a function: its settings, credentials, time limit and log, made into a desk to work at."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from shared.errors import SettingsError
from shared.logger import Logger
from shared.recordings.desk import Desk
from shared.settings import Settings, load_settings
from shared.tencent.auth import load_credentials
from shared.tencent.client import TencentClient
from shared.tencent.cos import CosClient
from shared.tencent.speech import SpeechClient

DEFAULT_LIMIT_MS = 60_000
MARGIN_SECONDS = 1.5  # to answer and log before the platform ends the process


def log_of(function: str, context: Any) -> Logger:
    """The invocation's log: every line carries the function and the request id."""
    request_id = context.get("request_id") if isinstance(context, Mapping) else None
    return Logger({"function": function, "request": str(request_id or "")})


def desk_for(context: Any, log: Logger) -> Desk:
    """A desk for this invocation. Credentials and settings are read anew, connections are the process's own.

    Raises SettingsError, after logging it, with one message that names every mistake.
    """
    known: Mapping[str, Any] = context if isinstance(context, Mapping) else {}
    try:
        settings = load_settings(os.environ)
        credentials = load_credentials(known, os.environ)
    except SettingsError as error:
        log.error("the function cannot work", error=str(error))
        raise
    wire = TencentClient(credentials, settings.cloud_endpoint.rstrip("/"), _countdown(known))
    return desk_on(wire, settings, log)


def desk_on(wire: TencentClient, settings: Settings, log: Logger) -> Desk:
    """A desk whose requests go over this wire."""
    return Desk(
        settings=settings,
        input_cos=CosClient(wire, settings.region),
        output_cos=CosClient(wire, settings.output_region or settings.region),
        speech=SpeechClient(wire, settings.region, settings.jobs_path),
        log=log,
    )


def _countdown(context: Mapping[str, Any]) -> Any:
    """SCF tells the limit but not what is left of it, so the clock starts here."""
    limit_ms = context.get("time_limit_in_ms")
    if not isinstance(limit_ms, (int, float)) or limit_ms <= 0:
        limit_ms = DEFAULT_LIMIT_MS
    ends = time.monotonic() + limit_ms / 1000 - MARGIN_SECONDS
    return lambda: ends - time.monotonic()
