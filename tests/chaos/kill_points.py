"""Kill a function at one of its requests. The possible points are the requests of a run without faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.cloud import AUDIT, RECONCILE, Cloud

BEFORE, AFTER = "before", "after"
IDLE_TIMEOUT_S = 30.0
_LOST_NOTIFICATIONS = {"lost_notification": 1.0}
_LOST_EVENTS = {"lost_event": 1.0}

FaultPlan = Mapping[str, Any]
Action = Callable[[Cloud, str, bytes], None]


@dataclass(frozen=True, slots=True)
class KillPoint:
    """The n-th request of an invocation; the function is killed before it or right after its effect."""

    function: str
    request: int
    when: str
    line: str = ""

    @property
    def plan(self) -> dict[str, Any]:
        """Return the fault plan that kills the function here, once."""
        kill = {"function": self.function, "request": self.request, "when": self.when, "times": 1}
        return {"seed": 1, "kill": kill}

    def __str__(self) -> str:
        return f"{self.function} killed {self.when} request {self.request}, {self.line}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """Makes a function run: `prepare`, then `action`, during which the function may be killed."""

    function: str
    prepare: Action
    action: Action
    body: bytes = b"speech " * 40

    def run(self, cloud: Cloud, key: str, plan: FaultPlan) -> None:
        """Run it for one recording until the pipeline is idle; `plan` applies to the action only."""
        body = self.body + key.encode()
        cloud.set_faults({})
        cloud.stop_instances()  # a new process has one request more: it asks whether the bucket has versioning
        self.prepare(cloud, key, body)
        wait_until_idle(cloud)
        cloud.stop_instances()
        cloud.set_faults(plan)
        self.action(cloud, key, body)
        wait_until_idle(cloud)
        cloud.set_faults({})

    def find_kill_points(self, cloud: Cloud, key: str) -> Iterator[KillPoint]:
        """Run once without faults and yield the kill points of its requests.

        Before a request equals right after the previous one, so only the first request has both.
        """
        since = max((call["number"] for call in cloud.invocations()), default=0)
        self.run(cloud, key, {})
        calls = [call for call in cloud.invocations(since) if call["function"] == self.function]
        for number, line in enumerate(calls[-1]["requests"], start=1):
            if number == 1:
                yield KillPoint(self.function, number, BEFORE, line)
            yield KillPoint(self.function, number, AFTER, line)


def wait_until_idle(cloud: Cloud) -> None:
    """Wait for the pipeline. Raises AssertionError if it does not become idle."""
    assert cloud.wait_until_idle(IDLE_TIMEOUT_S), "the pipeline did not become idle"


def do_nothing(cloud: Cloud, key: str, body: bytes) -> None:
    """Prepare nothing."""


def upload(cloud: Cloud, key: str, body: bytes) -> None:
    """Upload the recording."""
    cloud.upload(key, body)


def reconcile(cloud: Cloud, key: str, body: bytes) -> None:
    """Run the sweep."""
    cloud.sweep(RECONCILE)


def audit(cloud: Cloud, key: str, body: bytes) -> None:
    """Run the audit."""
    cloud.sweep(AUDIT)


def upload_without_notification(cloud: Cloud, key: str, body: bytes) -> None:
    """Upload the recording; its job ends and the notification is lost."""
    cloud.set_faults({"seed": 1, "rates": _LOST_NOTIFICATIONS})
    cloud.upload(key, body)


def upload_without_event(cloud: Cloud, key: str, body: bytes) -> None:
    """Upload the recording; its event is lost."""
    cloud.set_faults({"seed": 1, "rates": _LOST_EVENTS})
    cloud.upload(key, body)


def upload_killed_at(point: KillPoint) -> Action:
    """Build an upload whose function is killed at this point. If it submitted a job, the notification is lost."""

    def killed_upload(cloud: Cloud, key: str, body: bytes) -> None:
        cloud.set_faults({**point.plan, "rates": _LOST_NOTIFICATIONS})
        cloud.upload(key, body)

    return killed_upload
