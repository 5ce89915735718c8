"""A deployment in the stand-in cloud, with ways to break it, and what the doctor finds."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cli.cloud.client import ApiClient
from cli.cloud.scf import ScfClient, find_public_url
from cli.config import CliContext, Commands
from cli.deploy.clients import Clients
from cli.deploy.state import CurrentState
from cli.doctor.models import Finding, Status
from cli.doctor.runner import run_checks
from cli.local.emulator import Emulator, OperatorClients
from cli.manifest.loader import load_manifest
from cli.manifest.models import Manifest, create_function_payload
from cli.policy.permissions import load_function_settings
from shared.tencent.auth import Credentials
from shared.tencent.speech_models import Queue
from tests.helpers.loopback import send_request

ROOT = Path(__file__).resolve().parents[2]
REGION, APPID, OWNER = "ap-guangzhou", "1250000000", "100000000001"
INPUT, OUTPUT = f"recordings-{APPID}", f"transcripts-{APPID}"
TOKEN, OTHER_TOKEN = "doctor-callback-token-1", "doctor-callback-token-2"
CONFIG = {
    "REGION": REGION,
    "INPUT_BUCKETS": INPUT,
    "INPUT_PREFIX": "calls/",
    "OUTPUT_BUCKET": OUTPUT,
    "CALLBACK_TOKEN": TOKEN,
    "SINCE": "all",
}


@dataclass(frozen=True)
class Deployment:
    """A deployment, with ways to read it and to break it."""

    emulator: Emulator
    label: str
    folder: Path

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.emulator.secret_id, self.emulator.secret_key)

    @property
    def operator(self) -> OperatorClients:
        return OperatorClients.for_emulator(self.emulator)

    @property
    def api(self) -> ApiClient:
        return ApiClient(self.credentials, REGION, self.emulator.endpoint)

    @property
    def scf(self) -> ScfClient:
        return ScfClient(self.api)

    def manifest(self, **changed: str) -> Manifest:
        config = {"SCRIBE_STAGE": "prod", "SCF_ROLE_NAME": "scribe-prod", **CONFIG, **changed}
        return load_manifest(ROOT, {name: value for name, value in config.items() if value})

    def name(self, key: str) -> str:
        return self.manifest().functions[key].name

    @property
    def callback_url(self) -> str:
        """The public URL of the callback function."""
        return find_public_url(self.scf.list_triggers(self.name("callback"), "default"))

    def clients(self, credentials: Credentials | None = None) -> Clients:
        return Clients.create(credentials or self.credentials, REGION, self.emulator.endpoint)

    def findings(
        self,
        *,
        clients: Clients | None = None,
        label: str | None = None,
        job_callback: bool = False,
        **changed: str,
    ) -> list[Finding]:
        """Run the checks with these settings instead of the deployed ones."""
        manifest = self.manifest(**changed)
        settings = load_function_settings(REGION, manifest.functions["callback"].variables)
        state = CurrentState(clients or self.clients(), manifest, settings, job_callback=job_callback)
        return list(run_checks(state, self.label if label is None else label, Commands()))

    def context(self, **changed: str) -> CliContext:
        process = {
            "CLOUD_ENDPOINT": self.emulator.endpoint,
            "TENCENTCLOUD_SECRET_ID": self.emulator.secret_id,
            "TENCENTCLOUD_SECRET_KEY": self.emulator.secret_key,
            **CONFIG,
            **changed,
        }
        return CliContext(ROOT, self.folder / "none.env", process, self.folder)

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        response = send_request(
            method,
            f"{self.emulator.endpoint}/-/{path}",
            json=body,
            headers=self.emulator.admin_headers,
        )
        assert response.is_success, response.text
        return response.json()

    def create_key(self, policy: Mapping[str, Any]) -> Credentials:
        """Create a temporary key with the permissions of this policy."""
        key = self.admin("POST", "keys", {"policies": [policy]})
        return Credentials(key["secret_id"], key["secret_key"], key["token"])

    @property
    def queue(self) -> Queue:
        return self.operator.speech.list_queues(INPUT).queues[0]

    def configure(self, name: str, **changed: Any) -> None:
        """Change members of the configuration of a function, and wait until it is active."""
        self.scf.update_configuration({"FunctionName": name, "Namespace": "default", **changed})
        self.scf.wait_until_active(name, "default")

    def set_variables(self, name: str, variables: Mapping[str, str]) -> None:
        pairs = [{"Key": key, "Value": value} for key, value in variables.items()]
        self.configure(name, Environment={"Variables": pairs})

    @contextmanager
    def broken_queue(self, change: Callable[[Queue], Queue]) -> Iterator[None]:
        original = self.queue
        self.operator.speech.update_queue(INPUT, change(original))
        yield
        self.operator.speech.update_queue(INPUT, original)

    @contextmanager
    def foreign_function(self, bucket: str, prefix: str, suffix: str = "") -> Iterator[str]:
        """Create a function of another project that these objects invoke."""
        name, host = "music-player", f"{bucket}.cos.{REGION}.myqcloud.com"
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as file:
            file.writestr("index.py", "def main_handler(event, context):\n    return None\n")
        spec = replace(self.manifest().functions["upload"], name=name, handler="index.main_handler", role="")
        payload = {name: value for name, value in create_function_payload(spec).items() if value}
        self.scf.create_function(payload, code.getvalue())
        self.scf.wait_until_active(name, "default")
        rule = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": prefix, "Suffix": suffix}}
        params = {"FunctionName": name, "TriggerName": host, "Type": "cos", "TriggerDesc": json.dumps(rule)}
        self.scf.create_trigger({**params, "Enable": "OPEN", "Qualifier": "$DEFAULT"})
        yield name
        self.scf.delete_function(name, "default")


def list_wrong(findings: list[Finding]) -> set[str]:
    return {finding.name for finding in findings if finding.status is Status.WRONG}


def describe(findings: list[Finding], name: str, status: Status = Status.WRONG) -> str:
    """Format the findings of this check with this status."""
    return " / ".join(
        f"{finding.subject}: {finding.message} -> {finding.fix}"
        for finding in findings
        if finding.name == name and finding.status is status
    )
