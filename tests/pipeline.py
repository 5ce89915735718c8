"""A pipeline whose functions run straight from the checkout: what most tests need, without a deployment each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cli.local import (
    APPID,
    CALLBACK_TOKEN,
    FUNCTIONS_FOLDER,
    INPUT_BUCKET,
    OUTPUT_BUCKET,
    REGION,
    SETTINGS,
    Pipeline,
)
from cli.operator import Operator
from cli.standin import running_standin
from shared.tencent.speech_models import NotifyConfig


@contextmanager
def running_pipeline(
    data: Path, arguments: Sequence[str] = (), settings: Mapping[str, str] | None = None
) -> Iterator[Pipeline]:
    """The whole pipeline on this machine until the block ends; `settings` go over the usual ones.

    Raises StandinError, CloudError.
    """
    chosen = ["--functions", str(FUNCTIONS_FOLDER), "--region", REGION, "--appid", APPID, *arguments]
    with running_standin(data, {**SETTINGS, **(settings or {})}, chosen) as standin:
        operator = Operator.of(standin)
        operator.make_bucket(INPUT_BUCKET)
        operator.make_bucket(OUTPUT_BUCKET)
        switch_on_speech(operator, INPUT_BUCKET, f"{standin.callback_url}/{CALLBACK_TOKEN}")
        yield Pipeline(standin, operator, data)


def switch_on_speech(operator: Operator, bucket: str, notify_url: str) -> None:
    """Enables speech recognition on a bucket and points its queue at an address."""
    operator.speech.enable_bucket(bucket)
    queue = operator.speech.list_queues(bucket).queues[0]
    told = NotifyConfig(state="On", url=notify_url, type="Url", event="TaskFinish", format="XML")
    operator.speech.update_queue(bucket, queue._replace(state="Active", notification=told))
