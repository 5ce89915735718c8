"""SCF of a stand-in as its API shows it, through the official SDK with the stand-in as its proxy."""

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
    """Calls by action, and what tests do with several of them."""

    cloud: Any
    control: Any

    def call(self, action: str, **given: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.control.call("scf", action, given)
        return found

    def refused(self, action: str, **given: Any) -> str:
        """The code with which a call is refused."""
        return str(self.control.refusal("scf", action, given))

    @staticmethod
    def code(files: Mapping[str, str]) -> dict[str, str]:
        """A zip of these files, as the API wants it."""
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for name, text in files.items():
                archive.writestr(zipfile.ZipInfo(name, PACKED), text)
        return {"ZipFile": base64.b64encode(made.getvalue()).decode()}

    def create(self, code: str = ECHO, *, name: str = "", wait: bool = True, **given: Any) -> str:
        """A function of one module; its name."""
        name = name or f"f-{secrets.token_hex(4)}"
        wanted = {
            "Handler": "index.main_handler",
            "Runtime": "Python3.10",
            "Code": self.code({"index.py": code}),
        }
        self.call("CreateFunction", **{"FunctionName": name, **wanted, **given})
        return self.settled(name) if wait else name

    def settled(self, name: str, status: str = "Active") -> str:
        """Wait until it can be changed; that it is Active does not say so."""
        deadline = time.monotonic() + QUICKLY_S
        nothing = {"FunctionName": name, "Type": "timer", "TriggerName": "there-is-none"}
        while self.refused("DeleteTrigger", **nothing) == "FailedOperation.DeleteTrigger":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert self.call("GetFunction", FunctionName=name)["Status"] == status
        return name

    def trigger(self, function: str, kind: str, name: str, desc: Any, **given: Any) -> dict[str, Any]:
        text = desc if isinstance(desc, str) else json.dumps(desc)
        wanted = {"FunctionName": function, "Type": kind, "TriggerName": name, "TriggerDesc": text}
        wanted |= {"Qualifier": "$DEFAULT", "Enable": "OPEN", **given}
        info: dict[str, Any] = self.call("CreateTrigger", **wanted)["TriggerInfo"]
        return info

    def url(self, function: str, **given: Any) -> str:
        """Give a function its address."""
        desc = {"AuthType": "NONE", "NetConfig": {"EnableExtranet": True, "EnableIntranet": False}}
        made = self.trigger(function, "http", "url-trigger", desc, **given)
        return str(json.loads(made["TriggerDesc"])["NetConfig"]["ExtranetUrl"])

    def invoke(self, function: str, event: Any = None, **given: Any) -> dict[str, Any]:
        text = json.dumps(event)
        found: dict[str, Any] = self.call("Invoke", FunctionName=function, ClientContext=text, **given)[
            "Result"
        ]
        return found

    def get(self, url: str) -> httpx.Response:
        """A request to a function's address."""
        with httpx.Client(proxy=self.cloud.endpoint, trust_env=False, timeout=QUICKLY_S) as client:
            return client.get(url.replace("https://", "http://"))

    def invocations(self, function: str) -> list[dict[str, Any]]:
        """What ran of a function, once everything is quiet."""
        assert self.cloud.admin("GET", "idle?timeout=20") is True
        return [each for each in self.cloud.admin("GET", "invocations") if each["function"] == function]


@pytest.fixture(scope="session")
def scf_of(control_of: Callable[..., Any]) -> Callable[[Any], Scf]:
    return lambda cloud: Scf(cloud, control_of(cloud))


@pytest.fixture
def scf(cloud: Any, scf_of: Callable[[Any], Scf]) -> Scf:
    return scf_of(cloud)


@pytest.fixture(scope="session")
def shared_scf(cloud: Any, scf_of: Callable[[Any], Scf]) -> Scf:
    return scf_of(cloud)


@pytest.fixture(scope="session")
def echo(shared_scf: Scf) -> str:
    """A function that gives back its event, for tests that change nothing of it."""
    return shared_scf.create(ECHO)
