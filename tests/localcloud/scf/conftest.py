"""The API of SCF, used through the official SDK with the stand-in as its proxy."""

from __future__ import annotations

import base64
import io
import json
import secrets
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

QUICKLY_S = 20.0
PACKED = (2020, 1, 2, 3, 4, 6)
ECHO = "def main_handler(event, context):\n    return event\n"


@dataclass
class Scf:
    """Sends actions, and combines those that tests need often."""

    cloud: Any
    api_client: Any

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        result: dict[str, Any] = self.api_client.call("scf", action, params)
        return result

    def refused(self, action: str, **params: Any) -> str:
        """The error code of an action."""
        return str(self.api_client.error_code("scf", action, params))

    @staticmethod
    def code(files: Mapping[str, str]) -> dict[str, str]:
        """A zip of these files, in the form of the API."""
        created = io.BytesIO()
        with zipfile.ZipFile(created, "w") as archive:
            for name, text in files.items():
                archive.writestr(zipfile.ZipInfo(name, PACKED), text)
        return {"ZipFile": base64.b64encode(created.getvalue()).decode()}

    def create(self, code: str = ECHO, *, name: str = "", wait: bool = True, **params: Any) -> str:
        """Create a function of one module; returns its name."""
        name = name or f"f-{secrets.token_hex(4)}"
        wanted = {
            "Handler": "index.main_handler",
            "Runtime": "Python3.10",
            "Code": self.code({"index.py": code}),
        }
        self.call("CreateFunction", **{"FunctionName": name, **wanted, **params})
        return self.settled(name) if wait else name

    def settled(self, name: str, status: str = "Active") -> str:
        """Wait until the function can be changed; the status Active is not enough."""
        deadline = time.monotonic() + QUICKLY_S
        nothing = {"FunctionName": name, "Type": "timer", "TriggerName": "there-is-none"}
        while self.refused("DeleteTrigger", **nothing) == "FailedOperation.DeleteTrigger":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert self.call("GetFunction", FunctionName=name)["Status"] == status
        return name

    def trigger(self, function: str, kind: str, name: str, desc: Any, **params: Any) -> dict[str, Any]:
        text = desc if isinstance(desc, str) else json.dumps(desc)
        wanted = {"FunctionName": function, "Type": kind, "TriggerName": name, "TriggerDesc": text}
        wanted |= {"Qualifier": "$DEFAULT", "Enable": "OPEN", **params}
        info: dict[str, Any] = self.call("CreateTrigger", **wanted)["TriggerInfo"]
        return info

    def url(self, function: str, **params: Any) -> str:
        """Create the URL of a function."""
        desc = {"AuthType": "NONE", "NetConfig": {"EnableExtranet": True, "EnableIntranet": False}}
        created = self.trigger(function, "http", "url-trigger", desc, **params)
        return str(json.loads(created["TriggerDesc"])["NetConfig"]["ExtranetUrl"])

    def invoke(self, function: str, event: Any = None, **params: Any) -> dict[str, Any]:
        text = json.dumps(event)
        result: dict[str, Any] = self.call("Invoke", FunctionName=function, ClientContext=text, **params)[
            "Result"
        ]
        return result

    def get(self, url: str) -> httpx.Response:
        """Send a request to a function URL."""
        with httpx.Client(proxy=self.cloud.endpoint, trust_env=False, timeout=QUICKLY_S) as client:
            return client.get(url.replace("https://", "http://"))

    def invocations(self, function: str) -> list[dict[str, Any]]:
        """The invocations of a function, once the cloud is idle."""
        assert self.cloud.admin("GET", "idle?timeout=20") is True
        return [each for each in self.cloud.admin("GET", "invocations") if each["function"] == function]


@pytest.fixture(scope="session")
def make_scf(make_api_client: Callable[..., Any]) -> Callable[[Any], Scf]:
    return lambda cloud: Scf(cloud, make_api_client(cloud))


@pytest.fixture
def scf(cloud: Any, make_scf: Callable[[Any], Scf]) -> Scf:
    return make_scf(cloud)


@pytest.fixture(scope="session")
def shared_scf(cloud: Any, make_scf: Callable[[Any], Scf]) -> Scf:
    return make_scf(cloud)


@pytest.fixture(scope="session")
def echo(shared_scf: Scf) -> str:
    """A function that returns its event, for tests that do not change it."""
    return shared_scf.create(ECHO)
