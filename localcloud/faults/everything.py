"""All faults of one cloud: one plan, one set of dice, one object for each kind of place that asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud.ci.models import JobStore
from localcloud.faults.clock import Clock
from localcloud.faults.dice import Dice
from localcloud.faults.events import EventFaults
from localcloud.faults.functions import Kills
from localcloud.faults.jobs import JobFaults, about_job
from localcloud.faults.notifications import NotificationFaults
from localcloud.faults.objects import ObjectFaults
from localcloud.faults.plan import Plan
from localcloud.faults.requests import RequestFaults
from localcloud.keys import Key
from localcloud.store import Store


class Faults:
    """What the services ask before they do what they should."""

    def __init__(self, plan: Plan, store: Store, kill: Callable[[Key], bool] = lambda _key: False) -> None:
        """`kill` ends the instance of a function that holds a key."""
        self._dice = Dice(plan)
        self._all_jobs = JobStore(store)
        self._kills = Kills(self._dice, kill)
        self.clock = Clock(self._dice)
        self.objects = ObjectFaults(self._dice)
        self.events = EventFaults(self._dice)
        self.jobs = JobFaults(self._dice, store)
        self.notifications = NotificationFaults(self._dice, self._all_jobs, self.jobs)
        self.requests = RequestFaults(self._dice, self._kills, self._name_of_job)

    def _name_of_job(self, job_id: str) -> str:
        job = self._all_jobs.find(job_id)
        return about_job(job.spec) if job else job_id

    def use(self, plan: Plan) -> None:
        """Replace the plan. An empty one ends the faults and keeps the counts of what has struck."""
        self._dice.use(plan)
        self._kills.renew()

    def report(self) -> dict[str, Any]:
        """The plan in force, and how often each kind has struck."""
        return {"plan": self._dice.plan.as_json(), "struck": dict(sorted(self._dice.struck.items()))}

    @property
    def is_idle(self) -> bool:
        """Whether no event is held back; notifications that are due count elsewhere."""
        return self.events.is_idle

    def close(self) -> None:
        """Forget what is held back."""
        self.events.close()
