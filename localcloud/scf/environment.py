"""What surrounds a handler: the instance's variables and the context of one invocation.

Names and meanings: SCF documents, "environment variables" and 583/9694; scf.md 1.4 and 1.5.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.account import OWNER_UIN
from localcloud.scf.deployment import Function


@dataclass(frozen=True, slots=True)
class TemporaryKey:
    """Credentials of one invocation; `expires_s` is Unix time."""

    secret_id: str
    secret_key: str
    token: str
    expires_s: float

    def variables(self) -> dict[str, str]:
        """Give them under the names that SCF uses (the SDK's own provider reads others)."""
        return {
            "TENCENTCLOUD_SECRETID": self.secret_id,
            "TENCENTCLOUD_SECRETKEY": self.secret_key,
            "TENCENTCLOUD_SESSIONTOKEN": self.token,
        }


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where all functions run."""

    home: Path
    endpoint: str
    region: str
    appid: str


def instance_variables(function: Function, where: Surroundings) -> dict[str, str]:
    """Give the whole environment of an instance; nothing of this process leaks into it.

    `CLOUD_ENDPOINT` is the one addition: it leads the function to this machine's cloud.
    """
    return {
        # Unlike the rest, a function may set its own time zone.
        "TZ": "UTC",
        **function.variables,
        "CLOUD_ENDPOINT": where.endpoint,
        "TENCENTCLOUD_APPID": where.appid,
        "TENCENTCLOUD_UIN": OWNER_UIN,
        "TENCENTCLOUD_REGION": where.region,
        "TENCENTCLOUD_RUNENV": "SCF",
        "TENCENTCLOUD_TZ": "UTC",
        "SCF_FUNCTIONNAME": function.name,
        "SCF_FUNCTIONVERSION": "$LATEST",
        "SCF_RUNTIME": function.runtime,
        "SCF_NAMESPACE": function.namespace,
        "_SCF_SERVER_PORT": "28902",
        "USER_CODE_ROOT": f"{function.folder}/",
        "PYTHONPATH": ":".join(
            dict.fromkeys((str(function.module_file.parent), str(function.folder), "/opt"))
        ),
        "PYTHONDONTWRITEBYTECODE": "x",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PWD": str(function.folder),
        "HOME": str(where.home),
        "USER": "qcloud",
        "LOGNAME": "qcloud",
        "LANG": "en_US.UTF8",
        "LC_ALL": "en_US.UTF8",
        "SHELL": "/bin/bash",
        "SHLVL": "1",
    }


def context_of(
    function: Function, where: Surroundings, *, request_id: str, variables: Mapping[str, str]
) -> dict[str, Any]:
    """Build the second argument of a handler; `variables` are the instance's, with this event's credentials."""
    return {
        "request_id": request_id,
        "function_name": function.name,
        "function_version": "$LATEST",
        "namespace": function.namespace,
        "memory_limit_in_mb": function.memory_mib,
        "time_limit_in_ms": function.timeout_s * 1000,
        "environment": json.dumps(variables, ensure_ascii=False),
        "environ": ";".join(f"{name}={value}" for name, value in variables.items()),
        "tencentcloud_region": where.region,
        "tencentcloud_appid": where.appid,
        "tencentcloud_uin": OWNER_UIN,
    }


def runtime_note(function: Function) -> str:
    """Say so if the interpreter here is not the runtime asked for; empty if it is."""
    here = f"Python{sys.version_info.major}.{sys.version_info.minor}"
    return "" if here == function.runtime else f"runs on {here} here, on {function.runtime} in the cloud"
