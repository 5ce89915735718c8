"""Does the callback function answer at its address, and only those who know the token?"""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from cli.doctor.case import Case
from cli.doctor.finding import Finding, fine, wrong
from cli.manifest.models import CALLBACK

DEPLOY = "scribe deploy"


def address(case: Case) -> Iterator[Finding]:
    """Two requests that change nothing: a POST without a token is refused, a GET with it is told to POST."""
    if not case.address:
        return
    try:
        complaint, mend = _complaint(case)
    except httpx.HTTPError as error:
        # Its text may hold the address, and with it the token.
        complaint = f"nothing answers at the callback function's address ({type(error).__name__})"
        mend = "a new address may take a minute to be known; then run scribe doctor again"
    if complaint:
        yield wrong(complaint, mend=mend, about=CALLBACK)
    else:
        yield fine("it answers, and knows the token", about=CALLBACK)


def _complaint(case: Case) -> tuple[str, str]:
    """What is wrong and what mends it. Raises httpx.HTTPError."""
    see_log = f"see the callback function's log in the SCF console; then {DEPLOY}"
    stranger = case.hands.as_stranger("POST", case.address + "/").status_code
    if stranger != httpx.codes.FORBIDDEN:
        return f"a POST without the token is answered with {stranger}, not 403: {_reason(stranger)}", see_log
    friend = case.hands.as_stranger("GET", f"{case.address}/{case.settings.callback_tokens[0]}").status_code
    if friend == httpx.codes.FORBIDDEN:
        return "it does not know the first token of CALLBACK_TOKEN", DEPLOY
    if friend != httpx.codes.METHOD_NOT_ALLOWED:
        return f"a GET with the token is answered with {friend}, not 405: {_reason(friend)}", see_log
    return "", ""


def _reason(status: int) -> str:
    if status == httpx.codes.NOT_FOUND:
        return "nothing is behind this address"
    if status == httpx.codes.UNAUTHORIZED:
        return "its AuthType is CAM, and Cloud Infinite signs nothing"
    if status >= httpx.codes.BAD_REQUEST:
        return "the function fails"
    return "something else answers there"
