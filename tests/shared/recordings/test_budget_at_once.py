"""The budget under many uploads at once, and with invocations that are killed: by how much it is passed.

The bound: by what the recordings in flight, when the last job was submitted, are longer than estimated. So by nothing
if the estimates are right.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.recordings.budget import MAX_LOOKS
from shared.recordings.index import get_month_start_s, get_next_month
from shared.recordings.models import Result, Status
from shared.recordings.receipt import TRANSCRIBED
from tests.helpers.budgets import BudgetPipeline
from tests.helpers.fake_cloud import INPUT_BUCKET, Killed
from tests.helpers.in_memory_pipeline import DUE_S
from tests.helpers.interleaving import run_interleaved

MANY = 200
STEPS_OF_AN_UPLOAD = 60
TURNS_OF_A_PAUSE = 10  # a request takes about 50 ms


class Flood:
    """Recordings with estimated and real lengths, and what is in flight whenever a job is submitted."""

    def __init__(self, pipeline: BudgetPipeline, seed: int) -> None:
        self.pipeline = pipeline
        self.random = random.Random(seed)  # noqa: S311 - an order, not a secret
        self.estimated_s: dict[str, int] = {}
        self.real_s: dict[str, int] = {}
        self.in_flight: frozenset[str] = frozenset()  # the keys, when the last job was submitted
        self._ended: set[str] = set()
        pipeline.cloud.after("POST", "", self._note_submit, times=10_000)

        pipeline.cloud.before("SLEEP", "", self._pause, times=10_000)

    def _pause(self) -> None:
        """Let the others go on, for as many requests as one invocation sends in half a second."""
        for _ in range(TURNS_OF_A_PAUSE):
            self.pipeline.cloud.wait_for_turn()

    def _note_submit(self) -> None:
        keys = {job.input_key for job in self.pipeline.cloud.jobs.values()}
        self.in_flight = frozenset(keys - self._ended)

    def upload_at_once(self, lengths: Mapping[str, tuple[int, int]], *others: Callable[[], object]) -> None:
        """Upload recordings, each with its estimated and its real length, request by request in a random order."""
        uploads = []
        for key, (estimated_s, real_s) in lengths.items():
            self.estimated_s[key], self.real_s[key] = estimated_s, real_s
            self.pipeline.put_recording(key, estimated_s)
            uploads.append(self.pipeline.build_upload(key))
        functions = [*uploads, *others]
        steps = STEPS_OF_AN_UPLOAD * len(functions)
        order = [self.random.randrange(len(functions)) for _ in range(steps)]
        results = run_interleaved(self.pipeline.cloud, order, *functions)
        assert [result for result in results if isinstance(result, BaseException)] == []
        statuses = {result.status for result in results if isinstance(result, Result)}
        assert statuses <= {Status.SUBMITTED, Status.WAITING}

    def end_job(self, job_id: str) -> None:
        key = self.pipeline.cloud.jobs[job_id].input_key
        self.pipeline.finish(job_id, self.real_s[key])
        self._ended.add(key)

    def end_all(self) -> None:
        for job_id, job in list(self.pipeline.cloud.jobs.items()):
            if job.input_key not in self._ended:
                self.end_job(job_id)

    def compute_bound_s(self) -> int:
        return sum(max(self.real_s[key] - self.estimated_s[key], 0) for key in self.in_flight)

    def compute_passed_s(self) -> int:
        usage = self.pipeline.get_usage()
        return usage.finished_s - usage.budget_s


def test_two_hundred_uploads_at_once_pass_the_budget_by_nothing_if_estimates_are_right() -> None:
    pipeline = BudgetPipeline(50)
    flood = Flood(pipeline, 1)
    flood.upload_at_once({f"{number:03}.mp3": (60, 60) for number in range(MANY)})
    assert pipeline.get_usage().total_s <= 3000
    # Those that give up first leave room for the others.
    assert 40 <= pipeline.count_jobs() <= 50
    assert len(pipeline.list_waiting()) == MANY - pipeline.count_jobs()
    assert pipeline.list_open() != []
    flood.end_all()
    assert flood.compute_bound_s() == 0
    assert flood.compute_passed_s() <= 0
    assert pipeline.list_reserved() == []


@pytest.mark.parametrize("seed", range(4))
def test_two_hundred_uploads_with_wrong_estimates_pass_it_by_the_documented_bound_at_most(seed: int) -> None:
    """Half of the estimates are too short, some by far; jobs end while others are uploaded."""
    pipeline = BudgetPipeline(120)
    flood = Flood(pipeline, seed)
    rng = flood.random
    for wave in range(4):
        estimates = {f"{wave}-{number:03}.mp3": rng.randint(30, 180) for number in range(MANY // 4)}
        lengths = {key: (each, max(int(each * rng.uniform(0.3, 2.5)), 1)) for key, each in estimates.items()}
        flood.upload_at_once(lengths)
        for job_id, job in list(pipeline.cloud.jobs.items()):
            if not job.result and rng.random() < 0.6:
                flood.end_job(job_id)
    assert len(pipeline.list_waiting()) > 0
    flood.end_all()
    assert flood.compute_passed_s() <= flood.compute_bound_s()
    assert pipeline.get_usage().finished_s == sum(
        flood.real_s[job.input_key] for job in pipeline.cloud.jobs.values()
    )


def test_budget_is_really_passed_if_all_estimates_are_too_short() -> None:
    """The bound says something: it is reached."""
    pipeline = BudgetPipeline(50)
    flood = Flood(pipeline, 1)
    flood.upload_at_once({f"{number:03}.mp3": (60, 90) for number in range(MANY)})
    flood.end_all()
    jobs = pipeline.count_jobs()
    assert flood.compute_bound_s() == jobs * 30
    assert flood.compute_passed_s() == jobs * 90 - 3000 > 0


def test_all_of_them_are_transcribed_in_the_following_months() -> None:
    pipeline = BudgetPipeline(50)
    flood = Flood(pipeline, 2)
    flood.upload_at_once({f"{number:03}.mp3": (60, 60) for number in range(MANY)})
    used = []
    for _ in range(6):
        flood.end_all()
        used.append(pipeline.get_usage().finished_s)
        month = get_next_month(pipeline.get_usage().month)
        pipeline.cloud.clock.now_s = get_month_start_s(month) + 60.0
        pipeline.audit_when_due()
    assert max(used) <= 3000
    assert sum(used) == MANY * 60
    assert {receipt.state for receipt in pipeline.list_done()} == {TRANSCRIBED}
    assert pipeline.count_jobs() == MANY
    assert pipeline.list_keys("transcripts/") == [
        key for key in pipeline.list_keys("transcripts/") if not key.endswith(".error.json")
    ]


@given(order=st.lists(st.integers(0, 1), max_size=60))
@settings(max_examples=60, deadline=None)
def test_of_two_at_once_with_room_for_one_exactly_one_is_submitted(order: list[int]) -> None:
    pipeline = BudgetPipeline(1)
    for key in ("a.mp3", "b.mp3"):
        pipeline.put_recording(key, 40)
    results = run_interleaved(
        pipeline.cloud, order, pipeline.build_upload("a.mp3"), pipeline.build_upload("b.mp3")
    )
    statuses = [result.status for result in results if isinstance(result, Result)]
    assert statuses.count(Status.SUBMITTED) <= 1
    assert pipeline.count_jobs() <= 1
    # Neither goes on only if the one that could was the last to look, and the other one is slow to give up.
    assert len(pipeline.list_waiting()) == 2 - pipeline.count_jobs()
    pipeline.audit_when_due()
    assert pipeline.count_jobs() == 1
    assert pipeline.get_usage().total_s == 40


def test_upload_that_could_go_on_waits_for_the_others_to_give_up() -> None:
    pipeline = BudgetPipeline(1)
    for key in ("a.mp3", "b.mp3"):
        pipeline.put_recording(key, 40)
    upload_b = pipeline.build_upload("b.mp3")
    pipeline.cloud.after("PUT", "/reserved/", lambda: run_with_pause(pipeline, upload_b))
    assert pipeline.ingest("a.mp3").status is Status.SUBMITTED
    assert pipeline.count_jobs() == 1


def run_with_pause(pipeline: BudgetPipeline, upload: Callable[[], object]) -> None:
    """Let another upload write its reservation, and go on only when this one pauses: it then gives up."""
    reserved = pipeline.cloud.put_object
    key = ".scribe/index/reserved/" + pipeline.build_receipt("b.mp3", b"b.mp3").id + ".abc.40"
    reserved("transcripts-1250000000", key, b"")

    def give_up() -> None:
        del pipeline.cloud.buckets["transcripts-1250000000"][key]

    pipeline.cloud.before("SLEEP", "", give_up)


def test_upload_gives_up_after_some_looks() -> None:
    pipeline = BudgetPipeline(1)
    key = ".scribe/index/reserved/" + pipeline.build_receipt("z.mp3", b"z").id + ".abc.40"
    pipeline.cloud.put_object("transcripts-1250000000", key, b"")
    pipeline.put_recording("a.mp3", 40)
    assert pipeline.ingest("a.mp3").status is Status.WAITING
    assert len(pipeline.cloud.sleeps) == MAX_LOOKS - 1
    assert pipeline.list_reserved() == [key]


def prepare(minutes: int) -> BudgetPipeline:
    pipeline = BudgetPipeline(minutes)
    pipeline.put_recording("a.mp3", 90)
    return pipeline


def count_upload_requests(minutes: int) -> int:
    pipeline = prepare(minutes)
    pipeline.ingest("a.mp3")
    return len(pipeline.take_requests())


KILLS = [(minutes, number) for minutes in (1, 2) for number in range(count_upload_requests(minutes))]


@pytest.mark.parametrize(("minutes", "number"), KILLS)
def test_upload_killed_at_any_request_is_held_or_paid_once(minutes: int, number: int) -> None:
    """With one minute there is no room; with two there is."""
    pipeline = prepare(minutes)
    pipeline.cloud.kill_before(number)
    with pytest.raises(Killed):
        pipeline.ingest("a.mp3")
    pipeline.audit_when_due()
    pipeline.sweep_when_due()
    pipeline.audit_when_due()
    assert pipeline.count_jobs() == minutes - 1
    assert len(pipeline.list_waiting()) == 2 - minutes
    assert len(pipeline.list_reserved()) == minutes - 1
    assert len(pipeline.list_open()) == minutes - 1
    assert (pipeline.get_error("a.mp3") is not None) == (minutes == 1)
    pipeline.set_budget(3)
    pipeline.audit_when_due()
    pipeline.finish("s1", 90)
    assert pipeline.count_jobs() == 1
    assert pipeline.list_reserved() == []
    assert pipeline.list_waiting() == []
    assert pipeline.list_claims() == []
    assert pipeline.get_error("a.mp3") is None


def test_callback_killed_at_any_request_counts_the_job_once_and_leaves_no_reservation() -> None:
    number = 0
    while True:
        pipeline = prepare(3)
        pipeline.ingest("a.mp3")
        pipeline.cloud.clock.advance(30)
        pipeline.cloud.run_jobs()
        pipeline.take_requests()
        pipeline.cloud.kill_before(number)
        try:
            pipeline.notify("s1")
        except Killed:
            pipeline.cloud.clear_hooks()
            assert pipeline.get_usage().total_s in {2, 90}
            pipeline.settle()
            assert (pipeline.get_usage().finished_s, pipeline.list_reserved()) == (2, [])
            number += 1
            continue
        break
    assert number == len(pipeline.take_requests()) > 10


@given(
    kills=st.lists(
        st.tuples(
            st.sampled_from(["event", "callback", "sweep", "audit"]), st.integers(0, 16), st.booleans()
        ),
        max_size=8,
    ),
    minutes=st.sampled_from([1, 2]),
)
@settings(max_examples=100, deadline=None)
def test_any_series_of_killed_invocations_keeps_the_budget(
    kills: list[tuple[str, int, bool]], minutes: int
) -> None:
    pipeline = prepare(minutes)
    steps: dict[str, Callable[[], object]] = {
        "event": lambda: pipeline.ingest("a.mp3"),
        "callback": lambda: pipeline.notify(*pipeline.cloud.jobs),
        "sweep": pipeline.sweep_when_due,
        "audit": pipeline.audit_when_due,
    }
    for name, number, is_job_run in kills:
        pipeline.cloud.kill_before(number)
        with suppress(Killed):
            steps[name]()
        pipeline.cloud.clear_hooks()
        if is_job_run:
            pipeline.cloud.run_jobs()
    pipeline.audit_when_due()
    pipeline.sweep_when_due()
    assert pipeline.count_jobs() == minutes - 1
    pipeline.set_budget(3)
    for _ in range(2):
        pipeline.audit_when_due()
        pipeline.cloud.clock.advance(DUE_S)
    pipeline.settle()
    assert pipeline.count_jobs() == 1
    assert pipeline.list_reserved() == []
    assert INPUT_BUCKET in pipeline.cloud.buckets
