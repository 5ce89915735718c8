"""Functions that are killed at one of their requests. Where they can be killed follows from a clean run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.cloud import AUDIT, RECONCILE, Cloud

BEFORE, AFTER = "before", "after"
REST_SECONDS = 30.0
_LOST_NOTIFICATIONS = {"lost_notification": 1.0}
_LOST_EVENTS = {"lost_event": 1.0}

Plan = Mapping[str, Any]
Act = Callable[[Cloud, str, bytes], None]


@dataclass(frozen=True, slots=True)
class Cut:
    """A place to be killed at: the n-th request of an invocation, before or right after its effect."""

    function: str
    request: int
    when: str
    line: str = ""

    @property
    def plan(self) -> dict[str, Any]:
        """The stand-in's fault plan that kills here once."""
        kill = {"function": self.function, "request": self.request, "when": self.when, "times": 1}
        return {"seed": 1, "kill": kill}

    def __str__(self) -> str:
        return f"{self.function} killed {self.when} request {self.request}, {self.line}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """How a function comes to be at work: `prepare` in fair weather or not, then `act`, in which it may be killed."""

    function: str
    prepare: Act
    act: Act
    body: bytes = b"speech " * 40

    def run(self, cloud: Cloud, key: str, plan: Plan) -> None:
        """Plays it with one recording under a plan of faults, to its rest."""
        body = self.body + key.encode()
        cloud.set_faults({})
        self.prepare(cloud, key, body)
        rest(cloud)
        cloud.set_faults(plan)
        self.act(cloud, key, body)
        rest(cloud)
        cloud.set_faults({})

    def cuts(self, cloud: Cloud, key: str) -> Iterator[Cut]:
        """Every place to be killed at, from the requests that one clean run makes.

        Killed before a request leaves the cloud as killed right after the one before it: only the first has both.
        """
        since = max((call["number"] for call in cloud.invocations()), default=0)
        self.run(cloud, key, {})
        calls = [call for call in cloud.invocations(since) if call["function"] == self.function]
        for place, line in enumerate(calls[-1]["requests"], start=1):
            if place == 1:
                yield Cut(self.function, place, BEFORE, line)
            yield Cut(self.function, place, AFTER, line)


def rest(cloud: Cloud) -> None:
    """Waits for the pipeline. Raises AssertionError if it does not come to rest."""
    assert cloud.rests(REST_SECONDS), "the pipeline did not come to rest"


def upload(cloud: Cloud, key: str, body: bytes) -> None:
    """The recording is put."""
    cloud.upload(key, body)


def nothing(cloud: Cloud, key: str, body: bytes) -> None:
    """Nothing happened before."""


def reconcile(cloud: Cloud, key: str, body: bytes) -> None:
    """The timer goes off."""
    cloud.sweep(RECONCILE)


def audit(cloud: Cloud, key: str, body: bytes) -> None:
    """The other timer goes off."""
    cloud.sweep(AUDIT)


def lose_notification(cloud: Cloud, key: str, body: bytes) -> None:
    """The job is done, but nobody said so."""
    cloud.set_faults({"seed": 1, "rates": _LOST_NOTIFICATIONS})
    cloud.upload(key, body)


def lose_event(cloud: Cloud, key: str, body: bytes) -> None:
    """The recording is there, but nobody said so."""
    cloud.set_faults({"seed": 1, "rates": _LOST_EVENTS})
    cloud.upload(key, body)


def die_at(cut: Cut) -> Act:
    """An attempt that was killed there. No notification came, if it had submitted."""

    def die(cloud: Cloud, key: str, body: bytes) -> None:
        cloud.set_faults({**cut.plan, "rates": _LOST_NOTIFICATIONS})
        cloud.upload(key, body)

    return die
