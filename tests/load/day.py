"""A simulated day of a million uploads; `python -m tests.load.simulate_day` prints and draws it.

It answers what no test with real requests can: how long recordings wait if the speech queue is smaller than the day.
Nothing is sent. What a recording costs in requests is counted by tests (`test_simulated_costs_are_the_counted_ones`);
how long a request takes and how fast the speech service works are assumptions, named in `Day` and in docs/scale.md.

The model: every upload submits its job unless the queue is full; then the recording waits for the sweep. The queue runs
the jobs in their order, `max_concurrent` at once. The sweep runs every five minutes, one at a time; it reads the due
receipts in the order of upload, ten at once, submits what the limiter allows, and continues at its cursor when its time
is over. Notifications arrive at once and are never lost.
"""

from __future__ import annotations

import random
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil, exp, inf
from statistics import median
from typing import NamedTuple

from shared.recordings.context import RESPONSE_MARGIN_S
from shared.recordings.limiter import QUEUE_DEPTH_PER_WORKER
from shared.recordings.sweep import JOBS_PER_QUERY, RESERVED_S

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400

# Requests, as the functions send them: see the test that counts them.
UPLOAD_REQUESTS, CALLBACK_REQUESTS = 8, 12
SWEEP_REQUESTS = 2  # the cursor, and a page of open receipts
READ_REQUESTS = 1  # a due receipt
QUERY_REQUESTS = 1  # up to ten jobs
RESUME_REQUESTS = 8  # a deferred recording that gets a slot
CLEAN_UP_REQUESTS = 1  # the callback deletes the claim of a resumed recording
JOBS_PER_PAGE, NAMES_PER_PAGE = 100, 1_000

SWEEP_INTERVAL_S, SWEEP_TIMEOUT_S, SWEEP_AFTER_S = 300, 600, 300  # serverless.yml, docs/settings.md

# Uploads in each hour of the day, in parts of the whole: an office with a lunch break.
WORKING_HOURS = (3, 2, 2, 2, 2, 3, 8, 20, 50, 95, 110, 95, 50, 65, 95, 105, 100, 75, 40, 28, 23, 17, 10, 5)

_QUEUED, _DEFERRED, _CLOSED = range(3)


@dataclass(frozen=True, slots=True)
class Day:
    """The assumptions of a day. Lengths of recordings are lognormal.

    `speed`: seconds of audio per second; ASR document 1093/37823 says one to three minutes for an hour, the slower of
    the two is 20. `start_s`: what a job takes on top, for example to load the file. `max_size`: the jobs that a queue
    takes, waiting or running. `max_in_flight`: the setting MAX_IN_FLIGHT; 0 is Scribe's own limit.
    """

    uploads: int = 1_000_000
    seed: int = 1
    median_length_s: float = 150.0
    length_sigma: float = 1.0
    max_length_s: float = 18_000.0
    speed: float = 20.0
    start_s: float = 5.0
    request_s: float = 0.1
    max_size: int = 10_000
    max_in_flight: int = 0

    def make_arrivals(self) -> Sequence[float]:
        """Return the times of all uploads in seconds since midnight, in order."""
        generator = random.Random(f"arrivals {self.seed}")  # noqa: S311 - a simulation
        arrivals = array("d")
        total, count, weight = sum(WORKING_HOURS), 0, 0
        for hour, part in enumerate(WORKING_HOURS):
            weight += part
            in_hour = self.uploads * weight // total - count
            count += in_hour
            arrivals.extend(sorted((hour + generator.random()) * HOUR_S for _ in range(in_hour)))
        return arrivals

    def make_job_seconds(self) -> Sequence[float]:
        """Return how long the job of each recording runs, in tenths of seconds."""
        generator = random.Random(f"lengths {self.seed}")  # noqa: S311 - a simulation
        seconds = array("d")
        for _ in range(self.uploads):
            length_s = self.median_length_s * exp(self.length_sigma * generator.gauss(0, 1))
            seconds.append(round(self.start_s + min(length_s, self.max_length_s) / self.speed, 1))
        return seconds


class Point(NamedTuple):
    """A moment of the day: how many recordings were uploaded and not finished."""

    time_s: float
    backlog: int


