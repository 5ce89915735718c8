"""Runs the jobs of all queues: at most MaxConcurrent of a queue at once, highest JobLevel first, then oldest first."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from localcloud.ci.models import Job, JobStore, QueueStore
from localcloud.ci.serializers import (
    build_details,
    build_flash_result,
    render_details_json,
    render_srt,
    render_text,
)
from localcloud.cos.backend import CosBackend
from localcloud.cos.exceptions import CosError
from localcloud.cos.models import Bucket
from localcloud.faults.service_faults import JobFaults
from localcloud.speech.models import Progress, Recogniser, Recognition, RecognitionError
from localcloud.store import Store

_log = logging.getLogger("localcloud.ci")
SIDECAR_SUFFIX = ".transcript.txt"


class _JobFailed(Exception):
    """A job ends in state Failed with this code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class QueueWorker:
    """Takes waiting jobs from the queues and runs them."""

    def __init__(
        self,
        *,
        store: Store,
        cos: CosBackend,
        jobs: JobStore,
        queues: QueueStore,
        recogniser: Recogniser,
        on_finished: Callable[[Job], None],
        delay_s: float,
        faults: JobFaults,
    ) -> None:
        """`on_finished` is called in the transaction that ends a job; `delay_s` is how long a job takes at least."""
        self._store = store
        self._cos = cos
        self._jobs = jobs
        self._queues = queues
        self._recogniser = recogniser
        self._on_finished = on_finished
        self._delay_s = delay_s
        self._faults = faults
        self._running: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self._progress: dict[str, Progress] = {}
        self._is_open = False

    @property
    def progress(self) -> Mapping[str, Progress]:
        """How far the running jobs are, by job id; a job that has just begun is not in it."""
        return self._progress

    async def start(self) -> None:
        """Start the waiting jobs; jobs that a stop interrupted start again."""
        self._jobs.requeue_running()
        self._is_open = True
        for queue in self._queues.all():
            self.schedule(queue.queue_id)

    def schedule(self, queue_id: str) -> None:
        """Start the jobs that may run now. To be called when a job was added or ended, or the queue's state changed."""
        if not self._is_open:
            return
        queue = self._queues.require(queue_id)
        running = self._running[queue_id]
        while queue.state == "Active" and len(running) < queue.max_concurrent:
            job = self._jobs.next_waiting(queue_id)
            if job is None:
                return
            self._jobs.start(job)
            task = asyncio.create_task(self._run(self._jobs.require(job.job_id)))
            running.add(task)
            task.add_done_callback(lambda done: self._on_task_done(queue_id, done))

    def _on_task_done(self, queue_id: str, task: asyncio.Task[None]) -> None:
        self._running[queue_id].discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a job of %s stopped with an error", queue_id, exc_info=task.exception())
        self.schedule(queue_id)

    async def close(self) -> None:
        """Cancel the running jobs; they stay Running in the data folder and start again at the next start."""
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
            await self._write_output(job, recognition)
        except (_JobFailed, RecognitionError) as failure:
            self._finish(job, "Failed", failure.code, failure.message, None)
        except Exception:  # noqa: BLE001 - every job has to end in a state that its submitter can see
            _log.exception("job %s failed by an error in the stand-in", job.job_id)
            message = "The local cloud failed on this job; its log says how."
            self._finish(job, "Failed", "LocalCloud.InternalError", message, None)
        else:
            self._finish(job, "Success", "Success", "", recognition)

    def _finish(self, job: Job, state: str, code: str, message: str, recognition: Recognition | None) -> None:
        self._progress.pop(job.job_id, None)
        # One transaction: a job must not end without its notification.
        with self._store.transaction():
            self._jobs.finish(job, state, code, message, recognition)
            self._on_finished(self._jobs.require(job.job_id))

    async def _recognise(self, job: Job) -> Recognition:
        spec, params = job.spec, job.spec.speech
        async with self._snapshot(spec.input_bucket, spec.input_key) as recording:
            sidecar = self._find_sidecar(spec.input_bucket, spec.input_key)

            async def recognise(channels: int) -> Recognition:
                return await self._recogniser.recognise(
                    recording,
                    engine=params.engine,
                    channels=channels,
                    sidecar=sidecar,
                    on_progress=lambda progress: self._progress.update({job.job_id: progress}),
                )

            if params.is_flash and params.value("FirstChannelOnly", "1") == "0":
                with contextlib.suppress(RecognitionError):  # a mono recording
                    return await recognise(2)
            return await recognise(1 if params.is_flash else params.channels)

    @asynccontextmanager
    async def _snapshot(self, bucket: str, key: str) -> AsyncIterator[Path]:
        """Keep the recording as it is now, even if the object is replaced or deleted during recognition."""
        recording = self._cos.objects.get_current(bucket, key)
        if recording is None:
            raise _JobFailed("FailedOperation.ErrorDownFile", f"The object {key} does not exist any more.")
        try:
            self._cos.check_readable(recording)
        except CosError as error:
            # That a job on an archived, encrypted or denied object ends with this code is unconfirmed.
            raise _JobFailed(
                "FailedOperation.ErrorDownFile", f"{key} cannot be downloaded: {error.code}."
            ) from error
        path, snapshot = self._cos.files.path(recording.file), self._store.temporary_file()
        try:
            try:
                os.link(path, snapshot)
            except FileNotFoundError as error:
                raise _JobFailed(
                    "FailedOperation.ErrorDownFile", f"The file of {key} does not exist any more."
                ) from error
            except OSError:  # a file system without hard links
                await asyncio.to_thread(shutil.copyfile, path, snapshot)
            yield snapshot
        finally:
            snapshot.unlink(missing_ok=True)

    def _find_sidecar(self, bucket: str, key: str) -> Path | None:
        """Find the transcript beside a recording: an object, or a file that was put into the bucket's folder."""
        sidecar = self._cos.objects.get_current(bucket, key + SIDECAR_SUFFIX)
        if sidecar is not None:
            return self._cos.files.path(sidecar.file)
        return self._cos.files.find_plain_file(bucket, key + SIDECAR_SUFFIX)

    async def _write_output(self, job: Job, recognition: Recognition) -> None:
        """Write the text object and its `.detail`; they raise events like all objects."""
        bucket, key, params = self._find_output_bucket(job), job.spec.output.key, job.spec.speech
        # Whether the real text object has the time brackets is unconfirmed.
        is_srt = params.value("OutputFileType") == "srt"
        text = render_srt(params, recognition) if is_srt else render_text(params, recognition)
        details = (
            build_flash_result(params, recognition) if params.is_flash else build_details(params, recognition)
        )
        await self._cos.put_bytes(bucket, key, text.encode(), "text/plain; charset=utf-8", job.job_id)
        await self._cos.put_bytes(
            bucket, f"{key}.detail", render_details_json(details), "application/octet-stream", job.job_id
        )

    def _find_output_bucket(self, job: Job) -> Bucket:
        output = job.spec.output
        bucket = self._cos.buckets.get(output.bucket)
        if bucket is None or bucket.region != output.region:
            raise _JobFailed(
                "WriteTargetBucketDenied", f"There is no bucket {output.bucket} in {output.region}."
            )
        return bucket
