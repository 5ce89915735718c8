"""The functions' timers, which go off by the clock."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timezone

from localcloud.scf.deployment import TimerTrigger


class Timers:
    """One clock for each open timer trigger, once they are started; `fire` is called when one goes off."""

    def __init__(self, fire: Callable[[TimerTrigger, datetime], None]) -> None:
        self._fire = fire
        self._clocks: dict[TimerTrigger, asyncio.Task[None]] | None = None

    def start(self, triggers: Iterable[TimerTrigger]) -> None:
        """Let these go off from now on."""
        self._clocks = {}
        self.follow(triggers)

    def follow(self, triggers: Iterable[TimerTrigger]) -> None:
        """Let these and no others go off; one that stays keeps its beat. Nothing before the start."""
        if self._clocks is None:
            return
        wanted = {trigger for trigger in triggers if trigger.is_open}
        for gone in set(self._clocks) - wanted:
            self._clocks.pop(gone).cancel()
        for new in wanted - set(self._clocks):
            self._clocks[new] = asyncio.create_task(self._run(new))

    async def close(self) -> None:
        """Stop them all."""
        clocks, self._clocks = list((self._clocks or {}).values()), None
        for clock in clocks:
            clock.cancel()
        await asyncio.gather(*clocks, return_exceptions=True)

    async def _run(self, trigger: TimerTrigger) -> None:
        # The documents name no time zone; SCF's clock is UTC.
        moment = trigger.cron.next_after(datetime.now(timezone.utc))
        while moment is not None:
            await asyncio.sleep(max(0.0, (moment - datetime.now(timezone.utc)).total_seconds()))
            self._fire(trigger, moment)
            moment = trigger.cron.next_after(max(moment, datetime.now(timezone.utc)))
