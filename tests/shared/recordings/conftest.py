from __future__ import annotations

import pytest

from tests.helpers.in_memory_pipeline import InMemoryPipeline


@pytest.fixture
def pipeline() -> InMemoryPipeline:
    """The three functions on an empty in-memory cloud."""
    return InMemoryPipeline()
