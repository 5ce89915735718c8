"""The local cloud (`localcloud`) as a child process, and Scribe deployed to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cli.config import PROJECT_FOLDER, CliContext
from cli.errors import OperatorError
from cli.language import _
from cli.local.samples import Upload
from cli.output import SafeConsole
from cli.redaction import SECRETS
from localcloud.private_files import (
    make_private_folder,
    private_opener,
    write_private_bytes,
    write_private_text,
)
from shared.errors import AlreadyExists, NotFound
from shared.recordings.keys import done_prefix
from shared.settings import load_settings
from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient
from shared.tencent.cos import CosClient
from shared.tencent.speech import SpeechClient

# The first start reads the speech model from a cold disk; the local cloud itself gives up after 60 s.
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 10.0

APPID, REGION = "1250000000", "ap-guangzhou"
INPUT_BUCKET, OUTPUT_BUCKET = f"recordings-{APPID}", f"transcripts-{APPID}"
CALLBACK_TOKEN = "demo4f7c2a9e1b6d8053"  # noqa: S105 - protects a loopback address; the events in events/ hold it
ENGINE = "16k_en"  # PocketSphinx, the default recogniser, knows English only

SETTINGS = {
    "SCRIBE_STAGE": "local",
    "SCF_ROLE_NAME": "local",
    "REGION": REGION,
    "INPUT_BUCKETS": INPUT_BUCKET,
    "INPUT_PREFIX": "",
    "INPUT_EXTENSIONS": "",
    "SINCE": "",
    "OUTPUT_BUCKET": OUTPUT_BUCKET,
    "CALLBACK_TOKEN": CALLBACK_TOKEN,
    "ENGINE": ENGINE,
    "OPTIONS": "",
    "SWEEP_AFTER": "30",
    "OUTPUT_REGION": "",
    "OUTPUT_PREFIX": "",
    "STATE_PREFIX": "",
    "OUTPUT_NAMES": "",
    "FORMATS": "",
    "QUEUE_ID": "",
    "GIVE_UP_AFTER": "",
    "MAX_IN_FLIGHT": "",
    "MONTHLY_MINUTES": "",
    "JOBS_PATH": "",
    "CALLBACK_URL": "",
    "NOTIFY_ON": "",
    "NOTIFY_LANGUAGE": "",
    "NOTIFY_WEBHOOK": "",
    "NOTIFY_WEBHOOK_SECRET": "",
    "NOTIFY_WEBHOOK_ON": "",
    "NOTIFY_WECOM": "",
    "NOTIFY_WECOM_ON": "",
    "NOTIFY_FEISHU": "",
    "NOTIFY_FEISHU_SECRET": "",
    "NOTIFY_FEISHU_ON": "",
    "NOTIFY_DINGTALK": "",
    "NOTIFY_DINGTALK_SECRET": "",
    "NOTIFY_DINGTALK_ON": "",
}

LOCAL_SETTINGS = load_settings(SETTINGS)
OUTPUT_PREFIX, OUTPUT_FORMATS = LOCAL_SETTINGS.output_prefix, LOCAL_SETTINGS.formats
DONE_PREFIX = done_prefix(LOCAL_SETTINGS)
ERROR_SUFFIX = "error.json"

_KEY_MEMBERS = ("secret_id", "secret_key")  # of the ready line


class EmulatorError(OperatorError):
    """The local cloud did not start or does not run."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running local cloud. `callback_url` is the URL of the callback function, without the token.

    `admin_secret` is what its pages below /-/ ask for.
    """

    endpoint: str
    region: str
    appid: str
    secret_id: str
    secret_key: str
    callback_url: str
    admin_secret: str = field(default="", repr=False)

    @property
    def admin_headers(self) -> Mapping[str, str]:
        """The headers that its pages below /-/ ask for."""
        return {"x-localcloud-secret": self.admin_secret}

    @classmethod
    def from_ready_line(cls, line: str) -> Emulator:
        """Parse the line that it prints when ready, and keeps as ready.json in its data folder.

        Raises EmulatorError.
        """
        try:
            ready: Any = json.loads(line)
            functions = ready.get("functions") or {}
            # The key is for the user of that cloud; what opens its administration is not.
            SECRETS.add_variables(
                {name.upper(): str(value) for name, value in ready.items() if name not in _KEY_MEMBERS}
            )
            return cls(
                endpoint=ready["endpoint"],
                region=ready["region"],
                appid=ready["appid"],
                secret_id=ready["secret_id"],
                secret_key=ready["secret_key"],
                callback_url=(functions.get("callback") or {}).get("url", ""),
                admin_secret=ready.get("admin_secret", ""),
            )
        except (ValueError, KeyError, AttributeError) as error:
            raise EmulatorError(
                _("the ready line of the local cloud cannot be parsed: {reason}", reason=error)
            ) from None


@dataclass(frozen=True, slots=True)
class OperatorClients:
    """Clients of COS and CI with the operator's key."""

    cos: CosClient
    speech: SpeechClient

    @classmethod
    def for_emulator(cls, emulator: Emulator) -> OperatorClients:
        """Build clients that send every request to the local cloud."""
        client = TencentClient(
            Credentials(emulator.secret_id, emulator.secret_key), endpoint=emulator.endpoint
        )
        return cls(CosClient(client, emulator.region), SpeechClient(client, emulator.region))

    def ensure_bucket(self, bucket: str) -> None:
        """Create a bucket unless it exists."""
        with suppress(AlreadyExists):
            self.cos.create_bucket(bucket)


