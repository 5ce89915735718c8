"""A recording uploaded by Tencent's own unmodified client becomes a transcript."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET
from tests.helpers.flow import Flow

pytestmark = pytest.mark.process

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the client's own invalid escapes
    from qcloud_cos import CosConfig, CosS3Client


def official_client(flow: Flow, key: str = "") -> CosS3Client:
    emulator = flow.pipeline.emulator
    config = CosConfig(
        Region=emulator.region,
        SecretId=emulator.secret_id,
        SecretKey=key or emulator.secret_key,
        Scheme="http",
        Proxies={"http": emulator.endpoint},
    )
    return CosS3Client(config, retry=0)


def test_upload_by_official_client_is_transcribed(flow: Flow, tmp_path: Path) -> None:
    client = official_client(flow)
    client.put_object(Bucket=INPUT_BUCKET, Key="官方/client.wav", Body=b"speech " * 300)
    large = tmp_path / "large.wav"
    large.write_bytes(b"speech of some length " * 120_000)
    client.upload_file(
        Bucket=INPUT_BUCKET, Key="multi part.wav", LocalFilePath=str(large), PartSize=1, MAXThread=2
    )
    flow.settle()
    for key in ("官方/client.wav", "multi part.wav"):
        response = client.get_object(Bucket=OUTPUT_BUCKET, Key=f"transcripts/{key}.json")
        assert json.loads(response["Body"].get_raw_stream().read())["sentences"]


def test_official_client_sees_the_job(flow: Flow) -> None:
    client = official_client(flow)
    client.put_object(Bucket=INPUT_BUCKET, Key="seen-by-both.wav", Body=b"speech " * 300)
    flow.settle()
    submitted = next(job for job in flow.jobs() if job["object"] == "seen-by-both.wav")
    document = client.ci_get_asr_job(Bucket=INPUT_BUCKET, JobID=submitted["job_id"])
    assert document["JobsDetail"][0]["State"] == "Success"
