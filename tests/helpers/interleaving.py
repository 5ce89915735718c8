"""Runs several invocations at once, request by request, in an order that the test decides."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from tests.helpers.fake_cloud import FakeCloud

MAX_FUNCTIONS = 250
MAX_PAUSE_S = (
    60.0  # no step of an invocation takes nearly as long; a test that waits longer says so and fails
)


@functools.cache
def _get_executor() -> ThreadPoolExecutor:
    """Return the threads of this process: property tests need thousands of runs, and not new threads for each."""
    return ThreadPoolExecutor(max_workers=MAX_FUNCTIONS)


def run_interleaved(cloud: FakeCloud, order: Iterable[int], *functions: Callable[[], object]) -> list[object]:
    """Run the functions in threads, only one at a time, and return their results or errors.

    Each number of `order` lets that function go on until its next request. What is not ended after `order` runs to its
    end, one function after the other.
    """
    may_run = [threading.Semaphore(0) for _ in functions]
    has_paused = threading.Semaphore(0)
    index_by_thread: dict[int, int] = {}
    unfinished = set(range(len(functions)))

    def pause() -> None:
        index = index_by_thread[threading.get_ident()]
        has_paused.release()
        may_run[index].acquire()

    def run(index: int) -> object:
        index_by_thread[threading.get_ident()] = index
        may_run[index].acquire()
        try:
            return functions[index]()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            return error
        finally:
            unfinished.discard(index)
            has_paused.release()

    def resume(index: int) -> None:
        may_run[index].release()
        assert has_paused.acquire(timeout=MAX_PAUSE_S), f"invocation {index} neither paused nor ended"

    assert len(functions) <= MAX_FUNCTIONS, "they would wait for each other's threads"
    futures = [_get_executor().submit(run, index) for index in range(len(functions))]
    cloud.wait_for_turn = pause
    try:
        for index in order:
            if index in unfinished:
                resume(index)
        while unfinished:
            resume(min(unfinished))
    finally:
        cloud.wait_for_turn = _do_not_wait
        for semaphore in may_run:
            semaphore.release()  # no thread is left waiting after an error
    return [future.result(timeout=MAX_PAUSE_S) for future in futures]


def _do_not_wait() -> None:
    """Let every request go on at once."""
