from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console

from cli.deploy.command import DeployOptions, deploy
from cli.local.emulator import start_emulator
from tests.helpers.doctor import (
    APPID,
    REGION,
    Deployment,
)


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("doctor")
    arguments = ["--speech", "scripted", "--region", REGION, "--appid", APPID, "--deploy-delay-ms", "0"]
    with start_emulator(folder / "cloud", {}, arguments) as emulator:
        bare = Deployment(emulator, "", folder)
        output = io.StringIO()
        assert deploy(Console(file=output), bare.context(), DeployOptions(make_buckets=True)), (
            output.getvalue()
        )
        function = bare.scf.get_function(bare.name("upload"), "default")
        assert function
        yield replace(bare, label=function.description)