@dataclass(frozen=True, slots=True)
class LocalPipeline:
    """Scribe on the local cloud, ready for uploads. `data` is the folder of the local cloud."""

    emulator: Emulator
    clients: OperatorClients
    data: Path

    def upload(self, upload: Upload) -> None:
        """Upload one file. A sidecar text is stored with it: the local cloud returns that text as the transcript."""
        if upload.sidecar:
            path = self.data / "buckets" / INPUT_BUCKET / (upload.key + ".transcript.txt")
            make_private_folder(path.parent)
            write_private_bytes(path, upload.sidecar.read_bytes())
        self.clients.cos.put(INPUT_BUCKET, upload.key, upload.path.read_bytes(), metadata=upload.metadata)

    def has(self, upload: Upload) -> bool:
        """Check whether an object with its key is in the input bucket."""
        try:
            self.clients.cos.head(INPUT_BUCKET, upload.key)
        except NotFound:
            return False
        return True


@contextmanager
def start_emulator(
    data: Path, environ: Mapping[str, str], arguments: Sequence[str] = ()
) -> Iterator[Emulator]:
    """Run a local cloud until the block ends. `environ` is added to this process's environment.

    Raises EmulatorError when it does not start.
    """
    log_path = data / "localcloud.log"
    make_private_folder(data)
    command = [sys.executable, "-m", "localcloud", "--until-stdin-closes", "--data", str(data), *arguments]
    with open(log_path, "ab", opener=private_opener) as log:
        process = subprocess.Popen(  # noqa: S603 - our own module, our own arguments
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **environ},
            # A group of its own: Ctrl-C reaches this process only, which then stops the local cloud in order.
            start_new_session=True,
        )
    try:
        yield Emulator.from_ready_line(_read_ready_line(process, log_path))
    finally:
        _stop(process)


@contextmanager
def deploy_local_pipeline(
    data: Path,
    arguments: Sequence[str] = (),
    *,
    engine: str = ENGINE,
    uses_rules: bool = False,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[LocalPipeline]:
    """Run a local cloud with two buckets and Scribe deployed by `scribe deploy`, until the block ends.

    `arguments` are the options of the local cloud, `engine` is the setting ENGINE; with `uses_rules` the functions have
    the rules of rules.yml. `settings` are added to those of the functions. The data folder gets the output of the
    deployment as deploy.log and its settings as .env. Raises EmulatorError, OperatorError, ScribeError.
    """
    with start_emulator(data, {}, ["--region", REGION, "--appid", APPID, *arguments]) as emulator:
        clients = OperatorClients.for_emulator(emulator)
        clients.ensure_bucket(INPUT_BUCKET)
        clients.ensure_bucket(OUTPUT_BUCKET)
        _deploy(emulator, data, {**settings, "ENGINE": engine}, uses_rules=uses_rules)
        yield LocalPipeline(emulator, clients, data)


def _deploy(emulator: Emulator, data: Path, settings: Mapping[str, str], *, uses_rules: bool) -> None:
    # Importing the SDK takes a third of a second; the local cloud starts in that time.
    from cli.deploy.command import DeployOptions, deploy  # noqa: PLC0415

    env_file, log_file = data / ".env", data / "deploy.log"
    config = {
        **SETTINGS,
        **settings,
        "CLOUD_ENDPOINT": emulator.endpoint,
        "TENCENT_SECRET_ID": emulator.secret_id,
        "TENCENT_SECRET_KEY": emulator.secret_key,
    }
    write_private_text(env_file, "".join(f"{name}={value}\n" for name, value in config.items()))
    with open(log_file, "w", encoding="utf-8", opener=private_opener) as log:
        console = SafeConsole(file=log, highlight=False)
        context = CliContext(PROJECT_FOLDER, env_file, {}, data, uses_rules=uses_rules)
        succeeded = deploy(console, context, DeployOptions())
    if not succeeded:
        raise EmulatorError(
            _("the deployment to the local cloud failed:\n{log}", log=log_file.read_text("utf-8"))
        )


def _read_ready_line(process: subprocess.Popen[bytes], log_path: Path) -> str:
    timer = threading.Timer(START_TIMEOUT_S, process.terminate)
    timer.start()
    try:
        line = process.stdout.readline() if process.stdout else b""
    finally:
        timer.cancel()
    if not line.strip():
        log = log_path.read_text("utf-8", "replace").strip().splitlines()
        start = "localcloud cannot start: "  # not translated
        reason = log[-1].removeprefix(start) if log else _("its log is empty")
        raise EmulatorError(_("the local cloud did not start: {reason}", reason=reason))
    return line.decode("utf-8", "replace")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
