"""How answers of Tencent's control plane are taken that the stand-in does not give: written down, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cli.cloud.control import Control, ControlError
from cli.cloud.functions import Functions
from cli.cloud.identity import identity
from cli.cloud.triggers import found_trigger
from cli.cloud.waiting import LONGEST_REPEATING_S
from cli.policy.roles import Roles
from shared.tencent.auth import Credentials

DOCUMENT = {
    "version": "2.0",
    "statement": [{"effect": "allow", "action": ["cos:HeadObject"], "resource": ["*"]}],
}
UPDATE = {"FunctionName": "f", "Namespace": "default", "Role": "r"}
Answer = dict[str, Any]


def refusal(code: str, message: str = "it says no") -> Answer:
    return {"Error": {"Code": code, "Message": message}}


def status(now: str) -> Answer:
    return {"FunctionName": "f", "Status": now}


@dataclass
class Cloud:
    """Answers each action with what is written for it, one after another, the last one for ever."""

    endpoint: str = ""
    written: dict[str, list[Answer]] = field(default_factory=dict)
    raw: bytes = b""
    asked: list[str] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    slowness: float = 1.0  # how much longer each pause takes than asked for

    @property
    def control(self) -> Control:
        return Control(Credentials("AKIDmade-up", "made-up"), "ap-guangzhou", self.endpoint)

    @property
    def functions(self) -> Functions:
        return Functions(self.control, now=lambda: sum(self.paused), sleep=self.sleep)

    @property
    def roles(self) -> Roles:
        return Roles(self.control, now=lambda: sum(self.paused), sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.paused.append(self.slowness * seconds)

    def answer(self, action: str) -> tuple[str, bytes]:
        self.asked.append(action)
        if self.raw:
            return "text/html", self.raw
        answers = self.written[action]
        told = answers.pop(0) if len(answers) > 1 else answers[0]
        return "application/json", json.dumps({"Response": {"RequestId": "r-1", **told}}).encode()


@contextmanager
def served(answer: Callable[[str], tuple[str, bytes]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one piece: two would wait for each other

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            kind, body = answer(self.headers["x-tc-action"])
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    cloud = Cloud()
    with served(cloud.answer) as cloud.endpoint:
        yield cloud


@pytest.mark.parametrize(
    "code", ["ResourceNotFound.Role", "ResourceNotFound.RoleCheck", "InvalidParameter.RoleCheck"]
)
def test_a_role_that_scf_does_not_see_yet_is_waited_for(code: str, cloud: Cloud) -> None:
    for action in ("CreateFunction", "UpdateFunctionConfiguration"):
        cloud.written[action] = [refusal(code), refusal(code), {}]
    cloud.functions.create(UPDATE, b"zip")
    cloud.functions.update_configuration(UPDATE)
    assert cloud.asked == ["CreateFunction"] * 3 + ["UpdateFunctionConfiguration"] * 3


def test_a_role_that_never_comes_is_told_after_a_minute(cloud: Cloud) -> None:
    cloud.written["CreateFunction"] = [refusal("ResourceNotFound.Role")]
    cloud.slowness = 20
    with pytest.raises(ControlError, match=r"ResourceNotFound\.Role"):
        cloud.functions.create(UPDATE, b"zip")
    assert LONGEST_REPEATING_S <= sum(cloud.paused) < LONGEST_REPEATING_S + cloud.slowness


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "FailedOperation.UpdateFunctionConfiguration",
            "当前函数处于Updating状态，无法进行此操作，请稍后重试。",
        ),
        ("FailedOperation.UpdateFunctionConfiguration", "The function is Updating."),
        ("FailedOperation.UpdateFunctionConfiguration", "当前函数状态无法进行此操作。"),
        ("FailedOperation.UpdateFunctionConfiguration", "请稍后重试。"),
        ("FailedOperation.FunctionVersionStatusNotActive", "it says no"),
        ("FailedOperation.OperationConflict", "it says no"),
        ("UnauthorizedOperation.FunctionStatus", "it says no"),
    ],
)
def test_a_function_that_turns_updating_after_it_was_active_is_waited_for(
    code: str, message: str, cloud: Cloud
) -> None:
    cloud.written = {
        "GetFunction": [status("Active")],
        "UpdateFunctionConfiguration": [refusal(code, message), {}],
    }
    cloud.functions.update_configuration(UPDATE)
    assert cloud.asked == ["UpdateFunctionConfiguration", "GetFunction", "UpdateFunctionConfiguration"]


def test_a_trigger_is_sent_again_while_its_function_is_updating(cloud: Cloud) -> None:
    cloud.written = {
        "GetFunction": [status("Updating")],
        "CreateTrigger": [refusal("FailedOperation.CreateTrigger"), {}],
    }
    cloud.functions.create_trigger({"FunctionName": "f", "Namespace": "default"})
    assert cloud.asked.count("CreateTrigger") == 2


@pytest.mark.parametrize(
    ("code", "now"),
    [
        ("FailedOperation.CreateTrigger", "Active"),  # the trigger itself is wrong
        ("FailedOperation.FunctionStatusError", "UpdateFailed"),  # no waiting mends that
        ("InvalidParameterValue.TriggerDesc", "Updating"),
    ],
)
def test_what_waiting_does_not_mend_is_told_at_once(code: str, now: str, cloud: Cloud) -> None:
    cloud.written = {"GetFunction": [status(now)], "CreateTrigger": [refusal(code)]}
    with pytest.raises(ControlError, match=code):
        cloud.functions.create_trigger({"FunctionName": "f", "Namespace": "default"})
    assert cloud.paused == []


def test_a_function_whose_versions_are_gone_is_still_being_deleted(cloud: Cloud) -> None:
    cloud.written = {
        "DeleteFunction": [{}],
        "GetFunction": [refusal("ResourceNotFound.Version"), refusal("ResourceNotFound.Function")],
    }
    cloud.functions.delete("f", "default")
    assert cloud.asked == ["DeleteFunction", "GetFunction", "GetFunction"]


def test_a_policy_that_cam_does_not_see_yet_is_attached_a_moment_later(cloud: Cloud) -> None:
    absent = refusal("InvalidParameter.RoleNotExist")
    cloud.written = {
        "ListPolicies": [{"TotalNum": 0, "List": []}],
        "GetRole": [absent],
        "CreateRole": [{"RoleId": "1"}],
        "CreatePolicy": [{"PolicyId": 7}],
        "ListAttachedRolePolicies": [absent, {"TotalNum": 0, "List": []}],
        "AttachRolePolicy": [
            refusal("ResourceNotFound.PolicyIdNotFound"),
            refusal("InvalidParameter.PolicyIdNotExist"),
            {},
        ],
    }
    assert cloud.roles.ensure("scribe-prod-upload", DOCUMENT)
    assert cloud.asked[-3:] == ["AttachRolePolicy"] * 3
    assert (cloud.asked.count("CreateRole"), cloud.asked.count("CreatePolicy")) == (1, 1)


def test_members_of_an_answer_that_the_sdk_does_not_know_are_no_trouble(cloud: Cloud) -> None:
    newer = {"Tags": [{"Key": "app", "Value": "scribe", "NewerThanTheSdk": 1}], "AlsoNewer": {}}
    cloud.written["GetFunction"] = [{**status("Active"), **newer}]
    found = cloud.functions.find("f", "default")
    assert found is not None
    assert found.tags == {"app": "scribe"}


@pytest.mark.parametrize("raw", [b"<html>Please log in</html>", b"[]", b'{"login": "/portal"}'])
def test_an_answer_of_something_else_than_the_api_is_told_as_that(raw: bytes, cloud: Cloud) -> None:
    cloud.raw = raw
    with pytest.raises(ControlError, match="no answer of Tencent's API, but perhaps one of a proxy") as told:
        cloud.functions.find("f", "default")
    assert told.value.code == "ServerNetworkError"


@pytest.mark.parametrize(
    ("kind", "arn", "is_root"),
    [
        ("CAMUser", "qcs::cam::uin/100000000001:uin/100000000001", True),
        ("", "qcs::sts:100000000001:assumed-role/4611686018427397919", False),
        ("", "qcs::sts::uin/100000000001:federated-user/100000000001", False),
        ("CAMRole", "qcs::cam::uin/100000000001:uin/100000000001", False),
    ],
)
def test_a_key_of_a_role_is_not_the_main_accounts(kind: str, arn: str, is_root: bool, cloud: Cloud) -> None:
    cloud.written = {
        "GetCallerIdentity": [{"Arn": arn, "Type": kind, "AccountId": "100000000001"}],
        "GetUserAppId": [{"Uin": "100000000001", "OwnerUin": "100000000001", "AppId": 1250000000}],
    }
    assert identity(cloud.control).is_root == is_root


def test_no_address_of_an_http_trigger_counts_as_a_setting() -> None:
    network = {"EnableExtranet": True, "EnableIntranet": False}
    urls = ("IntranetHTTPUrl", "ExtranetHTTPUrl", "WsIntranetUrl", "WssExtranetUrl", "ExtranetUrl")
    sent = {"AuthType": "NONE", "NetConfig": {**network, **{name: f"https://{name}" for name in urls}}}
    found = found_trigger({"Type": "http", "TriggerDesc": json.dumps(sent)})
    assert json.loads(found.description) == {"AuthType": "NONE", "NetConfig": network}
    assert found.url == "https://ExtranetUrl"
