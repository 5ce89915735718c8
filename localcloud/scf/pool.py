"""The instances of one function: idle ones are used again, the newest first, up to a maximum."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from localcloud.scf.deployment import Function
from localcloud.scf.environment import Surroundings, instance_variables
from localcloud.scf.instances import Instance


class RetiredError(Exception):
    """The pool lends no instances any more; the function has another one, or is gone."""


class Pool:
    """Hands out instances, starting one when none is idle and waiting when too many run."""

    def __init__(self, function: Function, where: Surroundings, most: int) -> None:
        self.function = function
        self._where = where
        self._places = asyncio.Semaphore(most)
        self._idle: list[Instance] = []
        self._all: set[Instance] = set()
        self._borrowers = 0
        self._closed = False
        self._retired = False

    @property
    def is_quiet(self) -> bool:
        """Whether no instance lives and nobody waits for one."""
        return not self._all and not self._borrowers

    @asynccontextmanager
    async def instance(self) -> AsyncIterator[tuple[Instance, bool]]:
        """Lend an instance, with True if it was started for this and has not loaded its function yet.

        Raises RetiredError, also to those who waited when it was retired.
        """
        self._borrowers += 1
        try:
            async with self._places:
                if self._retired:
                    raise RetiredError
                instance = await self._idle_one()
                cold = instance is None
                instance = instance or await self._start()
                async with self._lent(instance):
                    yield instance, cold
        finally:
            self._borrowers -= 1

    @asynccontextmanager
    async def _lent(self, instance: Instance) -> AsyncIterator[None]:
        try:
            yield
            if self._retired:
                await instance.end()
        except BaseException:
            await instance.end()
            raise
        finally:
            if instance.is_alive:
                self._idle.append(instance)
            else:
                self._all.discard(instance)

    def retire(self) -> None:
        """Lend no more, to those who wait either. Busy instances end after their event, idle ones by `drain`."""
        self._retired = True

    async def drain(self) -> None:
        """End the idle instances of a pool that is retired."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(instance.end() for instance in idle))
        self._all.difference_update(idle)

    async def close(self) -> None:
        """End all instances, also those in the middle of an event."""
        self._closed = True
        await asyncio.gather(*(instance.end() for instance in self._all))
        self._all.clear()
        self._idle.clear()

    async def _idle_one(self) -> Instance | None:
        while self._idle:
            instance = self._idle.pop()
            if not instance.has_exited:
                return instance
            # It died between two events: nobody's error, as nobody was served.
            self._all.discard(instance)
            await instance.end()
        return None

    async def _start(self) -> Instance:
        if self._closed:
            raise RuntimeError("the functions are closed")
        variables = instance_variables(self.function, self._where)
        instance = await Instance.start(self.function, variables, self.function.folder)
        self._all.add(instance)
        return instance
