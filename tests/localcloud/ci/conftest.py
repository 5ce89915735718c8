from __future__ import annotations

import pytest

from tests.localcloud.clients import MakeRaw, RawClient
from tests.localcloud.speech_queue import MakeQueue, SpeechQueue
from tests.localcloud.stand_in import StandIn, StartCloud


@pytest.fixture
def make_queue(start_cloud: StartCloud, make_raw: MakeRaw) -> MakeQueue:
    """A queue on a new stand-in with these options, over the data of the one before it."""
    return lambda *options: SpeechQueue(make_raw(start_cloud(*options)))


@pytest.fixture
def queue(cloud: StandIn, raw: RawClient, bucket: str) -> SpeechQueue:
    return SpeechQueue(raw, bucket.removesuffix(f"-{cloud.appid}"))
