"""After the storm: sweeps in fair weather until there is nothing left to mend."""

from __future__ import annotations

import time

from cli.local.emulator import OUTPUT_BUCKET
from tests.chaos.cloud import AUDIT, RECONCILE, Cloud

_MOST_ROUNDS = 20
_PAUSE_SECONDS = 0.3  # with SWEEP_AFTER 0 an attempt that died holds its lease for 2 seconds


def repair(cloud: Cloud, rest_seconds: float) -> str:
    """Reconciles and audits until a whole round changed nothing. Says why if that never came; "" if it did."""
    cloud.rests(rest_seconds)
    now = _state(cloud)
    for _ in range(_MOST_ROUNDS):
        calls = []
        for message in (RECONCILE, AUDIT):
            calls.append(cloud.sweep(message))
            if not cloud.rests(rest_seconds):
                return "the pipeline does not come to rest"
        before, now = now, _state(cloud)
        still_open = [key for key in now if key.startswith(".scribe/open/")]
        if not still_open and before == now and all(call["outcome"] == "ok" for call in calls):
            return ""
        if still_open:
            time.sleep(_PAUSE_SECONDS)
    told = [call["error"] or call["result"] for call in calls]
    return f"no end of mending, {len(still_open)} open; the last sweeps say {told}"


def _state(cloud: Cloud) -> dict[str, str]:
    """Everything that was ever written for a recording: keys and ETags."""
    return {item.key: item.etag for item in cloud.pipeline.clients.cos.iter_objects(OUTPUT_BUCKET)}
