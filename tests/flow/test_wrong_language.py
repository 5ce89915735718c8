"""A wrong language put right: by uploading again with metadata, and by another ENGINE and uploading again."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.config import PROJECT_FOLDER, CliContext
from cli.deploy.command import DeployOptions, deploy
from cli.local.emulator import INPUT_BUCKET, deploy_local_pipeline
from cli.output import SafeConsole
from shared.tencent.client import Request
from tests.helpers.flow import CONTENT_A, Flow, wait_for_next_second
from tests.helpers.loopback import open_client

pytestmark = pytest.mark.process

KEY = "interviews/采访.mp3"
WORDS, OTHER_WORDS = "the engine heard english words", "引擎听到了中文"


def transcribe(flow: Flow, words: str, **metadata: str) -> None:
    """Upload the recording, in a later second than before; the engine of its job hears these words."""
    wait_for_next_second()
    flow.pipeline.clients.cos.put(INPUT_BUCKET, f"{KEY}.transcript.txt", words.encode())
    flow.upload(KEY, CONTENT_A, **metadata)
    flow.settle()


@contextmanager
def deployed_flow(data: Path) -> Iterator[Flow]:
    """Deploy to a local cloud with `scribe deploy`."""
    with (
        deploy_local_pipeline(data, ["--speech", "scripted", "--deploy-delay-ms", "0"]) as pipeline,
        open_client(base_url=pipeline.emulator.endpoint, timeout=60) as client,
    ):
        yield Flow(pipeline, client)


def deploy_again(flow: Flow, **settings: str) -> None:
    """Change settings in .env and deploy."""
    env_file = flow.pipeline.data / ".env"
    lines = [
        line for line in env_file.read_text("utf-8").splitlines() if line.partition("=")[0] not in settings
    ]
    lines += [f"{name}={value}" for name, value in settings.items()]
    env_file.write_text("\n".join(lines), "utf-8")
    output = io.StringIO()
    context = CliContext(PROJECT_FOLDER, env_file, {}, flow.pipeline.data)
    assert deploy(SafeConsole(file=output), context, DeployOptions()), output.getvalue()


def find_function(flow: Flow, name: str) -> str:
    """Return the full name of a deployed function."""
    names: list[str] = list(flow.admin("GET", "deployed"))
    (full_name,) = (each for each in names if each.endswith(f"-{name}"))
    return full_name


def copy_to_storage_class(flow: Flow, storage_class: str) -> None:
    """Copy the object onto itself, as the console does to change its storage class; its metadata stay."""
    wait_for_next_second()
    host = f"{INPUT_BUCKET}.cos.ap-guangzhou.myqcloud.com"
    source = f"{host}/interviews/%E9%87%87%E8%AE%BF.mp3"
    headers = {
        "x-cos-copy-source": source,
        "x-cos-metadata-directive": "Copy",
        "x-cos-storage-class": storage_class,
    }
    request = Request("PUT", host, f"/{KEY}", resource=KEY, headers=headers)
    flow.pipeline.clients.cos.client.send(request)
    flow.settle()


def assert_only_the_new_words_are_left(flow: Flow, engine: str) -> None:
    """Two jobs in all, the last one with this engine; its words in every transcript, and nothing of the first one."""
    jobs = flow.jobs()
    assert [job["engine"] for job in jobs] == ["16k_en", engine]
    assert flow.outputs("transcripts/") == [
        f"transcripts/{KEY}.{extension}" for extension in ("html", "json", "srt", "txt", "vtt")
    ]
    for key in flow.outputs("transcripts/"):
        text = flow.output(key).decode()
        assert WORDS not in text
        assert WORDS.split()[-2] not in text
        assert OTHER_WORDS in text
    document = flow.transcript(KEY)
    assert (document["engine"], document["job_id"]) == (engine, jobs[-1]["job_id"])
    assert flow.receipts("open") == flow.receipts("waiting") == []
    (done,) = flow.receipts("done")
    receipt = json.loads(flow.output(done))
    assert (receipt["job_id"], receipt["superseded_job_ids"]) == (jobs[-1]["job_id"], [jobs[0]["job_id"]])


def test_upload_with_metadata_puts_a_wrong_language_right(own_flow: Flow) -> None:
    transcribe(own_flow, WORDS)
    assert own_flow.transcript(KEY)["text"] == WORDS
    transcribe(own_flow, OTHER_WORDS, **{"scribe-engine": "16k_zh"})
    assert_only_the_new_words_are_left(own_flow, "16k_zh")
    transcribe(own_flow, WORDS, **{"scribe-engine": "16k_zh"})
    assert_only_the_new_words_are_left(own_flow, "16k_zh")


def test_upload_after_another_engine_is_deployed_puts_a_wrong_language_right(tmp_path: Path) -> None:
    with deployed_flow(tmp_path / "cloud") as flow:
        transcribe(flow, WORDS)
        deploy_again(flow, ENGINE="16k_zh", SWEEP_AFTER="0")
        # Neither a storage class, nor an event that is delivered again, nor the audit is a choice of the uploader.
        copy_to_storage_class(flow, "STANDARD_IA")
        for name, event in (("upload", flow.build_event(KEY)), ("sweep", {"Message": "audit"})):
            assert flow.invoke(find_function(flow, name), event)["outcome"] == "ok"
        flow.settle()
        assert len(flow.jobs()) == 1
        assert flow.transcript(KEY)["text"] == WORDS
        transcribe(flow, OTHER_WORDS)
        assert_only_the_new_words_are_left(flow, "16k_zh")
        copy_to_storage_class(flow, "STANDARD")
        assert len(flow.jobs()) == 2
