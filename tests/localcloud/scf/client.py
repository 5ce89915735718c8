"""The API of SCF, used through the official SDK with the stand-in as its proxy."""

from __future__ import annotations

import base64
import io
import json
import secrets
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx

from tests.helpers.loopback import open_client
from tests.localcloud.clients import ApiClient
from tests.localcloud.functions import ECHO
from tests.localcloud.stand_in import TIMEOUT_S, StandIn, eventually

BUSY = "FailedOperation.DeleteTrigger"
# The time that each file of a package has in its zip.
ZIP_TIME = (2020, 1, 2, 3, 4, 6)


def build_zip(files: Mapping[str, str]) -> bytes:
    """A zip of these files; equal files give equal bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), text)
    return content.getvalue()


def build_code(files: Mapping[str, str]) -> dict[str, str]:
    """The parameter Code of the API, with a zip of these files."""
    return {"ZipFile": base64.b64encode(build_zip(files)).decode()}


def build_policy_document(**statement: object) -> str:
    """A policy document of one statement, in JSON."""
    return json.dumps({"version": "2.0", "statement": [{"effect": "allow", **statement}]})


@dataclass
class Scf:
    """Sends actions, and combines those that tests need often."""

    cloud: StandIn
    api_client: ApiClient

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        return self.api_client.call("scf", action, params)

    def error_code(self, action: str, **params: Any) -> str:
        """Send an action that must fail; returns its error code."""
        return self.api_client.error_code("scf", action, params)

    def create(self, code: str = ECHO, *, name: str = "", wait: bool = True, **params: Any) -> str:
        """Create a function of one module; returns its name."""
        name = name or f"f-{secrets.token_hex(4)}"
        defaults = {
            "Handler": "index.main_handler",
            "Runtime": "Python3.10",
            "Code": build_code({"index.py": code}),
        }
        self.call("CreateFunction", **{"FunctionName": name, **defaults, **params})
        return self.wait_settled(name) if wait else name

    def get_function(self, name: str) -> dict[str, Any]:
        return self.call("GetFunction", FunctionName=name)

    def get_change_error(self, name: str) -> str:
        """Delete a trigger that does not exist; the error code is BUSY during a deployment."""
        return self.error_code("DeleteTrigger", FunctionName=name, Type="timer", TriggerName="absent")

    def wait_settled(self, name: str, status: str = "Active") -> str:
        """Wait until the function can be changed; the status Active is not enough."""
        eventually(lambda: self.get_change_error(name) != BUSY)
        assert self.get_function(name)["Status"] == status
        return name

    def update_code(self, name: str, files: Mapping[str, str]) -> None:
        self.call("UpdateFunctionCode", FunctionName=name, Code=build_code(files))

    def create_trigger(
        self, function: str, kind: str, name: str, desc: object, **params: Any
    ) -> dict[str, Any]:
        text = desc if isinstance(desc, str) else json.dumps(desc)
        settings = {"FunctionName": function, "Type": kind, "TriggerName": name, "TriggerDesc": text}
        settings |= {"Qualifier": "$DEFAULT", "Enable": "OPEN", **params}
        info: dict[str, Any] = self.call("CreateTrigger", **settings)["TriggerInfo"]
        return info

    def list_triggers(self, function: str, **params: Any) -> list[dict[str, Any]]:
        triggers: list[dict[str, Any]] = self.call("ListTriggers", FunctionName=function, **params)[
            "Triggers"
        ]
        return triggers

    def create_url(self, function: str, **params: Any) -> str:
        """Create the URL of a function."""
        desc = {"AuthType": "NONE", "NetConfig": {"EnableExtranet": True, "EnableIntranet": False}}
        trigger = self.create_trigger(function, "http", "url-trigger", desc, **params)
        return str(json.loads(trigger["TriggerDesc"])["NetConfig"]["ExtranetUrl"])

    def invoke(self, function: str, event: object = None, **params: Any) -> dict[str, Any]:
        """Invoke a function; returns the member Result of the response."""
        text = json.dumps(event)
        response = self.call("Invoke", FunctionName=function, ClientContext=text, **params)
        result: dict[str, Any] = response["Result"]
        return result

    def get(self, url: str) -> httpx.Response:
        """Send a request to a function URL."""
        with open_client(proxy=self.cloud.endpoint, timeout=TIMEOUT_S) as client:
            return client.get(url.replace("https://", "http://"))

    def invocations(self, function: str) -> list[dict[str, Any]]:
        """The invocations of a function, once the cloud is idle."""
        self.cloud.wait_idle()
        return [row for row in self.cloud.admin("GET", "invocations") if row["function"] == function]


MakeScf: TypeAlias = Callable[[StandIn], Scf]
