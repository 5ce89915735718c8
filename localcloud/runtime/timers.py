"""The scheduler of timer triggers."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timezone

from localcloud.runtime.models import TimerTrigger


class TimerScheduler:
    """One task for each enabled timer trigger, after `start`; calls `fire` at the times of the trigger."""

    def __init__(self, fire: Callable[[TimerTrigger, datetime], None]) -> None:
        self._fire = fire
        self._tasks: dict[TimerTrigger, asyncio.Task[None]] | None = None

    def start(self, triggers: Iterable[TimerTrigger]) -> None:
        """Start to schedule these triggers."""
        self._tasks = {}
        self.sync(triggers)

    def sync(self, triggers: Iterable[TimerTrigger]) -> None:
        """Schedule exactly these triggers; a known one keeps its schedule. Does nothing before `start`."""
        if self._tasks is None:
            return
        enabled = {trigger for trigger in triggers if trigger.enabled}
        for removed in set(self._tasks) - enabled:
            self._tasks.pop(removed).cancel()
        for added in enabled - set(self._tasks):
            self._tasks[added] = asyncio.create_task(self._run(added))

    async def close(self) -> None:
        """Stop all timers."""
        tasks, self._tasks = list((self._tasks or {}).values()), None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, trigger: TimerTrigger) -> None:
        # The documents do not name a time zone; SCF's clock is UTC.
        moment = trigger.cron.next_after(datetime.now(timezone.utc))
        while moment is not None:
            await asyncio.sleep(max(0.0, (moment - datetime.now(timezone.utc)).total_seconds()))
            self._fire(trigger, moment)
            moment = trigger.cron.next_after(max(moment, datetime.now(timezone.utc)))
