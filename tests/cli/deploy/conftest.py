from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.local.emulator import start_emulator
from tests.helpers.account import Account


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account with one deployment, made by the command line."""
    folder = tmp_path_factory.mktemp("operator")
    (folder / ".env").touch()
    arguments = ["--speech", "scripted", "--deploy-delay-ms", "50", "--retry-delay", "0.05"]
    with start_emulator(tmp_path_factory.mktemp("cloud"), {}, arguments) as emulator:
        account = Account(emulator, folder)
        done = account.scribe("deploy", "--make-buckets")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Deployment verified: " in done.stdout
        yield account


@pytest.fixture
def restored(account: Account) -> Account:
    """The same, after another deployment that reverts changes of other tests."""
    passed, output = account.deploy()
    assert passed, output
    return account
