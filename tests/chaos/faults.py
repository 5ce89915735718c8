"""The fault plan: every kind of fault of the local cloud, with rates that give a typical upload one or two of them."""

from __future__ import annotations

from typing import Any

# One upload has one event, one job, one notification, and about eighteen requests in two functions.
_RATES = {
    # CI's notifications
    "duplicate_notification": 0.06,
    "late_notification": 0.06,
    "lost_notification": 0.08,
    "forged_notification": 0.10,
    "early_notification": 0.03,
    # COS events
    "duplicate_event": 0.06,
    "late_event": 0.06,
    "lost_event": 0.05,
    "accelerate_event": 0.05,
    "plus_in_url_event": 0.3,
    # each request of a function
    "throttled": 0.006,
    "server_error_before": 0.004,
    "server_error_after": 0.006,
    "cut_before": 0.004,
    "cut_after": 0.006,
    "slow_answer": 0.004,
    "head_without_etag": 0.01,
    "head_weak_etag": 0.01,
    "head_upper_etag": 0.01,
    "head_without_last_modified": 0.01,
    "killed_before_request": 0.003,
    "killed_after_request": 0.004,
    # CI's queue and engine
    "queue_full": 0.02,
    "job_failed": 0.03,
    "job_failed_no_money": 0.02,
    "refused_account": 0.1,
    "submit_without_code": 0.02,
    # CI's answers about jobs
    "success_without_result": 0.05,
    "bad_member": 0.01,
    "empty_page_with_token": 0.1,
    # answers that come one byte a second: few, because each holds up its reader until a limit
    "drip": 0.0002,
    "drip_member": 0.002,
}
_RACY_RATE = 0.5
_CLOCK_SKEWS_S = (0, 3, -3)


def build_fault_plan(seed: int, *, racy: bool = False) -> dict[str, Any]:
    """Build the plan for the local cloud. With `racy`, two create-only writes at the same time can both succeed:

    a published report saw COS do that.
    """
    rates = {**_RATES, "racy_create_only": _RACY_RATE} if racy else _RATES
    return {
        "seed": seed,
        "rates": rates,
        "delay_ms": [200, 2500],
        "clock_skew_s": _CLOCK_SKEWS_S[seed // 2 % len(_CLOCK_SKEWS_S)],
    }
