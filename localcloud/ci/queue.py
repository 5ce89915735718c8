"""Runs the jobs of all queues: at most MaxConcurrent of a queue at once, by JobLevel, then first come first served."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from localcloud.ci.answers import details_json
from localcloud.ci.jobs import Jobs
from localcloud.ci.models import Job
from localcloud.ci.queues import Queues
from localcloud.ci.results import details_of, flash_of, subtitles_of, text_of
from localcloud.cos.buckets import Bucket
from localcloud.cos.service import Cos
from localcloud.faults.services import JobFaults
from localcloud.speech.recognition import NotRecognised, Recogniser, Recognition
from localcloud.store import Store

_log = logging.getLogger("localcloud.ci")
SIDECAR = ".transcript.txt"


class _Failure(Exception):
    """A job that ends Failed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Runner:
    """Takes waiting jobs from the queues and carries them out."""

    def __init__(
        self,
        *,
        store: Store,
        cos: Cos,
        jobs: Jobs,
        queues: Queues,
        recogniser: Recogniser,
        finished: Callable[[Job], None],
        delay_s: float,
        faults: JobFaults,
    ) -> None:
        """`finished` is called inside the transaction that ends a job; `delay_s` is how long a job takes at least."""
        self._store = store
        self._cos = cos
        self._jobs = jobs
        self._queues = queues
        self._recogniser = recogniser
        self._finished = finished
        self._delay_s = delay_s
        self._faults = faults
        self._running: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self._is_open = False

    async def start(self) -> None:
        """Take up the work: jobs that a stop interrupted run again from their beginning."""
        self._jobs.run_again()
        self._is_open = True
        for queue in self._queues.all():
            self.look(queue.queue_id)

    def look(self, queue_id: str) -> None:
        """Start what a queue can start now: call it after a job came or ended, or the queue's state changed."""
        if not self._is_open:
            return
        queue = self._queues.named(queue_id)
        running = self._running[queue_id]
        while queue.state == "Active" and len(running) < queue.max_concurrent:
            job = self._jobs.next_waiting(queue_id)
            if job is None:
                return
            self._jobs.start(job)
            task = asyncio.create_task(self._run(self._jobs.named(job.job_id)))
            running.add(task)
            task.add_done_callback(lambda done: self._ended(queue_id, done))

    def _ended(self, queue_id: str, task: asyncio.Task[None]) -> None:
        self._running[queue_id].discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a job of %s broke off", queue_id, exc_info=task.exception())
        self.look(queue_id)

    async def close(self) -> None:
        """Break off what runs; it stays Running in the data folder and starts over at the next start."""
        self._is_open = False
        tasks = [task for running in self._running.values() for task in running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job: Job) -> None:
        await asyncio.sleep(self._delay_s)
        try:
            self._faults.maybe_fail(job)
            recognition = await self._recognise(job)
            await self._write(job, recognition)
        except (_Failure, NotRecognised) as failure:
            self._finish(job, "Failed", failure.code, failure.message, None)
        except Exception:  # noqa: BLE001 - whatever happens, a job ends and says so
            _log.exception("job %s failed by a fault of the stand-in", job.job_id)
            self._finish(job, "Failed", "InternalError", "The stand-in failed; its log says how.", None)
        else:
            self._finish(job, "Success", "Success", "", recognition)

    def _finish(self, job: Job, state: str, code: str, message: str, recognition: Recognition | None) -> None:
        # The end of a job and the notification that is due for it are kept together or not at all.
        with self._store.transaction():
            self._jobs.finish(job, state, code, message, recognition)
            self._finished(self._jobs.named(job.job_id))

    async def _recognise(self, job: Job) -> Recognition:
        order = job.order
        async with self._snapshot(order.input_bucket, order.input_key) as recording:
            sidecar = self._sidecar(order.input_bucket, order.input_key)

            async def heard(channels: int) -> Recognition:
                return await self._recogniser.recognise(
                    recording, engine=order.speech.engine, channels=channels, sidecar=sidecar
                )

            if order.speech.is_flash and order.speech.value("FirstChannelOnly", "1") == "0":
                with contextlib.suppress(NotRecognised):  # a mono recording
                    return await heard(2)
            return await heard(1 if order.speech.is_flash else order.speech.channels)

    @asynccontextmanager
    async def _snapshot(self, bucket: str, key: str) -> AsyncIterator[Path]:
        """The recording as it is now, whatever happens to the object meanwhile."""
        found = self._cos.objects.current(bucket, key)
        if found is None:
            raise _Failure("FailedOperation.ErrorDownFile", f"The object {key} is gone.")
        path, copy = self._cos.files.path(found.file), self._store.temporary_file()
        try:
            try:
                os.link(path, copy)
            except FileNotFoundError as error:
                raise _Failure("FailedOperation.ErrorDownFile", f"The file of {key} is gone.") from error
            except OSError:  # a file system without hard links
                await asyncio.to_thread(shutil.copyfile, path, copy)
            yield copy
        finally:
            copy.unlink(missing_ok=True)

    def _sidecar(self, bucket: str, key: str) -> Path | None:
        """The transcript that lies beside a recording: as an object, or as a file dropped into the folder."""
        found = self._cos.objects.current(bucket, key + SIDECAR)
        return (
            self._cos.files.path(found.file) if found else self._cos.files.plain_file(bucket, key + SIDECAR)
        )

    async def _write(self, job: Job, recognition: Recognition) -> None:
        """The text object and its `.detail`, written the way any object is, events included."""
        order, output = job.order, job.order.output
        bucket = self._output_bucket(job)
        speech = order.speech
        # Whether the real text object has the time brackets is unconfirmed.
        is_srt = speech.value("OutputFileType") == "srt"
        text = subtitles_of(recognition) if is_srt else text_of(speech, recognition)
        details = flash_of(speech, recognition) if speech.is_flash else details_of(speech, recognition)
        await self._cos.write(bucket, output.key, text.encode(), "text/plain; charset=utf-8", job.job_id)
        await self._cos.write(
            bucket, f"{output.key}.detail", details_json(details), "application/octet-stream", job.job_id
        )

    def _output_bucket(self, job: Job) -> Bucket:
        output = job.order.output
        bucket = self._cos.buckets.get(output.bucket)
        if bucket is None or bucket.region != output.region:
            raise _Failure(
                "WriteTargetBucketDenied", f"There is no bucket {output.bucket} in {output.region}."
            )
        return bucket
