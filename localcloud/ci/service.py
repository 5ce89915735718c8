"""Cloud Infinite put together: services, queues, jobs, the runner and the notifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from localcloud.ci.hotwords import HotWordTables
from localcloud.ci.jobs import OPEN, WAITING, Jobs
from localcloud.ci.models import Job, Order
from localcloud.ci.notify import Notifier
from localcloud.ci.queue import Runner
from localcloud.ci.queue_settings import QueueSettings
from localcloud.ci.queues import Queues
from localcloud.ci.submissions import Desk
from localcloud.ci.templates import Templates
from localcloud.cos.service import Cos
from localcloud.faults.services import JobFaults
from localcloud.speech.recognition import Recogniser
from localcloud.store import Store


@dataclass(frozen=True, slots=True)
class CiOptions:
    """How this stand-in differs from the defaults; times in seconds."""

    job_delay_s: float = 0.0
    max_size: int = 10_000
    max_concurrent: int = 10
    settle_s: float = 0.0


class Ci:
    """The speech service of one account."""

    def __init__(
        self,
        store: Store,
        cos: Cos,
        recogniser: Recogniser,
        notifier: Notifier,
        options: CiOptions,
        faults: JobFaults,
        has_role: Callable[[], bool],
    ) -> None:
        """`has_role` says whether the account has the role by which CI reads and writes."""
        self.cos = cos
        self.faults = faults
        self.queues = Queues(store, options.max_size, options.max_concurrent, options.settle_s)
        self.jobs = Jobs(store)
        self.templates = Templates(store)
        self.hot_words = HotWordTables(store)
        self.desk = Desk(cos, self.queues, self.jobs, self.templates, has_role)
        self.notifier = notifier
        self._recogniser = recogniser
        self._runner = Runner(
            store=store,
            cos=cos,
            jobs=self.jobs,
            queues=self.queues,
            recogniser=recogniser,
            finished=self._finished,
            delay_s=options.job_delay_s,
            faults=faults,
        )

    def _finished(self, job: Job) -> None:
        self.notifier.put(job, self.queues.named(job.order.queue_id))

    async def start(self) -> None:
        """Ready the recogniser, take up open jobs and due notifications."""
        await self._recogniser.start()
        await self.notifier.start()
        await self._runner.start()

    async def close(self) -> None:
        """Stop everything; what is open stays for the next start."""
        await self._runner.close()
        await self.notifier.close()
        await self._recogniser.close()

    def submit(self, order: Order) -> Job:
        """Put a job into its queue, and start it if the queue has room."""
        queue = self.queues.named(order.queue_id)
        job = self.jobs.add(order, WAITING[queue.state == "Paused"])
        self._runner.look(order.queue_id)
        return job

    def is_told(self, job_id: str) -> bool:
        """Whether a job is over and its end was told, or there is nobody to tell."""
        return self.jobs.named(job_id).state not in OPEN and not self.notifier.is_untold(job_id)

    def set_queue(self, queue_id: str, settings: QueueSettings) -> None:
        """Replace a queue's settings; a queue that is Active again takes up its waiting jobs."""
        self.queues.update(queue_id, settings.name, settings.state, settings.notify)
        self.jobs.follow_queue(queue_id, paused=settings.state == "Paused")
        self._runner.look(queue_id)

    def is_idle(self) -> bool:
        """No job that will run by itself, no notification due. Jobs of a paused queue do not count."""
        return (
            self.jobs.count([state for state in OPEN if state != "Pause"]) == 0 and self.notifier.count() == 0
        )
