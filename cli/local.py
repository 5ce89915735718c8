"""The pipeline on this machine: which buckets, which settings, set up and ready for uploads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from cli.operator import Operator
from cli.samples import Upload
from cli.standin import Standin, StandinError, running_standin
from cli.surroundings import Surroundings

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
def deployed_pipeline(data: Path, arguments: Sequence[str] = ()) -> Iterator[Pipeline]:
    """A cloud with the two buckets of somebody who begins, and the pipeline that `scribe deploy` makes of them.

    What the deployment says goes to deploy.log in the data folder, what it was told by to .env there. Raises
    StandinError, OperatorError, ScribeError.
    """
    with running_standin(data, {}, ["--region", REGION, "--appid", APPID, *arguments]) as standin:
        operator = Operator.of(standin)
        operator.make_bucket(INPUT_BUCKET)
        operator.make_bucket(OUTPUT_BUCKET)
        _deploy(standin, data)
        yield Pipeline(standin, operator, data)


def _deploy(standin: Standin, data: Path) -> None:
    # The SDK takes a third of a second to load: meanwhile the cloud starts.
    from cli.deploy.command import DeployOptions, deploy  # noqa: PLC0415

    env_file, log_file = data / ".env", data / "deploy.log"
    chosen = {
        **SETTINGS,
        "CLOUD_ENDPOINT": standin.endpoint,
        "TENCENT_SECRET_ID": standin.secret_id,
        "TENCENT_SECRET_KEY": standin.secret_key,
    }
    env_file.write_text("".join(f"{name}={value}\n" for name, value in chosen.items()), "utf-8")
    with log_file.open("w", encoding="utf-8") as log:
        console = Console(file=log, highlight=False)
        is_well = deploy(console, Surroundings(FUNCTIONS_FOLDER, env_file, {}, data), DeployOptions())
    if not is_well:
        raise StandinError(f"the deployment is not well:\n{log_file.read_text('utf-8')}")


def put(pipeline: Pipeline, upload: Upload) -> None:
    """Uploads one file. A text beside it is laid beside the recording: the stand-in returns it as if recognised."""
    if upload.sidecar.is_file():
        place = pipeline.data / "buckets" / INPUT_BUCKET / (upload.key + ".transcript.txt")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(upload.sidecar.read_bytes())
    pipeline.operator.cos.put(INPUT_BUCKET, upload.key, upload.path.read_bytes(), metadata=upload.metadata)
