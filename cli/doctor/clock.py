"""Does this machine's clock agree with the cloud's? Signatures carry the time."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from cli.doctor.case import Case
from cli.doctor.finding import Finding, fine, note, wrong

NOTED_S, REFUSED_S = 60.0, 300.0  # API 3.0 refuses a signature that is more than five minutes off


def clock(case: Case) -> Iterator[Finding]:
    """Compares with the Date header of COS. Needs no key and no region, and tells whether the cloud can be reached."""
    answer = case.hands.as_stranger("GET", "https://service.cos.myqcloud.com/")
    here_s = case.hands.now()
    try:
        cloud_s = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        yield note("COS told no time, so this machine's clock was not checked")
        return
    ahead_s = here_s - cloud_s
    seconds = f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} the cloud's"
    mend = "set this machine's clock by network time (timedatectl set-ntp true; on macOS and Windows: date settings)"
    if abs(ahead_s) > REFUSED_S:
        yield wrong(f"this machine's clock is {seconds}: every signed request is refused", mend=mend)
    elif abs(ahead_s) > NOTED_S:
        yield note(f"this machine's clock is {seconds}; from {REFUSED_S:.0f} s on nothing works", mend=mend)
    else:
        yield fine("this machine's clock agrees with the cloud's")
