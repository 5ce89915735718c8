"""The instances of one function: idle ones are used again, the newest first, up to a maximum."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from localcloud.scf.deployment import Function
from localcloud.scf.environment import Surroundings, instance_variables
from localcloud.scf.instances import Instance


class Pool:
    """Hands out instances, starting one when none is idle and waiting when too many run."""

    def __init__(self, function: Function, where: Surroundings, most: int) -> None:
        self._where = where
        self._function = function
        self._places = asyncio.Semaphore(most)
        self._idle: list[Instance] = []
        self._all: set[Instance] = set()
        self._closed = False

    @asynccontextmanager
    async def instance(self) -> AsyncIterator[tuple[Instance, bool]]:
        """Lend an instance, with True if it was started for this and has not loaded its function yet."""
        async with self._places:
            instance = await self._idle_one()
            cold = instance is None
            instance = instance or await self._start()
            try:
                yield instance, cold
            except BaseException:
                await instance.end()
                raise
            finally:
                if instance.is_alive:
                    self._idle.append(instance)
                else:
                    self._all.discard(instance)

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
        variables = instance_variables(self._function, self._where)
        instance = await Instance.start(self._function, variables, self._where.folder)
        self._all.add(instance)
        return instance
