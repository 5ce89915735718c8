"""The pipeline on this machine: which buckets, which settings, set up and ready for uploads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.operator import Operator
from cli.samples import Upload
from cli.standin import Standin, running_standin

APPID, REGION = "1250000000", "ap-guangzhou"
INPUT_BUCKET, OUTPUT_BUCKET = f"recordings-{APPID}", f"transcripts-{APPID}"
CALLBACK_TOKEN = "local-callback-token"  # noqa: S105 - guards a loopback address, and stands in events/
ENGINE = "16k_en"  # the local engine knows English only

FUNCTIONS_FOLDER = Path(__file__).resolve().parent.parent  # where serverless.yml lies

SETTINGS = {
    "SCRIBE_STAGE": "local",
    "SCF_ROLE_NAME": "local",
    "REGION": REGION,
    "INPUT_BUCKETS": INPUT_BUCKET,
    "INPUT_PREFIX": "",
    "OUTPUT_BUCKET": OUTPUT_BUCKET,
    "CALLBACK_TOKEN": CALLBACK_TOKEN,
    "ENGINE": ENGINE,
    "SWEEP_AFTER": "30",
    "OUTPUT_REGION": "",
    "OUTPUT_PREFIX": "",
    "STATE_PREFIX": "",
    "FORMATS": "",
    "QUEUE_ID": "",
    "GIVE_UP_AFTER": "",
    "MAX_IN_FLIGHT": "",
    "JOBS_PATH": "",
}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline that waits for uploads. `data` is the folder of its stand-in."""

    standin: Standin
    operator: Operator
    data: Path


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
        operator.switch_on_speech(INPUT_BUCKET, f"{standin.callback_url}/{CALLBACK_TOKEN}")
        yield Pipeline(standin, operator, data)


def put(pipeline: Pipeline, upload: Upload) -> None:
    """Uploads one file. A text beside it is laid beside the recording: the stand-in returns it as if recognised."""
    if upload.sidecar.is_file():
        place = pipeline.data / "buckets" / INPUT_BUCKET / (upload.key + ".transcript.txt")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(upload.sidecar.read_bytes())
    pipeline.operator.cos.put(INPUT_BUCKET, upload.key, upload.path.read_bytes(), metadata=upload.metadata)
