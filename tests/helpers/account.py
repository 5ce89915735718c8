"""An account in the stand-in cloud to which `scribe deploy` deploys."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console

from cli.config import CliContext, load_config
from cli.deploy.clients import Clients
from cli.deploy.command import ConfirmationMissing, DeployOptions, deploy, remove
from cli.deploy.executor import ExecutionFailed
from cli.local.emulator import Emulator
from cli.manifest.loader import load_manifest
from cli.manifest.models import (
    Manifest,
)
from cli.policy.documents import deployer_policy
from cli.policy.permissions import LOCK_FOLDER, load_function_settings, scope_from_settings
from shared.settings import Settings
from shared.tencent.auth import Credentials
from tests.helpers.loopback import send_request

ROOT = Path(__file__).resolve().parents[2]
REGION = "ap-guangzhou"
BUCKETS = {"INPUT_BUCKETS": "recordings-1250000000", "OUTPUT_BUCKET": "transcripts-1250000000"}
OTHER_BUCKETS = {"INPUT_BUCKETS": "calls-1250000000", "OUTPUT_BUCKET": "texts-1250000000"}
READ_ACTIONS = ("Get", "List", "Describe", "Head")


@dataclass(frozen=True)
class Account:
    """An account, used from a machine with a checkout and a separate folder."""

    emulator: Emulator
    folder: Path
    checkout: Path = ROOT

    def environment(self, config: Mapping[str, str]) -> dict[str, str]:
        key = {
            "TENCENTCLOUD_SECRET_ID": self.emulator.secret_id,
            "TENCENTCLOUD_SECRET_KEY": self.emulator.secret_key,
        }
        return {"CLOUD_ENDPOINT": self.emulator.endpoint, "REGION": REGION, **key, **BUCKETS, **config}

    @property
    def token(self) -> str:
        """The callback token that a deployment saved."""
        return load_config(self.folder / ".env", {"REGION": REGION})["CALLBACK_TOKEN"]

    def process_environment(self) -> dict[str, str]:
        """Return the environment of a command that is typed."""
        return {**os.environ, "PYTHONPATH": str(ROOT), **self.environment({})}

    def scribe(
        self, *words: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> subprocess.CompletedProcess[str]:
        """Run the command as it is typed, with these variables of the environment, such as another key."""
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *words, "--env-file", str(self.folder / ".env")],
            cwd=self.folder,
            env={**self.process_environment(), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def deploy(
        self,
        options: DeployOptions | None = None,
        config: Mapping[str, str] = MappingProxyType({}),
        *,
        env_file: Path | None = None,
        confirm: Callable[[str], bool] | None = None,
    ) -> tuple[bool, str]:
        """Deploy within this process. Return whether all is well, and the output. Without `confirm` as in a script."""
        output = io.StringIO()
        context = self.context(env_file or self.folder / ".env", config)
        try:
            passed = deploy(Console(file=output, width=200), context, options or DeployOptions(), confirm)
        except (ExecutionFailed, ConfirmationMissing) as failed:
            return False, f"{output.getvalue()}\n{failed}"
        return passed, output.getvalue()

    def context(self, env_file: Path, config: Mapping[str, str]) -> CliContext:
        return CliContext(self.checkout, env_file, self.environment(config), self.folder)

    def remove(self, config: Mapping[str, str], *, is_confirmed: bool = True) -> tuple[bool, str]:
        output = io.StringIO()
        context = self.context(self.folder / ".env", config)
        return remove(Console(file=output, width=200), context, lambda: is_confirmed), output.getvalue()

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        url = f"{self.emulator.endpoint}/-/{path}"
        response = send_request(method, url, json=body, headers=self.emulator.admin_headers, timeout=60)
        assert response.status_code == 200, response.text
        return response.json()

    def last_request(self) -> int:
        """Return the number of the last request."""
        return max((row["number"] for row in self.admin("GET", "requests?since=0")), default=0)

    def list_writes(self, since: int) -> list[str]:
        """List the actions after this request that could change something, without those on the deployment's lock."""
        rows = self.admin("GET", f"requests?since={since}")
        assert rows, "no request was sent"
        actions = [row["action"] for row in rows if row["secret_id"] and LOCK_FOLDER not in row["path"]]
        return [action for action in actions if not action.partition(":")[2].startswith(READ_ACTIONS)]

    def create_key(self, policy: Mapping[str, Any]) -> dict[str, str]:
        """Create a key with the permissions of this policy. Return it as variables of the environment."""
        key = self.admin("POST", "keys", {"policies": [policy]})
        names = {"SECRET_ID": "secret_id", "SECRET_KEY": "secret_key", "TOKEN": "token"}
        return {f"TENCENTCLOUD_{name}": key[member] for name, member in names.items()}

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        return self.clients.api.call("scf", action, params)

    @property
    def clients(self) -> Clients:
        return Clients.create(
            Credentials(self.emulator.secret_id, self.emulator.secret_key), REGION, self.emulator.endpoint
        )

    def manifest(self, config: Mapping[str, str] = MappingProxyType({})) -> Manifest:
        stage = config.get("SCRIBE_STAGE", "prod")
        defaults = {
            "SCRIBE_STAGE": stage,
            "SCF_ROLE_NAME": f"scribe-{stage}",
            "CALLBACK_TOKEN": "any-token-of-16-up",
        }
        return load_manifest(ROOT, self.environment({**defaults, **config}))


def build_deployer_policy(manifest: Manifest) -> dict[str, Any]:
    return deployer_policy(
        scope_from_settings(load_upload_settings(manifest), "100000000001"), manifest.functions.values()
    )


def load_upload_settings(manifest: Manifest) -> Settings:
    return load_function_settings(manifest.region, manifest.functions["upload"].variables)
