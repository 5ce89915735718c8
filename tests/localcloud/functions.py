"""Functions that tests deploy: their code, and a serverless.yml that describes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ECHO = "def main_handler(event, context):\n    return event\n"

# A module for functions: it sends a request once, with the credential of the invocation and without a library.
SIGNED_REQUESTS = """
import hashlib, hmac, http.client, os, time
from urllib.parse import quote


def send(method, host, path, body=b""):
    token_header = "x-ci-security-token" if ".ci." in host else "x-cos-security-token"
    headers = {"host": host, token_header: os.environ["TENCENTCLOUD_SESSIONTOKEN"]}
    times = f"{int(time.time()) - 60};{int(time.time()) + 600}"
    line = "&".join(f"{name}={quote(value, safe='-_~.')}" for name, value in sorted(headers.items()))
    text = hashlib.sha1(f"{method.lower()}\\n{path}\\n\\n{line}\\n".encode()).hexdigest()
    key = hmac.new(os.environ["TENCENTCLOUD_SECRETKEY"].encode(), times.encode(), "sha1").hexdigest()
    sign = hmac.new(key.encode(), f"sha1\\n{times}\\n{text}\\n".encode(), "sha1").hexdigest()
    headers["authorization"] = (
        f"q-sign-algorithm=sha1&q-ak={os.environ['TENCENTCLOUD_SECRETID']}&q-sign-time={times}&q-key-time={times}"
        f"&q-header-list={';'.join(sorted(headers))}&q-url-param-list=&q-signature={sign}"
    )
    connection = http.client.HTTPConnection(os.environ["CLOUD_ENDPOINT"].removeprefix("http://"), timeout=10)
    connection.request(method, quote(path), body, headers)
    status = connection.getresponse().status
    connection.close()
    return status
"""


def returning(expression: str) -> str:
    """The code of a function that returns the value of an expression."""
    return f"def main_handler(event, context):\n    return {expression}\n"


def build_trigger(kind: str, function: str, **parameters: object) -> dict[str, Any]:
    return {"type": kind, "function": function, "parameters": parameters}


def build_manifest(
    functions: Mapping[str, Mapping[str, Any]],
    triggers: Sequence[Mapping[str, Any]] = (),
    **inputs: object,
) -> dict[str, Any]:
    """The content of a serverless.yml. An input that is None is left out."""
    defaults = {"region": "ap-guangzhou", "runtime": "Python3.10", "role": "${env:ROLE}"}
    settings = {name: value for name, value in {**defaults, **inputs}.items() if value is not None}
    return {
        "app": "scribe",
        "stage": "test",
        "component": "multi-scf",
        "name": "t",
        "inputs": {**settings, "functions": functions, "triggers": triggers},
    }


def write_manifest(folder: Path, manifest: object) -> None:
    """Write a serverless.yml in JSON, which is also YAML."""
    (folder / "serverless.yml").write_text(json.dumps(manifest), "utf-8")


def write_functions(
    folder: Path, code: Mapping[str, str], triggers: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write a folder of functions with one module each, for `--functions`; they may import `signed_requests`."""
    folder.mkdir(exist_ok=True)
    (folder / "signed_requests.py").write_text(SIGNED_REQUESTS)
    for name, text in code.items():
        (folder / f"{name}.py").write_text(text)
    functions = {name: {"handler": f"{name}.main_handler"} for name in code}
    # Without a role there are no temporary credentials.
    write_manifest(folder, build_manifest(functions, triggers, role="scribe"))
