"""Runs several invocations at once, request by request, in an order that the test decides."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from tests.helpers.fake_cloud import FakeCloud


def run_interleaved(cloud: FakeCloud, order: Iterable[int], *functions: Callable[[], object]) -> list[object]:
    """Run the functions in threads, only one at a time, and return their results or errors.

    Each number of `order` lets that function go on until its next request. What is not ended after `order` runs to its
    end, one function after the other.
    """
    results: list[object] = [None] * len(functions)
    may_run = [threading.Semaphore(0) for _ in functions]
    has_paused = threading.Semaphore(0)
    index_by_thread: dict[int, int] = {}
    unfinished = set(range(len(functions)))

    def pause() -> None:
        index = index_by_thread[threading.get_ident()]
        has_paused.release()
        may_run[index].acquire()

    def run(index: int) -> None:
        index_by_thread[threading.get_ident()] = index
        may_run[index].acquire()
        try:
            results[index] = functions[index]()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            results[index] = error
        unfinished.discard(index)
        has_paused.release()

    def resume(index: int) -> None:
        may_run[index].release()
        has_paused.acquire()

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(len(functions))]
    for thread in threads:
        thread.start()
    cloud.wait_for_turn = pause
    try:
        for index in order:
            if index in unfinished:
                resume(index)
        while unfinished:
            resume(min(unfinished))
    finally:
        cloud.wait_for_turn = _do_not_wait
    for thread in threads:
        thread.join()
    return results


def _do_not_wait() -> None:
    """Let every request go on at once."""
