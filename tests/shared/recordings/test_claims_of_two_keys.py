"""Two attempts whose keys disagree on versioning of the receipts' bucket: one of them may not check it."""

from __future__ import annotations

import pytest

from shared.recordings.context import Context, VersionedBuckets
from shared.recordings.sweep import reconcile
from shared.tencent.cos import CosClient
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline

REQUESTS_OF_A_SWEEP = 25


class Answer(VersionedBuckets):
    """What a key may learn about every bucket."""

    def __init__(self, *, is_versioned: bool) -> None:
        super().__init__()
        self._is_versioned = is_versioned

    def check(self, cos: CosClient, bucket: str, now_s: float) -> bool:
        return self._is_versioned


def build_pipeline() -> InMemoryPipeline:
    """Build one with a deferred recording that is due."""
    pipeline = InMemoryPipeline()
    pipeline.upload("a.mp3", b"words")
    pipeline.put_open(pipeline.build_receipt("a.mp3", b"words").defer(pipeline.cloud.clock.now()))
    pipeline.cloud.clock.advance(DUE_S)
    return pipeline


def build_context(pipeline: InMemoryPipeline, *, is_versioned: bool) -> Context:
    ctx = pipeline.build_context()
    ctx.versioned_buckets = Answer(is_versioned=is_versioned)
    return ctx


@pytest.mark.parametrize("is_versioned", [False, True])
@pytest.mark.parametrize("skip", range(REQUESTS_OF_A_SWEEP))
def test_only_one_of_two_attempts_pays(skip: int, is_versioned: bool) -> None:
    pipeline = build_pipeline()
    one = build_context(pipeline, is_versioned=is_versioned)
    other = build_context(pipeline, is_versioned=not is_versioned)
    pipeline.cloud.before("", "", lambda: reconcile(other), skip=skip)
    reconcile(one)
    assert pipeline.count_jobs() <= 1
    pipeline.cloud.before("", "", lambda: None, times=0)
    pipeline.settle()
    assert pipeline.count_jobs() == 1
