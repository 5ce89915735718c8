"""The jobs of all queues, kept over restarts."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict

from localcloud.ci.models import Job, Order, Output, Speech
from localcloud.speech.recognition import Recognition, Sentence, Word
from localcloud.store import Store

WAITING = ("Submitted", "Pause")
OPEN = (*WAITING, "Running")
STATES = ("Submitted", "Running", "Success", "Failed", "Pause", "Cancel")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT UNIQUE NOT NULL,
    bucket TEXT NOT NULL, queue_id TEXT NOT NULL, level INTEGER NOT NULL,
    state TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL,
    created_s REAL NOT NULL, started_s REAL, ended_s REAL, asked TEXT NOT NULL, recognition TEXT
);
CREATE INDEX IF NOT EXISTS jobs_by_queue ON jobs (queue_id, state);
CREATE INDEX IF NOT EXISTS jobs_by_bucket ON jobs (bucket, number);
"""
_COLUMNS = "number, job_id, state, code, message, created_s, started_s, ended_s, asked, recognition"


def _order(text: str) -> Order:
    raw = json.loads(text)
    speech = Speech(tuple((name, value) for name, value in raw.pop("speech")["parameters"]))
    return Order(speech=speech, output=Output(**raw.pop("output")), **raw)


def _recognition(text: str | None) -> Recognition | None:
    if text is None:
        return None
    raw = json.loads(text)
    sentences = tuple(
        Sentence(words=tuple(Word(**word) for word in sentence.pop("words")), **sentence)
        for sentence in raw["sentences"]
    )
    return Recognition(raw["duration_ms"], raw["channels"], sentences)


class Jobs:
    """Reads and changes jobs."""

    def __init__(self, store: Store) -> None:
        self._db = store.db
        store.create(_SCHEMA)

    def add(self, order: Order, state: str) -> Job:
        """A new job. Ids are `s` and 32 hex digits (seeds)."""
        job_id = f"s{secrets.token_hex(16)}"
        self._db.execute(
            "INSERT INTO jobs (job_id, bucket, queue_id, level, state, code, message, created_s, asked)"
            " VALUES (?, ?, ?, ?, ?, 'Success', '', ?, ?)",
            (
                job_id,
                order.bucket,
                order.queue_id,
                order.level,
                state,
                time.time(),
                json.dumps(asdict(order)),
            ),
        )
        return self.named(job_id)

    def _read(self, where: str, values: Sequence[object]) -> list[Job]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE {where}", values)  # noqa: S608 - constants
        return [
            Job(
                number,
                job_id,
                state,
                code,
                message,
                created_s,
                started_s,
                ended_s,
                _order(asked),
                _recognition(heard),
            )
            for number, job_id, state, code, message, created_s, started_s, ended_s, asked, heard in rows
        ]

    def get(self, bucket: str, job_id: str) -> Job | None:
        """A job of that bucket."""
        return next(iter(self._read("job_id = ? AND bucket = ?", (job_id, bucket))), None)

    def find(self, job_id: str) -> Job | None:
        """A job of whatever bucket."""
        return next(iter(self._read("job_id = ?", (job_id,))), None)

    def other_than(self, job: Job) -> Job | None:
        """Another job of the same bucket: an open one if there is any, the newest of them."""
        where = (
            "bucket = ? AND number != ? ORDER BY state IN ('Submitted', 'Running') DESC, number DESC LIMIT 1"
        )
        return next(iter(self._read(where, (job.order.bucket, job.number))), None)

    def named(self, job_id: str) -> Job:
        """A job that is known to exist."""
        return self._read("job_id = ?", (job_id,))[0]

    def all(self) -> list[Job]:
        """Every job of every bucket, oldest first."""
        return self._read("1 ORDER BY number", ())

    def page(
        self,
        bucket: str,
        *,
        queue_id: str,
        states: Sequence[str],
        created: tuple[float, float],
        input_object: str,
        behind: int | None,
        newest_first: bool,
        most: int,
    ) -> list[Job]:
        """Up to `most` jobs of a bucket behind a job number, filtered.

        `created` are the first and last Unix second in which a job may have been submitted.
        """
        order, step = ("DESC", "<") if newest_first else ("ASC", ">")
        marks = ", ".join("?" * len(states))
        where = (
            f"bucket = ? AND (? = '' OR queue_id = ?) AND state IN ({marks})"
            " AND CAST(created_s AS INTEGER) BETWEEN ? AND ?"
            " AND (? = '' OR ltrim(json_extract(asked, '$.input_object'), '/') = ?)"
            f" AND (? IS NULL OR number {step} ?) ORDER BY number {order} LIMIT ?"
        )
        filters = (bucket, queue_id, queue_id, *states, *created, input_object, input_object)
        return self._read(where, (*filters, behind, behind, most))

    def next_waiting(self, queue_id: str) -> Job | None:
        """The job to run next: the highest JobLevel, among these the oldest."""
        where = "queue_id = ? AND state = 'Submitted' ORDER BY level DESC, number LIMIT 1"
        return next(iter(self._read(where, (queue_id,))), None)

    def count(self, states: Sequence[str], queue_id: str = "") -> int:
        """How many jobs are in one of these states, in one queue or in all."""
        marks = ", ".join("?" * len(states))
        # Two statements, so that the index on the queue is used: a long run has very many jobs that are over.
        of_queue, values = ("queue_id = ? AND", (queue_id, *states)) if queue_id else ("", tuple(states))
        row = self._db.execute(
            f"SELECT COUNT(*) FROM jobs WHERE {of_queue} state IN ({marks})",  # noqa: S608 - marks
            values,
        ).fetchone()
        return int(row[0])

    def start(self, job: Job) -> None:
        """Submitted -> Running."""
        self._db.execute(
            "UPDATE jobs SET state = 'Running', started_s = ? WHERE number = ?", (time.time(), job.number)
        )

    def finish(self, job: Job, state: str, code: str, message: str, recognition: Recognition | None) -> None:
        """Running -> Success or Failed."""
        text = json.dumps(asdict(recognition), ensure_ascii=False) if recognition else None
        self._db.execute(
            "UPDATE jobs SET state = ?, code = ?, message = ?, ended_s = ?, recognition = ? WHERE number = ?",
            (state, code, message, time.time(), text, job.number),
        )

    def cancel(self, job: Job) -> bool:
        """Waiting -> Cancel; False when it runs already or is over."""
        changed = self._db.execute(
            "UPDATE jobs SET state = 'Cancel', ended_s = ? WHERE number = ? AND state IN ('Submitted', 'Pause')",
            (time.time(), job.number),
        )
        return changed.rowcount == 1

    def follow_queue(self, queue_id: str, *, paused: bool) -> None:
        """Waiting jobs of a paused queue are in state Pause, and come back from it (D-QPUT, the current page)."""
        before, after = ("Submitted", "Pause") if paused else ("Pause", "Submitted")
        self._db.execute(
            "UPDATE jobs SET state = ? WHERE queue_id = ? AND state = ?", (after, queue_id, before)
        )

    def run_again(self) -> None:
        """After a restart: what was running has to start over."""
        self._db.execute("UPDATE jobs SET state = 'Submitted', started_s = NULL WHERE state = 'Running'")