class Latency(NamedTuple):
    """Seconds from upload to transcripts, of the recordings uploaded from `time_s` on; inf is not on this day."""

    time_s: float
    median_s: float
    slow_s: float
    """95 % take at most this long."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a day ended with. `deferred` recordings found the queue full; `resumed` of them were submitted later."""

    max_concurrent: int
    uploads: int
    finished: int
    deferred: int
    resumed: int
    requests: int
    sweeps_stopped_early: int
    backlog: Sequence[Point]
    latency: Sequence[Latency]
    all_day: Latency

    @property
    def max_backlog(self) -> int:
        """Return the largest number of recordings that were uploaded and not finished."""
        return max(point.backlog for point in self.backlog)


class Simulation:
    """One day with one queue. All times in seconds since midnight."""

    def __init__(
        self, day: Day, max_concurrent: int, arrivals: Sequence[float], job_s: Sequence[float]
    ) -> None:
        self._day = day
        self._max_concurrent = max_concurrent
        self._arrivals = arrivals
        self._job_s = job_s
        self._arrived = 0
        self._running: list[tuple[float, int]] = []
        self._waiting: deque[int] = deque()
        self._state = bytearray(len(arrivals))
        self._modified_s = array("d", arrivals)
        self._finished_s = array("d", [inf]) * len(arrivals)
        self._next_open = array("l", range(len(arrivals) + 1))
        self._sweep_cursor = 0
        self.finished = self.deferred = self.resumed = self.requests = self.sweeps_stopped_early = 0

    def run(self) -> Outcome:
        """Simulate the day until midnight."""
        backlog = [Point(0, 0)]
        sweep_ends_s = 0.0
        for time_s in range(SWEEP_INTERVAL_S, DAY_S + 1, SWEEP_INTERVAL_S):
            self._advance(time_s)
            backlog.append(Point(time_s, self._arrived - self.finished))
            if sweep_ends_s <= time_s < DAY_S:
                sweep_ends_s = self._sweep(time_s)
        return self._build_outcome(backlog)

    def _advance(self, until_s: float) -> None:
        """Let uploads arrive and jobs end. A sweep may be ahead of the time already."""
        arrivals, running = self._arrivals, self._running
        count = len(arrivals)
        while True:
            arrival_s = arrivals[self._arrived] if self._arrived < count else inf
            end_s = running[0][0] if running else inf
            if end_s <= arrival_s:
                if end_s > until_s:
                    return
                self._finish(*heappop(running))
            else:
                if arrival_s > until_s:
                    return
                self._upload(self._arrived, arrival_s)
                self._arrived += 1

    def _upload(self, number: int, time_s: float) -> None:
        self.requests += UPLOAD_REQUESTS
        if not self._submit(number, time_s + (UPLOAD_REQUESTS - 1) * self._day.request_s):
            self._state[number] = _DEFERRED
            self.deferred += 1

    def _submit(self, number: int, time_s: float) -> bool:
        if self._count_unfinished() >= self._day.max_size:
            return False
        self._state[number] = _QUEUED
        if len(self._running) < self._max_concurrent:
            heappush(self._running, (time_s + self._job_s[number], number))
        else:
            self._waiting.append(number)
        return True

    def _count_unfinished(self) -> int:
        return len(self._running) + len(self._waiting)

    def _finish(self, end_s: float, number: int) -> None:
        if self._waiting:
            following = self._waiting.popleft()
            heappush(self._running, (end_s + self._job_s[following], following))
        self.requests += CALLBACK_REQUESTS
        self.finished += 1
        self._finished_s[number] = end_s + CALLBACK_REQUESTS * self._day.request_s
        self._state[number] = _CLOSED
        self._next_open[number] = number + 1

    def _find_open(self, number: int) -> int:
        """Return the first open receipt from this one on, and shorten the way to it."""
        links = self._next_open
        while links[number] != number:
            links[number] = links[links[number]]
            number = links[number]
        return number

    def _sweep(self, start_s: float) -> float:
        """Run one sweep; return when it ends."""
        request_s = self._day.request_s
        deadline_s = start_s + SWEEP_TIMEOUT_S - RESPONSE_MARGIN_S - RESERVED_S
        requests, slots = SWEEP_REQUESTS, None
        for batch in self._iterate_due(start_s):
            now_s = start_s + requests * request_s
            if now_s > deadline_s:
                self.sweeps_stopped_early += 1
                self._sweep_cursor = batch[0]
                requests += 1
                break
            self._advance(now_s)
            states = [self._state[number] for number in batch]
            requests += len(batch) * READ_REQUESTS + (_QUEUED in states) * QUERY_REQUESTS
            for number, state in zip(batch, states, strict=True):
                if state != _DEFERRED:
                    continue
                if slots is None:
                    slots, looked_at = self._count_slots()
                    requests += 1 + max(1, ceil(looked_at / JOBS_PER_PAGE))
                if slots > 0:
                    slots -= 1
                    requests += RESUME_REQUESTS
                    is_submitted = self._resume(number, start_s + requests * request_s)
                    slots = slots if is_submitted else 0
        else:
            requests += self._sweep_cursor > 0
            self._sweep_cursor = 0
        requests += (self._arrived - self.finished) // NAMES_PER_PAGE
        self.requests += requests
        return start_s + requests * request_s

    def _iterate_due(self, start_s: float) -> Iterator[list[int]]:
        """Yield the due receipts from the cursor on, in batches."""
        batch: list[int] = []
        last, number = self._arrived, self._find_open(self._sweep_cursor)
        while number < last:
            if start_s - self._modified_s[number] >= SWEEP_AFTER_S:
                batch.append(number)
                if len(batch) == JOBS_PER_QUERY:
                    yield batch
                    batch = []
            number = self._find_open(number + 1)
        if batch:
            yield batch

    def _count_slots(self) -> tuple[int, int]:
        """Return the limiter's free slots, and how many jobs it looks at for that."""
        default_limit = QUEUE_DEPTH_PER_WORKER * self._max_concurrent
        limit = min(self._day.max_in_flight or default_limit, self._day.max_size)
        unfinished = self._count_unfinished()
        return limit - unfinished, min(limit, unfinished)

    def _resume(self, number: int, time_s: float) -> bool:
        self._advance(time_s)
        self._modified_s[number] = time_s
        if not self._submit(number, time_s):
            return False
        self.resumed += 1
        self.requests += CLEAN_UP_REQUESTS
        return True

    def _build_outcome(self, backlog: Sequence[Point]) -> Outcome:
        by_half_hour: list[list[float]] = [[] for _ in range(2 * DAY_S // HOUR_S)]
        for uploaded_s, finished_s in zip(self._arrivals, self._finished_s, strict=True):
            latency_s = finished_s - uploaded_s if finished_s <= DAY_S else inf
            by_half_hour[int(2 * uploaded_s / HOUR_S)].append(latency_s)
        latency = [
            summarize_latency(index * HOUR_S / 2, values)
            for index, values in enumerate(by_half_hour)
            if values
        ]
        return Outcome(
            max_concurrent=self._max_concurrent,
            uploads=len(self._arrivals),
            finished=self.finished,
            deferred=self.deferred,
            resumed=self.resumed,
            requests=self.requests,
            sweeps_stopped_early=self.sweeps_stopped_early,
            backlog=backlog,
            latency=latency,
            all_day=summarize_latency(0, [value for values in by_half_hour for value in values]),
        )


def summarize_latency(time_s: float, values: Sequence[float]) -> Latency:
    """Return the median, and what 95 % do not exceed."""
    ordered = sorted(values)
    return Latency(time_s, median(ordered), ordered[ceil(0.95 * len(ordered)) - 1])


def simulate(day: Day, max_concurrent: Iterable[int]) -> list[Outcome]:
    """Simulate the same day with queues that run this number of jobs at once."""
    arrivals, job_s = day.make_arrivals(), day.make_job_seconds()
    return [Simulation(day, number, arrivals, job_s).run() for number in max_concurrent]


def format_seconds(seconds: float) -> str:
    """Format a latency: `23 s`, `4 min`, `2.5 h`."""
    if seconds == inf:
        return "after midnight"
    if seconds < 2 * MINUTE_S:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE_S:.0f} min" if seconds < 2 * HOUR_S else f"{seconds / HOUR_S:.1f} h"


def build_table(outcomes: Sequence[Outcome]) -> str:
    """Build the Markdown table of docs/scale.md."""
    lines = [
        "| uploads | jobs at once | finished by midnight | found the queue full | largest backlog | median | 95 % |",
        "|---|---|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        cells = (
            f"{outcome.uploads:,}",
            f"{outcome.max_concurrent}",
            f"{outcome.finished:,}",
            f"{outcome.deferred:,}",
            f"{outcome.max_backlog:,}",
            format_seconds(outcome.all_day.median_s),
            format_seconds(outcome.all_day.slow_s),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
