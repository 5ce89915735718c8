"""Reads the outcome of an attempt from a response: what all targets have in common."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from shared.notices.models import DELIVERED, NoticeResponse, Outcome, OutcomeKind, Target
from shared.tencent.clock import parse_http_date

MAX_RETRY_AFTER_S = 86_400.0
MAX_REASON_LENGTH = 300
_GONE, _TOO_MANY_REQUESTS = 410, 429
_UNAVAILABLE = (502, 503, 504)
_SUCCESSES, _REDIRECTS = range(200, 300), range(300, 400)
_MIN_SECRET_LENGTH = 6
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def is_success(status: int) -> bool:
    """Check for a 2xx status. A redirect is a failure: the address that it names was not checked."""
    return status in _SUCCESSES


def read_failed_status(response: NoticeResponse, now_s: float) -> Outcome:
    """Return the outcome of a response that is not 2xx. Nothing in it is quoted."""
    status = response.status
    retry_after_s = parse_retry_after(response.retry_after, now_s)
    if status == _GONE:
        return Outcome(OutcomeKind.GONE, "status 410: the receiver wants no more notices")
    if status == _TOO_MANY_REQUESTS or (status in _UNAVAILABLE and retry_after_s):
        return Outcome(OutcomeKind.RATE_LIMITED, f"status {status}: the receiver is busy", retry_after_s)
    if status in _REDIRECTS:
        reason = f"status {status}: a redirect is not followed; set the final address"
        return Outcome(OutcomeKind.FAILED, reason, retry_after_s)
    return Outcome(OutcomeKind.FAILED, f"status {status}", retry_after_s)


def parse_retry_after(text: str, now_s: float) -> float:
    """Parse a Retry-After header, seconds or a date, as seconds from now: 0 to MAX_RETRY_AFTER_S.

    0 for one that cannot be read.
    """
    text = text.strip()
    if text.isascii() and text.isdecimal():
        seconds = float(text[:9])
    else:
        date_s = parse_http_date(text)
        seconds = date_s - now_s if date_s else 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S) if math.isfinite(seconds) else 0.0


class RobotAnswers(NamedTuple):
    """How a robot answers: the member with its code, 0 for a success, and the member with the text.

    Each can have several names. Codes and texts of a message above its limit, the pause in seconds that this needs, and
    what to do about other codes.
    """

    robot: str
    code_names: tuple[str, ...]
    text_names: tuple[str, ...]
    rate_limit_codes: frozenset[int]
    rate_limit_pause_s: float
    rate_limit_texts: tuple[str, ...] = ()
    hints: Mapping[int, str] = MappingProxyType({})


def read_robot_outcome(
    answers: RobotAnswers, target: Target, response: NoticeResponse, now_s: float
) -> Outcome:
    """Return the outcome. A robot refuses with the status 200, so the code in the body decides."""
    document = parse_json_body(response) or {}
    code = _get_code(document, answers.code_names)
    is_status_of_all = response.status in {_GONE, _TOO_MANY_REQUESTS}
    if is_status_of_all or (not code and not is_success(response.status)):
        outcome = read_failed_status(response, now_s)
        if outcome.kind is OutcomeKind.RATE_LIMITED and not outcome.retry_after_s:
            return outcome._replace(retry_after_s=answers.rate_limit_pause_s)
        return outcome
    if code is None:
        return Outcome(OutcomeKind.FAILED, f"the response is not that of a {answers.robot} robot")
    if code == 0:
        return DELIVERED
    text = next((str(document[name]) for name in answers.text_names if name in document), "")
    reason = hide_secrets(target, f"code {code}: {text}")
    has_limit_text = any(each in text.lower() for each in answers.rate_limit_texts)
    if code in answers.rate_limit_codes or has_limit_text:
        pause_s = max(answers.rate_limit_pause_s, parse_retry_after(response.retry_after, now_s))
        return Outcome(OutcomeKind.RATE_LIMITED, reason, pause_s)
    hint = answers.hints.get(code)
    return Outcome(OutcomeKind.FAILED, f"{reason} ({hint})" if hint else reason)


def _get_code(document: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        code = document.get(name)
        if isinstance(code, int) and not isinstance(code, bool):
            return code
        if isinstance(code, str) and re.fullmatch(r"-?[0-9]{1,12}", code):
            return int(code)
    return None


def parse_json_body(response: NoticeResponse) -> Mapping[str, Any] | None:
    """Parse the JSON object in a body; None if it is not one."""
    try:
        parsed = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def hide_secrets(target: Target, text: str) -> str:
    """Return a text of a response for a log: one line, cut, without the secrets of the target."""
    url = urlsplit(target.url)
    parts = [url.path.rpartition("/")[2], url.query, *(value for _, value in parse_qsl(url.query))]
    for secret in sorted((*target.secrets, *parts), key=len, reverse=True):
        if len(secret) >= _MIN_SECRET_LENGTH:
            text = text.replace(secret, "***")
    return _CONTROLS.sub(" ", text)[:MAX_REASON_LENGTH]
