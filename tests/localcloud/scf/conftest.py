"""The API of SCF, used through the official SDK with the stand-in as its proxy."""

from __future__ import annotations

import pytest

from tests.localcloud.clients import MakeApiClient
from tests.localcloud.scf.client import MakeScf, Scf
from tests.localcloud.stand_in import StandIn


@pytest.fixture(scope="session")
def make_scf(make_api_client: MakeApiClient) -> MakeScf:
    return lambda cloud: Scf(cloud, make_api_client(cloud))


@pytest.fixture(scope="session")
def scf(cloud: StandIn, make_scf: MakeScf) -> Scf:
    return make_scf(cloud)


@pytest.fixture(scope="session")
def echo(scf: Scf) -> str:
    """A function that returns its event, for tests that do not change it."""
    return scf.create()
