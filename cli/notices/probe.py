"""One test notice to a target: what it answered, and what to do."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cli.language import N_, _, translate
from cli.notices.states import get_host
from shared.notices.connection import TOTAL_TIMEOUT_S
from shared.notices.models import Notice, NoticeType, Outcome, OutcomeKind, Target

Send = Callable[[Target, Sequence[Notice], float, float], Outcome]  # with Unix seconds, and the time limit

_ROBOT_CODES = N_("look this code up in the documentation of the robot")
# The first expression that matches the reason of an outcome says what to do.
_ADVICE = tuple(
    (re.compile(expression), advice)
    for expression, advice in (
        (r"^code -?\d+: .*\((?P<hint>[^()]*)\)$", "{hint}"),  # shared/notices/outcomes.py: RobotAnswers.hints
        (r"^code ", _ROBOT_CODES),
        (
            r"^the response is not that of",  # not translated
            N_("copy the robot's address from its page again"),
        ),
        (r"^status 3", N_("set {variable} to the address that it redirects to")),
        (
            r"^status 40[13]\b",
            N_("check the address and the secret, and whether the receiver accepts only some senders"),
        ),
        (r"^status 40[045]\b", N_("copy the address again: this one does not take notices")),
        (r"^status 410", N_("set {variable} to another address")),
        (r"^status 4", N_("look into the log of the receiver")),
        (r"^status 5", N_("the receiver has a problem: look into its log")),
        (
            r"not a public one|no IPv4 address",  # not translated
            N_("use a name whose addresses are all public, with at least one of IPv4"),
        ),
        (
            r"does not begin with https",  # not translated
            N_("set {variable} to an address that begins with https://"),
        ),
        (r"[Cc]ertificate|SSL", N_("give the receiver a certificate that browsers accept, for this name")),
        (
            r"gaierror|not resolved|UnicodeError",  # not translated
            N_("check the name in {variable}, and the connection of this machine"),
        ),
        (
            r"timed out|Timeout",  # not translated
            N_("check that the receiver runs and answers within seconds"),
        ),
        (
            r"refused|reset|unreachable",
            N_("check that the receiver runs, and that no firewall is in between"),
        ),
    )
)
_ANY_ADVICE = N_("check the address in {variable} and the log of the receiver")


class ProbeResult(NamedTuple):
    """The outcome of one test notice. `seconds` is how long it took."""

    target: Target
    notice_id: str
    outcome: Outcome
    seconds: float

    @property
    def passed(self) -> bool:
        """Check whether the target took it."""
        return self.outcome.kind is OutcomeKind.DELIVERED

    @property
    def next_step(self) -> str:
        """What to do; "" if nothing."""
        return advise(self.target, self.outcome)

    def as_json(self) -> dict[str, Any]:
        """A member of `scribe notify --test --json`."""
        return {
            "target": self.target.name,
            "kind": self.target.kind.value,
            "host": get_host(self.target),
            "id": self.notice_id,
            "outcome": self.outcome.kind.value,
            "reason": self.outcome.reason,
            "retry_after_s": round(self.outcome.retry_after_s, 1),
            "next_step": self.next_step,
            "seconds": round(self.seconds, 2),
        }


def build_test_notice(bucket: str, region: str, now_s: float) -> Notice:
    """Build a notice that is about no recording. Each has an id of its own, because receivers drop known ones."""
    return Notice(
        type=NoticeType.TEST,
        time_s=now_s,
        receipt_id=f"test-{uuid.uuid4().hex}",
        bucket=bucket,
        region=region,
        key="",
        etag="",
        size=0,
    )


def send_test_notice(target: Target, notice: Notice, send: Send) -> ProbeResult:
    """Make one attempt. Raises nothing that a target can cause."""
    start_s = time.monotonic()
    outcome = send(target, [notice], notice.time_s, TOTAL_TIMEOUT_S)
    return ProbeResult(target, notice.build_id(target.name), outcome, time.monotonic() - start_s)


def advise(target: Target, outcome: Outcome) -> str:
    """Return what to do about an outcome; "" if the notice was delivered."""
    variable = get_variable(target)
    if outcome.kind is OutcomeKind.DELIVERED:
        return ""
    if outcome.kind is OutcomeKind.RATE_LIMITED:
        pause_s = max(round(outcome.retry_after_s), 1)
        return _("nothing is wrong with the settings: wait {seconds} s, then try again", seconds=pause_s)
    for expression, advice in _ADVICE:
        match = expression.search(outcome.reason)
        if match:
            hints = {name: translate(hint) for name, hint in match.groupdict().items()}
            return _(advice, variable=variable, **hints)
    return _(_ANY_ADVICE, variable=variable)


def get_variable(target: Target) -> str:
    """Return the name of the variable with a target's address."""
    return f"NOTIFY_{target.name.upper().replace('-', '_')}"
