from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.local.emulator import Emulator, OperatorClients, start_emulator
from tests.helpers.explain import INPUT_BUCKET, OUTPUT_BUCKET


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(tmp_path_factory.mktemp("cloud"), {}, ["--speech", "scripted"]) as running:
        clients = OperatorClients.for_emulator(running)
        clients.ensure_bucket(INPUT_BUCKET)
        clients.ensure_bucket(OUTPUT_BUCKET)
        yield running
