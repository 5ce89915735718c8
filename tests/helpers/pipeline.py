"""A pipeline that runs the functions from the checkout, for tests that need no deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cli.config import PROJECT_FOLDER
from cli.local.emulator import (
    APPID,
    CALLBACK_TOKEN,
    INPUT_BUCKET,
    OUTPUT_BUCKET,
    REGION,
    SETTINGS,
    LocalPipeline,
    OperatorClients,
    start_emulator,
)
from shared.tencent.speech_models import NotifyConfig


@contextmanager
def running_pipeline(
    data: Path, arguments: Sequence[str] = (), settings: Mapping[str, str] | None = None
) -> Iterator[LocalPipeline]:
    """Run the whole pipeline until the block ends; `settings` override the usual ones.

    Raises EmulatorError, CloudError.
    """
    options = ["--functions", str(PROJECT_FOLDER), "--region", REGION, "--appid", APPID, *arguments]
    with start_emulator(data, {**SETTINGS, **(settings or {})}, options) as emulator:
        clients = OperatorClients.for_emulator(emulator)
        clients.ensure_bucket(INPUT_BUCKET)
        clients.ensure_bucket(OUTPUT_BUCKET)
        enable_speech(clients, INPUT_BUCKET, f"{emulator.callback_url}/{CALLBACK_TOKEN}")
        yield LocalPipeline(emulator, clients, data)


def enable_speech(clients: OperatorClients, bucket: str, notify_url: str) -> None:
    """Enable speech recognition on a bucket and set the notification URL of its queue."""
    clients.speech.enable_bucket(bucket)
    queue = clients.speech.list_queues(bucket).queues[0]
    config = NotifyConfig(state="On", url=notify_url, type="Url", event="TaskFinish", format="XML")
    clients.speech.update_queue(bucket, queue._replace(state="Active", notification=config))
